// The pass table, and what passes report.
#include "passes/Pass.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {

std::optional<Precision> precisionOf(std::string_view name) {
  if (name == "model") return Precision::Model;
  if (name == "fp32") return Precision::Fp32;
  if (name == "bf16") return Precision::Bf16;
  return std::nullopt;
}

void PassContext::applied(Reason reason, const Op& op, std::string message, RemarkFacts facts) {
  count("applied");
  remarks_.add({pass_, Outcome::Applied, reason, op.result()->name(), namesOf(op),
                std::move(message), op.info().name, std::move(facts)});
}

void PassContext::refused(const Refusal& refusal, const Op& op) {
  remarks_.add({pass_, Outcome::Refused, refusal.reason, op.result()->name(), namesOf(op),
                refusal.message, op.info().name});
}

bool PassContext::hasKernel(const OpSpec& spec) const {
  Graph scratch;
  OpSpec copy{.kind = spec.kind, .operands = {}, .attrs = spec.attrs};
  for (const Value* operand : spec.operands) {
    const Tensor* tensor = operand ? operand->constant() : nullptr;
    copy.operands.push_back(!operand ? nullptr
                            : tensor ? scratch.constant(*tensor, "")
                                     : scratch.addInput("", operand->type()));
  }
  const auto op = scratch.create(std::move(copy));
  return op && hasKernel(**op);
}

void PassContext::count(std::string_view counter, int64_t amount) {
  statistics_[fmt::format("{}.{}", pass_, counter)] += amount;
}

std::span<const PassInfo> passTable() {
  static constexpr PassInfo kTable[] = {
#define ENFOLD_PASS(name, function, kind, layouts, summary)                                        \
  {name, function, PassKind::kind, Layouts::layouts, summary},
#include "passes/Passes.def"
  };
  return kTable;
}

const PassInfo* findPass(std::string_view name) {
  const auto table = passTable();
  const auto it = std::ranges::find(table, name, &PassInfo::name);
  return it == table.end() ? nullptr : &*it;
}

} // namespace enfold
