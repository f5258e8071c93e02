// Operand access, and the table from op kind to reference function.
#include "reference/EvalContext.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::reference {

EvalContext::EvalContext(OpKind kind, std::span<const Tensor* const> operands, const AttrMap& attrs,
                         std::span<const Type> resultTypes)
    : info_(enfold::info(kind)), operands_(operands), attrs_(attrs) {
  for (const Type& type : resultTypes) results_.emplace_back(type.elem, type.shape);
}

const Tensor& EvalContext::operand(size_t i) const {
  ENFOLD_CHECK(has(i), fmt::format("operand {} of {} is absent", i, info_.name));
  return *operands_[i];
}

const Tensor& EvalContext::tensor(std::string_view name) const {
  auto it = attrs_.find(name);
  ENFOLD_CHECK(it != attrs_.end(), "absent tensor attribute");
  return std::get<Tensor>(it->second);
}

std::unexpected<Error> EvalContext::unsupportedElem(ElemType elem) const {
  return failure(ErrorCode::UnsupportedType, fmt::format("{} does not work on elements of type {}",
                                                         info_.name, enfold::name(elem)));
}

EvalFunction evalFunction(OpKind kind) {
  static constexpr EvalFunction kFunctions[] = {
#define ENFOLD_OP(kind, text, operands, results, attrs, infer, traits) eval##kind,
#include "ir/Ops.def"
  };
  return kFunctions[static_cast<size_t>(kind)];
}

} // namespace enfold::reference
