// narrow-operands: where bf16 is asked for, convolutions and matrix products of f32 multiply bf16:
// their operands are rounded to it, the products summed in f32. A tensor that such an op reads is
// bf16 for all its readers, so that what computes it rounds once, as the last step of its epilogue,
// and only bf16 are stored; readers other than products convert. Ops that only move numbers, such
// as max pools, move bf16. Everything else computes in f32.
#include "ir/Verifier.h"
#include "passes/Match.h"
#include "passes/Pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

namespace enfold {
namespace {

/// Half the distance between neighbouring bf16 of magnitude 1.
constexpr double kUnit = 0x1p-8;

bool isProduct(const Op& op) {
  switch (op.kind()) {
  case OpKind::Conv:
  case OpKind::ConvTranspose:
  case OpKind::Gemm:
  case OpKind::MatMul:
    return true;
  default:
    return false;
  }
}

/// Rounded to nearest even; none if a number becomes infinite.
std::optional<Tensor> rounded(const Tensor& tensor) {
  Tensor halves(ElemType::BF16, tensor.shape());
  const float* from = tensor.data<float>();
  BFloat16* to = halves.mutableData<BFloat16>();
  bool overflows = false;
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    to[i] = BFloat16(from[i]);
    overflows |= std::isinf(static_cast<float>(to[i])) && !std::isinf(from[i]);
  }
  return overflows ? std::nullopt : std::optional(std::move(halves));
}

/// For each number of the weights, which of the op's results it is multiplied into.
std::function<int64_t(int64_t)> channelOf(const Op& op) {
  const Shape& w = op.own(1)->shape();
  const int64_t inner = w.empty() ? 1 : numElements(Shape(w.begin() + 1, w.end()));
  if (op.kind() == OpKind::Conv || (op.kind() == OpKind::Gemm && op.integer("transB") != 0))
    return [inner](int64_t i) { return i / inner; };
  if (op.kind() == OpKind::ConvTranspose) {
    const int64_t ofGroup = w[1], taps = inner / w[1], inputs = w[0] / op.integer("group");
    return [=](int64_t i) { return i / inner / inputs * ofGroup + i / taps % ofGroup; };
  }
  const int64_t columns = w.size() > 1 ? w.back() : 1;
  return [columns](int64_t i) { return i % columns; };
}

/// How far the result may be from that of the f32 operands, for every unit of the largest input.
double boundPerInput(const Op& op) {
  const Tensor& weights = *op.own(1)->constant();
  const auto channel = channelOf(op);
  std::unordered_map<int64_t, double> sums;
  for (int64_t i = 0; i < weights.numElements(); ++i)
    sums[channel(i)] += std::fabs(weights.data<float>()[i]);
  double largest = 0;
  for (const auto& [k, sum] : sums) largest = std::max(largest, sum);
  const double alpha = op.kind() == OpKind::Gemm ? std::fabs(op.real("alpha")) : 1;
  return alpha * largest * (2 * kUnit + kUnit * kUnit);
}

class Narrowing {
public:
  explicit Narrowing(PassContext& context) : context_(context), rewriter_(context.rewriter()) {}

  void run();

private:
  bool choose(const Op& op);
  OpSpec specOf(const Op& op) const;
  void rewrite(Op& op);
  Value* narrow(Value* value, const Op& user);
  Value* narrowAbove(Value* value, const Op& user);
  bool isMoved(const Value* value) const;
  Op* behind(const Value* value) const;
  void redirectReaders(Value* value, Value* halves);

  PassContext& context_;
  Rewriter& rewriter_;
  std::vector<Op*> products_;
  std::unordered_set<const Op*> chosen_;  ///< that still read f32
  std::unordered_set<const Value*> kept_; ///< read by products that stay as they are
  // By names, since values go.
  std::unordered_map<std::string, Tensor> constants_; ///< rounded
  std::unordered_map<std::string, Value*> halves_;    ///< made for values of f32
};

/// What the op becomes; tensors that are computed are read as they are for now.
OpSpec Narrowing::specOf(const Op& op) const {
  OpSpec spec{.kind = op.kind(),
              .operands = {op.ownOperands().begin(), op.ownOperands().end()},
              .attrs = op.attrs()};
  spec.attrs["sum"] = ElemType::F32;
  spec.origins.assign(op.origins().begin(), op.origins().end());
  return spec;
}

/// Whether the op will multiply bf16; if not, says why.
bool Narrowing::choose(const Op& op) {
  const auto refuse = [&](Reason reason, std::string message) {
    context_.refused(reason, op, std::move(message));
    return false;
  };
  if (op.own(0)->elem() != ElemType::F32)
    return refuse(Reason::ElementType, fmt::format("multiplies {}", name(op.own(0)->elem())));
  if (context_.options().unrounded.contains(op.result()->name()))
    return refuse(Reason::RolledBack, "rounding its operands costs more accuracy than allowed");
  Graph scratch;
  OpSpec spec = specOf(op);
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    const Value* operand = spec.operands[i];
    if (!operand) continue;
    const Tensor* tensor = operand->constant();
    if (tensor && i < 2) {
      if (!constants_.contains(operand->name())) {
        auto halves = rounded(*tensor);
        if (!halves) return refuse(Reason::NotFinite, "a weight is too large for bf16");
        constants_.emplace(operand->name(), *std::move(halves));
      }
      tensor = &constants_.at(operand->name());
    }
    Type type = operand->type();
    if (i < 2) type.elem = ElemType::BF16;
    spec.operands[i] = tensor ? scratch.constant(*tensor, "") : scratch.addInput("", type);
  }
  const auto made = scratch.create(std::move(spec));
  if (!made || !context_.hasKernel(**made))
    return refuse(Reason::NoKernel, "no kernel computes it");
  return true;
}

void Narrowing::run() {
  for (const auto& op : context_.graph().ops()) {
    if (!isProduct(*op) || !op->epilogue().empty() || op->own(0)->elem() == ElemType::BF16)
      continue;
    if (choose(*op)) {
      products_.push_back(op.get());
      chosen_.insert(op.get());
    } else {
      kept_.insert({op->own(0), op->own(1)});
    }
  }
  for (Op* op : products_) {
    if (!context_.begin(*op)) return;
    rewrite(*op);
  }
}

void Narrowing::rewrite(Op& op) {
  RemarkFacts facts;
  if (op.own(1)->constant())
    facts = {{{"bound_per_input", boundPerInput(op)}, {"bound_constant", 0}}, op.result()->name()};
  context_.applied(Reason::Narrowed, op,
                   context_.options().target.multipliesBf16
                       ? "multiplies bf16, sums in f32"
                       : "multiplies bf16, sums in f32; without instructions for it, as f32",
                   std::move(facts));
  OpSpec spec = specOf(op);
  for (size_t i : {0, 1}) spec.operands[i] = narrow(spec.operands[i], op);
  Value* result = rewriter_.create(std::move(spec), &op)->result();
  const std::string name = op.result()->name();
  rewriter_.replace(op.result(), result);
  chosen_.erase(&op);
  rewriter_.eraseDead(&op);
  rewriter_.rename(result, name);
}

/// Whether what computes the value can move bf16 instead.
bool Narrowing::isMoved(const Value* value) const {
  const Op* op = value->producer();
  if (!op || value->outputUses() != 0 || kept_.contains(value)) return false;
  if (!op->epilogue().empty() || op->numResults() != 1 || dependsOnData(*op)) return false;
  if (op->kind() == OpKind::Concat) return true;
  return (movesElements(op->kind()) || isNearestResize(*op)) && !op->own(0)->constant();
}

/// The op in front of which the value has been computed.
Op* Narrowing::behind(const Value* value) const {
  const auto& ops = context_.graph().ops();
  if (!value->producer()) return ops.front().get();
  const auto it = std::ranges::find(ops, value->producer(), &std::unique_ptr<Op>::get);
  return std::next(it) == ops.end() ? nullptr : std::next(it)->get();
}

/// The value as bf16, which all its readers get.
Value* Narrowing::narrow(Value* value, const Op& user) {
  if (const auto made = halves_.find(value->name()); made != halves_.end()) return made->second;
  Value* halves = nullptr;
  if (const auto constant = constants_.find(value->name()); constant != constants_.end()) {
    halves = rewriter_.constant(constant->second, value->name() + "_bf16", value->producer());
  } else if (isMoved(value)) {
    return narrowAbove(value, user);
  } else {
    Op* cast = rewriter_.create({.kind = OpKind::Cast,
                                 .operands = {value},
                                 .attrs = {{"to", ElemType::BF16}},
                                 .resultNames = {value->name() + "_bf16"}},
                                behind(value));
    rewriter_.addOrigins(cast, value->producer() ? value->producer()->origins() : user.origins());
    halves = cast->result();
    redirectReaders(value, halves);
  }
  halves_.emplace(value->name(), halves);
  return halves;
}

/// The same of what an op moves.
Value* Narrowing::narrowAbove(Value* value, const Op& user) {
  Op* op = value->producer();
  OpSpec spec{.kind = op->kind(),
              .operands = {op->ownOperands().begin(), op->ownOperands().end()},
              .attrs = op->attrs(),
              .resultNames = {value->name() + "_bf16"}};
  spec.origins.assign(op->origins().begin(), op->origins().end());
  const size_t data = op->kind() == OpKind::Concat ? spec.operands.size() : 1;
  for (size_t i = 0; i < data; ++i) {
    spec.operands[i] = narrow(spec.operands[i], user);
  }
  Value* halves = rewriter_.create(std::move(spec), op)->result();
  halves_.emplace(value->name(), halves);
  redirectReaders(value, halves);
  if (value->numUses() == 0) rewriter_.eraseDead(op);
  return halves;
}

/// Readers that are not about to read bf16 convert, so that nothing else need be stored.
void Narrowing::redirectReaders(Value* value, Value* halves) {
  if (!value->producer() || value->constant() || value->outputUses() != 0 || kept_.contains(value))
    return;
  const std::vector<Op*> users(value->users().begin(), value->users().end());
  for (Op* user : users) {
    if (user == halves->producer()) continue;
    Value* wide = nullptr;
    for (size_t i = 0; i < user->operands().size(); ++i) {
      if (user->operand(i) != value || (i < 2 && chosen_.contains(user))) continue;
      if (!wide) {
        Op* cast = rewriter_.create(
            {.kind = OpKind::Cast, .operands = {halves}, .attrs = {{"to", ElemType::F32}}}, user);
        rewriter_.addOrigins(cast, user->origins());
        wide = cast->result();
      }
      rewriter_.setOperand(user, i, wide);
    }
  }
}

} // namespace

Result<> narrowOperands(PassContext& context) {
  if (context.options().precision == Precision::Bf16) Narrowing(context).run();
  return {};
}

} // namespace enfold
