// Writing one op as several: makes ops and constants in front of the op that they stand for.
#pragma once

#include "ir/Rewriter.h"

namespace enfold {

class Parts {
public:
  Parts(Rewriter& rewriter, Op& op) : rewriter_(rewriter), op_(op) {}

  Value* make(OpKind kind, std::vector<Value*> operands, AttrMap attrs = {});
  /// All results of an op that has several.
  std::vector<Value*> makeAll(OpKind kind, std::vector<Value*> operands, AttrMap attrs,
                              size_t numResults);
  Value* constant(Tensor tensor, std::string_view what);
  Value* ints(const std::vector<int64_t>& values, std::string_view what);
  /// A scalar of that type.
  Value* number(ElemType elem, double value, std::string_view what);
  /// 0, 1, … `count` - 1 along `axis` of `rank` dimensions, the others being 1.
  Value* iota(ElemType elem, int64_t count, size_t axis, size_t rank, std::string_view what);
  Value* cast(Value* x, ElemType to);
  Value* reshape(Value* x, const Shape& shape);
  /// In the type that narrow floats are computed in: one rounding at the end, not after each part.
  Value* wide(Value* x);

  Op& op() const { return op_; }
  /// The ops made so far.
  std::span<Op* const> made() const { return made_; }
  Value* own(size_t i) const { return op_.own(i); }

private:
  Rewriter& rewriter_;
  Op& op_;
  std::vector<Op*> made_;
};

/// What takes the place of an op's results; nothing when the op is better left alone.
struct Results {
  Results() = default;
  Results(Value* only) : values{only} {}
  Results(std::vector<Value*> all) : values(std::move(all)) {}

  std::vector<Value*> values;
};

/// Makes the results of the op from parts. It may make nothing before it leaves the op alone.
using Decomposition = Results (*)(Parts& parts);

// One function a kind of op: Choices.cpp, Movements.cpp, Norms.cpp, Products.cpp,
// Quantization.cpp, Recurrence.cpp, Transposed.cpp.
Results decomposeAffineGrid(Parts& parts);
Results decomposeCastLike(Parts& parts);
Results decomposeCenterCropPad(Parts& parts);
Results decomposeConvInteger(Parts& parts);
Results decomposeConvTranspose(Parts& parts);
Results decomposeDequantizeLinear(Parts& parts);
Results decomposeEinsum(Parts& parts);
Results decomposeGather(Parts& parts);
Results decomposeGlobalLpPool(Parts& parts);
Results decomposeHardmax(Parts& parts);
Results decomposeLRN(Parts& parts);
Results decomposeLpNormalization(Parts& parts);
Results decomposeMatMulInteger(Parts& parts);
Results decomposeMeanVarianceNormalization(Parts& parts);
Results decomposeOneHot(Parts& parts);
Results decomposeQLinearConv(Parts& parts);
Results decomposeQLinearMatMul(Parts& parts);
Results decomposeQuantizeLinear(Parts& parts);
Results decomposeRecurrence(Parts& parts);
Results decomposeReduceLogSumExp(Parts& parts);
Results decomposeTrilu(Parts& parts);

} // namespace enfold
