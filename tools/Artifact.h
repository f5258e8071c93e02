// What compiled files tell about themselves: `compile` writes it into them, `inspect` reads it.
#pragma once

#include "codegen/ProgramDesc.h"
#include "kernel/Target.h"
#include "passes/PassManager.h"

#include <filesystem>

namespace enfold::tool {

/// How a program was made, what it takes and gives, and the certificates of its folds, as JSON.
std::string artifactJson(const std::string& model, const codegen::ProgramDesc& program,
                         const kir::Target& target, const PipelineReport& report);

/// Whether the name of a file is that of native code that can be read: .o, .a, .so.
bool isArtifact(const std::filesystem::path& path);

/// Prints what a compiled file tells about itself, and writes it as JSON if `json` names a file.
Result<> inspectArtifact(const std::filesystem::path& path, const std::string& json);

} // namespace enfold::tool
