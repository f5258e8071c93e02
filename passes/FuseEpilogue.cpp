// fuse-epilogue: an elementwise op becomes the last step of the epilogue of the op that produces
// its operand, if nothing else reads that operand. Chains of elementwise ops fuse into the first of
// them. Of two producers that could take the op, the later one in the graph takes it, so that the
// other operand is computed by then. Steps may change the element type: casts, comparisons and what
// follows them are steps like others.
#include "passes/Conversion.h"
#include "passes/Match.h"
#include "passes/Pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace enfold {
namespace {

/// A kernel keeps all steps and operands of an epilogue at hand.
constexpr size_t kMaxSteps = 24, kMaxOperands = 24;

using Positions = std::unordered_map<const Op*, size_t>;

Positions positionsOf(const Graph& graph) {
  Positions positions;
  for (const auto& op : graph.ops()) positions.emplace(op.get(), positions.size());
  return positions;
}

/// Whether kernels have a formula for the op. One that runs as its reference function would draw
/// its producer along.
bool hasFormula(const Op& op) {
  const auto isNumber = [](const Value* v) { return !v || hasArithmetic(v->elem()); };
  if (!std::ranges::all_of(op.operands(), isNumber) || !isNumber(op.result())) return false;
  const ElemType elem = op.own(0)->elem();
  switch (op.kind()) {
  case OpKind::Erf:
  case OpKind::Shrink:
    return isFloat(elem);
  case OpKind::Pow:
    return op.own(1)->elem() == elem ||
           (op.own(1)->elem() != ElemType::Bool && (isFloat(elem) || isInteger(op.own(1)->elem())));
  default:
    return true;
  }
}

/// Empty when `producer` can take `user` into its epilogue.
OrRefusal<void> canFuse(const Op& producer, const Op& user, const Value* between) {
  if (!producer.info().supportsEpilogue() || producer.numResults() != 1)
    return refuse(Reason::NoEpilogue, fmt::format("{} takes no epilogue", producer.describe()));
  if (between->outputUses() != 0)
    return refuse(Reason::GraphOutput,
                  fmt::format("%{} is an output of the model", between->name()));
  if (!isOnlyUsedBy(between, &user))
    return refuse(Reason::ProducerMultiUse,
                  fmt::format("%{} has {} readers", between->name(), between->numUses()));
  if (!hasFormula(user))
    return refuse(Reason::ElementType, "no kernel computes it with these element types");
  if (user.result()->shape() != between->shape())
    return refuse(Reason::ShapeGrows, "its result is larger than its operand");
  if (std::ranges::find(user.operands().subspan(user.numOwnOperands()), between) !=
      user.operands().end())
    return refuse(Reason::ReadsTwice, "its epilogue reads the operand again");
  if (producer.epilogue().size() + user.epilogue().size() >= kMaxSteps ||
      producer.operands().size() + user.operands().size() > kMaxOperands)
    return refuse(Reason::EpilogueFull, "the epilogue of its producer is full");
  return {};
}

/// The operand that the op computes something of, if all others are constants.
Value* onlyVariable(const Op& op) {
  Value* found = nullptr;
  for (Value* operand : op.operands()) {
    if (!operand || operand->constant()) continue;
    if (found) return nullptr;
    found = operand;
  }
  return found;
}

/// The op with an epilogue that elementwise ops, each read by the next alone, make the value of;
/// null if there is none.
const Op* sourceOf(const Value* value, const Op* reader) {
  for (;; reader = value->producer(), value = onlyVariable(*reader)) {
    if (!value || !value->producer() || !isOnlyUsedBy(value, reader)) return nullptr;
    const Op& producer = *value->producer();
    if (producer.info().is(traits::Elementwise)) continue;
    return producer.info().supportsEpilogue() && producer.numResults() == 1 ? &producer : nullptr;
  }
}

/// Whether an op that widens the numbers of `producer`, which stores fewer bits, is better done by
/// the epilogue of a later op, to whose result the wide numbers are added, or the like.
bool isWidenedByReader(const Op& op, const Op& producer, const Positions& positions) {
  if (producer.info().is(traits::Elementwise)) return false;
  for (const Op* last = &op;;) {
    const Op* reader = onlyUser(last->result());
    if (!reader || !reader->info().is(traits::Elementwise)) return false;
    if (!onlyVariable(*reader)) {
      for (const Value* other : reader->ownOperands()) {
        if (!other || other == last->result() || other->shape() != op.result()->shape()) continue;
        const Op* source = sourceOf(other, reader);
        if (source && positions.at(source) > positions.at(&producer)) return true;
      }
      return false;
    }
    // Arithmetic in the wide type.
    if (reader->result()->type() != op.result()->type()) return false;
    last = reader;
  }
}

/// A later op may be between the producer and the user and read what is to move: the producer moves
/// down to the user's place, which is safe because only the user reads its result.
void tryFuse(PassContext& context, Op& op, const Positions& positions) {
  Op* best = nullptr;
  std::optional<Refusal> why;
  for (Value* operand : op.ownOperands()) {
    Op* producer = operand ? operand->producer() : nullptr;
    if (!producer || producer->kind() == OpKind::Constant) continue;
    if (auto fits = canFuse(*producer, op, operand); !fits) {
      if (!why) why = fits.error();
      continue;
    }
    if (convertsFewBits(op) && isWidenedByReader(op, *producer, positions)) {
      why = {Reason::WidenedByReader, "another epilogue widens what it reads"};
      continue;
    }
    // Matrix and convolution kernels gain most, conversions least, for they can be done where they
    // are read; among equals the later one.
    const auto rank = [&](const Op* p) {
      return std::tuple(!p->info().is(traits::Elementwise), !convertsFewBits(*p), positions.at(p));
    };
    if (!best || rank(producer) > rank(best)) best = producer;
  }
  if (!best) {
    if (why) return context.refused(*why, op);
    return context.refused(Reason::NoProducer, op, "its operands are inputs or constants");
  }
  if (!context.begin(op)) return;
  context.applied(Reason::Fused, op, "a step of the epilogue of " + best->describe());
  context.rewriter().fuse(best, &op);
}

} // namespace

Result<> fuseEpilogue(PassContext& context) {
  const Positions positions = positionsOf(context.graph());
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (op.info().is(traits::Elementwise)) tryFuse(context, op, positions);
  }
  return {};
}

} // namespace enfold
