// From remarks to JSON to text.
#include "tools/Certificates.h"

#include "tools/Common.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {

using nlohmann::ordered_json;

ordered_json certificatesOf(const PipelineReport& report) {
  ordered_json certificates = ordered_json::array();
  for (const Remark& remark : report.remarks.remarks()) {
    if (remark.outcome != Outcome::Applied || !remark.facts.numbers.contains("bound_per_input"))
      continue;
    ordered_json fold = {{"pass", remark.pass},
                         {"reason", info(remark.reason).code},
                         {"nodes", remark.ops},
                         {"tensor", remark.facts.value}};
    for (const auto& [name, number] : remark.facts.numbers) fold[name] = number;
    certificates.push_back(std::move(fold));
  }
  return certificates;
}

std::string summaryOf(const ordered_json& certificates) {
  if (certificates.empty()) return "";
  double perInput = 0, constant = 0;
  for (const ordered_json& fold : certificates) {
    perInput = std::max(perInput, fold.at("bound_per_input").get<double>());
    constant = std::max(constant, fold.at("bound_constant").get<double>());
  }
  return fmt::format("{}, each changes its tensor by at most {:.2g} max|x| + {:.2g}",
                     certificates.size(), perInput, constant);
}

std::string tableOf(const ordered_json& certificates) {
  std::vector<std::vector<std::string>> rows = {{"fold", "of max|x|", "plus", "tensor", "nodes"}};
  for (const ordered_json& fold : certificates)
    rows.push_back({fold.at("reason").get<std::string>(),
                    fmt::format("{:.2g}", fold.at("bound_per_input").get<double>()),
                    fmt::format("{:.2g}", fold.at("bound_constant").get<double>()),
                    fold.at("tensor").get<std::string>(),
                    fmt::format("{}", fmt::join(fold.at("nodes"), " + "))});
  return table(rows);
}

} // namespace enfold::tool
