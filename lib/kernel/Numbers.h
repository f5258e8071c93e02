// Which parts of a kernel are numbers that sizes may decide. They are visited in one order, by
// whoever reads them and by whoever replaces them: of each instruction the constants among its
// operands, then its offset, then its coefficients. Constants are numbers where they are used, so
// that it does not matter which of them happen to be equal.
#pragma once

#include "kernel/Kernel.h"

namespace enfold::kir {

/// What of an instruction a number is.
enum class Part : uint8_t { Operand, Offset, Coefficient, Stride };

/// The constants of a kernel that are numbers, by value.
class NumberTable {
public:
  struct Number {
    Type type = kNone;
    int64_t bits = 0; ///< as in Inst::imm
  };

  /// Whether the instruction defines a number. Bool and half floats are part of the shape.
  static bool isNumber(const Inst& inst);

  void define(const Inst& inst) {
    if (numbers_.size() <= inst.result) numbers_.resize(size_t{2} * inst.result + 1);
    numbers_[inst.result] = {inst.type, inst.imm};
  }
  /// Null for other values.
  const Number* of(ValueId value) const {
    return value < numbers_.size() && !numbers_[value].type.isNone() ? &numbers_[value] : nullptr;
  }

private:
  std::vector<Number> numbers_;
};

inline bool isUnrolled(const Inst& inst) {
  return inst.op == Op::For && inst.unroll == Unroll::Full;
}

/// Whether a load by strides is made of loads of single lanes, whatever the stride.
inline bool hasAnyStride(const Inst& inst) {
  return inst.op == Op::LoadStrided && inst.type.isVector() &&
         (inst.stride > 2 || inst.stride < -1);
}

/// Calls visit(part, which, number, isFloat) for each number of the instruction itself.
template <typename Visit>
void visitNumbers(const Kernel& kernel, const NumberTable& numbers, const Inst& inst,
                  Visit&& visit) {
  if (!isUnrolled(inst))
    for (size_t i = 0; i < inst.operands.size(); ++i)
      if (const NumberTable::Number* number = numbers.of(inst.operands[i]))
        visit(Part::Operand, i, number->bits, isFloat(number->type.scalar));
  if (info(inst.op).kind == OpKind::Memory) {
    // Buffers of the scratch begin at numbers as well.
    const BufferInfo& buffer = kernel.buffers[inst.buffer];
    const int64_t begin =
        buffer.space == Space::Scratch ? buffer.offset / sizeInBytes(buffer.elem) : 0;
    visit(Part::Offset, 0, inst.imm + begin, false);
  }
  if (hasAnyStride(inst)) visit(Part::Stride, 0, inst.stride, false);
  if (inst.op != Op::Affine) return;
  visit(Part::Offset, 0, inst.imm, false);
  for (size_t i = 0; i < inst.ints.size(); ++i) visit(Part::Coefficient, i, inst.ints[i], false);
}

} // namespace enfold::kir
