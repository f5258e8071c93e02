// Which functions the gate leaves alone: by their variables, and by what LLVM calls its passes.
#include "codegen/Hoisting.h"

#include <algorithm>
#include <string_view>

namespace enfold::codegen {
namespace {

bool hasDot(const kir::Block& block) {
  return std::ranges::any_of(block, [](const kir::Inst& inst) {
    return inst.op == kir::Op::Dot || std::ranges::any_of(inst.blocks, hasDot);
  });
}

int64_t registersOf(kir::Type type, const kir::Machine& machine) {
  const int64_t bytes = type.lanes * kir::sizeInBytes(type.scalar);
  return (bytes + machine.vectorBytes - 1) / machine.vectorBytes;
}

bool holdsSums(const kir::Kernel& kernel, const kir::Block& block, const kir::Machine& machine) {
  int64_t registers = 0;
  bool hasLoop = false;
  for (const kir::Inst& inst : block) {
    if (inst.op == kir::Op::VarDecl) registers += registersOf(kernel.vars[inst.var].type, machine);
    hasLoop |= inst.op == kir::Op::For && inst.unroll == kir::Unroll::None;
  }
  if (hasLoop && 2 * registers >= machine.vectorRegisters) return true;
  return std::ranges::any_of(block, [&](const kir::Inst& inst) {
    return std::ranges::any_of(
        inst.blocks, [&](const kir::Block& inner) { return holdsSums(kernel, inner, machine); });
  });
}

} // namespace

bool fillsRegisters(const kir::Kernel& kernel, const kir::Machine& machine) {
  return hasDot(kernel.body) && holdsSums(kernel, kernel.body, machine);
}

bool Hoisting::shouldRunPass(llvm::StringRef pass, llvm::StringRef function) {
  if (pass != "Early Machine Loop Invariant Code Motion" &&
      pass != "Machine Common Subexpression Elimination")
    return true;
  function.consume_front("function (");
  function.consume_back(")");
  return !excluded_.contains(std::string_view(function));
}

} // namespace enfold::codegen
