// Sums of products of words. Where the processor has an instruction for it, that is used: vpdpbusd,
// vpdpwssd, vdpbf16ps, sdot, udot, usdot, bfdot. Other x86 has pmaddwd, which multiplies pairs of
// i16 and adds the two products; bytes are widened to pairs first. vpmaddubsw, which takes bytes,
// saturates the sum of two products and is never used. Elsewhere the products are written out; bf16
// are f32 without their low bits, so that shifting and masking words makes f32 of them.
#include "codegen/Dots.h"
#include "codegen/Emitter.h"

#include <llvm/IR/IntrinsicsAArch64.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <numeric>

namespace enfold::codegen {
namespace {

using kir::DotProduct;
using kir::Scalar;
using llvm::Intrinsic::ID;

/// Writes out dot() on vectors of any number of words.
class Dots {
public:
  Dots(llvm::IRBuilder<>& b, const kir::Target& target) : b_(b), target_(target) {}

  /// Operands of the widest instruction at a time; what is left over is written out.
  llvm::Value* emit(llvm::Value* sum, Scalar a, llvm::Value* x, Scalar b, llvm::Value* y) const {
    if (a == Scalar::BF16 && !has(DotProduct::Avx512Bf16) && !has(DotProduct::ArmBf16))
      return halvesWrittenOut(sum, x, y);
    const int words = lanesOf(sum), perWord = lanesOf(x) / words;
    llvm::Value* result = nullptr;
    for (int first = 0; first < words;) {
      const int count = std::min(words - first, widest(words - first));
      llvm::Value* part =
          oneInstruction(slice(sum, first, count), a, slice(x, first * perWord, count * perWord), b,
                         slice(y, first * perWord, count * perWord));
      result = result ? joined(result, part) : part;
      first += count;
    }
    return result;
  }

private:
  static int lanesOf(llvm::Value* v) {
    const auto* type = llvm::dyn_cast<llvm::FixedVectorType>(v->getType());
    return type ? static_cast<int>(type->getNumElements()) : 1;
  }
  bool has(DotProduct product) const { return target_.machine.dotProducts.contains(product); }
  bool isX86() const { return target_.architecture == kir::Architecture::X86_64; }
  /// Of the target's vectors of 32-bit lanes, the widest of at most so many; 1 if there is none.
  int widest(int words) const {
    for (const int lanes : {16, 8, 4}) {
      const bool exists =
          lanes == 4 || (isX86() && (target_.isa == kir::Isa::Avx512 ||
                                     (target_.isa == kir::Isa::Avx2 && lanes == 8)));
      if (exists && lanes <= words) return lanes;
    }
    return words;
  }

  llvm::Value* slice(llvm::Value* v, int first, int count) const {
    if (count == lanesOf(v)) return v;
    if (count == 1) return b_.CreateExtractElement(v, static_cast<uint64_t>(first));
    std::vector<int> mask(static_cast<size_t>(count));
    std::iota(mask.begin(), mask.end(), first);
    return b_.CreateShuffleVector(v, mask);
  }

  llvm::Value* joined(llvm::Value* a, llvm::Value* b) const {
    const int low = lanesOf(a), high = lanesOf(b);
    if (high == 1 && !b->getType()->isVectorTy()) b = b_.CreateVectorSplat(1, b);
    std::vector<int> widen(static_cast<size_t>(low), -1), merge;
    std::iota(widen.begin(), widen.begin() + std::min(high, low), 0);
    if (high < low) b = b_.CreateShuffleVector(b, widen);
    merge.resize(static_cast<size_t>(low + high));
    std::iota(merge.begin(), merge.end(), 0);
    return b_.CreateShuffleVector(a, b, merge);
  }

  llvm::Value* oneInstruction(llvm::Value* sum, Scalar a, llvm::Value* x, Scalar b,
                              llvm::Value* y) const {
    const int words = lanesOf(sum);
    const bool isHalf = a == Scalar::BF16;
    if (words != 4 && words != 8 && words != 16)
      return isHalf ? halvesWrittenOut(sum, x, y) : writtenOut(sum, a, x, b, y);
    if (isHalf) return halfDot(sum, x, y);
    const bool isPair = a == Scalar::I16;
    if (!isX86()) return onArm(sum, a, x, b, y);
    const bool vnni = has(DotProduct::Avx512Vnni) || (has(DotProduct::AvxVnni) && words < 16);
    if (isPair) return vnni ? vnniDot(kPairs, sum, x, y) : pairs(sum, x, y);
    if (vnni && a == Scalar::U8 && b == Scalar::I8) return vnniDot(kBytes, sum, x, y);
    if (vnni && a == Scalar::I8 && b == Scalar::U8) return vnniDot(kBytes, sum, y, x);
    sum = pairs(sum, bytesOf(x, a, false), bytesOf(y, b, false));
    return pairs(sum, bytesOf(x, a, true), bytesOf(y, b, true));
  }

  static constexpr ID kBytes[] = {llvm::Intrinsic::x86_avx512_vpdpbusd_128,
                                  llvm::Intrinsic::x86_avx512_vpdpbusd_256,
                                  llvm::Intrinsic::x86_avx512_vpdpbusd_512};
  static constexpr ID kPairs[] = {llvm::Intrinsic::x86_avx512_vpdpwssd_128,
                                  llvm::Intrinsic::x86_avx512_vpdpwssd_256,
                                  llvm::Intrinsic::x86_avx512_vpdpwssd_512};

  llvm::Value* vnniDot(const ID (&ids)[3], llvm::Value* sum, llvm::Value* x, llvm::Value* y) const {
    const int words = lanesOf(sum);
    const auto asWords = [&](llvm::Value* v) { return b_.CreateBitCast(v, sum->getType()); };
    return b_.CreateIntrinsic(ids[words == 4   ? 0
                                  : words == 8 ? 1
                                               : 2],
                              llvm::ArrayRef<llvm::Type*>{}, {sum, asWords(x), asWords(y)});
  }

  llvm::Value* halfDot(llvm::Value* sum, llvm::Value* x, llvm::Value* y) const {
    const int words = lanesOf(sum);
    llvm::Type* type =
        llvm::FixedVectorType::get(b_.getBFloatTy(), static_cast<unsigned>(2 * words));
    x = b_.CreateBitCast(x, type);
    y = b_.CreateBitCast(y, type);
    if (!isX86())
      return b_.CreateIntrinsic(llvm::Intrinsic::aarch64_neon_bfdot, {sum->getType(), type},
                                {sum, x, y});
    const ID id = words == 4   ? llvm::Intrinsic::x86_avx512bf16_dpbf16ps_128
                  : words == 8 ? llvm::Intrinsic::x86_avx512bf16_dpbf16ps_256
                               : llvm::Intrinsic::x86_avx512bf16_dpbf16ps_512;
    return b_.CreateIntrinsic(id, llvm::ArrayRef<llvm::Type*>{}, {sum, x, y});
  }

  llvm::Value* halvesWrittenOut(llvm::Value* sum, llvm::Value* x, llvm::Value* y) const {
    const auto element = [&](llvm::Value* v, bool isSecond) {
      llvm::Type* type = sum->getType()->getWithNewType(b_.getInt32Ty());
      llvm::Value* word = b_.CreateBitCast(v, type);
      word = isSecond ? b_.CreateAnd(word, llvm::ConstantInt::get(type, 0xffff0000))
                      : b_.CreateShl(word, llvm::ConstantInt::get(type, 16));
      return b_.CreateBitCast(word, sum->getType());
    };
    for (const bool isSecond : {false, true}) {
      llvm::Value *first = element(x, isSecond), *second = element(y, isSecond);
      sum = target_.hasFma
                ? b_.CreateIntrinsic(llvm::Intrinsic::fma, {sum->getType()}, {first, second, sum})
                : b_.CreateFAdd(b_.CreateFMul(first, second), sum);
    }
    return sum;
  }

  llvm::Value* pairs(llvm::Value* sum, llvm::Value* x, llvm::Value* y) const {
    const int words = lanesOf(sum);
    const ID id = words == 4   ? llvm::Intrinsic::x86_sse2_pmadd_wd
                  : words == 8 ? llvm::Intrinsic::x86_avx2_pmadd_wd
                               : llvm::Intrinsic::x86_avx512_pmaddw_d_512;
    return b_.CreateAdd(sum, b_.CreateIntrinsic(id, llvm::ArrayRef<llvm::Type*>{}, {x, y}));
  }

  /// Every second byte, from the first or the second on, as i16.
  llvm::Value* bytesOf(llvm::Value* v, Scalar scalar, bool odd) const {
    llvm::Type* type =
        llvm::FixedVectorType::get(b_.getInt16Ty(), static_cast<unsigned>(lanesOf(v) / 2));
    llvm::Value* halves = b_.CreateBitCast(v, type);
    llvm::Value* eight = llvm::ConstantInt::get(type, 8);
    if (scalar == Scalar::U8)
      return odd ? b_.CreateLShr(halves, eight)
                 : b_.CreateAnd(halves, llvm::ConstantInt::get(type, 0xff));
    return b_.CreateAShr(odd ? halves : b_.CreateShl(halves, eight), eight);
  }

  llvm::Value* onArm(llvm::Value* sum, Scalar a, llvm::Value* x, Scalar b, llvm::Value* y) const {
    if (a == Scalar::I16) return writtenOut(sum, a, x, b, y);
    const auto call = [&](ID id, llvm::Value* first, llvm::Value* second) {
      return b_.CreateIntrinsic(id, {sum->getType(), x->getType()}, {sum, first, second});
    };
    if (a == b && has(DotProduct::ArmDotprod))
      return call(a == Scalar::U8 ? llvm::Intrinsic::aarch64_neon_udot
                                  : llvm::Intrinsic::aarch64_neon_sdot,
                  x, y);
    if (a != b && has(DotProduct::ArmI8mm))
      return call(llvm::Intrinsic::aarch64_neon_usdot, a == Scalar::U8 ? x : y,
                  a == Scalar::U8 ? y : x);
    return writtenOut(sum, a, x, b, y);
  }

  llvm::Value* writtenOut(llvm::Value* sum, Scalar a, llvm::Value* x, Scalar b,
                          llvm::Value* y) const {
    const int words = lanesOf(sum), perWord = lanesOf(x) / words;
    const auto element = [&](Scalar scalar, llvm::Value* v, int k) {
      std::vector<int> mask;
      for (int i = 0; i < words; ++i) mask.push_back(i * perWord + k);
      llvm::Value* part = sum->getType()->isVectorTy()
                              ? b_.CreateShuffleVector(v, mask)
                              : b_.CreateExtractElement(v, static_cast<uint64_t>(k));
      return scalar == Scalar::U8 ? b_.CreateZExt(part, sum->getType())
                                  : b_.CreateSExt(part, sum->getType());
    };
    for (int k = 0; k < perWord; ++k)
      sum = b_.CreateAdd(sum, b_.CreateMul(element(a, x, k), element(b, y, k)));
    return sum;
  }

  llvm::IRBuilder<>& b_;
  const kir::Target& target_;
};

} // namespace

llvm::Value* emitDot(llvm::IRBuilder<>& b, const kir::Target& target, llvm::Value* sum,
                     kir::Scalar a, llvm::Value* x, kir::Scalar c, llvm::Value* y) {
  return Dots(b, target).emit(sum, a, x, c, y);
}

llvm::Value* Emitter::dot(const Inst& inst) {
  return emitDot(b_, target_, operand(inst, 0), operandType(inst, 1).scalar, operand(inst, 1),
                 operandType(inst, 2).scalar, operand(inst, 2));
}

} // namespace enfold::codegen
