// Numbers that are rounded to bytes, as quantization does, and such bytes made numbers again. Only
// for x86, whose instructions round to integers and saturate them at once.
#include "codegen/ConstantDivision.h"
#include "codegen/Emitter.h"

#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PatternMatch.h>

#include <limits>
#include <numeric>

namespace enfold::codegen {

using kir::Scalar;
using llvm::Intrinsic::ID;
using namespace llvm::PatternMatch;

namespace {

constexpr double kMostZero = 255;
/// Numbers from it to twice as large are whole; added and taken away it rounds those up to a fourth
/// of it, of both signs.
constexpr double kRounding = 0x1.8p23;

/// y and zero of round(y) + zero, with a whole number `zero`.
std::optional<std::pair<llvm::Value*, int64_t>> roundedSumOf(llvm::Value* x) {
  llvm::Value* y = nullptr;
  const llvm::APFloat* zero = nullptr;
  if (match(x, m_Intrinsic<llvm::Intrinsic::roundeven>(m_Value(y)))) return std::pair(y, 0);
  if (!match(x, m_FAdd(m_Intrinsic<llvm::Intrinsic::roundeven>(m_Value(y)), m_APFloat(zero))))
    return std::nullopt;
  const double number = zero->convertToDouble();
  if (!zero->isInteger() || std::abs(number) > kMostZero) return std::nullopt;
  return std::pair(y, static_cast<int64_t>(number));
}

double leastOf(Scalar to) { return to == Scalar::I8 ? -128 : 0; }
double mostOf(Scalar to) { return to == Scalar::I8 ? 127 : 255; }

} // namespace

/// Whether lanes are not NaN; of quotients, without dividing.
llvm::Value* Emitter::isNumber(Value* y) {
  Value* dividend = nullptr;
  const llvm::APFloat* divisor = nullptr;
  if (match(y, m_FDiv(m_Value(dividend), m_APFloat(divisor))) && divisor->isFiniteNonZero())
    y = dividend;
  return b_.CreateFCmpORD(y, y);
}

/// The lesser of y, NaN included, and a whole number. Quotients that are NaN may be those of the
/// most negative numbers.
llvm::Value* Emitter::below(Value* y, double most) {
  const auto real = [&](double v) { return llvm::ConstantFP::get(y->getType(), v); };
  const auto lesser = [&](Value* x, double bound) {
    return b_.CreateSelect(b_.CreateFCmpOLT(real(bound), x), real(bound), x);
  };
  Value* dividend = nullptr;
  const llvm::APFloat* divisor = nullptr;
  if (!target_.hasFma || !match(y, m_FDiv(m_Value(dividend), m_APFloat(divisor))))
    return lesser(y, most);
  const float by = divisor->convertToFloat();
  const auto reciprocal = reciprocalFor(by);
  if (!reciprocal) return lesser(y, most);
  const auto fma = [&](Value* a, Value* b, Value* c) {
    return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
  };
  Value* x = lesser(dividend, static_cast<float>(most) * by);
  Value* first = b_.CreateFMul(x, real(*reciprocal));
  Value* rest = fma(b_.CreateFNeg(first), real(by), x);
  return fma(rest, real(*reciprocal), first);
}

/// To nearest even, f32 to i32, by the instruction that does both. What does not fit, and NaN,
/// becomes the least number.
llvm::Value* Emitter::roundToI32(Value* x, int lanes) {
  const int most = target_.isa == kir::Isa::Avx512 ? 16 : target_.isa == kir::Isa::Avx2 ? 8 : 4;
  llvm::Value* result = nullptr;
  for (int first = 0, count = most; first < lanes; first += count) {
    while (count > lanes - first) count /= 2;
    const int padded = std::max(count, 4);
    std::vector<int> mask(static_cast<size_t>(padded), -1);
    std::iota(mask.begin(), mask.begin() + count, first);
    Value* vector = lanes > 1 ? x : b_.CreateVectorSplat(1, x);
    vector = b_.CreateShuffleVector(vector, mask);
    if (padded == 16) {
      llvm::Type* type = llvm::FixedVectorType::get(b_.getInt32Ty(), 16);
      vector = b_.CreateIntrinsic(
          llvm::Intrinsic::x86_avx512_mask_cvtps2dq_512, llvm::ArrayRef<llvm::Type*>{},
          {vector, llvm::Constant::getNullValue(type), b_.getInt16(0xffff), b_.getInt32(4)});
    } else {
      vector = b_.CreateIntrinsic(padded == 8 ? llvm::Intrinsic::x86_avx_cvt_ps2dq_256
                                              : llvm::Intrinsic::x86_sse2_cvtps2dq,
                                  llvm::ArrayRef<llvm::Type*>{}, {vector});
    }
    if (lanes == 1) return b_.CreateExtractElement(vector, uint64_t{0});
    if (!result) {
      result = vector;
      if (padded > count) {
        mask.resize(static_cast<size_t>(count));
        std::iota(mask.begin(), mask.end(), 0);
        result = b_.CreateShuffleVector(vector, mask);
      }
      continue;
    }
    // Both parts as wide as the result so far, then one behind the other.
    std::vector<int> widen(static_cast<size_t>(first), -1);
    std::iota(widen.begin(), widen.begin() + std::min(count, first), 0);
    vector = b_.CreateShuffleVector(vector, widen);
    std::vector<int> both(static_cast<size_t>(first + count));
    std::iota(both.begin(), both.end(), 0);
    result = b_.CreateShuffleVector(result, vector, both);
  }
  return result;
}

/// Saturated, 16 numbers of each vector: the instructions that pack go by 16 bytes of each, whose
/// words are put in order at the end.
llvm::Value* Emitter::packBytes(Value* whole, int lanes, bool isSigned) {
  constexpr int kVector = 16, kWords = 4;
  const int vectors = lanes / kVector;
  const auto part = [&](int i) {
    std::vector<int> mask(kVector);
    std::iota(mask.begin(), mask.end(), i % vectors * kVector);
    return b_.CreateShuffleVector(whole, mask);
  };
  const auto pack = [&](ID id, Value* a, Value* b) {
    return b_.CreateIntrinsic(id, llvm::ArrayRef<llvm::Type*>{}, {a, b});
  };
  const auto halves = [&](int i) {
    return pack(llvm::Intrinsic::x86_avx512_packssdw_512, part(i), part(i + 1));
  };
  Value* first = halves(0);
  Value* bytes = pack(isSigned ? llvm::Intrinsic::x86_avx512_packsswb_512
                               : llvm::Intrinsic::x86_avx512_packuswb_512,
                      first, vectors > 2 ? halves(2) : first);
  std::vector<int> order;
  for (int vector = 0; vector < vectors; ++vector)
    for (int word = 0; word < kWords; ++word) order.push_back(word * kWords + vector);
  Value* words = b_.CreateBitCast(bytes, llvm::FixedVectorType::get(b_.getInt32Ty(), kVector));
  return b_.CreateBitCast(b_.CreateShuffleVector(words, order),
                          llvm::FixedVectorType::get(b_.getInt8Ty(), unsigned(lanes)));
}

/// round(y) + zero to 8 bits; nothing if x is no such sum. Clamped from above as a number, from
/// below as an integer: narrowing instructions saturate.
llvm::Value* Emitter::castRoundedSum(Value* x, kir::Type from, Scalar to) {
  const auto sum = roundedSumOf(x);
  const bool isSigned = kir::isSigned(to);
  if (!sum || from.scalar != Scalar::F32 || kir::sizeInBytes(to) != 1 ||
      target_.architecture != kir::Architecture::X86_64)
    return nullptr;
  const auto [y, zero] = *sum;
  if (zero < 0 && !isSigned) return nullptr;
  // Above the least that i32 holds, where adding zero does not wrap around.
  constexpr double kLow = -0x1p30;
  const auto real = [&](double v) { return llvm::ConstantFP::get(y->getType(), v); };
  Value* bounded = below(y, mostOf(to) - static_cast<double>(zero));
  if (zero < 0)
    bounded = b_.CreateSelect(b_.CreateFCmpOGT(bounded, real(kLow)), bounded, real(kLow));
  const kir::Type wide = from.withScalar(Scalar::I32);
  Value* whole = roundToI32(bounded, from.lanes);
  if (zero != 0) whole = b_.CreateAdd(whole, llvm::ConstantInt::getSigned(typeOf(wide), zero));
  if (isSigned)
    whole = b_.CreateSelect(isNumber(y), whole, llvm::Constant::getNullValue(typeOf(wide)));
  Value* bytes = target_.isa == kir::Isa::Avx512 && (from.lanes == 32 || from.lanes == 64)
                     ? packBytes(whole, from.lanes, isSigned)
                     : b_.CreateTrunc(clampInteger(whole, wide, to), typeOf(from.withScalar(to)));
  rounded_[bytes] = {y, zero, to};
  return bytes;
}

/// Bytes that castRoundedSum() made, as f32: rounded and clamped as such, without the way through
/// integers. Nothing if they are others.
llvm::Value* Emitter::roundedAgain(Value* x, kir::Type from) {
  const auto found = rounded_.find(x);
  if (found == rounded_.end()) return nullptr;
  const auto [y, zero, to] = found->second;
  const auto number = static_cast<double>(zero);
  const auto real = [&](double v) { return llvm::ConstantFP::get(y->getType(), v); };
  Value* bounded = below(y, mostOf(to) - number);
  Value* least = real(leastOf(to) - number);
  Value* whole = b_.CreateSelect(b_.CreateFCmpOGT(bounded, least), bounded, least);
  if (kir::isSigned(from.scalar)) whole = b_.CreateSelect(isNumber(y), whole, real(-number));
  whole = b_.CreateFSub(b_.CreateFAdd(whole, real(kRounding)), real(kRounding));
  if (zero == 0) return whole;
  Value* sum = b_.CreateFAdd(whole, real(number));
  withZero_[sum] = {whole, zero};
  return sum;
}

/// a - b where a is a whole number plus b; nothing otherwise.
llvm::Value* Emitter::withoutZero(Value* a, Value* b) {
  const llvm::APFloat* number = nullptr;
  const auto found = withZero_.find(a);
  if (found == withZero_.end() || !match(b, m_APFloat(number))) return nullptr;
  const auto [whole, zero] = found->second;
  return number->convertToDouble() == static_cast<double>(zero) ? whole : nullptr;
}

} // namespace enfold::codegen
