// Tables of 256 bytes that bytes pick from, held in registers: by instructions that pick from two
// vectors of 64 bytes, or from 16 bytes each.
#include "codegen/Emitter.h"

#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <numeric>

namespace enfold::codegen {

using kir::Scalar;

namespace {

constexpr int kEntries = 256;

/// The bytes that were widened to the indices; null if they are others.
llvm::Value* bytesOf(llvm::Value* indices) {
  auto* widened = llvm::dyn_cast<llvm::ZExtInst>(indices);
  if (!widened || !widened->getSrcTy()->isVectorTy()) return nullptr;
  return widened->getSrcTy()->getScalarSizeInBits() == 8 ? widened->getOperand(0) : nullptr;
}

} // namespace

/// What bytes pick from the table at `table`; null if it is none, or there are no instructions.
llvm::Value* Emitter::lookup(const Inst& inst, Value* table) {
  const kir::BufferInfo& buffer = kernel_.buffers[inst.buffer];
  const auto* first = llvm::dyn_cast<llvm::ConstantInt>(operand(inst, 0));
  const bool isTable = buffer.access == kir::Access::Read && buffer.size == kEntries &&
                       kir::sizeInBytes(buffer.elem) == 1 && buffer.elem != Scalar::Bool &&
                       inst.imm == 0 && first && first->isZero();
  Value* bytes = isTable ? bytesOf(operand(inst, 1)) : nullptr;
  if (!bytes) return nullptr;
  const bool isWide = target_.isa == kir::Isa::Avx512 && target_.hasBytePermutes;
  if (!isWide && target_.isa < kir::Isa::Avx2) return nullptr;
  const int width = isWide ? 64 : 32, lanes = inst.type.lanes;
  const auto slice = [&](Value* v, int begin, int count, int own) {
    std::vector<int> mask(static_cast<size_t>(count), -1);
    std::iota(mask.begin(), mask.begin() + std::min(count, own - begin), begin);
    return b_.CreateShuffleVector(v, mask);
  };
  const auto picked = [&](Value* some) {
    return isWide ? pickFromVectors(some, table, inst) : pickFromRows(some, table, inst);
  };
  if (lanes <= width) return slice(picked(slice(bytes, 0, width, lanes)), 0, lanes, width);
  Value* result = nullptr;
  for (int begin = 0; begin < lanes; begin += width) {
    Value* part = slice(picked(slice(bytes, begin, width, lanes)), 0, lanes, width);
    std::vector<int> both(static_cast<size_t>(lanes));
    std::iota(both.begin(), both.end(), 0);
    for (int i = begin; i < lanes; ++i) both[static_cast<size_t>(i)] = lanes + i - begin;
    result = result ? b_.CreateShuffleVector(result, part, both) : part;
  }
  return result;
}

/// By 64 bytes: the lower seven bits pick from each half of the table.
llvm::Value* Emitter::pickFromVectors(Value* bytes, Value* table, const Inst& inst) {
  constexpr int kVector = 64;
  const auto vector = [&](int i) {
    return plainLoad(b_.CreateConstGEP1_64(b_.getInt8Ty(), table, uint64_t(i) * kVector),
                     {Scalar::U8, kVector}, inst);
  };
  const auto half = [&](int i) {
    return b_.CreateIntrinsic(llvm::Intrinsic::x86_avx512_vpermi2var_qi_512,
                              llvm::ArrayRef<llvm::Type*>{}, {vector(i), bytes, vector(i + 1)});
  };
  Value* zero = llvm::Constant::getNullValue(bytes->getType());
  return b_.CreateSelect(b_.CreateICmpSLT(bytes, zero), half(2), half(0));
}

/// By 32 bytes: the lower four bits pick from each row of 16, the others, from the fourth on, one
/// of two rows each.
llvm::Value* Emitter::pickFromRows(Value* bytes, Value* table, const Inst& inst) {
  constexpr int kRow = 16, kLowBits = 4;
  Value* low = b_.CreateAnd(bytes, llvm::ConstantInt::get(bytes->getType(), kRow - 1));
  std::vector<Value*> rows;
  for (int i = 0; i < kEntries / kRow; ++i) {
    Value* row = plainLoad(b_.CreateConstGEP1_64(b_.getInt8Ty(), table, uint64_t(i) * kRow),
                           {Scalar::U8, kRow}, inst);
    std::vector<int> twice(2 * kRow);
    for (int k = 0; k < 2 * kRow; ++k) twice[static_cast<size_t>(k)] = k % kRow;
    rows.push_back(b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pshuf_b,
                                      llvm::ArrayRef<llvm::Type*>{},
                                      {b_.CreateShuffleVector(row, twice), low}));
  }
  // Shifted as pairs of bytes, whose own bits reach the top.
  llvm::Type* pairs = llvm::FixedVectorType::get(b_.getInt16Ty(), kRow);
  for (int bit = kLowBits; rows.size() > 1; ++bit) {
    Value* shifted = b_.CreateBitCast(
        b_.CreateShl(b_.CreateBitCast(bytes, pairs), uint64_t(7 - bit)), bytes->getType());
    std::vector<Value*> chosen;
    for (size_t i = 0; i < rows.size(); i += 2)
      chosen.push_back(b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pblendvb,
                                          llvm::ArrayRef<llvm::Type*>{},
                                          {rows[i], rows[i + 1], shifted}));
    rows = std::move(chosen);
  }
  return rows.front();
}

} // namespace enfold::codegen
