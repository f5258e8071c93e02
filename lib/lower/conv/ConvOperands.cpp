// Addresses of inputs; bias, epilogue and stores of results.
#include "lower/conv/ConvOperands.h"

#include "kernel/LooseRanges.h"
#include "lower/Scalars.h"

#include <algorithm>

namespace enfold::lower {

using kir::Index;
using kir::Value;

Value joined(kir::Builder& b, std::vector<Value> parts) {
  for (; parts.size() > 1; parts.erase(parts.begin() + std::ssize(parts) / 2, parts.end()))
    for (size_t i = 0; 2 * i < parts.size(); ++i)
      parts[i] = b.concat(parts[2 * i], parts[2 * i + 1]);
  return parts.front();
}

Index numberOf(std::span<const Index> at, std::span<const int64_t> extents) {
  Index number = 0;
  for (size_t i = 0; i < at.size(); ++i) number = number * extents[i] + at[i];
  return number;
}

ConvInput::ConvInput(const Type& type, const GroupRun& run) {
  const WindowProblem& p = run.problem;
  const bool isPlain = type.layout.isPlain();
  const int64_t element = isPlain ? 1 : type.layout.block;
  step = isPlain ? p.cinPerGroup() : type.layout.block;
  blocks = (p.cinPerGroup() + step - 1) / step;
  channel = isPlain ? p.inPixels() : 1;
  pixel = {p.in[1] * p.in[2] * element, p.in[2] * element, element};
  first_ = run.firstInput() * p.inPixels();
  image = p.inPixels() * storedChannels(type);
  block_ = p.inPixels() * step;
}

ConvResult::ConvResult(const Op& op, Lowering& lowering)
    : op_(op), lowering_(lowering), lanes_(op.result()->type().layout.block),
      blocks_(storedChannels(op.result()->type()) / lanes_),
      quantizer_(quantizerOf(op, lowering.target())), epilogue_(op, lowering) {}

void ConvResult::declareOperands(kir::Builder& b, std::vector<BufferRef>& buffers) {
  if (op_.kind() != OpKind::ConvInteger && op_.own(2)) {
    bias_ = b.input("bia", kir::Scalar::F32, blocks_ * lanes_);
    std::vector<float> packed(static_cast<size_t>(blocks_ * lanes_));
    const Tensor& tensor = *op_.own(2)->constant();
    std::copy_n(tensor.data<float>(), tensor.numElements(), packed.begin());
    buffers.push_back(lowering_.constant(std::move(packed)));
  }
  epilogue_.declare(b);
  epilogue_.appendBuffers(buffers);
}

void ConvResult::declare(kir::Builder& b, std::vector<BufferRef>& buffers, int64_t vectorsOfTile) {
  declareOperands(b, buffers);
  const Type& type = op_.result()->type();
  dst_ = b.output("dst", *scalarOf(type.elem), elementsOf(type));
  buffers.push_back(lowering_.storage(op_.result()));
  if (epilogue_.isLong() && vectorsOfTile > 0)
    sums_ = b.local("sums", *scalarOf(op_.ownElem()), vectorsOfTile * lanes_);
}

std::optional<Value> ConvResult::bias(kir::Builder& b, const Index& block) const {
  if (!bias_) return std::nullopt;
  return b.load((*bias_)[block * lanes_], int(lanes_));
}

Value ConvResult::finished(kir::Builder& b, const Value& sum, const std::optional<Value>& bias,
                           const Index& image, const Index& block, const Index& pixel) const {
  return epilogue_.apply(b, bias ? sum + *bias : sum, BlockedPixel{image, block, pixel},
                         sum.lanes() / static_cast<int>(lanes_));
}

void ConvResult::store(kir::Builder& b, const Value& sum, const std::optional<Value>& bias,
                       const Index& image, const Index& block, const Index& pixel) const {
  const Type& type = op_.result()->type();
  const int64_t pixels = elementsOf(type) / (type.shape[0] * blocks_ * lanes_);
  const Value result = finished(b, sum, bias, image, block, pixel);
  if (running_) take(b, result, block);
  b.storeAs((*dst_)[((image * blocks_ + block) * pixels + pixel) * lanes_], result);
}

int64_t ConvResult::pixelsTogether() const {
  if (bias_ || !isByte(op_.result()->elem()) || !epilogue_.takesPixels()) return 1;
  return std::max<int64_t>(1, lowering_.target().machine.vectorBytes / lanes_);
}

/// Calls body(first, count) for neighbouring pixels of a tile, as many together as are stored so.
template <typename Body>
static void forPixels(kir::Builder& b, int64_t pixels, int64_t together, Body&& body) {
  const int64_t whole = pixels / together * together;
  b.forLoop("pixel", 0, whole, together, [&](const Index& pixel) { body(pixel, together); });
  for (int64_t pixel = whole; pixel < pixels;) {
    while (together > pixels - pixel) together /= 2;
    body(Index(pixel), together);
    pixel += together;
  }
}

/// Pixel number `pixel` of a tile.
void ConvResult::store(kir::Builder& b, const Value& sum, const std::optional<Value>& bias,
                       const ConvTile& tile, const Index& block, const Index& pixel) const {
  const Index at = tile.firstPixel + pixel * tile.step;
  const Type& type = op_.result()->type();
  const int64_t pixels = elementsOf(type) / (type.shape[0] * blocks_ * lanes_);
  const Index channels = tile.firstBlock + block;
  if (tile.image)
    store(b, sum, bias, *tile.image, channels, at);
  else
    store(b, sum, bias, at / pixels, channels, at % pixels);
}

void ConvResult::store(kir::Builder& b, std::span<const kir::Var> sums,
                       const ConvTile& tile) const {
  const int64_t pixels = std::ssize(sums) / tile.blocks;
  const int64_t most = tile.step == 1 && tile.image ? pixelsTogether() : 1;
  const auto sum = [&](int64_t block, int64_t pixel) -> Value {
    return sums[static_cast<size_t>(pixel * tile.blocks + block)];
  };
  if (!sums_) {
    for (int64_t block = 0; block < tile.blocks; ++block) {
      const std::optional<Value> added = bias(b, tile.firstBlock + block);
      for (int64_t pixel = 0, count = most; pixel < pixels; pixel += count) {
        while (count > pixels - pixel) count /= 2;
        std::vector<Value> together;
        for (int64_t i = 0; i < count; ++i) together.push_back(sum(block, pixel + i));
        store(b, joined(b, std::move(together)), added, tile, block, pixel);
      }
    }
    return;
  }
  for (int64_t block = 0; block < tile.blocks; ++block)
    for (int64_t pixel = 0; pixel < pixels; ++pixel)
      b.store((*sums_)[(block * pixels + pixel) * lanes_], sum(block, pixel));
  b.forLoop("block", 0, tile.blocks, [&](const Index& block) {
    const std::optional<Value> added = bias(b, tile.firstBlock + block);
    forPixels(b, pixels, most, [&](const Index& pixel, int64_t count) {
      const Value together =
          b.load((*sums_)[(block * pixels + pixel) * lanes_], static_cast<int>(count * lanes_));
      store(b, together, added, tile, block, pixel);
    });
  });
}

void ConvResult::storeRow(kir::Builder& b,
                          const std::function<Value(const Index& pixel, int64_t count)>& sums,
                          const std::optional<Value>& bias, const Pixel& first,
                          int64_t pixels) const {
  const int64_t together = pixelsTogether();
  const auto body = [&](const Index& pixel, int64_t count) {
    store(b, sums(pixel, count), bias, first.image, first.block, first.number + pixel);
  };
  if (!kir::LooseRanges::areWanted()) return forPixels(b, pixels, together, body);
  const Index whole = kir::looseNumber(b, pixels / together * together);
  b.forLoop("pixel", 0, whole, together, [&](const Index& pixel) { body(pixel, together); });
  b.forLoop("pixel", whole, kir::looseNumber(b, pixels),
            [&](const Index& pixel) { body(pixel, 1); });
}

void ConvResult::measure(kir::Builder& b, std::vector<BufferRef>& buffers, int64_t iterations) {
  if (!quantizer_) return;
  found_ = {lowering_.temporary(8 * iterations), iterations};
  foundBuffer_ = b.output("found", kir::Scalar::F32, 2 * iterations);
  buffers.push_back(found_->memory);
}

void ConvResult::begin(kir::Builder& b) {
  if (found_) running_.emplace(b, static_cast<int>(lanes_));
}

void ConvResult::end(kir::Builder& b, const Index& number) {
  if (!running_) return;
  b.store((*foundBuffer_)[number], running_->least());
  b.store((*foundBuffer_)[number + found_->count], running_->greatest());
  running_.reset();
}

/// Lanes past the last channel hold anything.
void ConvResult::take(kir::Builder& b, const Value& stored, const Index& block) const {
  const int64_t channels = op_.result()->shape()[1];
  if (channels % lanes_ == 0) return running_->take(stored);
  const auto lanes = static_cast<int>(lanes_);
  const Value left = b.cast(b.value(channels - block * lanes_), kir::Scalar::I32);
  const Value isChannel = b.iota(kir::i32(lanes)) < b.splat(left, lanes);
  running_->take(b.select(isChannel, stored, b.zero(stored.type())));
}

void ConvResult::lowerScale() const {
  if (found_) lowerDynamicScale(dynamicScaleOf(*quantizer_, lowering_), {&*found_, 1}, lowering_);
}

double ConvResult::flops() const {
  return static_cast<double>(op_.result()->type().numElements()) * epilogue_.flopsPerElement();
}

} // namespace enfold::lower
