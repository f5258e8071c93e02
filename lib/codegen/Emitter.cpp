// Functions, control flow and variables.
#include "codegen/Emitter.h"

#include "codegen/DebugLines.h"
#include "codegen/VectorMath.h"
#include "support/Result.h"

#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

namespace enfold::codegen {

using kir::Op;
using kir::OpKind;
using kir::Scalar;
using kir::Space;

llvm::Type* registerType(llvm::LLVMContext& context, kir::Type type) {
  llvm::Type* scalar = nullptr;
  switch (type.scalar) {
  case Scalar::Index:
  case Scalar::I64:
  case Scalar::U64:
    scalar = llvm::Type::getInt64Ty(context);
    break;
  case Scalar::Bool:
    scalar = llvm::Type::getInt1Ty(context);
    break;
  case Scalar::I8:
  case Scalar::U8:
    scalar = llvm::Type::getInt8Ty(context);
    break;
  case Scalar::I16:
  case Scalar::U16:
  case Scalar::F16:
  case Scalar::BF16:
    scalar = llvm::Type::getInt16Ty(context);
    break;
  case Scalar::I32:
  case Scalar::U32:
    scalar = llvm::Type::getInt32Ty(context);
    break;
  case Scalar::F32:
    scalar = llvm::Type::getFloatTy(context);
    break;
  case Scalar::F64:
    scalar = llvm::Type::getDoubleTy(context);
    break;
  }
  return type.isVector() ? llvm::FixedVectorType::get(scalar, type.lanes) : scalar;
}

Emitter::Emitter(const kir::Kernel& kernel, const kir::Target& target, llvm::Module& module)
    : kernel_(kernel), target_(target), module_(module), context_(module.getContext()),
      b_(context_), values_(kernel.values.size()), sums_(kernel.values.size()),
      buffers_(kernel.buffers.size()), vars_(kernel.vars.size()) {}

llvm::Type* Emitter::typeOf(kir::Type type) { return registerType(context_, type); }

llvm::Function* Emitter::emit(const std::string& symbol, DebugLines* debug) {
  llvm::Type* pointer = b_.getPtrTy();
  auto* type = llvm::FunctionType::get(b_.getVoidTy(),
                                       {pointer, b_.getInt64Ty(), b_.getInt64Ty(), pointer}, false);
  function_ = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module_);
  function_->setDoesNotThrow();
  function_->addFnAttr("target-cpu", target_.cpu);
  function_->addFnAttr("target-features", target_.features);
  if (target_.isa == kir::Isa::Avx512) function_->addFnAttr("prefer-vector-width", "512");
  static constexpr const char* kNames[] = {"buffers", "begin", "end", "scratch"};
  for (unsigned i = 0; i < 4; ++i) function_->getArg(i)->setName(kNames[i]);
  for (unsigned i : {0u, 3u}) function_->addParamAttr(i, llvm::Attribute::NoAlias);
  if (debug) debug->begin(*function_, kernel_);
  debug_ = debug;
  b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function_));
  prologue();
  beginTiles();
  block(kernel_.body);
  endTiles();
  if (streams_ && target_.architecture == kir::Architecture::X86_64)
    b_.CreateIntrinsic(llvm::Intrinsic::x86_sse_sfence, llvm::ArrayRef<llvm::Type*>{},
                       llvm::ArrayRef<llvm::Value*>{});
  b_.CreateRetVoid();
  if (hasBarriers_) orderLoads();
  return function_;
}

/// Loads of what never changes would pass a barrier.
void Emitter::orderLoads() {
  for (llvm::Instruction& instruction : llvm::instructions(function_))
    if (llvm::isa<llvm::LoadInst>(instruction) && !instruction.getType()->isPointerTy())
      instruction.setMetadata(llvm::LLVMContext::MD_invariant_load, nullptr);
}

void Emitter::prologue() {
  makeAliasScopes();
  int64_t param = 0;
  for (size_t i = 0; i < kernel_.buffers.size(); ++i) {
    const kir::BufferInfo& buffer = kernel_.buffers[i];
    switch (buffer.space) {
    case Space::Param: {
      Value* slot = b_.CreateConstGEP1_64(b_.getPtrTy(), function_->getArg(0), param++);
      auto* address = b_.CreateAlignedLoad(b_.getPtrTy(), slot, llvm::Align(8), buffer.name);
      address->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(context_, {}));
      buffers_[i] = address;
      break;
    }
    case Space::Scratch:
      buffers_[i] =
          b_.CreateConstGEP1_64(b_.getInt8Ty(), function_->getArg(3), buffer.offset, buffer.name);
      break;
    case Space::Local:
      buffers_[i] = stackSlot(memoryType({buffer.elem, 1}), buffer.size, 64, buffer.name);
      break;
    }
  }
}

void Emitter::makeAliasScopes() {
  llvm::MDBuilder metadata(context_);
  llvm::MDNode* domain = metadata.createAnonymousAliasScopeDomain(function_->getName());
  std::vector<llvm::Metadata*> scopes;
  for (const kir::BufferInfo& buffer : kernel_.buffers)
    scopes.push_back(metadata.createAnonymousAliasScope(domain, buffer.name));
  for (size_t i = 0; i < scopes.size(); ++i) {
    std::vector<llvm::Metadata*> others = scopes;
    others.erase(others.begin() + static_cast<ptrdiff_t>(i));
    ownScope_.push_back(llvm::MDNode::get(context_, scopes[i]));
    otherScopes_.push_back(llvm::MDNode::get(context_, others));
  }
}

llvm::AllocaInst* Emitter::stackSlot(llvm::Type* type, int64_t count, int64_t alignment,
                                     const std::string& name) {
  llvm::BasicBlock& entry = function_->getEntryBlock();
  llvm::IRBuilder<> atEntry(&entry, entry.begin());
  auto* array = llvm::ArrayType::get(type, static_cast<uint64_t>(count));
  auto* slot = atEntry.CreateAlloca(count == 1 ? type : array, nullptr, name);
  if (alignment > 0) slot->setAlignment(llvm::Align(static_cast<uint64_t>(alignment)));
  return slot;
}

void Emitter::block(const kir::Block& insts) {
  for (const Inst& inst : insts) {
    locate(inst);
    instruction(inst);
  }
}

/// What is emitted next belongs to that instruction.
void Emitter::locate(const Inst& inst) {
  if (!debug_) return;
  if (const llvm::DebugLoc line = debug_->of(inst)) b_.SetCurrentDebugLocation(line);
}

void Emitter::instruction(const Inst& inst) {
  Value* result = nullptr;
  switch (kir::info(inst.op).kind) {
  case OpKind::Constant:
    result = constant(inst);
    break;
  case OpKind::Affine:
    result = affine(inst);
    break;
  case OpKind::Unary:
  case OpKind::Binary:
  case OpKind::Ternary:
    result = arithmetic(inst);
    break;
  case OpKind::Dot:
    result = dot(inst);
    break;
  case OpKind::Bitwise:
    result = bitwise(inst);
    break;
  case OpKind::Shift:
    result = shift(inst);
    break;
  case OpKind::Compare:
    result = compare(inst);
    break;
  case OpKind::Select:
    result = select(inst);
    break;
  case OpKind::FloatUnary:
    result = VectorMath(b_, target_).unary(inst.op, operand(inst, 0));
    break;
  case OpKind::FloatBinary:
    result = VectorMath(b_, target_).pow(operand(inst, 0), operand(inst, 1));
    break;
  case OpKind::Convert:
    result = convert(inst);
    break;
  case OpKind::Lanes:
    result = lanes(inst);
    break;
  case OpKind::Reduce:
    result = reduce(inst);
    break;
  case OpKind::Memory:
    result = memory(inst);
    break;
  case OpKind::Tile:
    tile(inst);
    break;
  case OpKind::Order:
    hasBarriers_ = true;
    b_.CreateCall(llvm::InlineAsm::get(llvm::FunctionType::get(b_.getVoidTy(), false), "",
                                       "~{memory}", /*hasSideEffects=*/true));
    break;
  case OpKind::Variable:
    result = variable(inst);
    break;
  case OpKind::Control:
    if (inst.op == Op::Parallel)
      parallelLoop(inst);
    else if (inst.op == Op::For)
      forLoop(inst);
    else
      ifElse(inst);
    return;
  }
  if (inst.result != kir::kNoId) values_[inst.result] = result;
}

llvm::Value* Emitter::variable(const Inst& inst) {
  llvm::Type* type = typeOf(inst.type);
  llvm::AllocaInst*& slot = vars_[inst.var];
  if (!slot) slot = stackSlot(type, 1, 0, kernel_.vars[inst.var].name);
  if (inst.op == Op::VarGet) return b_.CreateLoad(type, slot);
  b_.CreateStore(operand(inst, 0), slot);
  return nullptr;
}

void Emitter::parallelLoop(const Inst& inst) {
  loop(function_->getArg(1), function_->getArg(2), 1, true, inst.name, [&](Value* i) {
    values_[inst.result] = i;
    block(inst.blocks[0]);
  });
}

void Emitter::forLoop(const Inst& inst) {
  Value *lo = operand(inst, 0), *hi = operand(inst, 1);
  auto* first = llvm::dyn_cast<llvm::ConstantInt>(lo);
  auto* end = llvm::dyn_cast<llvm::ConstantInt>(hi);
  if (first && end && first->getSExtValue() >= end->getSExtValue()) return;
  if (inst.unroll == kir::Unroll::Full) {
    for (int64_t i = first->getSExtValue(); i < end->getSExtValue(); i += inst.imm) {
      values_[inst.result] = b_.getInt64(static_cast<uint64_t>(i));
      block(inst.blocks[0]);
    }
    return;
  }
  loop(lo, hi, inst.imm, !(first && end), inst.name, [&](Value* i) {
    values_[inst.result] = i;
    block(inst.blocks[0]);
  });
}

void Emitter::loop(Value* lo, Value* hi, int64_t step, bool mayBeEmpty, const std::string& name,
                   const std::function<void(Value*)>& body) {
  auto* preheader = llvm::BasicBlock::Create(context_, name + ".pre", function_);
  auto* header = llvm::BasicBlock::Create(context_, name, function_);
  auto* exit = llvm::BasicBlock::Create(context_, name + ".end", function_);
  if (mayBeEmpty)
    b_.CreateCondBr(b_.CreateICmpSLT(lo, hi), preheader, exit);
  else
    b_.CreateBr(preheader);
  b_.SetInsertPoint(preheader);
  b_.CreateBr(header);

  b_.SetInsertPoint(header);
  llvm::PHINode* i = b_.CreatePHI(b_.getInt64Ty(), 2, name);
  i->addIncoming(lo, preheader);
  const llvm::DebugLoc head = b_.getCurrentDebugLocation();
  body(i);
  b_.SetCurrentDebugLocation(head);
  Value* next = b_.CreateAdd(i, b_.getInt64(static_cast<uint64_t>(step)), "", false, true);
  i->addIncoming(next, b_.GetInsertBlock());
  b_.CreateCondBr(b_.CreateICmpSLT(next, hi), header, exit);
  b_.SetInsertPoint(exit);
}

void Emitter::ifElse(const Inst& inst) {
  auto* yes = llvm::BasicBlock::Create(context_, "then", function_);
  auto* no = llvm::BasicBlock::Create(context_, "else", function_);
  auto* join = llvm::BasicBlock::Create(context_, "join", function_);
  b_.CreateCondBr(operand(inst, 0), yes, no);
  for (auto [target, body] : {std::pair{yes, &inst.blocks[0]}, {no, &inst.blocks[1]}}) {
    b_.SetInsertPoint(target);
    block(*body);
    b_.CreateBr(join);
  }
  b_.SetInsertPoint(join);
}

} // namespace enfold::codegen
