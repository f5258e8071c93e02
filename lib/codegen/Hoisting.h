// Internal to lib/codegen: what LLVM may keep in registers while sums fill them.
#pragma once

#include "kernel/Kernel.h"
#include "kernel/Machine.h"

#include <llvm/IR/OptBisect.h>

#include <set>
#include <string>

namespace enfold::codegen {

/// Whether sums of dot products that live across a loop of the kernel take at least half of the
/// vector registers, as those of a register tile do.
bool fillsRegisters(const kir::Kernel& kernel, const kir::Machine& machine);

/// LLVM's code generator moves the constants of an epilogue, of which quantization has many, out of
/// all loops, and shares them between loops. Where sums fill the registers, it keeps the constants
/// there and spills sums in the innermost loop. This gate leaves out the two passes that do so, for
/// the functions of such kernels.
class Hoisting final : public llvm::OptPassGate {
public:
  void exclude(std::string function) { excluded_.insert(std::move(function)); }

  bool isEnabled() const override { return !excluded_.empty(); }
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef function) override;

private:
  std::set<std::string, std::less<>> excluded_; ///< symbols
};

} // namespace enfold::codegen
