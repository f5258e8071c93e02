// Plain: a group is contiguous, its moments are scalars. Blocked: lanes are channels; of a group of
// whole blocks the lanes are added up, of single channels every lane keeps its own moments.
#include "lower/norm/ChannelNorm.h"

#include "lower/Access.h"
#include "lower/Epilogue.h"
#include "lower/Layouts.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/norm/Moments.h"
#include "lower/reduce/Fold.h"

#include <array>
#include <cstring>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

struct Groups {
  int64_t images, channels, groups, pixels;
  int64_t channelsPerGroup() const { return channels / groups; }
};

Groups groupsOf(const Op& op) {
  const Shape& x = op.result()->shape();
  Groups g{x[0], x[1], 0, 1};
  g.groups = op.kind() == OpKind::InstanceNormalization ? g.channels : op.integer("num_groups");
  for (size_t i = 2; i < x.size(); ++i) g.pixels *= x[i];
  return g;
}

/// A vector of one value a channel, [C].
class ChannelVector {
public:
  /// Constants are laid down with zeros up to whole blocks.
  ChannelVector(kir::Builder& b, const enfold::Value* value, int block, Lowering& lowering,
                std::vector<BufferRef>& buffers)
      : b_(b), channels_(value->shape()[0]), padded_((channels_ + block - 1) / block * block),
        stored_(*scalarOf(value->elem())) {
    if (const Tensor* tensor = value->constant()) {
      std::vector<std::byte> bytes(static_cast<size_t>(padded_) * byteSize(tensor->elem()));
      std::memcpy(bytes.data(), tensor->bytes(), tensor->numBytes());
      buffers.push_back(lowering.constant(std::move(bytes)));
    } else {
      buffers.push_back(lowering.storage(value));
      padded_ = channels_;
    }
    buffer_ = b.input("channels", stored_, padded_);
  }

  /// The values of `lanes` channels from `channel` on.
  Value load(const Index& channel, int lanes) const {
    const kir::Place place = (*buffer_)[channel];
    if (padded_ % lanes == 0) return b_.loadAs(computeScalar(stored_), place, lanes);
    const Value some =
        b_.loadPartial(place, min(Index(lanes), channels_ - channel), b_.zero({stored_, lanes}));
    return b_.cast(some, computeScalar(stored_));
  }

private:
  kir::Builder& b_;
  int64_t channels_, padded_;
  kir::Scalar stored_;
  std::optional<kir::Buffer> buffer_;
};

/// The kernel being written.
struct ChannelNormKernel {
  const Op& op;
  Lowering& lowering;
  kir::Builder b{op.info().name};
  Groups g = groupsOf(op);
  kir::Scalar stored = *scalarOf(op.ownElem()), scalar = computeScalar(stored);
  int block = op.result()->type().layout.block;
  int lanes = block ? block : lowering.target().lanes(scalar);
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  int64_t elements = elementsOf(op.result()->type());
  kir::Buffer src = b.input("src", stored, elements);
  ChannelVector scale{b, op.own(1), std::max(1, block), lowering, buffers};
  ChannelVector bias{b, op.own(2), std::max(1, block), lowering, buffers};
  Epilogue epilogue{op, lowering};

  void lower();
  void plain(const kir::Buffer& dst);
  void blocked(const kir::Buffer& dst);
  Value normalized(const Normalizer& norm, const Value& x, const Value& s, const Value& o) {
    const int width = x.lanes();
    return norm.apply(b, x) * widened(b, s, width) + widened(b, o, width);
  }
};

void ChannelNormKernel::plain(const kir::Buffer& dst) {
  std::vector<int64_t> extents = op.result()->shape(), dense = denseStrides(extents);
  if (extents.size() == 2) {
    extents.push_back(1);
    dense.push_back(1);
    for (Operand& operand : epilogue.operands()) operand.strides().push_back(0);
  }
  std::vector<std::vector<int64_t>*> strides = {&dense};
  for (Operand& operand : epilogue.operands()) strides.push_back(&operand.strides());
  std::vector<size_t> ends = {1, 2, extents.size()};
  collapseParts(extents, strides, ends);
  const int64_t perGroup = g.channelsPerGroup(), size = perGroup * g.pixels;

  b.parallelFor("group", g.images * g.groups, [&](const Index& group) {
    const SumOver sum = sumOfRow(b, scalar, size, lanes, [&](const Index& i, int w) {
      return b.loadAs(scalar, src[group * size + i], w);
    });
    const Value first = b.loadAs(scalar, src[group * size]);
    const Normalizer norm = momentsOf(b, sum, first, size, op.real("epsilon"));
    b.forLoop("c", 0, perGroup, [&](const Index& c) {
      std::vector<Index> at(extents.size(), 0);
      at[0] = group / g.groups;
      at[1] = group % g.groups * perGroup + c;
      const Value s = scale.load(at[1], 1), o = bias.load(at[1], 1);
      forVectorsIn(b, extents, 2, at, {4 * lanes, lanes}, [&](int w) {
        const Index element = elementAt(at, dense);
        const Value y = normalized(norm, b.loadAs(scalar, src[element], w), s, o);
        b.storeAs(dst[element], epilogue.apply(b, y, at));
      });
    });
  });
}

void ChannelNormKernel::blocked(const kir::Buffer& dst) {
  const int64_t blocks = (g.channels + block - 1) / block;
  const bool single = g.channelsPerGroup() == 1;
  const int64_t perGroup = single ? 1 : g.channelsPerGroup() / block;
  const int64_t groups = blocks / perGroup, plane = g.pixels * block, size = perGroup * plane;
  b.parallelFor("group", g.images * groups, [&](const Index& group) {
    const Index base = group * size;
    const SumOver sum = [&](const std::function<Value(const Value&)>& map) {
      const FoldOp add{kir::Op::Add, scalar};
      const Value lanesOwn = foldToLanes(b, add, size, block, [&](const Index& i, int w) {
        return map(b.loadAs(scalar, src[base + i], w));
      });
      return single ? lanesOwn : b.reduceAdd(lanesOwn);
    };
    const Value first = b.loadAs(scalar, src[base], single ? block : 1);
    const Normalizer norm = momentsOf(b, sum, first, single ? g.pixels : size, op.real("epsilon"));
    b.forLoop("cb", 0, perGroup, [&](const Index& cb) {
      const Index channelBlock = group % groups * perGroup + cb;
      const Value s = scale.load(channelBlock * block, block);
      const Value o = bias.load(channelBlock * block, block);
      b.forLoop("pixel", 0, g.pixels, [&](const Index& pixel) {
        const Index element = base + cb * plane + pixel * block;
        const Value y = normalized(norm, b.loadAs(scalar, src[element], block), s, o);
        b.storeAs(dst[element],
                  epilogue.apply(b, y, BlockedPixel{group / groups, channelBlock, pixel}));
      });
    });
  });
}

void ChannelNormKernel::lower() {
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", *scalarOf(op.result()->elem()), elements);
  buffers.push_back(lowering.storage(op.result()));
  if (block)
    blocked(dst);
  else
    plain(dst);
  lowering.call(b.finish(), std::move(buffers),
                {.algorithm = block ? "norm_channels_blocked" : "norm_channels",
                 .flops = 8 * static_cast<double>(elements)});
}

/// Groups are single channels, or whole blocks.
bool fillsBlocks(const Groups& g, int block) {
  return g.channelsPerGroup() == 1 || g.channelsPerGroup() % block == 0;
}

} // namespace

std::string refuseChannelNorm(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(op.ownElem()) || !isFloat(op.ownElem())) return "element type is not a float";
  if (y.rank() < 2 || y.rank() > 5 || y.numElements() == 0) return "nothing to normalize";
  for (size_t i = 1; i < 3; ++i)
    if (op.own(i)->elem() != op.ownElem() || op.own(i)->shape() != Shape{y.shape[1]})
      return "scale or bias is not one value per channel";
  const Groups g = groupsOf(op);
  if (g.groups < 1 || g.channels % g.groups) return "groups do not divide the channels";
  if (x.layout != y.layout) return "layouts differ";
  if (!y.layout.isPlain()) {
    if (!isVector(y.layout, target)) return "block of another width";
    if (!fillsBlocks(g, y.layout.block)) return "groups are not whole blocks of channels";
  }
  return epilogueRefusal(op);
}

OpLayouts channelNormLayouts(const Op& op, const kir::Target&) {
  const Layout x = op.own(0)->type().layout;
  const Groups g = groupsOf(op);
  const bool fills =
      !x.isPlain() && g.groups > 0 && g.channels % g.groups == 0 && fillsBlocks(g, x.block);
  return fills ? asItComes(op) : OpLayouts{};
}

void lowerChannelNorm(const Op& op, Lowering& lowering) { ChannelNormKernel{op, lowering}.lower(); }

} // namespace enfold::lower
