// Internal to lib/codegen: writes one kernel as one LLVM function of the type enfold_kernel_fn.
//
// Variables become stack slots that the optimizer turns into registers; loops are written in
// rotated form. Every access to a buffer carries alias scopes saying that it overlaps no other
// buffer, so loads move over stores to other buffers. No fast-math flag is ever set.
#pragma once

#include "kernel/Kernel.h"
#include "kernel/Target.h"

#include <llvm/IR/IRBuilder.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace enfold::codegen {

class DebugLines;

class Emitter {
public:
  Emitter(const kir::Kernel& kernel, const kir::Target& target, llvm::Module& module);

  /// Emits the kernel, which must have been verified.
  llvm::Function* emit(const std::string& symbol, DebugLines* debug = nullptr);

private:
  using Value = llvm::Value;
  using Inst = kir::Inst;

  // Emitter.cpp: functions, control, variables.
  void prologue();
  void orderLoads();
  void makeAliasScopes();
  void block(const kir::Block& insts);
  void instruction(const Inst& inst);
  void locate(const Inst& inst);
  void parallelLoop(const Inst& inst);
  void forLoop(const Inst& inst);
  void ifElse(const Inst& inst);
  /// A rotated loop from lo below hi; `mayBeEmpty` adds the test before the first iteration.
  void loop(Value* lo, Value* hi, int64_t step, bool mayBeEmpty, const std::string& name,
            const std::function<void(Value*)>& body);
  Value* variable(const Inst& inst);
  llvm::AllocaInst* stackSlot(llvm::Type* type, int64_t count, int64_t alignment,
                              const std::string& name);

  // EmitArithmetic.cpp
  Value* constant(const Inst& inst);
  Value* affine(const Inst& inst);
  /// Whether it is known before the parallel loop.
  bool isAtTop(Value* value) const;
  Value* arithmetic(const Inst& inst);
  Value* bitwise(const Inst& inst);
  Value* shift(const Inst& inst);
  Value* compare(const Inst& inst);
  Value* select(const Inst& inst);
  Value* lanes(const Inst& inst);
  Value* reduce(const Inst& inst);
  Value* binary(kir::Op op, kir::Type type, Value* a, Value* b);
  Value* divide(kir::Op op, kir::Type type, Value* a, Value* b);
  Value* divideInteger(kir::Op op, kir::Type type, Value* a, Value* b);
  Value* minMax(kir::Op op, kir::Type type, Value* a, Value* b);
  bool isNonNegative(const Inst& inst, size_t operand) const;

  // EmitConvert.cpp
  Value* convert(const Inst& inst);
  Value* cast(Value* x, kir::Type from, kir::Scalar to);
  Value* fitToDouble(Value* x, kir::Type from);
  Value* castSaturating(Value* x, kir::Type from, kir::Scalar to);
  Value* clampInteger(Value* x, kir::Type from, kir::Scalar to);
  Value* halfToFloat(Value* bits, kir::Type from);
  Value* floatToHalf(Value* x, kir::Scalar to, int lanes);

  // EmitRounded.cpp
  Value* castRoundedSum(Value* x, kir::Type from, kir::Scalar to);
  Value* roundedAgain(Value* x, kir::Type from);
  Value* withoutZero(Value* a, Value* b);
  Value* isNumber(Value* y);
  Value* below(Value* y, double most);
  Value* roundToI32(Value* x, int lanes);
  Value* packBytes(Value* whole, int lanes, bool isSigned);

  // EmitDot.cpp
  Value* dot(const Inst& inst);

  // EmitTiles.cpp
  void beginTiles();
  void endTiles();
  void tile(const Inst& inst);
  void tileMemory(const Inst& inst);
  void tileDot(const Inst& inst);
  /// Of a tile that is an array.
  Value* tileRowAddress(int64_t tile, Value* row);
  // EmitLookup.cpp
  Value* lookup(const Inst& inst, Value* table);
  Value* pickFromVectors(Value* bytes, Value* table, const Inst& inst);
  Value* pickFromRows(Value* bytes, Value* table, const Inst& inst);

  // EmitMemory.cpp
  Value* memory(const Inst& inst);
  Value* address(const Inst& inst);
  Value* loadPartial(const Inst& inst, Value* from);
  void storePartial(const Inst& inst, Value* to);
  Value* loadStrided(const Inst& inst, Value* from);
  void storeStream(const Inst& inst, Value* to);
  Value* elementAddresses(Value* base, const Inst& inst);
  Value* firstLanes(Value* count, kir::Type type);
  Value* plainLoad(Value* from, kir::Type type, const Inst& inst);
  void plainStore(Value* to, Value* x, kir::Type type, const Inst& inst);
  /// Conversion between a value in a register and in memory, where bool differs.
  Value* toMemory(Value* x, kir::Type type);
  Value* fromMemory(Value* x, kir::Type type);
  llvm::Instruction* annotate(llvm::Instruction* access, const Inst& inst);

  llvm::Type* typeOf(kir::Type type);
  llvm::Type* memoryType(kir::Type type);
  Value* operand(const Inst& inst, size_t i) { return values_[inst.operands[i]]; }
  kir::Type operandType(const Inst& inst, size_t i) const {
    return kernel_.values[inst.operands[i]].type;
  }

  const kir::Kernel& kernel_;
  const kir::Target& target_;
  llvm::Module& module_;
  llvm::LLVMContext& context_;
  llvm::IRBuilder<> b_;
  llvm::Function* function_ = nullptr;
  std::vector<Value*> values_; ///< by ValueId
  /// By ValueId: sums of what is known at the top and another value. Added to an address one after
  /// the other, what does not change in a loop leaves it.
  std::vector<std::pair<Value*, Value*>> sums_;
  /// Round(y) + zero, saturated to 8 bits.
  struct RoundedSum {
    Value* y;
    int64_t zero;
    kir::Scalar to;
  };
  std::map<Value*, RoundedSum> rounded_; ///< by the bytes
  /// By the same as f32: without the zero.
  std::map<Value*, std::pair<Value*, int64_t>> withZero_;
  std::vector<Value*> buffers_;            ///< by BufferId: address of the first element
  std::vector<llvm::AllocaInst*> vars_;    ///< by VarId
  std::vector<llvm::MDNode*> ownScope_;    ///< by BufferId
  std::vector<llvm::MDNode*> otherScopes_; ///< by BufferId
  const DebugLines* debug_ = nullptr;      ///< of the function, if wanted
  llvm::AllocaInst* tiles_ = nullptr;      ///< where they are an array
  bool hasTiles_ = false;                  ///< the kernel uses some
  bool hasBarriers_ = false;
  bool streams_ = false; ///< some store bypasses the cache
};

/// Whether products of tiles are among the instructions, of bf16 or of bytes.
bool multipliesTiles(const kir::Block& block, bool ofHalves);

/// The LLVM type of a value in a register. Half floats are 16-bit integers there.
llvm::Type* registerType(llvm::LLVMContext& context, kir::Type type);

} // namespace enfold::codegen
