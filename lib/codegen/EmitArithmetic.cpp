// Constants, arithmetic, comparison and lanes. Integer division never traps: a zero divisor gives
// zero, and the most negative number divided by -1 wraps around.
#include "codegen/Emitter.h"

#include <llvm/IR/Module.h>

#include <bit>
#include <numeric>

namespace enfold::codegen {

using kir::Op;
using kir::Scalar;
using llvm::Intrinsic::ID;

llvm::Value* Emitter::constant(const Inst& inst) {
  llvm::Type* lane = typeOf(inst.type.withLanes(1));
  bool isFloat = kir::isFloat(inst.type.scalar);
  if (inst.op == Op::Iota) {
    std::vector<llvm::Constant*> numbers;
    for (int i = 0; i < inst.type.lanes; ++i)
      numbers.push_back(isFloat ? llvm::ConstantFP::get(lane, i)
                                : llvm::ConstantInt::get(lane, static_cast<uint64_t>(i)));
    return inst.type.isVector() ? llvm::ConstantVector::get(numbers) : numbers[0];
  }
  if (!isFloat) return llvm::ConstantInt::get(typeOf(inst.type), static_cast<uint64_t>(inst.imm));
  auto number = std::bit_cast<double>(inst.imm);
  if (!kir::isHalf(inst.type.scalar)) return llvm::ConstantFP::get(typeOf(inst.type), number);
  llvm::APFloat rounded(number);
  bool inexact = false;
  rounded.convert(inst.type.scalar == Scalar::F16 ? llvm::APFloat::IEEEhalf()
                                                  : llvm::APFloat::BFloat(),
                  llvm::APFloat::rmNearestTiesToEven, &inexact);
  return llvm::ConstantInt::get(typeOf(inst.type), rounded.bitcastToAPInt().getZExtValue());
}

bool Emitter::isAtTop(Value* value) const {
  const auto* instruction = llvm::dyn_cast<llvm::Instruction>(value);
  return instruction && instruction->getParent() == &function_->getEntryBlock();
}

/// Outer terms first, so that the sums of what a loop does not change can leave it.
llvm::Value* Emitter::affine(const Inst& inst) {
  Value* sum = nullptr;
  sums_[inst.result] = {};
  for (size_t i = 0; i < inst.operands.size(); ++i) {
    Value* term = operand(inst, i);
    if (int64_t coeff = inst.ints[i]; coeff != 1)
      term = b_.CreateMul(term, b_.getInt64(static_cast<uint64_t>(coeff)), "", false, true);
    if (i == 1 && inst.operands.size() == 2 && inst.imm == 0 && isAtTop(sum))
      sums_[inst.result] = {sum, term};
    sum = sum ? b_.CreateAdd(sum, term, "", false, true) : term;
  }
  Value* offset = b_.getInt64(static_cast<uint64_t>(inst.imm));
  if (!sum) return offset;
  return inst.imm == 0 ? sum : b_.CreateAdd(sum, offset, "", false, true);
}

bool Emitter::isNonNegative(const Inst& inst, size_t i) const {
  return kernel_.values[inst.operands[i]].type == kir::index() &&
         kernel_.values[inst.operands[i]].range.lo >= 0;
}

llvm::Value* Emitter::arithmetic(const Inst& inst) {
  kir::Type type = inst.type;
  Value* a = operand(inst, 0);
  if (inst.op == Op::Neg) return kir::isFloat(type.scalar) ? b_.CreateFNeg(a) : b_.CreateNeg(a);
  if (inst.op == Op::Abs) {
    if (kir::isFloat(type.scalar)) return b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
    if (kir::isUnsigned(type.scalar)) return a;
    return b_.CreateBinaryIntrinsic(llvm::Intrinsic::abs, a, b_.getFalse());
  }
  Value* b = operand(inst, 1);
  if (inst.op == Op::Fma) {
    Value* c = operand(inst, 2);
    if (!target_.hasFma) return b_.CreateFAdd(b_.CreateFMul(a, b), c);
    return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
  }
  bool rounds = inst.op == Op::FloorDiv || inst.op == Op::FloorMod;
  if (rounds && isNonNegative(inst, 0) && isNonNegative(inst, 1))
    return divideInteger(inst.op == Op::FloorDiv ? Op::Div : Op::Rem, type.withScalar(Scalar::U64),
                         a, b);
  return binary(inst.op, type, a, b);
}

llvm::Value* Emitter::binary(Op op, kir::Type type, Value* a, Value* b) {
  bool isFloat = kir::isFloat(type.scalar);
  switch (op) {
  case Op::Add:
    return isFloat ? b_.CreateFAdd(a, b) : b_.CreateAdd(a, b);
  case Op::Sub:
    if (Value* whole = withoutZero(a, b)) return whole;
    return isFloat ? b_.CreateFSub(a, b) : b_.CreateSub(a, b);
  case Op::Mul:
    return isFloat ? b_.CreateFMul(a, b) : b_.CreateMul(a, b);
  case Op::Min:
  case Op::Max:
  case Op::MinFast:
  case Op::MaxFast:
    return minMax(op, type, a, b);
  default:
    return divide(op, type, a, b);
  }
}

llvm::Value* Emitter::minMax(Op op, kir::Type type, Value* a, Value* b) {
  bool isMin = op == Op::Min || op == Op::MinFast;
  if (!kir::isFloat(type.scalar)) {
    ID id = kir::isUnsigned(type.scalar) ? (isMin ? llvm::Intrinsic::umin : llvm::Intrinsic::umax)
                                         : (isMin ? llvm::Intrinsic::smin : llvm::Intrinsic::smax);
    return b_.CreateBinaryIntrinsic(id, a, b);
  }
  Value* better = isMin ? b_.CreateFCmpOLT(a, b) : b_.CreateFCmpOGT(a, b);
  Value* fast = b_.CreateSelect(better, a, b);
  if (op == Op::MinFast || op == Op::MaxFast) return fast;
  return b_.CreateSelect(b_.CreateFCmpUNO(a, a), a, fast);
}

llvm::Value* Emitter::divide(Op op, kir::Type type, Value* a, Value* b) {
  if (!kir::isFloat(type.scalar)) return divideInteger(op, type, a, b);
  if (op == Op::Div) return b_.CreateFDiv(a, b);
  if (op == Op::FloorDiv)
    return b_.CreateUnaryIntrinsic(llvm::Intrinsic::floor, b_.CreateFDiv(a, b));
  Value* remainder = b_.CreateFRem(a, b);
  if (op == Op::Rem) return remainder;
  Value* zero = llvm::ConstantFP::getZero(a->getType());
  Value* differs = b_.CreateXor(b_.CreateFCmpOLT(remainder, zero), b_.CreateFCmpOLT(b, zero));
  Value* adjust = b_.CreateAnd(differs, b_.CreateFCmpONE(remainder, zero));
  return b_.CreateSelect(adjust, b_.CreateFAdd(remainder, b), remainder);
}

llvm::Value* Emitter::divideInteger(Op op, kir::Type type, Value* a, Value* b) {
  bool isUnsigned = kir::isUnsigned(type.scalar);
  Value* zero = llvm::Constant::getNullValue(a->getType());
  Value* one = llvm::ConstantInt::get(a->getType(), 1);
  Value* byZero = b_.CreateICmpEQ(b, zero);
  Value* unsafe = byZero;
  if (!isUnsigned) {
    unsigned bits = a->getType()->getScalarSizeInBits();
    Value* least = llvm::ConstantInt::get(a->getType(), llvm::APInt::getSignedMinValue(bits));
    Value* minusOne = llvm::Constant::getAllOnesValue(a->getType());
    Value* overflows = b_.CreateAnd(b_.CreateICmpEQ(a, least), b_.CreateICmpEQ(b, minusOne));
    unsafe = b_.CreateOr(byZero, overflows);
  }
  // Dividing the most negative number by 1 instead of -1 gives the wrapped quotient.
  Value* divisor = b_.CreateSelect(unsafe, one, b);
  Value* quotient = isUnsigned ? b_.CreateUDiv(a, divisor) : b_.CreateSDiv(a, divisor);
  Value* remainder = b_.CreateSub(a, b_.CreateMul(quotient, divisor));
  if (!isUnsigned && (op == Op::FloorDiv || op == Op::FloorMod)) {
    Value* differs = b_.CreateICmpSLT(b_.CreateXor(remainder, divisor), zero);
    Value* adjust = b_.CreateAnd(differs, b_.CreateICmpNE(remainder, zero));
    quotient = b_.CreateSub(quotient, b_.CreateZExt(adjust, a->getType()));
    remainder = b_.CreateSelect(adjust, b_.CreateAdd(remainder, divisor), remainder);
  }
  bool wantsQuotient = op == Op::Div || op == Op::FloorDiv;
  return b_.CreateSelect(byZero, zero, wantsQuotient ? quotient : remainder);
}

llvm::Value* Emitter::bitwise(const Inst& inst) {
  Value* a = operand(inst, 0);
  switch (inst.op) {
  case Op::And:
    return b_.CreateAnd(a, operand(inst, 1));
  case Op::Or:
    return b_.CreateOr(a, operand(inst, 1));
  case Op::Xor:
    return b_.CreateXor(a, operand(inst, 1));
  default:
    return b_.CreateNot(a);
  }
}

llvm::Value* Emitter::shift(const Inst& inst) {
  Value *a = operand(inst, 0), *amount = operand(inst, 1);
  unsigned bits = a->getType()->getScalarSizeInBits();
  Value* last = llvm::ConstantInt::get(a->getType(), bits - 1);
  Value* inside = b_.CreateICmpULE(amount, last);
  if (inst.op == Op::Shr && !kir::isUnsigned(inst.type.scalar))
    return b_.CreateAShr(a, b_.CreateSelect(inside, amount, last));
  Value* zero = llvm::Constant::getNullValue(a->getType());
  Value* safe = b_.CreateSelect(inside, amount, zero);
  Value* shifted = inst.op == Op::Shl ? b_.CreateShl(a, safe) : b_.CreateLShr(a, safe);
  return b_.CreateSelect(inside, shifted, zero);
}

llvm::Value* Emitter::compare(const Inst& inst) {
  using Predicate = llvm::CmpInst::Predicate;
  struct Predicates {
    Predicate onFloat, onSigned, onUnsigned;
  };
  static constexpr Predicates kTable[] = {
      {Predicate::FCMP_OEQ, Predicate::ICMP_EQ, Predicate::ICMP_EQ},
      {Predicate::FCMP_UNE, Predicate::ICMP_NE, Predicate::ICMP_NE},
      {Predicate::FCMP_OLT, Predicate::ICMP_SLT, Predicate::ICMP_ULT},
      {Predicate::FCMP_OLE, Predicate::ICMP_SLE, Predicate::ICMP_ULE},
      {Predicate::FCMP_OGT, Predicate::ICMP_SGT, Predicate::ICMP_UGT},
      {Predicate::FCMP_OGE, Predicate::ICMP_SGE, Predicate::ICMP_UGE},
  };
  const Predicates& row = kTable[static_cast<int>(inst.op) - static_cast<int>(Op::Eq)];
  Scalar scalar = operandType(inst, 0).scalar;
  Predicate predicate = kir::isFloat(scalar)    ? row.onFloat
                        : kir::isSigned(scalar) ? row.onSigned
                                                : row.onUnsigned;
  return b_.CreateCmp(predicate, operand(inst, 0), operand(inst, 1));
}

/// A scalar condition on vectors becomes a mask: a branch would be worse.
llvm::Value* Emitter::select(const Inst& inst) {
  Value* condition = operand(inst, 0);
  if (inst.type.isVector() && !operandType(inst, 0).isVector())
    condition = b_.CreateVectorSplat(inst.type.lanes, condition);
  return b_.CreateSelect(condition, operand(inst, 1), operand(inst, 2));
}

llvm::Value* Emitter::lanes(const Inst& inst) {
  Value* a = operand(inst, 0);
  bool isVector = operandType(inst, 0).isVector();
  auto lane = static_cast<uint64_t>(inst.imm);
  switch (inst.op) {
  case Op::Splat:
    return inst.type.isVector() ? b_.CreateVectorSplat(inst.type.lanes, a) : a;
  case Op::Extract:
    return isVector ? b_.CreateExtractElement(a, lane) : a;
  case Op::Insert:
    return isVector ? b_.CreateInsertElement(a, operand(inst, 1), lane) : operand(inst, 1);
  default:
    break;
  }
  Value* b = operand(inst, 1);
  if (!isVector) {
    a = b_.CreateVectorSplat(1, a);
    b = b_.CreateVectorSplat(1, b);
  }
  std::vector<int> mask(inst.ints.begin(), inst.ints.end());
  Value* shuffled = b_.CreateShuffleVector(a, b, mask);
  return inst.type.isVector() ? shuffled : b_.CreateExtractElement(shuffled, uint64_t(0));
}

llvm::Value* Emitter::reduce(const Inst& inst) {
  Op op = inst.op == Op::ReduceAdd   ? Op::Add
          : inst.op == Op::ReduceMul ? Op::Mul
          : inst.op == Op::ReduceMin ? Op::Min
                                     : Op::Max;
  Value* x = operand(inst, 0);
  int n = operandType(inst, 0).lanes;
  if (n == 1) return x;
  auto part = [&](int first, int count) {
    std::vector<int> mask(count);
    std::iota(mask.begin(), mask.end(), first);
    return b_.CreateShuffleVector(x, mask);
  };
  if (int whole = static_cast<int>(std::bit_floor(static_cast<unsigned>(n))); whole < n) {
    std::vector<int> merge(whole);
    for (int i = 0; i < whole; ++i) merge[i] = i < n - whole ? i : whole + i;
    Value* low = part(0, whole);
    std::vector<int> tail(whole, -1);
    std::iota(tail.begin(), tail.begin() + (n - whole), whole);
    Value* folded = binary(op, inst.type.withLanes(whole), low, b_.CreateShuffleVector(x, tail));
    x = b_.CreateShuffleVector(folded, low, merge);
    n = whole;
  }
  for (; n > 1; n /= 2) {
    Value *low = part(0, n / 2), *high = part(n / 2, n / 2);
    x = binary(op, inst.type.withLanes(n / 2), low, high);
  }
  return b_.CreateExtractElement(x, uint64_t(0));
}

} // namespace enfold::codegen
