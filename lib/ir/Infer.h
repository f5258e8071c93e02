// Shape and type inference: from operand types, attributes and known operand values to result
// types. One function per row of the op table (families share one), named in the row.
#pragma once

#include "ir/OpInfo.h"

#include <functional>

namespace enfold {

struct EpilogueStep;
class Op;
class Value;

/// What an operand's value is, if it is known at compile time; null if not. The tensor must outlive
/// the inference.
using ConstantLookup = std::function<const Tensor*(const Value*)>;

/// The lookup that knows constants only.
const Tensor* constantOf(const Value* value);

/// What an inference function may look at. Errors name the operand, not the node: the caller adds
/// it.
class InferContext {
public:
  InferContext(OpKind kind, std::span<Value* const> operands, const AttrMap& attrs,
               size_t numResults, const ConstantLookup& constants)
      : info_(enfold::info(kind)), operands_(operands), attrs_(attrs), numResults_(numResults),
        constants_(constants) {}

  const OpInfo& info() const { return info_; }
  size_t numOperands() const { return operands_.size(); }
  size_t numResults() const { return numResults_; }
  bool has(size_t operand) const {
    return operand < operands_.size() && operands_[operand] != nullptr;
  }
  /// The type of an operand, which must be present.
  const Type& type(size_t operand) const;
  const Shape& shape(size_t operand) const { return type(operand).shape; }

  /// The value of a present operand, or an error of kind DataDependent when it is not known.
  Result<const Tensor*> constant(size_t operand) const;
  /// The same as integers.
  Result<std::vector<int64_t>> constantInts(size_t operand) const;

  const AttrMap& attrs() const { return attrs_; }
  bool hasAttr(std::string_view name) const;
  /// An attribute that is present.
  const AttrValue& attr(std::string_view name) const { return attrs_.find(name)->second; }
  /// The attribute, its default, or for an absent optional one the empty value of its kind.
  int64_t integer(std::string_view name) const;
  float real(std::string_view name) const;
  std::string string(std::string_view name) const;
  std::vector<int64_t> ints(std::string_view name) const;
  ElemType elem(std::string_view name) const;

private:
  const OpInfo& info_;
  std::span<Value* const> operands_;
  const AttrMap& attrs_;
  size_t numResults_;
  const ConstantLookup& constants_;
};

/// The types an op's results have. An error of kind DataDependent means that they depend on a value
/// that `constants` does not know; parsers and verifiers then trust the types written down.
Result<std::vector<Type>> inferTypes(OpKind kind, std::span<Value* const> operands,
                                     const AttrMap& attrs, size_t numResults,
                                     const ConstantLookup& constants = constantOf);

/// An error unless an operand has that rank, or at least that.
Result<> needsRank(const InferContext& context, size_t operand, int64_t rank);
Result<> needsRankAtLeast(const InferContext& context, size_t operand, int64_t rank);
/// Whether some data would give an op results of these types, which inference cannot tell because
/// they depend on data. An error otherwise.
Result<> checkStatedTypes(OpKind kind, std::span<Value* const> operands, const AttrMap& attrs,
                          std::span<const Type> results);

/// Error when an operand that an op of that kind needs is absent, or one is too many.
Result<> checkOperands(const OpInfo& info, std::span<Value* const> operands);

/// The type behind the steps of an epilogue, when the result before them is of type `own`; checks
/// the steps and fills in what each reads. `operands` are all of the op, the first `numOwn` its
/// own.
Result<Type> inferEpilogue(std::span<EpilogueStep> steps, Type own,
                           std::span<Value* const> operands, size_t numOwn);

/// Counts an axis from the front, or an error when it is out of [-rank, rank).
Result<int64_t> normalizeAxis(int64_t axis, int64_t rank);

/// Where a window of a convolution or pool lies: per spatial dimension kernel, stride, dilation and
/// the padding before and after, with the defaults of ONNX filled in and checked.
struct Window {
  std::vector<int64_t> kernel, strides, dilations, padsBegin, padsEnd;
};
Result<Window> windowOf(const AttrMap& attrs, const Shape& kernel);

/// The result's shape of a convolution whose weights are operand `weights`, checked.
Result<Shape> convShape(const InferContext& context, size_t weights);
/// That `algorithm` is "auto" or begins with the kind of a candidate; which ones there are the
/// target decides (lower/conv/Candidates.h).
Result<> checkAlgorithm(const InferContext& context);
/// The shape of a matrix product with broadcast batch dimensions, as numpy's matmul.
Result<Shape> matmulShape(const Shape& a, const Shape& b);

#define ENFOLD_OP(kind, text, operands, results, attrs, infer, traits)                             \
  Result<std::vector<Type>> infer(const InferContext& context);
#include "ir/Ops.def"

} // namespace enfold
