// The pass table, and what passes report.
#include "passes/Pass.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {

void PassContext::applied(Reason reason, const Op& op, std::string message,
                          std::map<std::string, double> numbers) {
  count("applied");
  remarks_.add(
      {pass_, Outcome::Applied, reason, namesOf(op), std::move(message), std::move(numbers)},
      op.result()->name());
}

void PassContext::refused(const Refusal& refusal, const Op& op) {
  remarks_.add({pass_, Outcome::Refused, refusal.reason, namesOf(op), refusal.message},
               op.result()->name());
}

void PassContext::count(std::string_view counter, int64_t amount) {
  statistics_[fmt::format("{}.{}", pass_, counter)] += amount;
}

std::span<const PassInfo> passTable() {
  static constexpr PassInfo kTable[] = {
#define ENFOLD_PASS(name, function, visibility, summary)                                           \
  {name, function, Visibility::visibility, summary},
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
