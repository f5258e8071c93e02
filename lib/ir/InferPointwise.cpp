// Types of elementwise ops and casts. The layout of a result is that of the operand of the same
// shape, if any is blocked.
#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold {
namespace {

using Types = Result<std::vector<Type>>;

/// The common shape of all present operands and the layout it comes in.
Result<Type> broadcastAll(const InferContext& c, size_t first = 0) {
  Type result;
  result.elem = c.type(first).elem;
  for (size_t i = first; i < c.numOperands(); ++i) {
    if (!c.has(i)) continue;
    ENFOLD_TRY(result.shape, broadcastShapes(result.shape, c.shape(i)));
  }
  for (size_t i = first; i < c.numOperands(); ++i)
    if (c.has(i) && c.shape(i) == result.shape && !c.type(i).layout.isPlain())
      result.layout = c.type(i).layout;
  return result;
}

Result<> sameElem(const InferContext& c, size_t first = 0) {
  for (size_t i = first; i < c.numOperands(); ++i)
    if (c.has(i) && c.type(i).elem != c.type(first).elem)
      return failure(ErrorCode::TypeMismatch,
                     fmt::format("{} of {} and {}: the element types must agree", c.info().name,
                                 name(c.type(first).elem), name(c.type(i).elem)));
  return {};
}

/// The element types an op is defined for, where that is not simply all.
Result<> allowedElem(const InferContext& c, ElemType elem) {
  const bool real = isFloat(elem) || isInteger(elem);
  const bool boolean = elem == ElemType::Bool;
  bool ok = true;
  switch (c.info().kind) {
  case OpKind::Not:
  case OpKind::And:
  case OpKind::Or:
  case OpKind::Xor:
    ok = boolean;
    break;
  case OpKind::BitwiseNot:
  case OpKind::BitwiseAnd:
  case OpKind::BitwiseOr:
  case OpKind::BitwiseXor:
  case OpKind::BitShift:
    ok = isInteger(elem);
    break;
  case OpKind::Identity:
  case OpKind::Equal:
    break;
  case OpKind::Abs:
  case OpKind::Neg:
  case OpKind::Sign:
  case OpKind::Relu:
  case OpKind::Add:
  case OpKind::Sub:
  case OpKind::Mul:
  case OpKind::Div:
  case OpKind::Mod:
  case OpKind::Max:
  case OpKind::Min:
  case OpKind::PRelu:
  case OpKind::Clip:
  case OpKind::Shrink:
  case OpKind::Erf:
  case OpKind::Greater:
  case OpKind::GreaterOrEqual:
  case OpKind::Less:
  case OpKind::LessOrEqual:
    ok = real;
    break;
  default:
    // The remaining elementwise ops are functions of real numbers; ops that move data take all.
    ok = !c.info().is(traits::Elementwise) || isFloat(elem);
  }
  if (ok) return {};
  return failure(ErrorCode::TypeMismatch,
                 fmt::format("{} is not defined for {}", c.info().name, name(elem)));
}

} // namespace

Types inferUnary(const InferContext& c) {
  const Type& x = c.type(0);
  ENFOLD_RETURN_IF_ERROR(allowedElem(c, x.elem));
  return std::vector{x};
}

Types inferPredicate(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(allowedElem(c, c.type(0).elem));
  return std::vector{Type{ElemType::Bool, c.shape(0), c.type(0).layout}};
}

Types inferBroadcast(const InferContext& c) {
  if (c.numOperands() == 0)
    return failure(ErrorCode::BadOperands, c.info().name + " needs an operand");
  ENFOLD_RETURN_IF_ERROR(sameElem(c));
  ENFOLD_RETURN_IF_ERROR(allowedElem(c, c.type(0).elem));
  ENFOLD_TRY(Type type, broadcastAll(c));
  return std::vector{type};
}

Types inferCompare(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(sameElem(c));
  ENFOLD_RETURN_IF_ERROR(allowedElem(c, c.type(0).elem));
  ENFOLD_TRY(Type type, broadcastAll(c));
  type.elem = ElemType::Bool;
  return std::vector{type};
}

Types inferPow(const InferContext& c) {
  for (size_t i = 0; i < 2; ++i)
    if (!isFloat(c.type(i).elem) && !isInteger(c.type(i).elem))
      return failure(ErrorCode::TypeMismatch,
                     fmt::format("pow is not defined for {}", name(c.type(i).elem)));
  ENFOLD_TRY(Type type, broadcastAll(c));
  return std::vector{type};
}

Types inferPRelu(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(sameElem(c));
  ENFOLD_RETURN_IF_ERROR(allowedElem(c, c.type(0).elem));
  ENFOLD_TRY(Type type, broadcastAll(c));
  if (type.shape != c.shape(0))
    return failure(ErrorCode::ShapeMismatch, fmt::format("slope {} does not broadcast to {}",
                                                         str(c.shape(1)), str(c.shape(0))));
  return std::vector{type};
}

Types inferClip(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(sameElem(c));
  ENFOLD_RETURN_IF_ERROR(allowedElem(c, c.type(0).elem));
  for (size_t i = 1; i < 3; ++i)
    if (c.has(i) && numElements(c.shape(i)) != 1)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("bound '{}' of clip must be a scalar, not {}",
                                 c.info().operands[i].name, str(c.shape(i))));
  return std::vector{c.type(0)};
}

Types inferWhere(const InferContext& c) {
  if (c.type(0).elem != ElemType::Bool)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("condition of where must be bool, not {}", name(c.type(0).elem)));
  ENFOLD_RETURN_IF_ERROR(sameElem(c, 1));
  ENFOLD_TRY(Type type, broadcastAll(c));
  type.elem = c.type(1).elem;
  return std::vector{type};
}

Types inferSelect(const InferContext& c) {
  const Type &condition = c.type(0), &yes = c.type(1), &no = c.type(2);
  if (condition.elem != ElemType::Bool || condition.numElements() != 1)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("condition of select must be one bool, not {}", condition.str()));
  if (yes != no)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("select chooses between {} and {}", yes.str(), no.str()));
  return std::vector{yes};
}

Types inferCast(const InferContext& c) {
  return std::vector{Type{c.elem("to"), c.shape(0), c.type(0).layout}};
}

Types inferCastLike(const InferContext& c) {
  return std::vector{Type{c.type(1).elem, c.shape(0), {}}};
}

Types inferBitCast(const InferContext& c) {
  const ElemType from = c.type(0).elem, to = c.elem("to");
  const auto bits = [](ElemType elem) { return elem == ElemType::Bool ? 8 : info(elem).bits; };
  if (bits(to) != bits(from))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("bit_cast from {} to {}: the widths differ", name(from), name(to)));
  return std::vector{Type{to, c.shape(0), {}}};
}

Types inferDropout(const InferContext& c) {
  return std::vector{Type{c.type(0).elem, c.shape(0), {}}, Type{ElemType::Bool, c.shape(0), {}}};
}

Types inferConstant(const InferContext& c) {
  return std::vector{std::get<Tensor>(c.attr("value")).type()};
}

Types inferReorder(const InferContext& c) {
  const int64_t block = c.integer("block");
  if (block != 0 && c.type(0).rank() < 2)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} has no channels to block", c.type(0).str()));
  return std::vector{Type{c.type(0).elem, c.shape(0), {static_cast<int>(block)}}};
}

} // namespace enfold
