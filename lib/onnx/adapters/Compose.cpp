// Operands whose numbers decide what an operator is taken apart into.
#include "onnx/adapters/Compose.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

Result<const Tensor*> knownScalar(const Node& node, size_t operand) {
  ENFOLD_TRY(const Value* value, node.required(operand));
  const Tensor* known = node.known(value);
  if (!known)
    return std::unexpected(
        Error(ErrorKind::DataDependent,
              fmt::format("the size of its result depends on the data of '{}'", value->name())));
  if (known->numElements() != 1)
    return invalid(fmt::format("its input '{}' must be one number, not {}", value->name(),
                               known->type().str()));
  return known;
}

} // namespace

Result<int64_t> knownInteger(const Node& node, size_t operand) {
  ENFOLD_TRY(const Tensor* known, knownScalar(node, operand));
  if (!isInteger(known->elem()))
    return failure(ErrorCode::TypeMismatch, fmt::format("its input {} must be an integer, not {}",
                                                        operand, name(known->elem())));
  return known->asInt(0);
}

Result<double> knownNumber(const Node& node, size_t operand) {
  ENFOLD_TRY(const Tensor* known, knownScalar(node, operand));
  if (isInteger(known->elem())) return static_cast<double>(known->asInt(0));
  return known->asDouble(0);
}

} // namespace enfold::onnx
