// Pixels become words in a kernel of their own in front of the convolution: every pixel is read by
// many of its tiles.
#include "lower/conv/IntegerOperands.h"

#include "kernel/Builder.h"
#include "lower/Access.h"
#include "lower/Scalars.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/Groups.h"

#include <algorithm>
#include <bit>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Elements that an iteration of the parallel loop copies.
constexpr int64_t kPiece = 4096;
/// Instructions for a vector: loading, widening, subtracting, storing.
constexpr double kInstructions = 4;

ElemType elemOf(kir::Scalar scalar) {
  return scalar == kir::Scalar::BF16  ? ElemType::BF16
         : scalar == kir::Scalar::I16 ? ElemType::I16
         : scalar == kir::Scalar::U8  ? ElemType::U8
                                      : ElemType::I8;
}

class Stage {
public:
  Stage(const Op& op, const Words& words, Lowering& lowering)
      : op_(op), lowering_(lowering), words_(words), p_(windowProblem(op)), x_(op.own(0)->type()),
        to_(stagedType(op, words)),
        lanes_(std::max(1, lowering.target().machine.vectorBytes /
                               static_cast<int>(kir::sizeInBytes(words.pixel)))) {}

  /// `buffers` are the kernel's inputs: the tensor, and what else it reads.
  kir::Kernel kernel(std::vector<BufferRef>& buffers) {
    src_ = b_.input("src", *scalarOf(x_.elem), elementsOf(x_));
    if (words_ == kPairs) zero_.emplace(op_).declare(b_, buffers, lowering_);
    dst_ = b_.output("dst", words_.pixel, elementsOf(to_));
    if (x_.layout.isPlain())
      interleave();
    else if (isSampled(op_))
      sample();
    else
      convert();
    return b_.finish();
  }

private:
  Value word(const Value& pixel) {
    if (words_ == kPairs) return zero_->subtractedFrom(b_, b_.cast(pixel, kir::Scalar::I16));
    if (pixel.type().scalar == words_.pixel) return pixel;
    return b_.bitcast(pixel, words_.pixel) ^ (words_.pixel == kir::Scalar::U8 ? 128 : -128);
  }

  /// Element by element.
  void convert() {
    const int64_t size = elementsOf(to_);
    b_.parallelFor("piece", (size + kPiece - 1) / kPiece, [&](const Index& piece) {
      const Index begin = piece * kPiece, end = min(begin + kPiece, Index(size));
      const Index whole = begin + (end - begin) / lanes_ * lanes_;
      const auto copy = [&](const Index& i, int lanes) {
        b_.store((*dst_)[i], word(b_.load((*src_)[i], lanes)));
      };
      b_.forLoop("i", begin, whole, lanes_, [&](const Index& i) { copy(i, lanes_); });
      b_.forLoop("i", whole, end, [&](const Index& i) { copy(i, 1); });
    });
  }

  /// Pixel by pixel, those that the window meets.
  void sample() {
    const int block = x_.layout.block;
    const int64_t planes = x_.shape[0] * storedChannels(x_) / block;
    const int64_t extents[] = {planes, p_.out[0], p_.out[1]};
    const std::string_view names[] = {"plane", "od", "oh"};
    b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
      const Index from =
          (at[0] * p_.in[0] + at[1] * p_.strides[0]) * p_.in[1] + at[2] * p_.strides[1];
      const Index to = (at[0] * p_.out[0] + at[1]) * p_.out[1] + at[2];
      b_.forLoop("ow", 0, p_.out[2], [&](const Index& ow) {
        const Value v = b_.load((*src_)[(from * p_.in[2] + ow * p_.strides[2]) * block], block);
        b_.store((*dst_)[(to * p_.out[2] + ow) * block], word(v));
      });
    });
  }

  /// Planes of channels become a block; what it has more is zero.
  void interleave() {
    const int64_t pixels = p_.inPixels(), pieces = (pixels + kPiece - 1) / kPiece;
    const int64_t channels = x_.shape[1];
    const int block = to_.layout.block;
    const int64_t extents[] = {x_.shape[0], pieces};
    const std::string_view names[] = {"n", "piece"};
    b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
      const Index begin = at[1] * kPiece, end = min(begin + kPiece, Index(pixels));
      const Index whole = begin + (end - begin) / lanes_ * lanes_;
      const auto copy = [&](const Index& pixel, int lanes) {
        std::vector<Value> parts;
        for (int64_t c = 0; c < block; ++c)
          parts.push_back(
              c < channels ? word(b_.load((*src_)[(at[0] * channels + c) * pixels + pixel], lanes))
                           : b_.zero({words_.pixel, lanes}));
        b_.store((*dst_)[(at[0] * pixels + pixel) * block], interleaved(std::move(parts)));
      };
      b_.forLoop("pixel", begin, whole, lanes_, [&](const Index& i) { copy(i, lanes_); });
      b_.forLoop("pixel", whole, end, [&](const Index& i) { copy(i, 1); });
    });
  }

  /// Lane 0 of all parts, of which there are a power of two, then lane 1, …
  Value interleaved(std::vector<Value> parts) {
    for (int unit = 1; parts.size() > 1; unit *= 2) {
      std::vector<Value> joined;
      for (size_t i = 0; i < parts.size(); i += 2)
        joined.push_back(joinUnits(parts[i], parts[i + 1], unit));
      parts = std::move(joined);
    }
    return parts.front();
  }

  /// The first `unit` lanes of a, those of b, the next of a, …
  Value joinUnits(const Value& a, const Value& b, int unit) {
    std::vector<int> mask;
    for (int first = 0; first < a.lanes(); first += unit)
      for (const int from : {first, a.lanes() + first})
        for (int i = 0; i < unit; ++i) mask.push_back(from + i);
    return b_.shuffle(a, b, mask);
  }

  const Op& op_;
  Lowering& lowering_;
  const Words words_;
  std::optional<InputZero> zero_; ///< subtracted from pixels
  const WindowProblem p_;
  const Type x_, to_;
  const int lanes_;
  kir::Builder b_{"conv_words"};
  std::optional<kir::Buffer> src_, dst_;
};

} // namespace

std::string refuseIntegerOperands(const Op& op) {
  if (!isByte(op.own(0)->elem()) || !isByte(op.own(1)->elem())) return "element type is not 8-bit";
  if (!op.own(1)->constant()) return "weights are not constant";
  if (op.own(1)->type().numElements() == 0) return "nothing to multiply";
  const enfold::Value* const xZero = op.own(2);
  if (xZero && xZero->type().numElements() != 1) return "the input has several zero points";
  const enfold::Value* const wZero = op.own(3);
  if (wZero && !wZero->constant()) return "the weights' zero point is not constant";
  if (wZero && wZero->type().numElements() != 1 &&
      wZero->type().numElements() != op.own(1)->shape()[0])
    return "zero points of weights are not one a channel";
  return "";
}

InputZero zeroPointOf(const Op& op, const Words& words) {
  if (words == kPairs || words.sum != kir::Scalar::I32) return {};
  const kir::Scalar stored = *scalarOf(op.own(0)->elem());
  return InputZero(op, stored == words.pixel ? 0 : words.pixel == kir::Scalar::U8 ? 128 : -128);
}

bool isStaged(const Op& op, const Words& words) {
  return words == kPairs || op.own(0)->type().layout.isPlain() || isSampled(op) ||
         *scalarOf(op.own(0)->elem()) != words.pixel;
}

Type stagedType(const Op& op, const Words& words) {
  Type type = op.own(0)->type();
  type.elem = elemOf(words.pixel);
  if (isSampled(op))
    std::copy(op.result()->shape().begin() + 2, op.result()->shape().end(), type.shape.begin() + 2);
  if (type.layout.isPlain())
    type.layout.block = static_cast<int>(
        std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(words.channels, type.shape[1]))));
  return type;
}

ConvSource stageInput(const Op& op, const Words& words, Lowering& lowering) {
  const BufferRef input = lowering.storage(op.own(0));
  if (!isStaged(op, words)) return {input, op.own(0)->type()};
  const Type type = stagedType(op, words);
  const BufferRef staged = lowering.temporary(type.numBytes());
  std::vector<BufferRef> buffers = {input};
  kir::Kernel kernel = Stage(op, words, lowering).kernel(buffers);
  buffers.push_back(staged);
  lowering.call(std::move(kernel), std::move(buffers), {.algorithm = "conv_words"});
  return {staged, type};
}

double stageCycles(const Op& op, const Words& words, const kir::Machine& machine) {
  if (!isStaged(op, words)) return 0;
  const auto bytes = static_cast<double>(stagedType(op, words).numBytes());
  return kInstructions * bytes / machine.fma.bytesPerCycle + machine.callCycles;
}

} // namespace enfold::lower
