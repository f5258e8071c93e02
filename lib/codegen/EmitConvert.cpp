// Conversions. f16 goes through the F16C instructions where there are any; without them, and for
// bf16, it is integer arithmetic that gives the same bits. What arithmetic has just computed in f32
// is rounded to bf16 by an instruction where there is one: it takes denormals for zero, of which
// arithmetic gives none (docs/numerics.md). Values wider than f32 are first
// rounded to f32 "to odd", which makes the second rounding exact (Boldo and Melquiond, "Emulation
// of a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008).
#include "codegen/Emitter.h"

#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

namespace enfold::codegen {

using kir::Op;
using kir::Scalar;

llvm::Value* Emitter::convert(const Inst& inst) {
  Value* x = operand(inst, 0);
  kir::Type from = operandType(inst, 0);
  Scalar to = inst.type.scalar;
  switch (inst.op) {
  case Op::Bitcast:
    return b_.CreateBitCast(x, typeOf(inst.type));
  case Op::CastSat:
    return kir::isFloat(from.scalar) ? castSaturating(x, from, to)
                                     : cast(clampInteger(x, from, to), from, to);
  default:
    return cast(x, from, to);
  }
}

/// Integers reach halves through f64. Of 64 bits, what f64 does not hold is replaced by the lowest
/// bit it does ("round to odd" again).
llvm::Value* Emitter::fitToDouble(Value* x, kir::Type from) {
  if (kir::sizeInBytes(from.scalar) < 8) return x;
  auto number = [&](uint64_t n) { return llvm::ConstantInt::get(x->getType(), n); };
  constexpr uint64_t kExact = uint64_t{1} << 53, kLost = (1 << 11) - 1;
  Value* sticky = b_.CreateAdd(b_.CreateAnd(x, number(kLost)), number(kLost));
  Value* odd = b_.CreateAnd(b_.CreateOr(x, sticky), number(~kLost));
  Value* isExact = kir::isUnsigned(from.scalar)
                       ? b_.CreateICmpULE(x, number(kExact))
                       : b_.CreateICmpULE(b_.CreateAdd(x, number(kExact)), number(2 * kExact));
  return b_.CreateSelect(isExact, x, odd);
}

/// Between the bounds of `to`, in the type of x, whose own bounds need no comparison.
llvm::Value* Emitter::clampInteger(Value* x, kir::Type from, Scalar to) {
  struct Bounds {
    unsigned bits; ///< of magnitudes
    bool isSigned;
  };
  const auto boundsOf = [](Scalar scalar) {
    const auto bits = static_cast<unsigned>(8 * kir::sizeInBytes(scalar));
    return Bounds{bits - kir::isSigned(scalar), kir::isSigned(scalar)};
  };
  const Bounds own = boundsOf(from.scalar), wanted = boundsOf(to);
  const auto width = static_cast<unsigned>(8 * kir::sizeInBytes(from.scalar));
  const auto number = [&](const llvm::APInt& n) { return llvm::ConstantInt::get(x->getType(), n); };
  if (own.isSigned && (!wanted.isSigned || wanted.bits < own.bits)) {
    const llvm::APInt least =
        wanted.isSigned ? -llvm::APInt::getOneBitSet(width, wanted.bits) : llvm::APInt(width, 0);
    x = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, x, number(least));
  }
  if (wanted.bits < own.bits)
    x = b_.CreateBinaryIntrinsic(own.isSigned ? llvm::Intrinsic::smin : llvm::Intrinsic::umin, x,
                                 number(llvm::APInt::getLowBitsSet(width, wanted.bits)));
  return x;
}

/// LLVM's own saturating conversion takes vectors apart on x86. Clamped to the numbers between
/// which all are converted exactly, then what lies above and what is no number put right; two of
/// the comparisons are the instructions for minimum and maximum.
llvm::Value* Emitter::castSaturating(Value* x, kir::Type from, Scalar to) {
  llvm::Type* type = typeOf(from.withScalar(to));
  const bool isSigned = kir::isSigned(to);
  if (target_.architecture != kir::Architecture::X86_64) {
    const auto id = isSigned ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat;
    return b_.CreateIntrinsic(id, {type, x->getType()}, {x});
  }
  const auto bits = static_cast<unsigned>(8 * kir::sizeInBytes(to));
  if (Value* rounded = castRoundedSum(x, from, to)) return rounded;
  const llvm::APInt least = isSigned ? llvm::APInt::getSignedMinValue(bits) : llvm::APInt(bits, 0);
  const llvm::APInt most =
      isSigned ? llvm::APInt::getSignedMaxValue(bits) : llvm::APInt::getMaxValue(bits);
  llvm::APFloat low(x->getType()->getScalarType()->getFltSemantics()), high = low;
  low.convertFromAPInt(least, isSigned, llvm::APFloat::rmTowardZero);
  const bool isExact =
      high.convertFromAPInt(most, isSigned, llvm::APFloat::rmTowardZero) == llvm::APFloat::opOK;
  const auto real = [&](const llvm::APFloat& v) { return llvm::ConstantFP::get(x->getType(), v); };
  Value* clamped = b_.CreateSelect(b_.CreateFCmpOGT(x, real(low)), x, real(low));
  clamped = b_.CreateSelect(b_.CreateFCmpOLT(clamped, real(high)), clamped, real(high));
  // Narrow integers go through i32, to which all vectors convert.
  llvm::Type* wide = bits < 32 ? typeOf(from.withScalar(Scalar::I32)) : type;
  Value* whole =
      isSigned || bits < 32 ? b_.CreateFPToSI(clamped, wide) : b_.CreateFPToUI(clamped, wide);
  if (!isExact)
    whole =
        b_.CreateSelect(b_.CreateFCmpOGT(x, real(high)), llvm::ConstantInt::get(wide, most), whole);
  if (isSigned) // NaN was taken for the least
    whole = b_.CreateSelect(b_.CreateFCmpORD(x, x), whole, llvm::Constant::getNullValue(wide));
  return b_.CreateTrunc(whole, type);
}

llvm::Value* Emitter::cast(Value* x, kir::Type from, Scalar to) {
  if (from.scalar == to) return x;
  if (to == Scalar::F32)
    if (Value* whole = roundedAgain(x, from)) return whole;
  kir::Type toType = from.withScalar(to);
  if (kir::isHalf(from.scalar)) return cast(halfToFloat(x, from), from.withScalar(Scalar::F32), to);
  if (kir::isHalf(to)) {
    if (!kir::isFloat(from.scalar))
      return floatToHalf(cast(fitToDouble(x, from), from, Scalar::F64), to, from.lanes);
    return floatToHalf(x, to, from.lanes);
  }
  llvm::Type* type = typeOf(toType);
  bool isUnsigned = !kir::isSigned(from.scalar);
  if (to == Scalar::Bool) {
    Value* zero = llvm::Constant::getNullValue(x->getType());
    return kir::isFloat(from.scalar) ? b_.CreateFCmpUNE(x, zero) : b_.CreateICmpNE(x, zero);
  }
  if (kir::isFloat(from.scalar) && kir::isFloat(to)) return b_.CreateFPCast(x, type);
  if (kir::isFloat(from.scalar)) {
    Value* whole = kir::isUnsigned(to) ? b_.CreateFPToUI(x, type) : b_.CreateFPToSI(x, type);
    return b_.CreateFreeze(whole);
  }
  if (kir::isFloat(to)) return isUnsigned ? b_.CreateUIToFP(x, type) : b_.CreateSIToFP(x, type);
  return isUnsigned ? b_.CreateZExtOrTrunc(x, type) : b_.CreateSExtOrTrunc(x, type);
}

namespace {

/// Integer arithmetic on the bits of floats, all lanes alike.
class Bits {
public:
  Bits(llvm::IRBuilder<>& b, int lanes) : b_(b), lanes_(lanes) {}

  llvm::Type* type(llvm::Type* scalar) const {
    return lanes_ > 1 ? llvm::FixedVectorType::get(scalar, lanes_) : scalar;
  }
  llvm::Value* i32(uint32_t x) const { return llvm::ConstantInt::get(type(b_.getInt32Ty()), x); }
  llvm::Value* f32(double x) const { return llvm::ConstantFP::get(type(b_.getFloatTy()), x); }
  llvm::Value* asInt(llvm::Value* x) const { return b_.CreateBitCast(x, type(b_.getInt32Ty())); }
  llvm::Value* asFloat(llvm::Value* x) const { return b_.CreateBitCast(x, type(b_.getFloatTy())); }

  /// f64 to f32: truncated, with the lowest bit set if anything was cut off.
  llvm::Value* roundToOdd(llvm::Value* x) const {
    llvm::Value* nearest = b_.CreateFPTrunc(x, type(b_.getFloatTy()));
    llvm::Value* back = b_.CreateFPExt(nearest, x->getType());
    auto magnitude = [&](llvm::Value* v) {
      return b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, v);
    };
    llvm::Value* bits = asInt(nearest);
    llvm::Value* away = b_.CreateFCmpOGT(magnitude(back), magnitude(x));
    llvm::Value* truncated = b_.CreateSub(bits, b_.CreateZExt(away, bits->getType()));
    llvm::Value* inexact = b_.CreateFCmpONE(back, x);
    return asFloat(b_.CreateSelect(inexact, b_.CreateOr(truncated, i32(1)), bits));
  }

  llvm::Value* bf16FromF32(llvm::Value* x) const {
    llvm::Value* bits = asInt(x);
    llvm::Value* odd = b_.CreateAnd(b_.CreateLShr(bits, i32(16)), i32(1));
    llvm::Value* rounded = b_.CreateAdd(b_.CreateAdd(bits, i32(0x7fff)), odd);
    llvm::Value* quiet = b_.CreateOr(bits, i32(0x400000));
    llvm::Value* isNan = b_.CreateFCmpUNO(x, x);
    return narrow(b_.CreateLShr(b_.CreateSelect(isNan, quiet, rounded), i32(16)));
  }

  /// In vectors of 8 or 16.
  llvm::Value* bf16FromNormal(llvm::Value* x) const {
    const llvm::Intrinsic::ID id = lanes_ == 8 ? llvm::Intrinsic::x86_avx512bf16_cvtneps2bf16_256
                                               : llvm::Intrinsic::x86_avx512bf16_cvtneps2bf16_512;
    llvm::Value* half = b_.CreateIntrinsic(id, llvm::ArrayRef<llvm::Type*>{}, {x});
    return b_.CreateBitCast(half, type(b_.getInt16Ty()));
  }

  /// Normal results round in integers; results below 2^-14 round by adding a power of two whose
  /// last place is f16's smallest number.
  llvm::Value* f16FromF32(llvm::Value* x) const {
    llvm::Value* bits = asInt(x);
    llvm::Value* sign = b_.CreateAnd(bits, i32(0x80000000));
    llvm::Value* magnitude = b_.CreateXor(bits, sign);
    llvm::Value* odd = b_.CreateAnd(b_.CreateLShr(magnitude, i32(13)), i32(1));
    llvm::Value* rebased = b_.CreateSub(magnitude, i32((127 - 15) << 23));
    llvm::Value* normal =
        b_.CreateLShr(b_.CreateAdd(b_.CreateAdd(rebased, i32(0xfff)), odd), i32(13));
    llvm::Value* sum = asInt(b_.CreateFAdd(asFloat(magnitude), f32(0.5)));
    llvm::Value* small = b_.CreateSub(sum, i32(126u << 23));
    llvm::Value* half =
        b_.CreateSelect(b_.CreateICmpULT(magnitude, i32(113u << 23)), small, normal);
    llvm::Value* overflows = b_.CreateICmpUGE(magnitude, i32(0x477ff000));
    half = b_.CreateSelect(overflows, i32(0x7c00), half);
    llvm::Value* nan =
        b_.CreateOr(i32(0x7e00), b_.CreateAnd(b_.CreateLShr(bits, i32(13)), i32(0x3ff)));
    half = b_.CreateSelect(b_.CreateICmpUGT(magnitude, i32(0x7f800000)), nan, half);
    return narrow(b_.CreateOr(half, b_.CreateLShr(sign, i32(16))));
  }

  llvm::Value* f32FromF16(llvm::Value* half) const {
    llvm::Value* wide = b_.CreateZExt(half, type(b_.getInt32Ty()));
    llvm::Value* sign = b_.CreateShl(b_.CreateAnd(wide, i32(0x8000)), i32(16));
    llvm::Value* magnitude = b_.CreateAnd(wide, i32(0x7fff));
    llvm::Value* shifted = b_.CreateShl(magnitude, i32(13));
    llvm::Value* normal = b_.CreateAdd(shifted, i32((127 - 15) << 23));
    llvm::Value* special = b_.CreateOr(shifted, i32(0x7f800000));
    llvm::Value* isNan = b_.CreateICmpUGT(magnitude, i32(0x7c00));
    special = b_.CreateOr(special, b_.CreateSelect(isNan, i32(0x400000), i32(0)));
    llvm::Value* count = b_.CreateUIToFP(magnitude, type(b_.getFloatTy()));
    llvm::Value* small = asInt(b_.CreateFMul(count, f32(0x1p-24)));
    llvm::Value* result = b_.CreateSelect(b_.CreateICmpULT(magnitude, i32(0x400)), small, normal);
    result = b_.CreateSelect(b_.CreateICmpUGE(magnitude, i32(0x7c00)), special, result);
    return asFloat(b_.CreateOr(result, sign));
  }

private:
  llvm::Value* narrow(llvm::Value* x) const { return b_.CreateTrunc(x, type(b_.getInt16Ty())); }

  llvm::IRBuilder<>& b_;
  int lanes_;
};

/// Whether arithmetic gives the value, whose lanes then are normal, zero, infinite or NaN: or one
/// of several such, or a constant.
bool isComputed(const llvm::Value* x) {
  if (const auto* constant = llvm::dyn_cast<llvm::Constant>(x)) {
    const auto* splat = llvm::dyn_cast_or_null<llvm::ConstantFP>(
        constant->getType()->isVectorTy() ? constant->getSplatValue() : constant);
    return splat && !splat->getValueAPF().isDenormal();
  }
  if (const auto* select = llvm::dyn_cast<llvm::SelectInst>(x))
    return isComputed(select->getTrueValue()) && isComputed(select->getFalseValue());
  const auto* inst = llvm::dyn_cast<llvm::Instruction>(x);
  if (!inst) return false;
  switch (inst->getOpcode()) {
  case llvm::Instruction::FAdd:
  case llvm::Instruction::FSub:
  case llvm::Instruction::FMul:
  case llvm::Instruction::FDiv:
    return true;
  case llvm::Instruction::Call: {
    const auto* call = llvm::dyn_cast<llvm::IntrinsicInst>(inst);
    return call && call->getIntrinsicID() == llvm::Intrinsic::fma;
  }
  default:
    return false;
  }
}

} // namespace

llvm::Value* Emitter::halfToFloat(Value* bits, kir::Type from) {
  Bits help(b_, from.lanes);
  if (from.scalar == Scalar::BF16) {
    Value* wide = b_.CreateZExt(bits, help.type(b_.getInt32Ty()));
    return help.asFloat(b_.CreateShl(wide, help.i32(16)));
  }
  if (!target_.hasF16Conversion) return help.f32FromF16(bits);
  Value* half = b_.CreateBitCast(bits, help.type(b_.getHalfTy()));
  return b_.CreateFPExt(half, help.type(b_.getFloatTy()));
}

llvm::Value* Emitter::floatToHalf(Value* x, Scalar to, int lanes) {
  Bits help(b_, lanes);
  if (x->getType()->getScalarType()->isDoubleTy()) x = help.roundToOdd(x);
  if (to == Scalar::BF16) {
    const bool isRounded = target_.machine.dotProducts.contains(kir::DotProduct::Avx512Bf16) &&
                           (lanes == 8 || lanes == 16) && isComputed(x);
    return isRounded ? help.bf16FromNormal(x) : help.bf16FromF32(x);
  }
  if (!target_.hasF16Conversion) return help.f16FromF32(x);
  Value* half = b_.CreateFPTrunc(x, help.type(b_.getHalfTy()));
  return b_.CreateBitCast(half, help.type(b_.getInt16Ty()));
}

} // namespace enfold::codegen
