// The reason table, and bookkeeping of remarks.
#include "passes/Remark.h"

#include "ir/Graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold {

/// Most networks have no more.
constexpr size_t kUsualRemarks = 512;

std::span<const ReasonInfo> reasonTable() {
  static constexpr ReasonInfo kTable[] = {
#define ENFOLD_REASON(name, code, explanation) {Reason::name, code, explanation},
#include "passes/Reasons.def"
  };
  return kTable;
}

const ReasonInfo& info(Reason reason) { return reasonTable()[static_cast<size_t>(reason)]; }

std::string_view name(Outcome outcome) {
  return outcome == Outcome::Applied ? "applied" : "refused";
}

std::string Remark::str() const {
  return fmt::format("{}: {} [{}] '{}': {}", pass, name(outcome), info(reason).code,
                     fmt::join(ops, "', '"), message);
}

void RemarkStream::add(Remark remark) {
  if (remarks_.empty()) remarks_.reserve(kUsualRemarks);
  const std::string key = remark.pass + '\n' + remark.candidate;
  const bool refused = remark.outcome == Outcome::Refused;
  if (auto it = refused_.find(key); it != refused_.end()) {
    remarks_[it->second] = std::move(remark);
    if (!refused) refused_.erase(it);
    return;
  }
  if (refused) refused_.emplace(key, remarks_.size());
  remarks_.push_back(std::move(remark));
}

std::vector<std::string> namesOf(const Op& op) {
  if (op.origins().empty()) return {op.result()->name()};
  return {op.origins().begin(), op.origins().end()};
}

} // namespace enfold
