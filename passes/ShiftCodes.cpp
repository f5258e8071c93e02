// shift-codes: 8-bit tensors between quantizations and dequantizations get the sign that the
// target multiplies with signed weights as it is stored: their numbers and zero points are shifted
// by 128, and what they stand for stays as it is. Kernels need no copies of the other sign then.
//
// A NaN is quantized to 0, whose meaning would change. So only quantizations of tensors whose
// magnitudes have a bound are shifted.
#include "ir/Verifier.h"
#include "passes/Magnitude.h"
#include "passes/Match.h"
#include "passes/Pass.h"
#include "passes/integer/Quantized.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

namespace enfold {
namespace {

/// Ops whose result has the codes of their operands, in other places.
bool movesCodes(const Op& op) {
  if (!op.epilogue().empty() || op.numResults() != 1 || dependsOnData(op)) return false;
  return op.kind() == OpKind::Concat || movesElements(op.kind()) || isNearestResize(op);
}

/// Operands whose codes are moved.
std::span<Value* const> movedBy(const Op& op) {
  return op.kind() == OpKind::Concat ? op.ownOperands() : op.ownOperands().first(1);
}

/// Whether one scale relates f32 and these codes.
bool relates(const Op& op, const Value* codes) {
  const bool isQuantizer = op.kind() == OpKind::QuantizeLinear && op.result() == codes;
  const bool isDequantizer = op.kind() == OpKind::DequantizeLinear && op.own(0) == codes;
  if ((!isQuantizer && !isDequantizer) || op.own(1)->type().numElements() != 1) return false;
  const auto scale = quantizationOf(op);
  return scale && scale->isUniform();
}

class CodeShift {
public:
  CodeShift(PassContext& context, ElemType to)
      : context_(context), rewriter_(context.rewriter()), to_(to),
        from_(to == ElemType::U8 ? ElemType::I8 : ElemType::U8),
        shift_(to == ElemType::U8 ? 128 : -128) {}

  void run();

private:
  bool isMade(const Value* codes) const;
  bool isRead(const Value* codes) const;
  Value* remade(Op& op);
  Value* shiftedZero(Op& op);

  PassContext& context_;
  Rewriter& rewriter_;
  const ElemType to_, from_;
  const int64_t shift_;
  std::unordered_set<const Value*> codes_;           ///< that are shifted
  std::unordered_map<const Value*, Value*> shifted_; ///< by what they were
};

/// By a quantization, or of codes that are shifted.
bool CodeShift::isMade(const Value* codes) const {
  const Op& op = *codes->producer();
  if (op.kind() == OpKind::QuantizeLinear) return true;
  return std::ranges::all_of(movedBy(op),
                             [&](const Value* moved) { return codes_.contains(moved); });
}

/// By dequantizations, or for codes that are shifted.
bool CodeShift::isRead(const Value* codes) const {
  return codes->outputUses() == 0 && std::ranges::all_of(codes->users(), [&](const Op* user) {
           if (relates(*user, codes)) return true;
           return user->numResults() == 1 && codes_.contains(user->result());
         });
}

Value* CodeShift::shiftedZero(Op& op) {
  Tensor zero(to_, op.own(1)->shape());
  const double stored = op.own(2) ? op.own(2)->constant()->asDouble(0) : 0.0;
  zero.setDouble(0, stored + static_cast<double>(shift_));
  return rewriter_.constant(zero, "zero", &op);
}

/// The result of such an op on shifted codes.
Value* CodeShift::remade(Op& op) {
  OpSpec spec{.kind = op.kind(),
              .operands = {op.ownOperands().begin(), op.ownOperands().end()},
              .attrs = op.attrs()};
  spec.origins.assign(op.origins().begin(), op.origins().end());
  for (Value*& operand : spec.operands)
    if (const auto it = shifted_.find(operand); it != shifted_.end()) operand = it->second;
  if (!movesCodes(op)) {
    spec.operands.resize(3);
    spec.operands[2] = shiftedZero(op);
  }
  if (op.kind() == OpKind::QuantizeLinear) spec.attrs.erase("output_dtype");
  return rewriter_.create(std::move(spec), &op)->result();
}

void CodeShift::run() {
  const Magnitudes magnitudes(context_.graph());
  for (const auto& op : context_.graph().ops()) {
    if (op->numResults() != 1 || op->result()->elem() != from_ || op->result()->constant())
      continue;
    const bool quantizes = relates(*op, op->result());
    if (quantizes && !magnitudes.boundOf(op->own(0)))
      context_.refused(Reason::NotQuantized, *op, "may be NaN");
    else if (quantizes || movesCodes(*op))
      codes_.insert(op->result());
  }
  while (std::erase_if(codes_, [&](const Value* v) { return !isMade(v) || !isRead(v); }) > 0) {
  }
  std::vector<Op*> ops;
  for (const auto& op : context_.graph().ops()) {
    const bool reads = op->kind() == OpKind::DequantizeLinear && codes_.contains(op->own(0));
    if (reads || (op->numResults() == 1 && codes_.contains(op->result()))) ops.push_back(op.get());
  }
  // All of it is one rewrite: codes of both signs would not fit each other.
  if (ops.empty() || !context_.begin(*ops.front())) return;
  std::vector<std::pair<Op*, Value*>> dequantizers;
  for (Op* op : ops) {
    if (op->kind() == OpKind::QuantizeLinear)
      context_.applied(Reason::Simplified, *op, fmt::format("to {}", name(to_)));
    if (op->kind() == OpKind::DequantizeLinear)
      dequantizers.emplace_back(op, remade(*op));
    else
      shifted_.emplace(op->result(), remade(*op));
  }
  for (const auto& [op, made] : dequantizers) {
    const std::string name = op->result()->name();
    rewriter_.replace(op->result(), made);
    rewriter_.eraseDead(op);
    rewriter_.rename(made, name);
  }
}

} // namespace

Result<> shiftCodes(PassContext& context) {
  if (const auto elem = context.options().target.codes) CodeShift(context, *elem).run();
  return {};
}

} // namespace enfold
