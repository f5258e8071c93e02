// Ops that move elements: each says which element of the operand a result element is, or none.
// Elements are moved as bytes, so any type will do.
#include "ir/Padding.h"
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::reference {
namespace {

using Index = std::span<const int64_t>;

int64_t frontAxis(int64_t axis, size_t rank) {
  return axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
}

/// Copies element `from` of `source` to element `to` of `target`.
void moveElement(const Tensor& source, int64_t from, Tensor& target, int64_t to) {
  const size_t size = byteSize(source.elem());
  std::memcpy(target.mutableBytes() + static_cast<size_t>(to) * size,
              source.bytes() + static_cast<size_t>(from) * size, size);
}

/// Fills the result from source(index): an element of operand 0, or -1 to leave it as it is.
template <typename F> void gatherEach(EvalContext& context, size_t result, F&& source) {
  const Tensor& x = context.operand();
  Tensor& y = context.result(result);
  const size_t size = byteSize(x.elem());
  std::byte* out = y.mutableBytes();
  forEachIndex(y.shape(), [&](Index index) {
    if (const int64_t from = source(index); from >= 0)
      std::memcpy(out, x.bytes() + static_cast<size_t>(from) * size, size);
    out += size;
  });
}

int64_t dot(Index index, const Strides& strides) {
  int64_t offset = 0;
  for (size_t i = 0; i < index.size(); ++i) offset += index[i] * strides[i];
  return offset;
}

/// A gathered index counted from the front, or an error.
Result<int64_t> checkedIndex(int64_t at, int64_t size) {
  if (at < -size || at >= size)
    return failure(ErrorCode::BadData,
                   fmt::format("index {} is out of range for size {}", at, size));
  return at < 0 ? at + size : at;
}

} // namespace

Result<> evalTranspose(EvalContext& context) {
  std::vector<int64_t> perm = context.ints("perm");
  const size_t rank = context.shape(0).size();
  if (!context.hasAttr("perm"))
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  const Strides from = rowMajorStrides(context.shape(0));
  Strides strides;
  for (int64_t axis : perm) strides.push_back(from[static_cast<size_t>(frontAxis(axis, rank))]);
  gatherEach(context, 0, [&](Index index) { return dot(index, strides); });
  return {};
}

Result<> evalConcat(EvalContext& context) {
  Tensor& y = context.result();
  const auto axis = static_cast<size_t>(frontAxis(context.integer("axis"), y.shape().size()));
  const Strides to = rowMajorStrides(y.shape());
  int64_t begin = 0;
  for (size_t i = 0; i < context.numOperands(); ++i) {
    const Tensor& x = context.operand(i);
    int64_t from = 0;
    forEachIndex(x.shape(), [&](Index index) {
      moveElement(x, from++, y, dot(index, to) + begin * to[axis]);
    });
    begin += x.shape()[axis];
  }
  return {};
}

Result<> evalSplit(EvalContext& context) {
  const auto axis =
      static_cast<size_t>(frontAxis(context.integer("axis"), context.shape(0).size()));
  const Strides from = rowMajorStrides(context.shape(0));
  int64_t begin = 0;
  for (size_t i = 0; i < context.numResults(); ++i) {
    gatherEach(context, i, [&](Index index) { return dot(index, from) + begin * from[axis]; });
    begin += context.result(i).shape()[axis];
  }
  return {};
}

Result<> evalSlice(EvalContext& context) {
  const Shape& x = context.shape(0);
  const Strides from = rowMajorStrides(x);
  const std::vector<int64_t> starts = context.operand(1).toInts();
  Strides strides = from;
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto axis = static_cast<size_t>(
        context.has(3) ? frontAxis(context.operand(3).asInt(int64_t(i)), x.size()) : int64_t(i));
    const int64_t step = context.has(4) ? context.operand(4).asInt(int64_t(i)) : 1;
    const int64_t size = x[axis];
    const int64_t start =
        std::clamp<int64_t>(starts[i] < 0 && starts[i] >= -size ? starts[i] + size : starts[i], 0,
                            step < 0 ? std::max<int64_t>(size - 1, 0) : size);
    offset += start * from[axis];
    strides[axis] = step * from[axis];
  }
  gatherEach(context, 0, [&](Index index) { return offset + dot(index, strides); });
  return {};
}

Result<> evalPad(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  const std::vector<int64_t> pads = context.operand(1).toInts();
  const size_t count = pads.size() / 2;
  std::vector<int64_t> before(x.size(), 0);
  for (size_t i = 0; i < count; ++i)
    before[static_cast<size_t>(
        context.has(3) ? frontAxis(context.operand(3).asInt(int64_t(i)), x.size()) : int64_t(i))] =
        pads[i];
  const std::string mode = context.string("mode");
  const Strides from = rowMajorStrides(x);
  if (mode == "constant" && context.has(2)) {
    if (context.operand(2).numElements() != 1)
      return failure(ErrorCode::ShapeMismatch, "the pad value must be one number");
    for (int64_t i = 0; i < context.result().numElements(); ++i)
      moveElement(context.operand(2), 0, context.result(), i);
  }
  gatherEach(context, 0, [&](Index index) -> int64_t {
    int64_t offset = 0;
    for (size_t axis = 0; axis < x.size(); ++axis) {
      const int64_t at = index[axis] - before[axis], size = x[axis];
      if (mode == "constant" && (at < 0 || at >= size)) return -1;
      const int64_t after = y[axis] - size - before[axis];
      const int64_t source =
          mode == "constant" ? at : paddedSource(mode, index[axis], size, before[axis], after);
      offset += source * from[axis];
    }
    return offset;
  });
  return {};
}

Result<> evalExpand(EvalContext& context) {
  const Strides strides = broadcastStrides(context.shape(0), context.result().shape());
  gatherEach(context, 0, [&](Index index) { return dot(index, strides); });
  return {};
}

Result<> evalTile(EvalContext& context) {
  const Shape& x = context.shape(0);
  const Strides from = rowMajorStrides(x);
  gatherEach(context, 0, [&](Index index) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < x.size(); ++axis) offset += index[axis] % x[axis] * from[axis];
    return offset;
  });
  return {};
}

Result<> evalGather(EvalContext& context) {
  const Shape &x = context.shape(0), &i = context.shape(1);
  const auto axis = static_cast<size_t>(frontAxis(context.integer("axis"), x.size()));
  const std::vector<int64_t> indices = context.operand(1).toInts();
  for (int64_t at : indices) ENFOLD_RETURN_IF_ERROR(checkedIndex(at, x[axis]));
  const Strides from = rowMajorStrides(x), indexStrides = rowMajorStrides(i);
  gatherEach(context, 0, [&](Index index) {
    const int64_t which = dot(index.subspan(axis, i.size()), indexStrides);
    const int64_t at = indices[static_cast<size_t>(which)];
    int64_t offset = (at < 0 ? at + x[axis] : at) * from[axis];
    for (size_t d = 0; d < axis; ++d) offset += index[d] * from[d];
    for (size_t d = axis + 1; d < x.size(); ++d) offset += index[d + i.size() - 1] * from[d];
    return offset;
  });
  return {};
}

Result<> evalGatherElements(EvalContext& context) {
  const Shape& x = context.shape(0);
  const auto axis = static_cast<size_t>(frontAxis(context.integer("axis"), x.size()));
  const std::vector<int64_t> indices = context.operand(1).toInts();
  for (int64_t at : indices) ENFOLD_RETURN_IF_ERROR(checkedIndex(at, x[axis]));
  const Strides from = rowMajorStrides(x);
  size_t next = 0;
  for (size_t d = 0; d < x.size(); ++d)
    if (d != axis && context.shape(1)[d] > x[d])
      return failure(ErrorCode::BadData, "indices reach outside the data");
  gatherEach(context, 0, [&](Index index) {
    const int64_t at = indices[next++];
    return dot(index, from) + ((at < 0 ? at + x[axis] : at) - index[axis]) * from[axis];
  });
  return {};
}

Result<> evalGatherND(EvalContext& context) {
  const Shape &x = context.shape(0), &i = context.shape(1);
  const auto batch = static_cast<size_t>(context.integer("batch_dims"));
  const auto depth = static_cast<size_t>(i.back());
  const std::vector<int64_t> indices = context.operand(1).toInts();
  const Strides from = rowMajorStrides(x);
  for (size_t k = 0; depth && k < indices.size(); ++k)
    ENFOLD_RETURN_IF_ERROR(checkedIndex(indices[k], x[batch + k % depth]));
  const Strides indexStrides = rowMajorStrides(i);
  gatherEach(context, 0, [&](Index index) {
    const int64_t row = dot(index.first(i.size() - 1), indexStrides);
    int64_t offset = 0;
    for (size_t d = 0; d < batch; ++d) offset += index[d] * from[d];
    for (size_t d = 0; d < depth; ++d) {
      const int64_t at = indices[static_cast<size_t>(row) + d];
      offset += (at < 0 ? at + x[batch + d] : at) * from[batch + d];
    }
    for (size_t d = batch + depth; d < x.size(); ++d)
      offset += index[i.size() - 1 + d - batch - depth] * from[d];
    return offset;
  });
  return {};
}

Result<> evalDepthToSpace(EvalContext& context) {
  const Shape& x = context.shape(0);
  const int64_t s = context.integer("blocksize"), c = context.result().shape()[1];
  const bool crd = context.string("mode") == "CRD";
  const Strides from = rowMajorStrides(x);
  gatherEach(context, 0, [&](Index i) {
    const int64_t inner = i[2] % s * s + i[3] % s;
    const int64_t channel = crd ? i[1] * s * s + inner : inner * c + i[1];
    return i[0] * from[0] + channel * from[1] + i[2] / s * from[2] + i[3] / s * from[3];
  });
  return {};
}

Result<> evalSpaceToDepth(EvalContext& context) {
  const Shape& x = context.shape(0);
  const int64_t s = context.integer("blocksize"), c = x[1];
  const bool crd = context.string("mode") == "CRD";
  const Strides from = rowMajorStrides(x);
  gatherEach(context, 0, [&](Index i) {
    const int64_t channel = crd ? i[1] / (s * s) : i[1] % c;
    const int64_t inner = crd ? i[1] % (s * s) : i[1] / c;
    return i[0] * from[0] + channel * from[1] + (i[2] * s + inner / s) * from[2] +
           (i[3] * s + inner % s) * from[3];
  });
  return {};
}

Result<> evalReverseSequence(EvalContext& context) {
  const Shape& x = context.shape(0);
  const auto time = static_cast<size_t>(context.integer("time_axis"));
  const auto batch = static_cast<size_t>(context.integer("batch_axis"));
  if (x.size() < 2 || time > 1 || batch > 1 || time == batch)
    return failure(ErrorCode::BadAttribute, "time_axis and batch_axis must be 0 and 1");
  const std::vector<int64_t> lengths = context.operand(1).toInts();
  if (static_cast<int64_t>(lengths.size()) != x[batch])
    return failure(ErrorCode::ShapeMismatch, "one sequence length a batch entry is needed");
  for (int64_t length : lengths)
    if (length < 0 || length > x[time])
      return failure(ErrorCode::BadData, "a sequence length is out of range");
  const Strides from = rowMajorStrides(x);
  gatherEach(context, 0, [&](Index i) {
    const int64_t length = lengths[static_cast<size_t>(i[batch])], t = i[time];
    return dot(i, from) + ((t < length ? length - 1 - t : t) - t) * from[time];
  });
  return {};
}

Result<> evalTrilu(EvalContext& context) {
  const Shape& x = context.shape(0);
  if (x.size() < 2) return failure(ErrorCode::ShapeMismatch, "trilu takes matrices");
  const int64_t k = context.has(1) ? context.operand(1).asInt(0) : 0;
  const bool upper = context.integer("upper") != 0;
  const Strides from = rowMajorStrides(x);
  gatherEach(context, 0, [&](Index i) -> int64_t {
    const int64_t diagonal = i[x.size() - 1] - i[x.size() - 2];
    return (upper ? diagonal >= k : diagonal <= k) ? dot(i, from) : -1;
  });
  return {};
}

Result<> evalOneHot(EvalContext& context) {
  const Tensor &indices = context.operand(0), &values = context.operand(2);
  if (values.numElements() != 2)
    return failure(ErrorCode::ShapeMismatch, "values of one_hot must be two: off and on");
  Tensor& y = context.result();
  const auto axis = static_cast<size_t>(frontAxis(context.integer("axis"), y.shape().size()));
  const int64_t depth = y.shape()[axis];
  Strides from = rowMajorStrides(indices.shape());
  from.insert(from.begin() + static_cast<ptrdiff_t>(axis), 0);
  int64_t to = 0;
  forEachIndex(y.shape(), [&](Index i) {
    const int64_t hot = indices.asInt(dot(i, from)); // out of range: all off
    moveElement(values, (hot < 0 ? hot + depth : hot) == i[axis] ? 1 : 0, y, to++);
  });
  return {};
}

Result<> evalCenterCropPad(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  const Strides from = rowMajorStrides(x);
  gatherEach(context, 0, [&](Index i) -> int64_t {
    int64_t offset = 0;
    for (size_t d = 0; d < x.size(); ++d) {
      // The middle of the larger one; an odd difference leaves the extra element at the end.
      const int64_t at = y[d] >= x[d] ? i[d] - (y[d] - x[d]) / 2 : i[d] + (x[d] - y[d]) / 2;
      if (at < 0 || at >= x[d]) return -1;
      offset += at * from[d];
    }
    return offset;
  });
  return {};
}

} // namespace enfold::reference
