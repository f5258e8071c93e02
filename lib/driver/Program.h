// A Plan becomes the description code generation takes: constants in one block, steps with the
// addresses of their buffers, and reference calls bound to functions of this process.
#pragma once

#include "codegen/ProgramDesc.h"
#include "driver/ConstantPool.h"
#include "lower/Plan.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace enfold {

/// An op run by its reference function, as the kernel of a step. Its first buffer holds the address
/// of this object, then come the present operands and the results.
struct ReferenceStep {
  const Op* op;
  /// Where failures go (out-of-range indices and the like): checked after every run.
  std::atomic<bool>* failed;
  std::string error; ///< names the op
};

/// A description and what it points to.
struct ProgramParts {
  codegen::ProgramDesc desc;
  std::vector<std::unique_ptr<ReferenceStep>> references;
  std::unique_ptr<std::atomic<bool>> failed = std::make_unique<std::atomic<bool>>(false);
  std::vector<ConstantPool::Lease> leases; ///< of constants in a pool
};

/// The constants go into the pool if there is one, else into a block of their own, written by all
/// threads. The plan lets go of what they are made of as they are.
Result<ProgramParts> makeProgram(lower::Plan& plan, ConstantPool* pool = nullptr);

} // namespace enfold
