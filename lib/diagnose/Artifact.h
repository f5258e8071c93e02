// What compiled files say about themselves: written into them when they are compiled, read back
// without loading them.
#pragma once

#include "codegen/ProgramDesc.h"
#include "diagnose/Certificates.h"
#include "kernel/Target.h"

#include <filesystem>

namespace enfold::diagnose {

/// How a program was made, and what it takes and gives.
struct Artifact {
  std::string version; ///< of enfold
  std::string model;   ///< the model's file name without its folder, or "zoo:NAME"
  std::string cpu;     ///< LLVM's name of the processor it was compiled for
  std::string needs;   ///< what a processor must have to run it, as in enfold_program::isa
  std::vector<TensorSpec> inputs, outputs;
  int64_t arenaBytes = 0;    ///< memory for intermediate tensors that one context takes
  int64_t constantBytes = 0; ///< packed weights in the file
  int64_t calls = 0;         ///< kernel calls in one run
  std::vector<Certificate> certificates;
};

Artifact artifactOf(const std::string& model, const codegen::ProgramDesc& program,
                    const kir::Target& target, const PipelineReport& report);

Json toJson(const Artifact& artifact);

/// Whether the name of a file is that of native code that can be read: .o, .a, .so.
bool isArtifact(const std::filesystem::path& path);

/// What the file says, one entry for each network in it. Fails if the file is not one of enfold's
/// or is damaged.
Result<std::vector<Artifact>> readArtifacts(const std::filesystem::path& path);

} // namespace enfold::diagnose
