// What a reference function sees of an op: operands as tensors, attributes, and the results to
// fill. One function per row of the op table, named eval<Kind>; a row without one does not link.
//
// Reference functions are plain loops with accumulators in double, integers exactly. Types and
// shapes have passed inference; operand values have not, so whatever they can get wrong is an
// error.
#pragma once

#include "ir/Infer.h"
#include "ir/Tensor.h"

#include <span>
#include <vector>

namespace enfold::reference {

class EvalContext {
public:
  /// Results are allocated, all zero, by `resultTypes`. A null operand is absent.
  EvalContext(OpKind kind, std::span<const Tensor* const> operands, const AttrMap& attrs,
              std::span<const Type> resultTypes);

  const OpInfo& info() const { return info_; }
  size_t numOperands() const { return operands_.size(); }
  bool has(size_t i) const { return i < operands_.size() && operands_[i] != nullptr; }
  /// An operand that must be present.
  const Tensor& operand(size_t i = 0) const;
  ElemType elem(size_t i) const { return operand(i).elem(); }
  const Shape& shape(size_t i) const { return operand(i).shape(); }

  size_t numResults() const { return results_.size(); }
  /// A result, to be filled; where the shape depends on operand values, to be replaced.
  Tensor& result(size_t i = 0) { return results_[i]; }
  std::vector<Tensor> takeResults() { return std::move(results_); }

  bool hasAttr(std::string_view name) const { return attrs_.contains(name); }
  /// The attribute, its default, or for an absent optional one the empty value of its kind.
  int64_t integer(std::string_view name) const { return attrOr<int64_t>(info_, attrs_, name); }
  double real(std::string_view name) const { return attrOr<float>(info_, attrs_, name); }
  std::string string(std::string_view name) const {
    return attrOr<std::string>(info_, attrs_, name);
  }
  std::vector<int64_t> ints(std::string_view name) const {
    return attrOr<std::vector<int64_t>>(info_, attrs_, name);
  }
  ElemType type(std::string_view name) const { return attrOr<ElemType>(info_, attrs_, name); }
  const Tensor& tensor(std::string_view name) const;
  const AttrMap& attrs() const { return attrs_; }

  /// The window attributes for a kernel of these sizes.
  Result<Window> window(const Shape& kernel) const { return windowOf(attrs_, kernel); }

  /// The error of an op that has no meaning, or none here, for an element type.
  std::unexpected<Error> unsupportedElem(ElemType elem) const;

private:
  const OpInfo& info_;
  std::span<const Tensor* const> operands_;
  const AttrMap& attrs_;
  std::vector<Tensor> results_;
};

using EvalFunction = Result<> (*)(EvalContext&);
EvalFunction evalFunction(OpKind kind);

#define ENFOLD_OP(kind, text, operands, results, attrs, infer, traits)                             \
  Result<> eval##kind(EvalContext& context);
#include "ir/Ops.def"

} // namespace enfold::reference
