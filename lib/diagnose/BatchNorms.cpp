// Matches normalizations with remarks and with what is left of them.
#include "diagnose/BatchNorms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace enfold::diagnose {
namespace {

using Remarks = std::span<const Remark>;

/// The remark of that pass on the op that computes `value`; the last one when there are several.
const Remark* find(Remarks remarks, std::string_view pass, std::string_view value) {
  for (size_t i = remarks.size(); i-- > 0;)
    if (remarks[i].pass == pass && remarks[i].candidate == value) return &remarks[i];
  return nullptr;
}

bool isApplied(const Remark* remark) { return remark && remark->outcome == Outcome::Applied; }

bool hasOrigin(const Op& op, const std::string& origin) {
  return std::ranges::find(op.origins(), origin) != op.origins().end();
}

/// An op that does the normalization's arithmetic together with the work of other nodes; null when
/// the arithmetic is on its own.
const Op* sharedWith(const Graph& graph, const std::string& origin) {
  for (const auto& op : graph.ops())
    if (hasOrigin(*op, origin) && op->origins().front() != origin) return op.get();
  return nullptr;
}

/// Why arithmetic of the node was not fused into what comes before.
std::string whyAlone(Remarks remarks, const std::string& origin) {
  for (const Remark& remark : remarks)
    if (remark.pass == "fuse-epilogue" && remark.outcome == Outcome::Refused &&
        remark.ops.front() == origin)
      return fmt::format("[{}] {}", info(remark.reason).code, remark.message);
  return "fuse-epilogue did not run";
}

} // namespace

std::string_view name(BatchNormStatus status) {
  constexpr std::string_view kNames[] = {"folded", "fused", "alone", "removed", "kept"};
  return kNames[static_cast<size_t>(status)];
}

std::vector<std::string> batchNormsOf(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& op : graph.ops())
    if (op->kind() == OpKind::BatchNormalization) names.push_back(op->result()->name());
  return names;
}

std::vector<BatchNormAccount> accountOf(const std::vector<std::string>& batchNorms,
                                        const Graph& optimized, const PipelineReport& report) {
  const Remarks remarks = report.remarks.remarks();
  std::vector<BatchNormAccount> accounts;
  for (const std::string& value : batchNorms) {
    BatchNormAccount account{.name = value};
    const Remark* backward = find(remarks, "fold-batchnorm", value);
    const Remark* forward = find(remarks, "fold-forward", value);
    const Remark* expanded = find(remarks, "expand-batchnorm", value);
    for (const Remark* remark : {backward, forward, expanded})
      if (remark) account.name = remark->ops.front();
    if (backward && !isApplied(backward)) {
      account.refusal = *backward;
      account.looksFoldable = backward->reason != Reason::NotAfterConv;
    }
    const Value* left = optimized.find(value);
    if (isApplied(backward) || isApplied(forward)) {
      account.status = BatchNormStatus::Folded;
      account.detail = (isApplied(backward) ? backward : forward)->message;
    } else if (isApplied(expanded)) {
      const Op* host = sharedWith(optimized, account.name);
      account.status = host ? BatchNormStatus::Fused : BatchNormStatus::Alone;
      account.detail = host ? "a step of " + host->describe() : whyAlone(remarks, account.name);
    } else if (left && left->producer() && left->producer()->kind() == OpKind::BatchNormalization) {
      account.detail = "the passes that would change it did not run";
    } else {
      account.status = BatchNormStatus::Removed;
      account.detail = "nothing needs it";
    }
    accounts.push_back(std::move(account));
  }
  return accounts;
}

std::map<BatchNormStatus, int64_t> countStatuses(std::span<const BatchNormAccount> accounts) {
  std::map<BatchNormStatus, int64_t> counts;
  for (const BatchNormAccount& account : accounts) ++counts[account.status];
  return counts;
}

Json toJson(std::span<const BatchNormAccount> accounts) {
  std::map<BatchNormStatus, int64_t> counts = countStatuses(accounts);
  Json json = {{"total", accounts.size()}};
  for (const BatchNormStatus status : kBatchNormStatuses) json[name(status)] = counts[status];
  json["nodes"] = Json::array();
  for (const BatchNormAccount& account : accounts)
    json["nodes"].push_back(
        {{"name", account.name},
         {"status", name(account.status)},
         {"refused", account.refusal ? Json(info(account.refusal->reason).code) : Json(nullptr)},
         {"detail", account.detail}});
  return json;
}

} // namespace enfold::diagnose
