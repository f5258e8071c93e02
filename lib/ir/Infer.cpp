// What inference functions share: access to operands and attributes, axes and windows.
#include "ir/Infer.h"

#include "ir/Graph.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold {
const Tensor* constantOf(const Value* value) { return value->constant(); }

const Type& InferContext::type(size_t operand) const { return operands_[operand]->type(); }

Result<const Tensor*> InferContext::constant(size_t operand) const {
  if (const Tensor* tensor = constants_(operands_[operand])) return tensor;
  const size_t named = std::min(operand, info_.operands.size() - 1);
  return std::unexpected(Error(
      ErrorKind::DataDependent,
      fmt::format("operand '{}' of {} is not known at compile time, so the result's shape is not",
                  info_.operands[named].name, info_.name)));
}

Result<std::vector<int64_t>> InferContext::constantInts(size_t operand) const {
  ENFOLD_TRY(const Tensor* tensor, constant(operand));
  if (!isInteger(tensor->elem()))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("operand '{}' of {} must hold integers, not {}",
                               info_.operands[operand].name, info_.name, name(tensor->elem())));
  return tensor->toInts();
}

bool InferContext::hasAttr(std::string_view n) const { return attrs_.contains(n); }
int64_t InferContext::integer(std::string_view n) const {
  return attrOr<int64_t>(info_, attrs_, n);
}
float InferContext::real(std::string_view n) const { return attrOr<float>(info_, attrs_, n); }
std::string InferContext::string(std::string_view n) const {
  return attrOr<std::string>(info_, attrs_, n);
}
std::vector<int64_t> InferContext::ints(std::string_view n) const {
  return attrOr<std::vector<int64_t>>(info_, attrs_, n);
}
ElemType InferContext::elem(std::string_view n) const { return attrOr<ElemType>(info_, attrs_, n); }

Result<std::vector<Type>> inferTypes(OpKind kind, std::span<Value* const> operands,
                                     const AttrMap& attrs, size_t numResults,
                                     const ConstantLookup& constants) {
  const OpInfo& row = info(kind);
  ENFOLD_TRY(std::vector<Type> types,
             row.infer(InferContext(kind, operands, attrs, numResults, constants)));
  const bool variadic = !row.results.empty() && row.results.back().variadic;
  if (numResults == 0 || (!variadic && numResults > row.results.size()) ||
      numResults > types.size())
    return failure(ErrorCode::BadOperands,
                   fmt::format("{} has no {} results", row.name, numResults));
  types.resize(numResults);
  for (const Type& type : types) ENFOLD_RETURN_IF_ERROR(checkShape(type.shape, type.elem));
  return types;
}

namespace {

std::unexpected<Error> wrongRank(const InferContext& c, size_t operand, std::string needed) {
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("operand '{}' of {} is {}, of rank {} where {} is needed",
                             c.info().operands[operand].name, c.info().name, c.type(operand).str(),
                             c.type(operand).rank(), needed));
}

} // namespace

Result<> needsRank(const InferContext& c, size_t operand, int64_t rank) {
  if (c.type(operand).rank() == rank) return {};
  return wrongRank(c, operand, fmt::format("rank {}", rank));
}

Result<> needsRankAtLeast(const InferContext& c, size_t operand, int64_t rank) {
  if (c.type(operand).rank() >= rank) return {};
  return wrongRank(c, operand, fmt::format("rank {} or more", rank));
}

Result<int64_t> normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("axis {} is out of range for rank {}", axis, rank));
  return axis < 0 ? axis + rank : axis;
}

Result<Window> windowOf(const AttrMap& attrs, const Shape& kernel) {
  const size_t rank = kernel.size();
  const auto list = [&](std::string_view name, size_t size, int64_t fill,
                        int64_t least) -> Result<std::vector<int64_t>> {
    auto it = attrs.find(name);
    if (it == attrs.end()) return std::vector<int64_t>(size, fill);
    const auto& values = std::get<std::vector<int64_t>>(it->second);
    if (values.empty()) return std::vector<int64_t>(size, fill);
    if (values.size() != size)
      return failure(ErrorCode::BadAttribute,
                     fmt::format("attribute '{}' has {} numbers where {} are needed", name,
                                 values.size(), size));
    for (int64_t value : values)
      if (value < least || value > INT32_MAX)
        return failure(ErrorCode::BadAttribute,
                       fmt::format("attribute '{}' holds {}, which is out of range", name, value));
    return values;
  };
  Window window;
  window.kernel = kernel;
  ENFOLD_TRY(window.strides, list("strides", rank, 1, 1));
  ENFOLD_TRY(window.dilations, list("dilations", rank, 1, 1));
  ENFOLD_TRY(std::vector<int64_t> pads, list("pads", 2 * rank, 0, INT32_MIN));
  window.padsBegin.assign(pads.begin(), pads.begin() + static_cast<ptrdiff_t>(rank));
  window.padsEnd.assign(pads.begin() + static_cast<ptrdiff_t>(rank), pads.end());
  for (int64_t size : kernel)
    if (size < 1 || size > INT32_MAX)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("kernel {} is out of range", str(kernel)));
  return window;
}

} // namespace enfold
