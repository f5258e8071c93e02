// Loads and stores. Bool is a byte in memory and a bit in a register. Addresses are computed
// without `inbounds`: the variable part alone may lie outside the buffer.
#include "codegen/Emitter.h"

#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <numeric>

namespace enfold::codegen {

using kir::Op;
using kir::Scalar;

llvm::Type* Emitter::memoryType(kir::Type type) {
  return typeOf(type.scalar == Scalar::Bool ? type.withScalar(Scalar::U8) : type);
}

llvm::Value* Emitter::toMemory(Value* x, kir::Type type) {
  return type.scalar == Scalar::Bool ? b_.CreateZExt(x, memoryType(type)) : x;
}

llvm::Value* Emitter::fromMemory(Value* x, kir::Type type) {
  return type.scalar == Scalar::Bool ? b_.CreateIsNotNull(x) : x;
}

llvm::Value* Emitter::memory(const Inst& inst) {
  if (inst.op == Op::TileLoad || inst.op == Op::TileStore) {
    tileMemory(inst);
    return nullptr;
  }
  Value* at = address(inst);
  switch (inst.op) {
  case Op::Load:
    return fromMemory(plainLoad(at, inst.type, inst), inst.type);
  case Op::LoadPartial:
    return loadPartial(inst, at);
  case Op::LoadStrided:
    return loadStrided(inst, at);
  case Op::Broadcast: {
    Value* x = fromMemory(plainLoad(at, inst.type.withLanes(1), inst), inst.type.withLanes(1));
    return inst.type.isVector() ? b_.CreateVectorSplat(inst.type.lanes, x) : x;
  }
  case Op::BroadcastWord: {
    const kir::Type word = inst.type.withLanes(static_cast<int>(inst.stride));
    const auto times = static_cast<unsigned>(inst.type.lanes / word.lanes);
    Value* x = plainLoad(at, word, inst);
    x = b_.CreateBitCast(x, b_.getIntNTy(static_cast<unsigned>(8 * word.sizeInBytes())));
    return b_.CreateBitCast(b_.CreateVectorSplat(times, x), typeOf(inst.type));
  }
  case Op::Gather: {
    if (Value* picked = lookup(inst, at)) return picked;
    Value* from = elementAddresses(at, inst);
    if (!inst.type.isVector()) return fromMemory(plainLoad(from, inst.type, inst), inst.type);
    auto* x = b_.CreateMaskedGather(memoryType(inst.type), from,
                                    llvm::Align(kir::sizeInBytes(inst.type.scalar)));
    return fromMemory(annotate(x, inst), inst.type);
  }
  case Op::Store:
    plainStore(at, operand(inst, 1), inst.type, inst);
    break;
  case Op::StorePartial:
    storePartial(inst, at);
    break;
  case Op::StoreStream:
    storeStream(inst, at);
    break;
  case Op::Scatter: {
    Value* to = elementAddresses(at, inst);
    if (!inst.type.isVector()) {
      plainStore(to, operand(inst, 2), inst.type, inst);
      break;
    }
    annotate(b_.CreateMaskedScatter(toMemory(operand(inst, 2), inst.type), to,
                                    llvm::Align(kir::sizeInBytes(inst.type.scalar))),
             inst);
    break;
  }
  case Op::Prefetch:
    b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {b_.getPtrTy()},
                       {at, b_.getInt32(0), b_.getInt32(2), b_.getInt32(1)});
    break;
  default:
    break;
  }
  return nullptr;
}

llvm::Value* Emitter::address(const Inst& inst) {
  llvm::Type* element = memoryType({kernel_.buffers[inst.buffer].elem, 1});
  Value* base = buffers_[inst.buffer];
  const auto [top, rest] = sums_[inst.operands[0]];
  base = top ? b_.CreateGEP(element, b_.CreateGEP(element, base, top), rest)
             : b_.CreateGEP(element, base, operand(inst, 0));
  return inst.imm == 0 ? base : b_.CreateConstGEP1_64(element, base, inst.imm);
}

llvm::Instruction* Emitter::annotate(llvm::Instruction* access, const Inst& inst) {
  access->setMetadata(llvm::LLVMContext::MD_alias_scope, ownScope_[inst.buffer]);
  access->setMetadata(llvm::LLVMContext::MD_noalias, otherScopes_[inst.buffer]);
  const kir::BufferInfo& buffer = kernel_.buffers[inst.buffer];
  if (buffer.access == kir::Access::Read && llvm::isa<llvm::LoadInst>(access))
    access->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(context_, {}));
  return access;
}

llvm::Value* Emitter::plainLoad(Value* from, kir::Type type, const Inst& inst) {
  llvm::Align alignment(static_cast<uint64_t>(kir::sizeInBytes(type.scalar)));
  return annotate(b_.CreateAlignedLoad(memoryType(type), from, alignment), inst);
}

void Emitter::plainStore(Value* to, Value* x, kir::Type type, const Inst& inst) {
  llvm::Align alignment(static_cast<uint64_t>(kir::sizeInBytes(type.scalar)));
  annotate(b_.CreateAlignedStore(toMemory(x, type), to, alignment), inst);
}

llvm::Value* Emitter::elementAddresses(Value* base, const Inst& inst) {
  Value* offsets = operand(inst, 1);
  llvm::Type* wide = typeOf(inst.type.withScalar(Scalar::I64));
  offsets = kir::isUnsigned(operandType(inst, 1).scalar) ? b_.CreateZExtOrTrunc(offsets, wide)
                                                         : b_.CreateSExtOrTrunc(offsets, wide);
  return b_.CreateGEP(memoryType(inst.type.withLanes(1)), base, offsets);
}

/// The mask of the lanes below `count`, in integers as wide as the elements so that it costs one
/// comparison.
llvm::Value* Emitter::firstLanes(Value* count, kir::Type type) {
  int bits = static_cast<int>(kir::sizeInBytes(type.scalar)) * 8;
  if (type.lanes > 127) bits = std::max(bits, 32);
  llvm::Type* lane = b_.getIntNTy(static_cast<unsigned>(bits));
  Value* all = b_.getInt64(static_cast<uint64_t>(type.lanes));
  count = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, count, all);
  count = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, count, b_.getInt64(0));
  std::vector<llvm::Constant*> numbers;
  for (int i = 0; i < type.lanes; ++i) numbers.push_back(llvm::ConstantInt::get(lane, i));
  Value* limit = b_.CreateVectorSplat(type.lanes, b_.CreateTrunc(count, lane));
  return b_.CreateICmpSLT(llvm::ConstantVector::get(numbers), limit);
}

llvm::Value* Emitter::loadPartial(const Inst& inst, Value* from) {
  kir::Type type = inst.type;
  Value *count = operand(inst, 1), *fill = operand(inst, 2);
  llvm::Align alignment(static_cast<uint64_t>(kir::sizeInBytes(type.scalar)));
  if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(count)) {
    auto n = static_cast<int>(std::clamp<int64_t>(known->getSExtValue(), 0, type.lanes));
    if (n == 0) return fill;
    Value* part = fromMemory(plainLoad(from, type.withLanes(n), inst), type.withLanes(n));
    if (n == type.lanes) return part;
    if (n == 1) return b_.CreateInsertElement(fill, part, uint64_t(0));
    std::vector<int> widen(type.lanes), merge(type.lanes);
    for (int i = 0; i < type.lanes; ++i) widen[i] = i < n ? i : -1;
    for (int i = 0; i < type.lanes; ++i) merge[i] = i < n ? i : type.lanes + i;
    return b_.CreateShuffleVector(b_.CreateShuffleVector(part, widen), fill, merge);
  }
  // One lane goes through a vector of one, which never touches memory when masked off.
  auto* vector = llvm::FixedVectorType::get(memoryType(type.withLanes(1)), type.lanes);
  Value* other = toMemory(fill, type);
  if (!type.isVector())
    other = b_.CreateInsertElement(llvm::PoisonValue::get(vector), other, uint64_t(0));
  Value* x =
      annotate(b_.CreateMaskedLoad(vector, from, alignment, firstLanes(count, type), other), inst);
  if (!type.isVector()) x = b_.CreateExtractElement(x, uint64_t(0));
  return fromMemory(x, type);
}

void Emitter::storePartial(const Inst& inst, Value* to) {
  kir::Type type = inst.type;
  Value *x = operand(inst, 1), *count = operand(inst, 2);
  if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(count)) {
    auto n = static_cast<int>(std::clamp<int64_t>(known->getSExtValue(), 0, type.lanes));
    if (n == 0) return;
    if (n < type.lanes) {
      std::vector<int> first(n);
      std::iota(first.begin(), first.end(), 0);
      x = n == 1 ? b_.CreateExtractElement(x, uint64_t(0)) : b_.CreateShuffleVector(x, first);
    }
    plainStore(to, x, type.withLanes(n), inst);
    return;
  }
  x = toMemory(x, type);
  if (!type.isVector()) x = b_.CreateVectorSplat(1, x);
  llvm::Align alignment(static_cast<uint64_t>(kir::sizeInBytes(type.scalar)));
  annotate(b_.CreateMaskedStore(x, to, alignment, firstLanes(count, type)), inst);
}

llvm::Value* Emitter::loadStrided(const Inst& inst, Value* from) {
  kir::Type type = inst.type;
  int n = type.lanes;
  llvm::Type* element = memoryType(type.withLanes(1));
  if (n == 1 || inst.stride == 1) return fromMemory(plainLoad(from, type, inst), type);
  if (inst.stride == -1) {
    Value* forward = plainLoad(b_.CreateConstGEP1_64(element, from, 1 - n), type, inst);
    return fromMemory(b_.CreateVectorReverse(forward), type);
  }
  if (inst.stride == 2) {
    // Two whole loads that overlap in one element, so that nothing past the last one is touched.
    Value* low = plainLoad(from, type, inst);
    Value* high = plainLoad(b_.CreateConstGEP1_64(element, from, n - 1), type, inst);
    std::vector<int> even(n);
    for (int i = 0; i < n; ++i) even[i] = 2 * i < n ? 2 * i : n + 2 * i - (n - 1);
    return fromMemory(b_.CreateShuffleVector(low, high, even), type);
  }
  Value* x = llvm::PoisonValue::get(memoryType(type));
  for (int i = 0; i < n; ++i) {
    Value* at = b_.CreateConstGEP1_64(element, from, inst.stride * i);
    x = b_.CreateInsertElement(x, plainLoad(at, type.withLanes(1), inst), static_cast<uint64_t>(i));
  }
  return fromMemory(x, type);
}

/// A non-temporal store needs an aligned address; without one it is an ordinary store.
void Emitter::storeStream(const Inst& inst, Value* to) {
  kir::Type type = inst.type;
  auto bytes = static_cast<uint64_t>(type.sizeInBytes());
  if ((bytes & (bytes - 1)) != 0 || bytes < 4 || type.scalar == Scalar::Bool) {
    plainStore(to, operand(inst, 1), type, inst);
    return;
  }
  streams_ = true;
  uint64_t alignment = std::min<uint64_t>(bytes, 64);
  auto* aligned = llvm::BasicBlock::Create(context_, "stream", function_);
  auto* other = llvm::BasicBlock::Create(context_, "store", function_);
  auto* join = llvm::BasicBlock::Create(context_, "stored", function_);
  Value* low = b_.CreateAnd(b_.CreatePtrToInt(to, b_.getInt64Ty()), b_.getInt64(alignment - 1));
  b_.CreateCondBr(b_.CreateIsNull(low), aligned, other);
  b_.SetInsertPoint(aligned);
  auto* store = b_.CreateAlignedStore(operand(inst, 1), to, llvm::Align(alignment));
  store->setMetadata(llvm::LLVMContext::MD_nontemporal,
                     llvm::MDNode::get(context_, llvm::ConstantAsMetadata::get(b_.getInt32(1))));
  annotate(store, inst);
  b_.CreateBr(join);
  b_.SetInsertPoint(other);
  plainStore(to, operand(inst, 1), type, inst);
  b_.CreateBr(join);
  b_.SetInsertPoint(join);
}

} // namespace enfold::codegen
