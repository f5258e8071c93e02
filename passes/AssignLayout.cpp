// assign-layout: convolutions, pools and what lies between them work on channel-blocked tensors;
// reorders stand where blocked and plain meet. One sweep decides for each op by the layouts of its
// operands, in order; reorders of one value are made once, and a reorder there and back cancels.
//
// Ops that need the blocked layout (convolutions with enough channels, windows on blocked tensors)
// get it; ops that merely accept it (elementwise ops, channel-aligned concat, split and slice)
// follow their operands; everything else is plain.
#include "ir/ResizeTaps.h"
#include "ir/Slicing.h"
#include "ir/Verifier.h"
#include "passes/Match.h"
#include "passes/Pass.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace enfold {
namespace {

/// Convolutions with fewer input channels read them plain: mostly the first one of a network.
constexpr int64_t kFewChannels = 16;
/// Windows of so many taps are worth a plain copy of the input when a result of few channels,
/// mostly the last one of a network that makes images, would leave half of a block empty.
constexpr int64_t kManyTaps = 16;

/// Whether only the reference function can compute the op: of operands without elements, or of
/// sizes that depend on data.
bool isForReference(const Op& op) {
  return op.own(0)->type().numElements() == 0 || dependsOnData(op);
}

class LayoutAssigner {
public:
  LayoutAssigner(PassContext& context, int block)
      : context_(context), rewriter_(context.rewriter()), block_(block) {}

  Result<> run();

private:
  enum class Wish : uint8_t { Plain, Blocked, PlainToBlocked };

  /// Kernels of blocks compute in f32; conversions lead to and from halves.
  static bool isBlockable(ElemType elem) {
    return elem == ElemType::F32 || elem == ElemType::F16 || elem == ElemType::BF16;
  }
  bool isBlocked(const Value* v) const { return !v->type().layout.isPlain(); }
  bool canBlock(const Value* v) const {
    return isBlockable(v->elem()) && v->type().rank() >= 3 && v->type().rank() <= 5;
  }
  Wish wishOf(const Op& op) const;
  Wish convWish(const Op& op) const;
  bool isNarrow(const Op& op) const;
  Wish elementwiseWish(const Op& op) const;
  Wish partsWish(const Op& op) const;
  bool broadcastsOntoBlocks(const Value* v, const Shape& y) const;
  Wish sliceWish(const Op& op) const;
  Wish padWish(const Op& op) const;
  bool epilogueFits(const Op& op) const;
  bool isBestBlocked(const Op& op) const;
  void expandEpilogue(Op& op);
  void fold(Op* op);
  /// The value in that layout: itself, an earlier reorder of it, or a new one before `user`.
  Value* inLayout(Value* value, int block, Op* user);
  void apply(Op& op, Wish wish);
  void setOperandLayout(Op& op, size_t i, int block);
  void plainOutputs();

  PassContext& context_;
  Rewriter& rewriter_;
  int block_;
  std::map<std::pair<Value*, int>, Value*> reorders_;
};

/// Whether blocks of shape `y` can be computed with that smaller operand as it is: a number, one
/// per channel ([C,1,1]) or per image and channel, or one per pixel; channels next to each other.
bool LayoutAssigner::broadcastsOntoBlocks(const Value* v, const Shape& y) const {
  const Shape& shape = v->shape();
  if (v->type().numElements() == 1) return true;
  const size_t lead = y.size() - shape.size();
  bool spatialOnes = true;
  for (size_t i = 0; i < shape.size(); ++i)
    if (lead + i >= 2) spatialOnes &= shape[i] == 1;
  const bool oneChannel = lead > 1 || shape[1 - lead] == 1;
  // Images of one channel block badly; they stay plain and are broadcast.
  return (spatialOnes || oneChannel) && !(isBlocked(v) && shape[1] != y[1]);
}

/// Operands of an epilogue must be small and plain, or of the result's shape, which can be
/// reordered.
bool LayoutAssigner::epilogueFits(const Op& op) const {
  const Shape& y = op.result()->shape();
  return std::ranges::all_of(op.operands().subspan(op.numOwnOperands()), [&](const Value* v) {
    return !v || v->shape() == y || broadcastsOntoBlocks(v, y);
  });
}

/// Convolutions, and pools of blocks, would pay more for a plain result than for large operands.
bool LayoutAssigner::isBestBlocked(const Op& op) const {
  if (op.numResults() != 1 || !canBlock(op.result())) return false;
  if (op.kind() == OpKind::Conv) return convWish(op) != Wish::Plain;
  return (op.kind() == OpKind::MaxPool || op.kind() == OpKind::AveragePool) && isBlocked(op.own(0));
}

/// Operands that would keep the op from being blocked get the shape of its result.
void LayoutAssigner::expandEpilogue(Op& op) {
  const Shape y = op.result()->shape();
  for (size_t i = op.numOwnOperands(); i < op.operands().size(); ++i) {
    Value* v = op.operand(i);
    if (!v || v->shape() == y || broadcastsOntoBlocks(v, y)) continue;
    Value* sizes = rewriter_.constant(Tensor::of<int64_t>({std::ssize(y)}, y), "sizes", &op);
    Op* expand = rewriter_.create({.kind = OpKind::Expand,
                                   .operands = {inLayout(v, 0, &op), sizes},
                                   .resultNames = {v->name() + "_expanded"}},
                                  &op);
    rewriter_.setOperand(&op, i, expand->result());
    if (v->constant()) fold(expand);
  }
}

/// Replaces an op of constants by what it computes, when that can be computed.
void LayoutAssigner::fold(Op* op) {
  std::vector<const Tensor*> operands;
  for (const Value* operand : op->operands()) operands.push_back(operand->constant());
  const auto results = reference::evaluate(*op, operands);
  if (!results) return;
  const std::string name = op->result()->name();
  Value* constant = rewriter_.constant(results->front(), name, op);
  rewriter_.replace(op->result(), constant);
  rewriter_.erase(op);
  rewriter_.rename(constant, name);
}

/// Whether a plain result is better because its channels fill too little of a block.
bool LayoutAssigner::isNarrow(const Op& op) const {
  const Shape &w = op.own(1)->shape(), &y = op.result()->shape();
  const auto strides = op.ints("strides");
  if (op.integer("group") != 1 || (!strides.empty() && strides.back() != 1)) return false;
  int64_t taps = 1;
  for (size_t d = 2; d < w.size(); ++d) taps *= w[d];
  return taps >= kManyTaps && y.back() >= 2 * block_ && 2 * y[1] <= block_;
}

LayoutAssigner::Wish LayoutAssigner::convWish(const Op& op) const {
  const Value* x = op.own(0);
  if (isForReference(op)) return Wish::Plain;
  if (!op.own(1)->constant() || (op.own(2) && !op.own(2)->constant())) return Wish::Plain;
  if (op.kind() == OpKind::Conv && isNarrow(op)) return Wish::Plain;
  const bool few = x->shape()[1] <= kFewChannels && !isBlocked(x);
  return few && op.integer("group") == 1 ? Wish::PlainToBlocked : Wish::Blocked;
}

LayoutAssigner::Wish LayoutAssigner::elementwiseWish(const Op& op) const {
  const Shape& y = op.result()->shape();
  bool anyBlocked = false;
  for (const Value* v : op.ownOperands()) {
    if (!v) continue;
    if (!isBlockable(v->elem())) return Wish::Plain;
    if (v->shape() == y) {
      anyBlocked |= isBlocked(v);
      continue;
    }
    if (!broadcastsOntoBlocks(v, y)) return Wish::Plain;
  }
  return anyBlocked ? Wish::Blocked : Wish::Plain;
}

/// concat and split move whole blocks; only the last part may end inside one.
LayoutAssigner::Wish LayoutAssigner::partsWish(const Op& op) const {
  const Value* whole = op.kind() == OpKind::Concat ? op.result() : op.own(0);
  const int64_t axis = frontAxis(op.integer("axis"), whole->type().rank());
  const auto whole_blocks = [&](const Value* v) { return v->shape()[1] % block_ == 0; };
  size_t blocked = 0;
  if (op.kind() == OpKind::Concat) {
    for (size_t i = 0; i < op.numOwnOperands(); ++i) {
      blocked += isBlocked(op.own(i));
      if (axis == 1 && i + 1 < op.numOwnOperands() && !whole_blocks(op.own(i))) return Wish::Plain;
    }
    return 2 * blocked >= op.numOwnOperands() && blocked ? Wish::Blocked : Wish::Plain;
  }
  if (!isBlocked(whole)) return Wish::Plain;
  for (size_t i = 0; i + 1 < op.numResults(); ++i)
    if (axis == 1 && !whole_blocks(op.result(i))) return Wish::Plain;
  return Wish::Blocked;
}

/// A slice takes whole blocks, too; what it does to other axes does not matter.
LayoutAssigner::Wish LayoutAssigner::sliceWish(const Op& op) const {
  const auto axes = slicedAxes(op);
  if (!isBlocked(op.own(0)) || !axes) return Wish::Plain;
  for (const SlicedAxis& cut : *axes)
    if (cut.axis == 1 && (cut.step != 1 || cut.begin % block_ != 0)) return Wish::Plain;
  return Wish::Blocked;
}

/// What surrounds a tensor is made of its own pixels.
LayoutAssigner::Wish LayoutAssigner::padWish(const Op& op) const {
  const bool known = op.own(1)->constant() && (!op.own(3) || op.own(3)->constant());
  const bool pixels = op.own(0)->shape()[1] == op.result()->shape()[1];
  return isBlocked(op.own(0)) && op.string("mode") != "constant" && known && pixels ? Wish::Blocked
                                                                                    : Wish::Plain;
}

LayoutAssigner::Wish LayoutAssigner::wishOf(const Op& op) const {
  if (op.numResults() == 0 || !canBlock(op.result()) || !op.own(0)) return Wish::Plain;
  if (isForReference(op)) return Wish::Plain;
  if (!epilogueFits(op)) return Wish::Plain;
  const bool computes = !op.info().is(traits::Elementwise) && op.info().supportsEpilogue();
  if (computes && op.result()->elem() != ElemType::F32) return Wish::Plain;
  switch (op.kind()) {
  case OpKind::Conv:
  case OpKind::ConvTranspose:
    return convWish(op);
  case OpKind::MaxPool:
  case OpKind::AveragePool:
  case OpKind::GlobalAveragePool:
  case OpKind::GlobalMaxPool:
    return op.numResults() == 1 && isBlocked(op.own(0)) ? Wish::Blocked : Wish::Plain;
  case OpKind::InstanceNormalization:
    return isBlocked(op.own(0)) ? Wish::Blocked : Wish::Plain;
  case OpKind::GroupNormalization: {
    const int64_t groups = op.integer("num_groups"), channels = op.result()->shape()[1];
    const bool whole = channels % groups == 0 && channels / groups % block_ == 0;
    return isBlocked(op.own(0)) && whole ? Wish::Blocked : Wish::Plain;
  }
  case OpKind::Resize:
    return isBlocked(op.own(0)) && resizesPixels(op) ? Wish::Blocked : Wish::Plain;
  case OpKind::Concat:
  case OpKind::Split:
    return partsWish(op);
  case OpKind::Slice:
    return sliceWish(op);
  case OpKind::Pad:
    return padWish(op);
  default:
    return op.info().is(traits::Elementwise) ? elementwiseWish(op) : Wish::Plain;
  }
}

Value* LayoutAssigner::inLayout(Value* value, int block, Op* user) {
  if (value->type().layout.block == block) return value;
  // Undoing a reorder is taking what it read.
  if (Op* reorder = producedBy(value, OpKind::Reorder);
      reorder && reorder->own(0)->type().layout.block == block)
    return reorder->own(0);
  Value*& made = reorders_[{value, block}];
  if (!made) {
    // Behind its producer it serves all later readers.
    Op* before = user;
    Op* op = rewriter_.create({.kind = OpKind::Reorder,
                               .operands = {value},
                               .attrs = {{"block", int64_t{block}}},
                               .resultNames = {value->name() + (block ? "_blocked" : "_plain")}},
                              before);
    context_.count("reorders");
    made = op->result();
  }
  return made;
}

void LayoutAssigner::setOperandLayout(Op& op, size_t i, int block) {
  Value* value = op.operand(i);
  Value* wanted = inLayout(value, block, &op);
  if (wanted != value) rewriter_.setOperand(&op, i, wanted);
}

void LayoutAssigner::apply(Op& op, Wish wish) {
  const Shape y = op.numResults() ? op.result()->shape() : Shape{};
  for (size_t i = 0; i < op.operands().size(); ++i) {
    Value* v = op.operand(i);
    if (!v) continue;
    bool blocked = false;
    if (wish != Wish::Plain) {
      const bool isData =
          op.kind() == OpKind::Concat || (i == 0 && !op.info().is(traits::Elementwise));
      const bool isExtra = i >= op.numOwnOperands() || op.info().is(traits::Elementwise);
      if (isData) blocked = wish == Wish::Blocked;
      // Operands of the result's shape come in its layout; per-channel ones stay as they are.
      else if (isExtra && v->type().numElements() != 1)
        blocked = v->shape() == y || isBlocked(v);
    }
    setOperandLayout(op, i, blocked ? block_ : 0);
  }
  for (size_t i = 0; i < op.numResults(); ++i)
    rewriter_.setLayout(op.result(i), {wish == Wish::Plain ? 0 : block_});
}

void LayoutAssigner::plainOutputs() {
  Graph& graph = rewriter_.graph();
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    Value* output = graph.outputs()[i];
    if (!isBlocked(output)) continue;
    // The last op is a position behind everything; a reorder goes to the very end.
    rewriter_.setOutput(i, inLayout(output, 0, nullptr));
  }
}

Result<> LayoutAssigner::run() {
  // All of it is one rewrite: a graph cut in the middle would not be consistent.
  const auto& ops = context_.graph().ops();
  if (ops.empty() || !context_.begin(*ops.front())) return {};
  for (auto it = ops.begin(); it != ops.end();) {
    Op& op = **it++;
    if (op.kind() == OpKind::Constant || op.kind() == OpKind::Reorder) continue;
    if (isBestBlocked(op)) expandEpilogue(op);
    const Wish wish = wishOf(op);
    apply(op, wish);
    if (wish != Wish::Plain)
      context_.applied(Reason::Blocked, op, fmt::format("channels in blocks of {}", block_));
  }
  plainOutputs();
  return {};
}

} // namespace

Result<> assignLayout(PassContext& context) {
  const int block = context.options().target.channelBlock;
  if (block < 2) return {};
  return LayoutAssigner(context, block).run();
}

} // namespace enfold
