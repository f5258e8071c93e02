// Telling numbers from what decides code.
#include "kernel/Numbers.h"

#include <bit>
#include <cmath>

namespace enfold::kir {
namespace {

/// Doubles that are not normal as floats are no numbers: threads that flush them would read others.
bool isOrdinary(double x) {
  return x == 0 ? !std::signbit(x) : std::isnormal(static_cast<float>(x));
}

} // namespace

bool NumberTable::isNumber(const Inst& inst) {
  if (inst.op != Op::Const || inst.type.scalar == Scalar::Bool || isHalf(inst.type.scalar))
    return false;
  return !isFloat(inst.type.scalar) || isOrdinary(std::bit_cast<double>(inst.imm));
}

} // namespace enfold::kir
