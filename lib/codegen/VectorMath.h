// Internal to lib/codegen: float functions on vectors. exp, log, sigmoid, tanh, erf, sin, cos and
// pow on f32 are emitted in line, within 2 ulp (sigmoid 3, and all 4 without FMA) over the whole
// range, with the limits, infinities, NaN and denormal results of C's functions. The others, and
// f64, call the C library for each lane.
//
// The method of each function is the classical one (argument reduction after Cody and Waite,
// "Software Manual for the Elementary Functions", 1980; forms of the polynomials as in Moshier's
// Cephes); the coefficients are our own minimax fits (Remez) on the reduced intervals.
#pragma once

#include "kernel/Op.h"
#include "kernel/Target.h"

#include <llvm/IR/IRBuilder.h>

#include <functional>
#include <initializer_list>

namespace enfold::codegen {

class VectorMath {
public:
  using Value = llvm::Value;

  VectorMath(llvm::IRBuilder<>& builder, const kir::Target& target)
      : b_(builder), target_(target) {}

  Value* unary(kir::Op op, Value* x);
  Value* pow(Value* x, Value* y);

private:
  /// What is known of exp's argument: nothing, its sign, or that the result is a normal number.
  enum class ExpRange { Full, NotPositive, Moderate };

  Value* intrinsic(llvm::Intrinsic::ID id, Value* x) { return b_.CreateUnaryIntrinsic(id, x); }
  Value* exp(Value* x, ExpRange range);
  /// exp(x) = 2^n (1 + q).
  struct ExpParts {
    Value *n, *bits, *q; ///< the low bits of `bits` are n
  };
  ExpParts expParts(Value* x);
  Value* scaleInOne(Value* x, Value* n);
  /// 2^n for the n in the low bits of `bits`, which gives a normal number.
  Value* powerOfTwo(Value* bits);
  Value* log(Value* x);
  Value* sigmoid(Value* x);
  Value* tanh(Value* x);
  Value* erf(Value* x);
  Value* normalCdf(Value* x);
  Value* elu(Value* x);
  Value* sinOrCos(kir::Op op, Value* x);
  Value* sinOrCosReduced(kir::Op op, Value* x);
  Value* log2OfMagnitude(Value* x);
  Value* exp2(Value* x);
  /// The C function on each lane.
  Value* callLibm(llvm::StringRef name, llvm::ArrayRef<Value*> arguments);

  llvm::Type* like(Value* x, llvm::Type* scalar);
  Value* number(Value* like, double x);
  Value* integer(Value* like, int64_t x);
  Value* asInteger(Value* x);
  Value* asFloat(Value* x);
  Value* add(Value* a, Value* b) { return b_.CreateFAdd(a, b); }
  Value* sub(Value* a, Value* b) { return b_.CreateFSub(a, b); }
  Value* mul(Value* a, Value* b) { return b_.CreateFMul(a, b); }
  /// a * b + c, rounded once where the target can.
  Value* mulAdd(Value* a, Value* b, Value* c);
  Value* polynomial(Value* x, std::initializer_list<double> coefficients);
  /// Limits that let NaN pass.
  Value* atMost(Value* x, double limit);
  Value* atLeast(Value* x, double limit);
  Value* copySign(Value* magnitude, Value* sign);

  llvm::IRBuilder<>& b_;
  const kir::Target& target_;
};

} // namespace enfold::codegen
