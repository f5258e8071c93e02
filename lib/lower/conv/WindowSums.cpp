// Pixels are added up through all channels first, then along the window.
#include "lower/conv/WindowSums.h"

#include "kernel/LooseRanges.h"
#include "lower/ZeroSums.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/Groups.h"
#include "lower/window/Tiles.h"

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int kWord = 4;
/// Pixels that an iteration of the parallel loop adds up through all channels.
constexpr int64_t kPiece = 1024;
/// Instructions for a vector: of pixels, loading and adding; of sums, for each tap.
constexpr double kInstructions = 2;

constexpr WindowProblem::Spatial kOnes{1, 1, 1}, kZeros{0, 0, 0};

/// Whether a window is a pixel, and pixels are numbered in the result as they are in the input.
bool isPixel(const WindowProblem& p) {
  return p.kernel == kOnes && p.strides == kOnes && p.padsBegin == kZeros && p.padsEnd == kZeros;
}

/// [image][pixel] of the input.
class ChannelSums {
public:
  ChannelSums(const WindowProblem& problem, const ConvSource& source, Lowering& lowering)
      : p_(problem), source_(source), lowering_(lowering), block_(source.type.layout.block),
        blocks_(ceilDiv(p_.cin, block_)),
        bytes_(std::max(lowering.target().machine.vectorBytes, block_)),
        together_(bytes_ / block_) {}

  BufferRef lower();

private:
  void add(const Index& image, const Index& pixel, int64_t vectors);

  const WindowProblem& p_;
  const ConvSource& source_;
  Lowering& lowering_;
  const int block_;
  const int64_t blocks_;
  const int bytes_, together_; ///< of a vector: bytes, and pixels

  kir::Builder b_{"channel_sums"};
  std::optional<kir::Buffer> src_, ones_, dst_;
};

/// Ones for a block, and for what the last block has of channels.
std::vector<int8_t> onesOf(int64_t channels, int64_t block, int64_t bytes) {
  std::vector<int8_t> ones(static_cast<size_t>(2 * bytes), 1);
  for (int64_t i = 0; channels % block != 0 && i < bytes; ++i)
    ones[static_cast<size_t>(bytes + i)] = i % block < channels % block;
  return ones;
}

BufferRef ChannelSums::lower() {
  const int64_t pixels = p_.inPixels();
  const Type& type = source_.type;
  const kir::Scalar elem = type.elem == ElemType::U8 ? kir::Scalar::U8 : kir::Scalar::I8;
  src_ = b_.input("src", elem, p_.batch * pixels * storedChannels(type));
  ones_ = b_.input("ones", kir::Scalar::I8, int64_t{2} * bytes_);
  dst_ = b_.output("dst", kir::Scalar::I32, p_.batch * pixels);
  const int64_t extents[] = {p_.batch, ceilDiv(pixels, kPiece)};
  const std::string_view names[] = {"n", "piece"};
  b_.parallelGrid(extents, names, {1}, [&](std::span<const Index> at) {
    const Index begin = at[1] * kPiece, end = min(begin + kPiece, Index(pixels));
    const int64_t most = int64_t{kWord} * together_;
    const Index wide = begin + (end - begin) / most * most;
    b_.forLoop("pixel", begin, wide, most, [&](const Index& i) { add(at[0], i, kWord); });
    b_.forLoop("pixel", wide, end, [&](const Index& i) { add(at[0], i, 0); });
  });
  const BufferRef sums = lowering_.temporary(4 * p_.batch * pixels);
  lowering_.call(b_.finish(),
                 {source_.memory, lowering_.constant(onesOf(p_.cin, block_, bytes_)), sums},
                 {.algorithm = "channel_sums"});
  return sums;
}

/// Of as many pixels as so many vectors hold; of one if there are none.
void ChannelSums::add(const Index& image, const Index& pixel, int64_t vectors) {
  const int bytes = vectors > 0 ? bytes_ : block_;
  const int pixels = bytes / block_ * static_cast<int>(std::max<int64_t>(1, vectors));
  std::vector<kir::Var> sums;
  for (int64_t v = 0; v < std::max<int64_t>(1, vectors); ++v)
    sums.push_back(b_.var("sum", b_.zero(kir::i32(bytes / kWord))));
  const auto addBlock = [&](const Index& block, int64_t firstOne) {
    const Value ones = b_.load((*ones_)[firstOne], bytes);
    const Index at = ((image * blocks_ + block) * p_.inPixels() + pixel) * block_;
    for (size_t v = 0; v < sums.size(); ++v)
      sums[v].set(
          b_.dot(sums[v], b_.load((*src_)[at + static_cast<int64_t>(v) * bytes], bytes), ones));
  };
  b_.forLoop("block", 0, blocks_ - 1, [&](const Index& block) { addBlock(block, 0); });
  addBlock(blocks_ - 1, bytes_);
  std::vector<Value> parts(sums.begin(), sums.end());
  Value all = joined(b_, std::move(parts));
  const int words = block_ / kWord;
  Value sum = words == 1 ? all : b_.everyLane(all, 0, words);
  for (int i = 1; i < words; ++i) sum = sum + b_.everyLane(all, i, words);
  b_.store((*dst_)[image * p_.inPixels() + pixel], pixels == 1 ? b_.extract(sum, 0) : sum);
}

/// [image][pixel] of the result: sums along the depth and height into a row with its padding, and
/// along the width out of it.
BufferRef addAlongWindow(const WindowProblem& p, const BufferRef& pixels, Lowering& lowering) {
  const int lanes = lowering.target().lanes(kir::Scalar::I32);
  const int64_t before = std::max<int64_t>(0, p.padsBegin[2]), taken = before + p.in[2];
  const int64_t read = (p.out[2] - 1) * p.strides[2] + (p.kernel[2] - 1) * p.dilations[2] + 1;
  const int64_t size = std::max(taken, read - p.padsBegin[2] + before);
  kir::Builder b("window_sums");
  const kir::Buffer src = b.input("src", kir::Scalar::I32, p.batch * p.inPixels());
  const kir::Buffer dst = b.output("dst", kir::Scalar::I32, p.batch * p.outPixels());
  const kir::Buffer row = b.scratch("row", kir::Scalar::I32, size);
  const auto forRow = [&](int64_t begin, int64_t end, auto&& body) {
    const Index first = begin == 0 ? Index(0) : kir::looseNumber(b, begin);
    const Index whole = kir::looseNumber(b, begin + (end - begin) / lanes * lanes);
    b.forLoop("i", first, whole, lanes, [&](const Index& i) { body(i, lanes); });
    b.forLoop("i", whole, kir::looseNumber(b, end), [&](const Index& i) { body(i, 1); });
  };
  const int64_t extents[] = {p.batch, p.out[0], p.out[1]};
  const std::string_view names[] = {"n", "od", "oh"};
  b.parallelGrid(extents, names, {2}, [&](std::span<const Index> at) {
    const TapRange depth = tapsInside(p, 0, at[1]), height = tapsInside(p, 1, at[2]);
    const auto zero = [&](const Index& i, int count) { b.store(row[i], b.zero(kir::i32(count))); };
    forRow(0, before, zero);
    forRow(taken, size, zero);
    forRow(0, p.in[2], [&](const Index& i, int count) {
      kir::Var sum = b.var("sum", b.zero(kir::i32(count)));
      b.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
        b.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
          const Index id = at[1] * p.strides[0] - p.padsBegin[0] + kd * p.dilations[0];
          const Index ih = at[2] * p.strides[1] - p.padsBegin[1] + kh * p.dilations[1];
          const Index from = ((at[0] * p.in[0] + id) * p.in[1] + ih) * p.in[2];
          sum.set(sum + b.load(src[from + i], count));
        });
      });
      b.store(row[i + before], sum);
    });
    const Index to = ((at[0] * p.out[0] + at[1]) * p.out[1] + at[2]) * p.out[2];
    forRow(0, p.out[2], [&](const Index& i, int count) {
      kir::Var sum = b.var("sum", b.zero(kir::i32(count)));
      b.forLoop("kw", 0, p.kernel[2], [&](const Index& kw) {
        const Index from = i * p.strides[2] + kw * p.dilations[2] + (before - p.padsBegin[2]);
        sum.set(sum + (p.strides[2] == 1 ? b.load(row[from], count)
                                         : b.loadStrided(row[from], p.strides[2], count)));
      });
      b.store(dst[to + i], sum);
    });
  });
  const BufferRef sums = lowering.temporary(4 * p.batch * p.outPixels());
  lowering.call(b.finish(), {pixels, sums}, {.algorithm = "window_sums"});
  return sums;
}

} // namespace

bool isShifted(const Op& op, const Words& words) {
  return words.channels == kBytes.channels && words.sum == kir::Scalar::I32 &&
         !IntegerWeights(op).areBytes(*op.own(1)->constant());
}

WindowSums::WindowSums(const Op& op, const WindowProblem& problem, const ConvSource& source,
                       Lowering& lowering)
    : op_(op), images_(problem.batch), pixels_(problem.outPixels()),
      memory_(ChannelSums(problem, source, lowering).lower()) {
  if (!isPixel(problem)) memory_ = addAlongWindow(problem, memory_, lowering);
}

void WindowSums::declare(kir::Builder& b, std::vector<BufferRef>& buffers, Lowering& lowering,
                         int64_t lanes) {
  lanes_ = lanes;
  const int64_t channels = ceilDiv(IntegerWeights(op_).channels(), lanes) * lanes;
  sums_ = b.input("pixels", kir::Scalar::I32, images_ * pixels_);
  shifts_ = b.input("shifts", kir::Scalar::I32, channels);
  buffers.push_back(memory_);
  buffers.push_back(packedShifts(op_, channels, lowering));
}

Value WindowSums::at(kir::Builder& b, const Index& image, const Index& pixel,
                     const Index& block) const {
  const auto lanes = static_cast<int>(lanes_);
  const Value sum = b.broadcast((*sums_)[image * pixels_ + pixel], lanes);
  return sum * b.load((*shifts_)[block * lanes_], lanes);
}

double WindowSums::cycles(const WindowProblem& p, const Type& source, const kir::Machine& machine) {
  const double perCycle = machine.fma.of(machine.vectorBytes);
  const auto vectors = [&](int64_t bytes) {
    return static_cast<double>(bytes) / machine.vectorBytes;
  };
  double cycles =
      machine.callCycles +
      kInstructions * vectors(p.batch * p.inPixels() * storedChannels(source)) / perCycle;
  if (isPixel(p)) return cycles;
  const int64_t rows = p.batch * p.out[0] * p.out[1];
  const int64_t across = 4 * rows * p.in[2] * p.kernel[0] * p.kernel[1];
  const int64_t along = 4 * rows * p.out[2] * p.kernel[2];
  const double apart = p.strides[2] == 1 ? 1 : machine.lanes(kir::Scalar::I32);
  return cycles + machine.callCycles +
         kInstructions * (vectors(across) + vectors(along) * apart) / perCycle;
}

} // namespace enfold::lower
