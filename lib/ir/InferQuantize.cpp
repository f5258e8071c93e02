// Types of quantization and of the ops on quantized numbers that need no window; the shapes that
// scales and zero points may have.
#include "ir/Graph.h"
#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold {
namespace {

using Types = Result<std::vector<Type>>;

std::string_view operandName(const InferContext& c, size_t i) { return c.info().operands[i].name; }

/// One number for the tensor, one for each index of an axis, or one for each block along it.
Result<> checkScale(const InferContext& c, size_t operand) {
  const Shape &x = c.shape(0), &scale = c.shape(operand);
  if (c.type(operand).numElements() == 1 && scale.size() <= 1) return {};
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  const int64_t block = c.integer("block_size");
  Shape wanted = {x[static_cast<size_t>(axis)]};
  if (block > 0) {
    wanted = x;
    int64_t& along = wanted[static_cast<size_t>(axis)];
    along = along / block + (along % block != 0);
  }
  if (scale == wanted) return {};
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("operand '{}' of {} is {} where {} or one number is needed",
                             operandName(c, operand), c.info().name, str(scale), str(wanted)));
}

/// Scale and zero point at [scale] and behind it.
Result<> checkScaleAndZero(const InferContext& c, size_t scale) {
  if (!isFloat(c.type(scale).elem) && c.type(scale).elem != ElemType::I32)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("operand '{}' of {} is of {}, not of floats", operandName(c, scale),
                               c.info().name, name(c.type(scale).elem)));
  ENFOLD_RETURN_IF_ERROR(checkScale(c, scale));
  if (!c.has(scale + 1)) return {};
  const bool bothOne = c.type(scale).numElements() == 1 && c.type(scale + 1).numElements() == 1 &&
                       c.type(scale + 1).rank() <= 1;
  if (bothOne || c.shape(scale) == c.shape(scale + 1)) return {};
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("scale {} and zero point {} of {} differ in shape",
                             str(c.shape(scale)), str(c.shape(scale + 1)), c.info().name));
}

/// A parameter of the rows (or columns) of the matrix operand: one, one each, or of its rank.
Result<> checkOfLines(const InferContext& c, size_t parameter, size_t matrix, bool ofRows) {
  if (!c.has(parameter) || c.type(parameter).numElements() == 1) return {};
  const Shape &p = c.shape(parameter), &m = c.shape(matrix);
  if (p.size() == 1) {
    const int64_t lines = !ofRows ? m.back() : m.size() > 1 ? m[m.size() - 2] : 1;
    if (p[0] == lines) return {};
  } else if (const auto joint = broadcastShapes(p, m); joint && *joint == m) {
    const int64_t across = ofRows ? p.back() : p[p.size() - 2];
    if (across == 1) return {};
  }
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("operand '{}' of {} is {}, which does not fit {}",
                             operandName(c, parameter), c.info().name, str(p), str(m)));
}

/// One number.
Result<> checkOne(const InferContext& c, size_t operand) {
  if (!c.has(operand) || c.type(operand).numElements() == 1) return {};
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("operand '{}' of {} is {} where one number is needed",
                             operandName(c, operand), c.info().name, str(c.shape(operand))));
}

/// A zero point is of the type of what it belongs to.
Result<> checkSameElem(const InferContext& c, size_t a, size_t b) {
  if (!c.has(b) || c.type(a).elem == c.type(b).elem) return {};
  return failure(ErrorCode::TypeMismatch,
                 fmt::format("operands '{}' and '{}' of {} are {} and {}: the element types must "
                             "agree",
                             operandName(c, a), operandName(c, b), c.info().name,
                             name(c.type(a).elem), name(c.type(b).elem)));
}

/// One number, or one an output channel.
Result<> checkPerChannel(const InferContext& c, size_t operand, int64_t channels) {
  if (!c.has(operand) || c.type(operand).numElements() == 1 || c.shape(operand) == Shape{channels})
    return {};
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("operand '{}' of {} is {} where {} output channels need one number "
                             "each",
                             operandName(c, operand), c.info().name, str(c.shape(operand)),
                             channels));
}

Result<> needsBytes(const InferContext& c, std::initializer_list<size_t> operands) {
  for (const size_t i : operands)
    if (!isByte(c.type(i).elem) && !(isFloat(c.type(i).elem) && info(c.type(i).elem).bits == 8))
      return failure(ErrorCode::TypeMismatch,
                     fmt::format("operand '{}' of {} is of {}, not of 8 bits", operandName(c, i),
                                 c.info().name, name(c.type(i).elem)));
  return {};
}

} // namespace

Types inferQuantizeLinear(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(checkScaleAndZero(c, 1));
  const ElemType elem = c.has(2)                    ? c.type(2).elem
                        : c.hasAttr("output_dtype") ? c.elem("output_dtype")
                                                    : ElemType::U8;
  return std::vector{Type{elem, c.shape(0), {}}};
}

Types inferDequantizeLinear(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(checkScaleAndZero(c, 1));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 0, 2));
  const ElemType elem = c.hasAttr("output_dtype") ? c.elem("output_dtype") : c.type(1).elem;
  return std::vector{Type{elem, c.shape(0), {}}};
}

Types inferDynamicQuantizeLinear(const InferContext& c) {
  if (!isFloat(c.type(0).elem))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("{} is not defined for {}", c.info().name, name(c.type(0).elem)));
  return std::vector{Type{ElemType::U8, c.shape(0), {}}, Type{c.type(0).elem, {}, {}},
                     Type{ElemType::U8, {}, {}}};
}

Types inferMatMulInteger(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsBytes(c, {0, 1}));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 0, 2));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 1, 3));
  ENFOLD_TRY(Shape y, matmulShape(c.shape(0), c.shape(1)));
  ENFOLD_RETURN_IF_ERROR(checkOfLines(c, 2, 0, /*ofRows=*/true));
  ENFOLD_RETURN_IF_ERROR(checkOfLines(c, 3, 1, /*ofRows=*/false));
  return std::vector{Type{ElemType::I32, y, {}}};
}

Types inferQLinearMatMul(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsBytes(c, {0, 3, 7}));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 0, 2));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 3, 5));
  ENFOLD_TRY(Shape y, matmulShape(c.shape(0), c.shape(3)));
  for (const size_t i : {1, 2}) ENFOLD_RETURN_IF_ERROR(checkOfLines(c, i, 0, /*ofRows=*/true));
  for (const size_t i : {4, 5}) ENFOLD_RETURN_IF_ERROR(checkOfLines(c, i, 3, /*ofRows=*/false));
  for (const size_t i : {6, 7}) ENFOLD_RETURN_IF_ERROR(checkOne(c, i));
  return std::vector{Type{c.type(7).elem, y, {}}};
}

Types inferConvInteger(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(checkAlgorithm(c));
  ENFOLD_RETURN_IF_ERROR(needsBytes(c, {0, 1}));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 0, 2));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 1, 3));
  ENFOLD_TRY(Shape y, convShape(c, 1));
  ENFOLD_RETURN_IF_ERROR(checkOne(c, 2));
  ENFOLD_RETURN_IF_ERROR(checkPerChannel(c, 3, y[1]));
  return std::vector{Type{ElemType::I32, y, {}}};
}

Types inferQLinearConv(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsBytes(c, {0, 3, 7}));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 0, 2));
  ENFOLD_RETURN_IF_ERROR(checkSameElem(c, 3, 5));
  ENFOLD_TRY(Shape y, convShape(c, 3));
  for (const size_t i : {1, 2, 6, 7}) ENFOLD_RETURN_IF_ERROR(checkOne(c, i));
  for (const size_t i : {4, 5}) ENFOLD_RETURN_IF_ERROR(checkPerChannel(c, i, y[1]));
  if (c.has(8) && (c.type(8).elem != ElemType::I32 || c.shape(8) != Shape{y[1]}))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("bias {} does not fit {} output channels", c.type(8).str(), y[1]));
  return std::vector{Type{c.type(7).elem, y, {}}};
}

} // namespace enfold
