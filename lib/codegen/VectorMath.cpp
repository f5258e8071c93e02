// Float functions. Numbers are rounded to integers by adding 1.5 * 2^(mantissa bits): the sum's low
// bits are the integer, and subtracting it again leaves the rounded number. This works on every
// instruction set and needs no conversion.
#include "codegen/VectorMath.h"

#include "support/Result.h"

#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <cmath>
#include <limits>

namespace enfold::codegen {

using kir::Op;
using llvm::Value;

namespace {

constexpr double kRound32 = 0x1.8p23;
constexpr double kRound64 = 0x1.8p52;
constexpr double kLog2e = 1.4426950408889634;
// ln 2 in two parts; a product of the first with a whole number below 2^15 is exact.
constexpr double kLn2High = 0.693359375;
constexpr double kLn2Low = -2.1219444005469057e-4;
/// Of instructions that can round otherwise than the processor is set to.
constexpr int kCurrentRounding = 4;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// The C library's name of an operation, for double.
llvm::StringRef libmName(Op op) {
  switch (op) {
  case Op::Exp:
    return "exp";
  case Op::Log:
    return "log";
  case Op::Log1p:
    return "log1p";
  case Op::Tanh:
    return "tanh";
  case Op::Erf:
    return "erf";
  case Op::Sin:
    return "sin";
  case Op::Cos:
    return "cos";
  case Op::Tan:
    return "tan";
  case Op::Asin:
    return "asin";
  case Op::Acos:
    return "acos";
  case Op::Atan:
    return "atan";
  case Op::Sinh:
    return "sinh";
  case Op::Cosh:
    return "cosh";
  case Op::Asinh:
    return "asinh";
  case Op::Acosh:
    return "acosh";
  case Op::Atanh:
    return "atanh";
  default:
    ENFOLD_CHECK(false, "no such function in the C library");
  }
}

} // namespace

Value* VectorMath::unary(Op op, Value* x) {
  bool inLine = x->getType()->getScalarType()->isFloatTy();
  switch (op) {
  case Op::Sqrt:
    return intrinsic(llvm::Intrinsic::sqrt, x);
  case Op::Rsqrt:
    return b_.CreateFDiv(number(x, 1), intrinsic(llvm::Intrinsic::sqrt, x));
  case Op::Floor:
    return intrinsic(llvm::Intrinsic::floor, x);
  case Op::Ceil:
    return intrinsic(llvm::Intrinsic::ceil, x);
  case Op::Round:
    return intrinsic(llvm::Intrinsic::roundeven, x);
  case Op::Trunc:
    return intrinsic(llvm::Intrinsic::trunc, x);
  case Op::Sigmoid:
    return sigmoid(x);
  case Op::NormalCdf:
    return normalCdf(x);
  case Op::Elu:
    return elu(x);
  case Op::Exp:
    if (inLine) return exp(x, ExpRange::Full);
    break;
  case Op::Log:
    if (inLine) return log(x);
    break;
  case Op::Tanh:
    if (inLine) return tanh(x);
    break;
  case Op::Erf:
    if (inLine) return erf(x);
    break;
  case Op::Sin:
  case Op::Cos:
    if (inLine) return sinOrCos(op, x);
    break;
  default:
    break;
  }
  return callLibm(libmName(op), x);
}

/// n is the whole number nearest to x / ln(2), and q = exp(r) - 1 with r = x - n ln(2).
VectorMath::ExpParts VectorMath::expParts(Value* x) {
  Value* shifted = mulAdd(x, number(x, kLog2e), number(x, kRound32));
  Value* n = sub(shifted, number(x, kRound32));
  Value* r = mulAdd(n, number(x, -kLn2High), x);
  r = mulAdd(n, number(x, -kLn2Low), r);
  Value* p = polynomial(
      r, {4.999999404e-01, 1.666652113e-01, 4.166838899e-02, 8.368716575e-03, 1.381459879e-03});
  return {n, asInteger(shifted), mulAdd(mul(r, r), p, r)};
}

Value* VectorMath::powerOfTwo(Value* bits) {
  return asFloat(b_.CreateShl(b_.CreateAdd(bits, integer(bits, 127)), integer(bits, 23)));
}

/// x 2^n, rounded once, in the one instruction that AVX-512 has for it; else null.
Value* VectorMath::scaleInOne(Value* x, Value* n) {
  const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  if (target_.isa != kir::Isa::Avx512 || !vector) return nullptr;
  const unsigned lanes = vector->getNumElements();
  if (lanes == 16)
    return b_.CreateIntrinsic(llvm::Intrinsic::x86_avx512_mask_scalef_ps_512, {},
                              {x, n, x, b_.getInt16(0xffff), b_.getInt32(kCurrentRounding)});
  if (lanes != 8 && lanes != 4) return nullptr;
  return b_.CreateIntrinsic(lanes == 8 ? llvm::Intrinsic::x86_avx512_mask_scalef_ps_256
                                       : llvm::Intrinsic::x86_avx512_mask_scalef_ps_128,
                            {}, {x, n, x, b_.getInt8(0xff)});
}

/// Without an instruction for it the scale is applied in two halves, so that it neither overflows
/// before the result does nor rounds a denormal result twice.
Value* VectorMath::exp(Value* x, ExpRange range) {
  if (range != ExpRange::Moderate) x = atLeast(x, -104);
  if (range == ExpRange::Full) x = atMost(x, 89);
  const auto [n, bits, q] = expParts(x);
  Value* y = add(q, number(x, 1));
  if (Value* scaled = scaleInOne(y, n)) return scaled;
  if (range == ExpRange::Moderate) return mul(y, powerOfTwo(bits));
  Value* whole = b_.CreateSub(bits, asInteger(number(x, kRound32)));
  Value* half = b_.CreateAShr(whole, integer(bits, 1));
  return mul(mul(y, powerOfTwo(half)), powerOfTwo(b_.CreateSub(whole, half)));
}

/// log(x) = e ln 2 + log(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
Value* VectorMath::log(Value* x) {
  Value* isTiny = b_.CreateFCmpOLT(x, number(x, 0x1p-126));
  Value* scaled = b_.CreateSelect(isTiny, mul(x, number(x, 0x1p23)), x);
  Value* bits = asInteger(scaled);
  Value* exponent = b_.CreateAShr(b_.CreateSub(bits, integer(bits, 0x3f3504f3)), integer(bits, 23));
  Value* mantissa = asFloat(b_.CreateSub(bits, b_.CreateShl(exponent, integer(bits, 23))));
  exponent = b_.CreateSub(exponent, b_.CreateSelect(isTiny, integer(bits, 23), integer(bits, 0)));
  Value* e = b_.CreateSIToFP(exponent, x->getType());
  Value* f = sub(mantissa, number(x, 1));
  Value* square = mul(f, f);
  Value* p = polynomial(f, {3.333333135e-01, -2.500081956e-01, 2.000122666e-01, -1.662335694e-01,
                            1.420175880e-01, -1.316018254e-01, 1.276157498e-01, -7.634494454e-02});
  Value* y = mul(mul(f, square), p);
  y = mulAdd(e, number(x, kLn2Low), y);
  y = mulAdd(square, number(x, -0.5), y);
  y = mulAdd(e, number(x, kLn2High), add(f, y));
  Value* isZero = b_.CreateFCmpOEQ(x, number(x, 0));
  Value* outside = b_.CreateSelect(isZero, number(x, -kInfinity), number(x, kNan));
  y = b_.CreateSelect(b_.CreateFCmpOGT(x, number(x, 0)), y, outside);
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, number(x, kInfinity)), x, y);
}

/// With z = exp(-|x|), which cannot overflow: 1 / (1 + z) or z / (1 + z).
Value* VectorMath::sigmoid(Value* x) {
  Value* negated = b_.CreateFNeg(intrinsic(llvm::Intrinsic::fabs, x));
  bool inLine = x->getType()->getScalarType()->isFloatTy();
  Value* z = inLine ? exp(negated, ExpRange::NotPositive) : unary(Op::Exp, negated);
  Value* isNegative = b_.CreateICmpSLT(asInteger(x), integer(asInteger(x), 0));
  Value* numerator = b_.CreateSelect(isNegative, z, number(x, 1));
  return b_.CreateFDiv(numerator, add(z, number(x, 1)));
}

/// x + x^3 P(x^2) near zero, else 1 - 2 / (exp(2 |x|) + 1), which is 1 in f32 from 9.02 on.
Value* VectorMath::tanh(Value* x) {
  Value* magnitude = intrinsic(llvm::Intrinsic::fabs, x);
  Value* square = mul(x, x);
  Value* p = polynomial(square, {-3.333328068e-01, 1.333144158e-01, -5.373971537e-02,
                                 2.063908614e-02, -5.704986397e-03});
  Value* small = mulAdd(mul(x, square), p, x);
  Value* e = exp(atMost(add(magnitude, magnitude), 20), ExpRange::Moderate);
  Value* quotient = b_.CreateFDiv(number(x, 2), add(e, number(x, 1)));
  Value* large = sub(number(x, 1), quotient);
  Value* isSmall = b_.CreateFCmpOLT(magnitude, number(x, 0.625));
  return copySign(b_.CreateSelect(isSmall, small, large), x);
}

/// x + x P(x^2) below one, else 1 - exp(Q(|x|)) with Q a fit of log(erfc), 1 in f32 from 3.92 on.
Value* VectorMath::erf(Value* x) {
  Value* magnitude = intrinsic(llvm::Intrinsic::fabs, x);
  Value* p =
      polynomial(mul(x, x), {1.283791661e-01, -3.761262596e-01, 1.128358543e-01, -2.685381100e-02,
                             5.188327748e-03, -8.010193706e-04, 7.853860734e-05});
  Value* small = mulAdd(x, p, x);
  Value* q = polynomial(atMost(magnitude, 3.93),
                        {-3.415248939e-04, -1.127089143e+00, -6.381448507e-01, -1.031067371e-01,
                         2.183805592e-02, -2.947656438e-03, 1.863789803e-04});
  Value* large = copySign(sub(number(x, 1), exp(q, ExpRange::Moderate)), x);
  return b_.CreateSelect(b_.CreateFCmpOLT(magnitude, number(x, 1)), small, large);
}

/// The integral of the normal distribution up to x, (1 + erf(x / sqrt(2))) / 2, as 1/2 + x P / Q
/// with polynomials of x^2 that are a fit of least error where the result is neither 0 nor 1 in
/// f32. The error is absolute, 2e-7, so below that range 0 is put in: it may be multiplied by a
/// large x.
Value* VectorMath::normalCdf(Value* x) {
  if (!x->getType()->getScalarType()->isFloatTy())
    return mul(callLibm("erfc", {mul(x, number(x, -0.70710678118654752))}), number(x, 0.5));
  Value* inside = atMost(atLeast(x, -5.3), 5.3);
  Value* square = mul(inside, inside);
  Value* p = polynomial(square, {0.3989422541, 0.03293578962, 0.004627993361, 0.0001603345308,
                                 6.379056875e-06, 2.405025128e-08});
  Value* q = polynomial(
      square, {1.0, 0.2492240105, 0.02813882631, 0.001836571632, 7.135231217e-05, 1.237166594e-06});
  Value* y = atLeast(mulAdd(inside, b_.CreateFDiv(p, q), number(x, 0.5)), 0);
  return b_.CreateSelect(b_.CreateFCmpOLT(x, number(x, -5.3)), number(x, 0), y);
}

/// exp(x) - 1 = (2^n - 1) + 2^n q, which does not cancel, and -1 in f32 from -17.33 on.
Value* VectorMath::elu(Value* x) {
  Value* isPositive = b_.CreateFCmpOGT(x, number(x, 0));
  if (!x->getType()->getScalarType()->isFloatTy())
    return b_.CreateSelect(isPositive, x, callLibm("expm1", x));
  const auto [n, bits, q] = expParts(atMost(atLeast(x, -17.5), 0));
  Value* scale = powerOfTwo(bits);
  return b_.CreateSelect(isPositive, x, mulAdd(scale, q, sub(scale, number(x, 1))));
}

/// Arguments beyond 2^20, infinities and NaN take the C library's value. A lane's result depends on
/// that lane alone: what stands beside it may be anything.
Value* VectorMath::sinOrCos(Op op, Value* x) {
  Value* fast = sinOrCosReduced(op, x);
  Value* isLarge = b_.CreateFCmpUGT(intrinsic(llvm::Intrinsic::fabs, x), number(x, 0x1p20));
  llvm::BasicBlock* reduced = b_.GetInsertBlock();
  llvm::LLVMContext& context = b_.getContext();
  auto* other = llvm::BasicBlock::Create(context, "other", reduced->getParent());
  auto* join = llvm::BasicBlock::Create(context, "join", reduced->getParent());
  b_.CreateCondBr(x->getType()->isVectorTy() ? b_.CreateOrReduce(isLarge) : isLarge, other, join);
  b_.SetInsertPoint(other);
  Value* mixed = b_.CreateSelect(isLarge, callLibm(libmName(op), x), fast);
  llvm::BasicBlock* mixedEnd = b_.GetInsertBlock();
  b_.CreateBr(join);
  b_.SetInsertPoint(join);
  llvm::PHINode* result = b_.CreatePHI(x->getType(), 2);
  result->addIncoming(fast, reduced);
  result->addIncoming(mixed, mixedEnd);
  return result;
}

/// x = n pi/2 + r, reduced in f64; n's two low bits choose the polynomial and the sign.
Value* VectorMath::sinOrCosReduced(Op op, Value* x) {
  constexpr double kPiHalfHigh = 0x1.921fb544p0; // 33 bits: exact times n below 2^20
  constexpr double kPiHalfLow = 0x1.0b4611a626331p-34;
  Value* wide = b_.CreateFPExt(x, like(x, b_.getDoubleTy()));
  Value* shifted = mulAdd(wide, number(wide, 0.63661977236758134), number(wide, kRound64));
  Value* n = sub(shifted, number(wide, kRound64));
  Value* rest = sub(wide, mul(n, number(wide, kPiHalfHigh)));
  rest = sub(rest, mul(n, number(wide, kPiHalfLow)));
  Value* r = b_.CreateFPTrunc(rest, x->getType());
  Value* quadrant = b_.CreateTrunc(asInteger(shifted), like(x, b_.getInt32Ty()));
  if (op == Op::Cos) quadrant = b_.CreateAdd(quadrant, integer(quadrant, 1));
  Value* square = mul(r, r);
  Value* s = polynomial(square, {-1.666665524e-01, 8.332155645e-03, -1.951463200e-04});
  Value* sine = copySign(mulAdd(mul(r, square), s, r), r); // for -0
  Value* c = polynomial(square, {4.166664556e-02, -1.388730947e-03, 2.443241283e-05});
  Value* cosine = add(mulAdd(mul(square, square), c, mul(square, number(x, -0.5))), number(x, 1));
  Value* isOdd =
      b_.CreateICmpNE(b_.CreateAnd(quadrant, integer(quadrant, 1)), integer(quadrant, 0));
  Value* value = asInteger(b_.CreateSelect(isOdd, cosine, sine));
  Value* sign = b_.CreateShl(b_.CreateAnd(quadrant, integer(quadrant, 2)), integer(quadrant, 30));
  return asFloat(b_.CreateXor(value, sign));
}

/// pow(x, y) = 2^(y log2 |x|) in f64, then the cases the formula does not cover.
Value* VectorMath::pow(Value* x, Value* y) {
  if (x->getType()->getScalarType()->isDoubleTy()) return callLibm("pow", {x, y});
  Value *zero = number(x, 0), *one = number(x, 1), *infinity = number(x, kInfinity);
  Value* magnitude = intrinsic(llvm::Intrinsic::fabs, x);
  Value* exponent = mul(b_.CreateFPExt(y, like(x, b_.getDoubleTy())), log2OfMagnitude(magnitude));
  Value* power = b_.CreateFPTrunc(exp2(exponent), x->getType());
  Value* isUnit = b_.CreateFCmpOEQ(magnitude, one);
  power = b_.CreateSelect(isUnit, one, power);

  auto isWhole = [&](Value* v) {
    return b_.CreateFCmpOEQ(intrinsic(llvm::Intrinsic::trunc, v), v);
  };
  Value* whole = isWhole(y);
  Value* odd = b_.CreateAnd(whole, b_.CreateNot(isWhole(mul(y, number(x, 0.5)))));
  Value* signBit = b_.CreateICmpSLT(asInteger(x), integer(asInteger(x), 0));
  power = b_.CreateSelect(b_.CreateAnd(signBit, odd), b_.CreateFNeg(power), power);
  Value* isNegative =
      b_.CreateAnd(b_.CreateFCmpOLT(x, zero), b_.CreateFCmpONE(magnitude, infinity));
  Value* undefined = b_.CreateAnd(isNegative, b_.CreateNot(whole));
  power = b_.CreateSelect(undefined, number(x, kNan), power);
  power = b_.CreateSelect(b_.CreateFCmpUNO(x, y), number(x, kNan), power);
  Value* isOne = b_.CreateOr(b_.CreateFCmpOEQ(x, one), b_.CreateFCmpOEQ(y, zero));
  return b_.CreateSelect(isOne, one, power);
}

/// log2 of a non-negative f32 in f64, to 2^-44: with s = (m - 1) / (m + 1), log(m) is
/// 2 s + s^3 Q(s^2).
Value* VectorMath::log2OfMagnitude(Value* x) {
  Value* wide = b_.CreateFPExt(x, like(x, b_.getDoubleTy()));
  Value* bits = asInteger(wide);
  constexpr int64_t kHalfRoot = 0x3fe6a09e667f3bcd; // sqrt(1/2)
  constexpr int64_t kBias = int64_t(1023) << 52;
  // Biased, so that the shift is of a positive number.
  Value* biased =
      b_.CreateLShr(b_.CreateAdd(bits, integer(bits, kBias - kHalfRoot)), integer(bits, 52));
  Value* power = b_.CreateShl(b_.CreateSub(biased, integer(bits, 1023)), integer(bits, 52));
  Value* mantissa = asFloat(b_.CreateSub(bits, power));
  Value* e = asFloat(b_.CreateOr(biased, asInteger(number(wide, 0x1p52))));
  e = sub(e, number(wide, 0x1p52 + 1023));
  Value* s = b_.CreateFDiv(sub(mantissa, number(wide, 1)), add(mantissa, number(wide, 1)));
  Value* square = mul(s, s);
  Value* q = polynomial(square, {0x1.555555561f332p-1, 0x1.999996a67b5e6p-2, 0x1.249413365f168p-2,
                                 0x1.c62aa0595e0f2p-3, 0x1.911c9398a3b51p-3});
  Value* log = mulAdd(mul(s, square), q, add(s, s));
  Value* result = mulAdd(log, number(wide, kLog2e), e);
  result =
      b_.CreateSelect(b_.CreateFCmpOEQ(wide, number(wide, 0)), number(wide, -kInfinity), result);
  return b_.CreateSelect(b_.CreateFCmpOEQ(wide, number(wide, kInfinity)), wide, result);
}

/// 2^x in f64, to 2^-34, for results that are rounded to f32.
Value* VectorMath::exp2(Value* x) {
  x = atMost(atLeast(x, -200), 200);
  Value* shifted = add(x, number(x, kRound64));
  Value* r = sub(x, sub(shifted, number(x, kRound64)));
  Value* p = polynomial(r, {0x1.ffffffffab9a9p-1, 0x1.62e42ff116c05p-1, 0x1.ebfbe0a4f32c4p-3,
                            0x1.c6b08aae569fap-5, 0x1.3b29dc143fbcep-7, 0x1.5d8a7108017b4p-10,
                            0x1.446a43e64d3b7p-13, 0x1.fe1757ef11a5dp-17});
  Value* bits = asInteger(shifted);
  Value* scale = b_.CreateShl(b_.CreateAdd(bits, integer(bits, 1023)), integer(bits, 52));
  return mul(p, asFloat(scale));
}

Value* VectorMath::callLibm(llvm::StringRef name, llvm::ArrayRef<Value*> arguments) {
  llvm::Type* type = arguments[0]->getType();
  llvm::Type* scalar = type->getScalarType();
  std::string symbol = name.str() + (scalar->isFloatTy() ? "f" : "");
  llvm::SmallVector<llvm::Type*> parameters(arguments.size(), scalar);
  llvm::Module* module = b_.GetInsertBlock()->getModule();
  llvm::FunctionCallee callee =
      module->getOrInsertFunction(symbol, llvm::FunctionType::get(scalar, parameters, false));
  auto* function = llvm::cast<llvm::Function>(callee.getCallee());
  function->setDoesNotThrow();
  function->setDoesNotAccessMemory();
  function->setWillReturn();
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
  if (!vector) return b_.CreateCall(callee, arguments);
  Value* result = llvm::PoisonValue::get(type);
  for (unsigned lane = 0; lane < vector->getNumElements(); ++lane) {
    llvm::SmallVector<Value*> scalars;
    for (Value* argument : arguments) scalars.push_back(b_.CreateExtractElement(argument, lane));
    result = b_.CreateInsertElement(result, b_.CreateCall(callee, scalars), lane);
  }
  return result;
}

llvm::Type* VectorMath::like(Value* x, llvm::Type* scalar) {
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  return vector ? llvm::FixedVectorType::get(scalar, vector->getNumElements()) : scalar;
}

Value* VectorMath::number(Value* like, double x) {
  return llvm::ConstantFP::get(like->getType(), x);
}

Value* VectorMath::integer(Value* like, int64_t x) {
  return llvm::ConstantInt::get(like->getType(), static_cast<uint64_t>(x), true);
}

Value* VectorMath::asInteger(Value* x) {
  unsigned bits = x->getType()->getScalarSizeInBits();
  return b_.CreateBitCast(x, like(x, b_.getIntNTy(bits)));
}

Value* VectorMath::asFloat(Value* x) {
  bool wide = x->getType()->getScalarSizeInBits() == 64;
  return b_.CreateBitCast(x, like(x, wide ? b_.getDoubleTy() : b_.getFloatTy()));
}

Value* VectorMath::mulAdd(Value* a, Value* b, Value* c) {
  if (!target_.hasFma) return add(mul(a, b), c);
  return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}

Value* VectorMath::polynomial(Value* x, std::initializer_list<double> coefficients) {
  const double* c = coefficients.end() - 1;
  Value* sum = number(x, *c);
  while (c != coefficients.begin()) sum = mulAdd(sum, x, number(x, *--c));
  return sum;
}

Value* VectorMath::atMost(Value* x, double limit) {
  Value* most = number(x, limit);
  return b_.CreateSelect(b_.CreateFCmpOLT(most, x), most, x);
}

Value* VectorMath::atLeast(Value* x, double limit) {
  Value* least = number(x, limit);
  return b_.CreateSelect(b_.CreateFCmpOGT(least, x), least, x);
}

Value* VectorMath::copySign(Value* magnitude, Value* sign) {
  return b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, magnitude, sign);
}

} // namespace enfold::codegen
