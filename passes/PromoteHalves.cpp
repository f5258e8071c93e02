// promote-halves: where f32 is asked for, ops on f16 compute on f32 and their results stay f32
// between them, as runtimes do that have no kernels of f16. Numbers are rounded to f16 only where
// the model casts to it and where it ends, so that results are closer to exact ones than those of
// halves, and not the same. An op that does not exist for f32 stays, between casts.
#include "passes/Pass.h"

#include <algorithm>
#include <unordered_map>

namespace enfold {
namespace {

bool isHalf(const Value* v) { return v && v->elem() == ElemType::F16; }

Type wideType(const Value& value) {
  Type type = value.type();
  if (isHalf(&value)) type.elem = ElemType::F32;
  return type;
}

class Promotion {
public:
  explicit Promotion(Rewriter& rewriter) : rewriter_(rewriter) {}

  /// Whether the op has anything of f16 and its definition holds for f32 in its place.
  bool applies(const Op& op) const {
    const bool hasHalves = std::ranges::any_of(op.operands(), isHalf);
    if (!hasHalves || op.kind() == OpKind::BitCast || !op.epilogue().empty()) return false;
    if (op.kind() == OpKind::Cast) return wide_.contains(op.own(0));
    Graph scratch;
    OpSpec spec = specOf(op);
    for (Value*& operand : spec.operands) {
      if (!operand) continue;
      const Tensor* constant = operand->constant();
      operand = constant && !isHalf(operand) ? scratch.constant(*constant, "")
                                             : scratch.addInput("", wideType(*operand));
    }
    return scratch.create(std::move(spec)).has_value();
  }

  void promote(Op& op) {
    OpSpec spec = specOf(op);
    for (Value*& operand : spec.operands)
      if (isHalf(operand)) operand = wide(operand, op);
    Op* made = rewriter_.create(std::move(spec), &op);
    for (size_t i = 0; i < op.numResults(); ++i) {
      Value* result = made->result(i);
      // A cast to f16 that the model asks for rounds.
      if (isHalf(op.result(i)) && !isHalf(result)) {
        Value* rounded = cast(result, ElemType::F16, op);
        wide_.emplace(rounded, result);
        result = rounded;
      }
      const std::string name = op.result(i)->name();
      rewriter_.replace(op.result(i), result);
      names_.emplace_back(result, name);
    }
    rewriter_.erase(&op); // what is dead now stays, so that no new value takes its place in wide_
    for (const auto& [value, name] : names_) rewriter_.rename(value, name);
    names_.clear();
  }

private:
  /// Of the op on f32, with its operands as they are. The types of its results are stated, since
  /// they may follow from operands that are not folded yet.
  static OpSpec specOf(const Op& op) {
    OpSpec spec{.kind = op.kind(),
                .operands = {op.operands().begin(), op.operands().end()},
                .attrs = op.attrs(),
                .numResults = op.numResults()};
    for (size_t i = 0; i < op.numResults(); ++i)
      spec.resultTypes.push_back(op.kind() == OpKind::Cast ? op.result(i)->type()
                                                           : wideType(*op.result(i)));
    spec.origins.assign(op.origins().begin(), op.origins().end());
    return spec;
  }

  /// The f32 that a half was rounded from, or a cast of it that serves all readers.
  Value* wide(Value* half, Op& user) {
    Value*& made = wide_[half];
    if (!made) made = cast(half, ElemType::F32, user);
    return made;
  }

  Value* cast(Value* value, ElemType to, Op& user) {
    Op* made =
        rewriter_.create({.kind = OpKind::Cast, .operands = {value}, .attrs = {{"to", to}}}, &user);
    rewriter_.addOrigins(made, user.origins());
    return made->result();
  }

  Rewriter& rewriter_;
  std::unordered_map<const Value*, Value*> wide_;
  std::vector<std::pair<Value*, std::string>> names_;
};

} // namespace

Result<> promoteHalves(PassContext& context) {
  if (context.options().precision != Precision::Fp32) return {};
  Promotion promotion(context.rewriter());
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (!promotion.applies(op)) continue;
    if (!context.begin(op)) break;
    context.applied(Reason::Expanded, op, "computed in f32, which its readers take unrounded");
    promotion.promote(op);
  }
  return {};
}

} // namespace enfold
