// What is compiled: kernels, and the steps that call them over buffers. The same description makes
// a just-in-time module and an ahead-of-time object (include/enfold/program.h).
#pragma once

#include "kernel/Kernel.h"
#include "kernel/Target.h"

#include <enfold/program.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace enfold::codegen {

struct TensorInfo {
  std::string name;
  enfold_elem elem = ENFOLD_F32;
  std::vector<int64_t> dims; ///< at most ENFOLD_MAX_RANK
  int64_t bytes = 0;
};

struct Step {
  int kernel = -1;                        ///< index into ProgramDesc::kernels, or
  enfold_kernel_fn function = nullptr;    ///< a function of this process; just-in-time only
  std::vector<enfold_buffer_ref> buffers; ///< one for each parameter of the kernel
  int64_t iterations = 1;                 ///< of `function`; a kernel has its own
  bool parallel = false;                  ///< worth splitting over threads
  int64_t grain = 1;                      ///< least number of iterations for a thread
  std::string name;
  std::string origin;       ///< the ONNX nodes it computes
  std::string secondChoice; ///< the second best algorithm, for profiles in this process
  double flops = 0;
  double bytes = 0;
  kir::Scalar multiplies = kir::Scalar::F32; ///< the numbers of its products, for profiles
  /// Of a step that checks data: the message of a failure; empty if the step writes the message.
  std::optional<std::string> check = {};
  int64_t skip = 0; ///< steps behind it that it may leave out (include/enfold/program.h)
};

struct ProgramDesc {
  std::string name;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<kir::Kernel> kernels;
  std::vector<Step> steps;
  std::span<const std::byte> constants;       ///< 64-byte aligned
  std::shared_ptr<const void> constantsOwner; ///< keeps `constants` alive; may be null
  /// A text to travel inside compiled files (codegen/Annotation.h), without zero bytes; may be
  /// empty.
  std::string annotation;
  int64_t arenaBytes = 0;
  int64_t scratchBytes = 0; ///< of `function` steps; raised to what the kernels need
};

/// What a CPU must have to run the program, as in enfold_program::isa: what code for the target may
/// use, and tiles if a kernel does.
std::string needsOf(const ProgramDesc& program, const kir::Target& target);

/// Scratch that any step of the program needs.
int64_t scratchBytes(const ProgramDesc& program);

} // namespace enfold::codegen
