// A Plan becomes the description code generation takes: constants in one block, steps with the
// addresses of their buffers, and reference calls bound to functions of this process.
#pragma once

#include "codegen/ProgramDesc.h"
#include "driver/ConstantPool.h"
#include "lower/Plan.h"

#include <vector>

namespace enfold {

/// A description and what it points to.
struct ProgramParts {
  codegen::ProgramDesc desc;
  std::vector<ConstantPool::Lease> leases; ///< of constants in a pool
};

/// Ops run by their reference functions must outlive the program; what such a function complains
/// about ends the run. The constants go into the pool if there is one, else into a block of their
/// own, written by all threads. The plan releases the originals one by one.
Result<ProgramParts> makeProgram(lower::Plan& plan, ConstantPool* pool = nullptr);

} // namespace enfold
