// move-quantization: ops that only move, repeat or compare numbers run on the integers that stand
// for them. A dequantization moves behind such an op, and a quantization in front of one, so that
// they meet: where both are of one scale, nothing is left of them. All scales concerned hold for
// the whole tensor.
#include "ir/Verifier.h"
#include "passes/Match.h"
#include "passes/Pass.h"
#include "passes/integer/Quantized.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace enfold {
namespace {

/// Those with as many elements as they read, each of them once.
bool permutes(OpKind kind) {
  return movesElements(kind) && kind != OpKind::Expand && kind != OpKind::Gather &&
         kind != OpKind::MaxPool && kind != OpKind::Slice && kind != OpKind::Tile;
}

/// A padding by zeros that will not become that of a window behind it: then it is one by the zero
/// point.
bool isPadByZeros(const Op& op) {
  if (op.kind() != OpKind::Pad || op.string("mode") != "constant") return false;
  if (op.own(2) && scalarValue(op.own(2)) != 0.0) return false;
  const Op* user = onlyUser(op.result());
  const bool joins = user && (user->kind() == OpKind::Conv || user->kind() == OpKind::AveragePool ||
                              user->kind() == OpKind::MaxPool);
  return !joins;
}

/// Whether a window of the pool could lie in the padding as a whole, which is no number.
bool mayMissData(const Op& pool) {
  const std::vector<int64_t> kernel = pool.ints("kernel_shape"), pads = pool.ints("pads");
  const bool dilated =
      std::ranges::any_of(pool.ints("dilations"), [](int64_t d) { return d != 1; });
  for (size_t i = 0; i < pads.size(); ++i)
    if (pads[i] >= kernel[i % kernel.size()] || (dilated && pads[i] > 0)) return true;
  return false;
}

/// An op of one operand with data and one result that runs on integers as on what they stand for.
bool runsOnCodes(const Op& op) {
  if (!op.epilogue().empty() || op.numResults() != 1 || dependsOnData(op)) return false;
  if (op.kind() == OpKind::MaxPool && mayMissData(op)) return false;
  return movesElements(op.kind()) || isNearestResize(op) || isPadByZeros(op) ||
         (op.kind() == OpKind::Pad && op.string("mode") != "constant");
}

class Movement {
public:
  explicit Movement(PassContext& context) : context_(context), rewriter_(context.rewriter()) {}

  void run();

private:
  bool lower(Op& dequantizer, Op& reader);
  bool lowerAll(Op& concat);
  bool raise(Op& quantizer);
  bool raiseAboveConcat(Op& quantizer, Op& concat);
  bool cancel(Op& quantizer);

  bool begin(Op& op, std::string message);
  /// quantize_linear or dequantize_linear of `x`, as `like` is.
  Value* remade(const Op& like, Value* x, Op* before);
  void replace(Op& op, Value* by);

  PassContext& context_;
  Rewriter& rewriter_;
  std::unordered_set<const Op*> gone_;
};

bool Movement::begin(Op& op, std::string message) {
  if (!context_.begin(op)) return false;
  context_.applied(Reason::Moved, op, std::move(message));
  return true;
}

Value* Movement::remade(const Op& like, Value* x, Op* before) {
  OpSpec spec{.kind = like.kind(), .operands = {x, like.own(1)}, .attrs = like.attrs()};
  if (like.own(2)) spec.operands.push_back(like.own(2));
  spec.attrs.erase("axis"); // of one scale there is none
  spec.origins.assign(like.origins().begin(), like.origins().end());
  return rewriter_.create(std::move(spec), before)->result();
}

void Movement::replace(Op& op, Value* by) {
  const std::string name = op.result()->name();
  rewriter_.replace(op.result(), by);
  gone_.merge(rewriter_.eraseDead(&op));
  rewriter_.rename(by, name);
}

/// Whether one scale relates floats and numbers of 8 bits, which all ops that move take.
bool isUniform(const Op& op) {
  const auto scale = quantizationOf(op);
  const bool quantizes = op.kind() == OpKind::QuantizeLinear;
  const Value* codes = quantizes ? op.result() : op.own(0);
  return scale && isByte(codes->elem()) && scale->isUniform() &&
         op.own(1)->type().numElements() == 1;
}

bool sameScale(const Op& a, const Op& b) {
  const auto x = quantizationOf(a), y = quantizationOf(b);
  return x && y && x->isUniform() && *x == *y;
}

/// What `reader` does with dequantized numbers, it does with the integers.
bool Movement::lower(Op& dequantizer, Op& reader) {
  if (!runsOnCodes(reader) || reader.own(0) != dequantizer.result() || !isUniform(dequantizer))
    return false;
  if (!begin(reader, "runs on the integers")) return false;
  Value* codes = dequantizer.own(0);
  OpSpec spec{.kind = reader.kind(),
              .operands = {reader.operands().begin(), reader.operands().end()},
              .attrs = reader.attrs()};
  spec.operands[0] = codes;
  spec.origins.assign(reader.origins().begin(), reader.origins().end());
  if (isPadByZeros(reader)) {
    Tensor zero(codes->elem(), {});
    if (dequantizer.own(2)) zero.setDouble(0, dequantizer.own(2)->constant()->asDouble(0));
    spec.operands.resize(std::max<size_t>(spec.operands.size(), 3));
    spec.operands[2] = rewriter_.constant(zero, "zero", &reader);
  }
  Op* moved = rewriter_.create(std::move(spec), &reader);
  replace(reader, remade(dequantizer, moved->result(), &reader));
  return true;
}

/// A concatenation of tensors dequantized by one scale.
bool Movement::lowerAll(Op& concat) {
  Op* first = dequantizationOf(concat.own(0));
  if (!first || !isUniform(*first)) return false;
  OpSpec spec{.kind = OpKind::Concat, .operands = {}, .attrs = concat.attrs()};
  for (Value* part : concat.ownOperands()) {
    Op* dequantizer = dequantizationOf(part);
    if (!dequantizer || !sameScale(*first, *dequantizer) ||
        dequantizer->own(0)->elem() != first->own(0)->elem())
      return false;
    spec.operands.push_back(dequantizer->own(0));
  }
  if (!begin(concat, "runs on the integers")) return false;
  spec.origins.assign(concat.origins().begin(), concat.origins().end());
  Op* moved = rewriter_.create(std::move(spec), &concat);
  replace(concat, remade(*first, moved->result(), &concat));
  return true;
}

/// A quantization of what is moved becomes a movement of what is quantized.
bool Movement::raise(Op& quantizer) {
  Op* producer = quantizer.own(0)->producer();
  if (!producer || onlyUser(quantizer.own(0)) != &quantizer || !isUniform(quantizer)) return false;
  if (producer->kind() == OpKind::Concat) return raiseAboveConcat(quantizer, *producer);
  // What a dequantization has moved behind by itself is left to it.
  if (!permutes(producer->kind()) || dependsOnData(*producer) || !producer->epilogue().empty() ||
      producer->numResults() != 1 || onlyUser(producer->own(0)) != producer)
    return false;
  if (!begin(quantizer, "in front of " + producer->describe())) return false;
  OpSpec spec{.kind = producer->kind(),
              .operands = {producer->operands().begin(), producer->operands().end()},
              .attrs = producer->attrs()};
  spec.operands[0] = remade(quantizer, producer->own(0), &quantizer);
  spec.origins.assign(producer->origins().begin(), producer->origins().end());
  replace(quantizer, rewriter_.create(std::move(spec), &quantizer)->result());
  return true;
}

/// Each part is quantized alone, if it is dequantized now or nothing else reads it.
bool Movement::raiseAboveConcat(Op& quantizer, Op& concat) {
  const auto canMove = [&](const Value* part) {
    return dequantizationOf(part) || onlyUser(part) == &concat;
  };
  if (!concat.epilogue().empty() || !std::ranges::all_of(concat.ownOperands(), canMove) ||
      std::ranges::none_of(concat.ownOperands(), dequantizationOf))
    return false;
  if (!begin(quantizer, "in front of " + concat.describe())) return false;
  OpSpec spec{.kind = OpKind::Concat, .operands = {}, .attrs = concat.attrs()};
  for (Value* part : concat.ownOperands())
    spec.operands.push_back(remade(quantizer, part, &quantizer));
  spec.origins.assign(concat.origins().begin(), concat.origins().end());
  replace(quantizer, rewriter_.create(std::move(spec), &quantizer)->result());
  return true;
}

/// Integers that are dequantized and quantized again by the same scale are the same.
bool Movement::cancel(Op& quantizer) {
  Op* dequantizer = dequantizationOf(quantizer.own(0));
  if (!dequantizer || !sameScale(quantizer, *dequantizer) ||
      dequantizer->own(0)->elem() != quantizer.result()->elem() ||
      info(quantizer.result()->elem()).bits > 16)
    return false;
  if (!context_.begin(quantizer)) return false;
  context_.applied(Reason::Removed, quantizer, "gives the integers that were dequantized");
  rewriter_.replace(quantizer.result(), dequantizer->own(0));
  gone_.merge(rewriter_.eraseDead(&quantizer));
  return true;
}

/// In the order of the graph for dequantizations, which move down, and against it for
/// quantizations, which move up.
void Movement::run() {
  const auto& ops = context_.graph().ops();
  for (auto it = ops.begin(); it != ops.end();) {
    Op& op = **it++;
    if (op.kind() == OpKind::Concat && op.epilogue().empty()) {
      if (op.numOwnOperands() > 0) lowerAll(op);
    } else if (op.numOwnOperands() > 0 && op.own(0)) {
      if (Op* dequantizer = dequantizationOf(op.own(0))) lower(*dequantizer, op);
    }
  }
  std::vector<Op*> quantizers;
  for (const auto& op : ops)
    if (op->kind() == OpKind::QuantizeLinear) quantizers.push_back(op.get());
  gone_.clear(); // of ops that are no more, others may have taken the place
  for (auto op = quantizers.rbegin(); op != quantizers.rend(); ++op)
    if (!gone_.contains(*op) && !raise(**op)) cancel(**op);
}

} // namespace

Result<> moveQuantization(PassContext& context) {
  Movement(context).run();
  return {};
}

} // namespace enfold
