// Types of convolutions, pools and matrix products.
#include "ir/Einsum.h"
#include "ir/Graph.h"
#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold {
namespace {

using Types = Result<std::vector<Type>>;

Result<> sameElems(const InferContext& c, std::initializer_list<size_t> operands) {
  for (size_t i : operands)
    if (c.has(i) && c.type(i).elem != c.type(0).elem)
      return failure(ErrorCode::TypeMismatch,
                     fmt::format("operands of {} are {} and {}: the element types must agree",
                                 c.info().name, name(c.type(0).elem), name(c.type(i).elem)));
  if (!isFloat(c.type(0).elem))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("{} is not defined for {}", c.info().name, name(c.type(0).elem)));
  return {};
}

/// The element type of a sum of products: its own for bf16 where the attribute `sum` asks for it,
/// else that of the operands.
Result<ElemType> elemOfSums(const InferContext& c) {
  const ElemType elem = c.type(0).elem;
  if (c.type(1).elem != elem)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("operands of {} are {} and {}: the element types must agree",
                               c.info().name, name(elem), name(c.type(1).elem)));
  if (!c.hasAttr("sum")) return elem;
  const ElemType sum = c.elem("sum");
  if (elem != ElemType::BF16 || sum != ElemType::F32)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("{} sums products of {} in {}: there are only sums of bf16 in f32",
                               c.info().name, name(elem), name(sum)));
  return sum;
}

/// The same for convolutions, with a bias of that type as operand 2.
Result<ElemType> elemOfConv(const InferContext& c) {
  ENFOLD_TRY(const ElemType sum, elemOfSums(c));
  if (!isFloat(sum))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("{} is not defined for {}", c.info().name, name(sum)));
  if (c.has(2) && c.type(2).elem != sum)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("{} gives {}, but its bias is {}: the element types must agree",
                               c.info().name, name(sum), name(c.type(2).elem)));
  return sum;
}

/// Output size of a window along one dimension.
Result<int64_t> slide(int64_t in, const Window& w, size_t i, bool ceilMode) {
  const int64_t reach = (w.kernel[i] - 1) * w.dilations[i] + 1;
  const int64_t span = in + w.padsBegin[i] + w.padsEnd[i] - reach;
  if (ceilMode ? span <= -w.strides[i] : span < 0)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("the window of {} pixels does not fit the padded input of {}", reach,
                               in + w.padsBegin[i] + w.padsEnd[i]));
  int64_t out = (ceilMode ? span + w.strides[i] - 1 : span) / w.strides[i] + 1;
  // A last window must start inside the input or the padding before it.
  if (ceilMode && (out - 1) * w.strides[i] >= in + w.padsBegin[i]) --out;
  return out;
}

Result<Shape> slideAll(const Shape& x, int64_t channels, const Window& w, bool ceilMode = false) {
  Shape y = {x[0], channels};
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    ENFOLD_TRY(const int64_t size, slide(x[2 + i], w, i, ceilMode));
    y.push_back(size);
  }
  return y;
}

/// Refuses sizes and strides whose product would not be a size.
Result<> checkSpread(int64_t size, int64_t stride) {
  constexpr int64_t kMost = int64_t{1} << 46;
  if (size <= 1 || stride <= kMost / size) return {};
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("{} pixels {} apart are out of range", size, stride));
}

/// Checks shared by all convolutions with weights [outer, inner, kernel…] as operand `weights`.
Result<Window> convWindow(const InferContext& c, size_t weights) {
  const Shape &x = c.shape(0), &w = c.shape(weights);
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 3));
  if (w.size() != x.size())
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("weights {} of rank {} do not fit input {} of rank {}", str(w),
                               w.size(), str(x), x.size()));
  const Shape kernel(w.begin() + 2, w.end());
  const std::vector<int64_t> stated = c.ints("kernel_shape");
  if (!stated.empty() && stated != kernel)
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("kernel_shape {} is not that of the weights {}", str(stated), str(w)));
  return windowOf(c.attrs(), kernel);
}

Result<> checkBias(const InferContext& c, size_t bias, int64_t channels) {
  if (c.has(bias) && c.shape(bias) != Shape{channels})
    return failure(ErrorCode::ShapeMismatch, fmt::format("bias {} does not fit {} output channels",
                                                         str(c.shape(bias)), channels));
  return {};
}

} // namespace

Result<Shape> convShape(const InferContext& c, size_t weights) {
  ENFOLD_TRY(const Window window, convWindow(c, weights));
  const Shape &x = c.shape(0), &w = c.shape(weights);
  const int64_t group = c.integer("group");
  if (x[1] % group || w[0] % group || x[1] / group != w[1])
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("weights {} do not fit input {} in {} groups", str(w), str(x), group));
  return slideAll(x, w[0], window);
}

Result<Shape> matmulShape(const Shape& a, const Shape& b) {
  if (a.empty() || b.empty())
    return failure(ErrorCode::ShapeMismatch, "matmul needs operands of rank 1 or more");
  const int64_t k = a.back(), kb = b.size() > 1 ? b[b.size() - 2] : b[0];
  if (k != kb)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("matmul of {} by {}: inner sizes differ", str(a), str(b)));
  const auto batch = [](const Shape& s) {
    return s.size() > 2 ? Shape(s.begin(), s.end() - 2) : Shape{};
  };
  ENFOLD_TRY(Shape y, broadcastShapes(batch(a), batch(b)));
  if (a.size() > 1) y.push_back(a[a.size() - 2]);
  if (b.size() > 1) y.push_back(b.back());
  return y;
}

Result<> checkAlgorithm(const InferContext& c) {
  const std::string& algorithm = c.string("algorithm");
  for (const char* kind :
       {"direct", "winograd", "tiles", "grouped", "depthwise", "plain", "separable"})
    if (algorithm == "auto" || algorithm.starts_with(kind)) return {};
  return failure(ErrorCode::BadAttribute,
                 fmt::format("algorithm '{}' is neither auto, direct, winograd, tiles, grouped, "
                             "depthwise, plain nor separable",
                             algorithm));
}

Types inferConv(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(checkAlgorithm(c));
  ENFOLD_TRY(const ElemType elem, elemOfConv(c));
  ENFOLD_TRY(Shape y, convShape(c, 1));
  ENFOLD_RETURN_IF_ERROR(checkBias(c, 2, y[1]));
  return std::vector{Type{elem, y, {}}};
}

Types inferConvTranspose(const InferContext& c) {
  ENFOLD_TRY(const ElemType elem, elemOfConv(c));
  ENFOLD_TRY(const Window w, convWindow(c, 1));
  const Shape &x = c.shape(0), &weights = c.shape(1);
  const int64_t group = c.integer("group");
  if (x[1] != weights[0] || x[1] % group)
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("weights {} do not fit input {} in {} groups", str(weights), str(x), group));
  std::vector<int64_t> extra = c.ints("output_padding");
  if (extra.empty()) extra.assign(w.kernel.size(), 0);
  if (extra.size() != w.kernel.size())
    return failure(ErrorCode::BadAttribute,
                   "attribute 'output_padding' has a wrong number of values");
  Shape y = {x[0], weights[1] * group};
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    if (extra[i] < 0 || extra[i] > INT32_MAX)
      return failure(ErrorCode::BadAttribute, "output_padding is out of range");
    ENFOLD_RETURN_IF_ERROR(checkSpread(x[2 + i], w.strides[i]));
    const int64_t size = (x[2 + i] - 1) * w.strides[i] + extra[i] +
                         (w.kernel[i] - 1) * w.dilations[i] + 1 - w.padsBegin[i] - w.padsEnd[i];
    if (size < 0) return failure(ErrorCode::ShapeMismatch, "the padding is larger than the result");
    y.push_back(size);
  }
  ENFOLD_RETURN_IF_ERROR(checkBias(c, 2, y[1]));
  return std::vector{Type{elem, y, {}}};
}

Types inferDeformConv(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(sameElems(c, {1, 2, 3, 4}));
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 4));
  ENFOLD_TRY(Shape y, convShape(c, 1));
  ENFOLD_RETURN_IF_ERROR(checkBias(c, 3, y[1]));
  const int64_t taps = c.shape(1)[2] * c.shape(1)[3], groups = c.integer("offset_group");
  if (c.shape(0)[1] % groups)
    return failure(ErrorCode::BadAttribute, "offset_group does not divide the channels");
  if (c.shape(2) != Shape{y[0], 2 * groups * taps, y[2], y[3]})
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("offsets {} do not fit the result {}", str(c.shape(2)), str(y)));
  if (c.has(4) && c.shape(4) != Shape{y[0], groups * taps, y[2], y[3]})
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("mask {} does not fit the result {}", str(c.shape(4)), str(y)));
  return std::vector{Type{c.type(0).elem, y, {}}};
}

Types inferMatMul(const InferContext& c) {
  ENFOLD_TRY(const ElemType elem, elemOfSums(c));
  ENFOLD_TRY(Shape y, matmulShape(c.shape(0), c.shape(1)));
  return std::vector{Type{elem, y, {}}};
}

Types inferGemm(const InferContext& c) {
  const Shape &a = c.shape(0), &b = c.shape(1);
  for (size_t i : {0, 1}) ENFOLD_RETURN_IF_ERROR(needsRank(c, i, 2));
  ENFOLD_TRY(const ElemType elem, elemOfSums(c));
  if (c.has(2) && c.type(2).elem != elem)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("gemm gives {}, but adds {}: the element types must agree",
                               name(elem), name(c.type(2).elem)));
  const bool transA = c.integer("transA") != 0, transB = c.integer("transB") != 0;
  const int64_t m = a[transA], k = a[!transA], kb = b[transB], n = b[!transB];
  if (k != kb)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("gemm of {} by {}: inner sizes differ", str(a), str(b)));
  const Shape y = {m, n};
  if (c.has(2)) {
    ENFOLD_TRY(const Shape joint, broadcastShapes(y, c.shape(2)));
    if (joint != y)
      return failure(
          ErrorCode::ShapeMismatch,
          fmt::format("operand 'c' {} does not broadcast to {}", str(c.shape(2)), str(y)));
  }
  return std::vector{Type{elem, y, {}}};
}

Types inferPool(const InferContext& c) {
  const Shape& x = c.shape(0);
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 3));
  const Shape kernel = c.ints("kernel_shape");
  if (kernel.size() != x.size() - 2)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("kernel_shape {} does not fit input {}", str(kernel), str(x)));
  ENFOLD_TRY(const Window window, windowOf(c.attrs(), kernel));
  ENFOLD_TRY(Shape y, slideAll(x, x[1], window, c.integer("ceil_mode") != 0));
  std::vector<Type> types = {{c.type(0).elem, y, {}}};
  if (c.info().kind == OpKind::MaxPool) types.push_back({ElemType::I64, y, {}});
  return types;
}

Types inferGlobalPool(const InferContext& c) {
  Shape y = c.shape(0);
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 2));
  std::fill(y.begin() + 2, y.end(), 1);
  return std::vector{Type{c.type(0).elem, y, {}}};
}

Types inferMaxUnpool(const InferContext& c) {
  const Shape& x = c.shape(0);
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 3));
  const Shape kernel = c.ints("kernel_shape");
  if (kernel.size() != x.size() - 2)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("kernel_shape {} does not fit input {}", str(kernel), str(x)));
  if (c.shape(1) != x)
    return failure(ErrorCode::ShapeMismatch, "indices and values of max_unpool differ in shape");
  if (c.has(2)) {
    ENFOLD_TRY(Shape y, c.constantInts(2));
    if (y.size() != x.size())
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("output_shape {} is of rank {} where rank {} is needed", str(y),
                                 y.size(), x.size()));
    return std::vector{Type{c.type(0).elem, y, {}}};
  }
  ENFOLD_TRY(const Window w, windowOf(c.attrs(), kernel));
  Shape y = {x[0], x[1]};
  for (size_t i = 0; i < kernel.size(); ++i) {
    ENFOLD_RETURN_IF_ERROR(checkSpread(x[2 + i], w.strides[i]));
    y.push_back((x[2 + i] - 1) * w.strides[i] - w.padsBegin[i] - w.padsEnd[i] + kernel[i]);
  }
  return std::vector{Type{c.type(0).elem, y, {}}};
}

Types inferRoiAlign(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 4));
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 1, 2));
  if (c.shape(1)[1] != 4)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("boxes {} of roi_align have no 4 corners", str(c.shape(1))));
  if (c.shape(2) != Shape{c.shape(1)[0]})
    return failure(ErrorCode::ShapeMismatch, "roi_align needs one batch index per box");
  const int64_t h = c.integer("output_height"), w = c.integer("output_width");
  if (c.type(0).numElements() == 0 && c.shape(1)[0] > 0)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("roi_align of the empty images {}", str(c.shape(0))));
  if (!isInteger(c.type(2).elem))
    return failure(ErrorCode::TypeMismatch,
                   "operand 'batch_indices' of roi_align must hold integers");
  return std::vector{Type{c.type(0).elem, {c.shape(1)[0], c.shape(0)[1], h, w}, {}}};
}

Types inferMaxRoiPool(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 4));
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 1, 2));
  if (!isFloat(c.type(0).elem) || c.type(1).elem != c.type(0).elem)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("max_roi_pool is not defined for {} and boxes of {}",
                               name(c.type(0).elem), name(c.type(1).elem)));
  if (c.shape(1)[1] != 5)
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("boxes {} of max_roi_pool have no image and 4 corners", str(c.shape(1))));
  const std::vector<int64_t> size = c.ints("pooled_shape");
  if (size.size() != 2)
    return failure(ErrorCode::BadAttribute,
                   fmt::format("attribute 'pooled_shape' of max_roi_pool has {} numbers where 2 "
                               "are needed",
                               size.size()));
  return std::vector{Type{c.type(0).elem, {c.shape(1)[0], c.shape(0)[1], size[0], size[1]}, {}}};
}

Types inferDet(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 2));
  const Shape& x = c.shape(0);
  if (!isFloat(c.type(0).elem))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("det is not defined for {}", name(c.type(0).elem)));
  if (x[x.size() - 1] != x[x.size() - 2])
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("the matrices {} of det are not square", str(x)));
  return std::vector{Type{c.type(0).elem, Shape(x.begin(), x.end() - 2), {}}};
}

Types inferEinsum(const InferContext& c) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < c.numOperands(); ++i) {
    if (c.type(i).elem != c.type(0).elem)
      return failure(ErrorCode::TypeMismatch,
                     fmt::format("operands of Einsum are {} and {}: the element types must agree",
                                 name(c.type(0).elem), name(c.type(i).elem)));
    shapes.push_back(c.shape(i));
  }
  ENFOLD_TRY(const EinsumLabels labels, parseEinsum(c.string("equation"), shapes));
  return std::vector{Type{c.type(0).elem, labels.outputShape(), {}}};
}

} // namespace enfold
