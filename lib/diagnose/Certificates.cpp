// Certificates from remarks, and their JSON.
#include "diagnose/Certificates.h"

#include <nlohmann/json.hpp>

namespace enfold::diagnose {

std::vector<Certificate> certificatesOf(const PipelineReport& report) {
  std::vector<Certificate> certificates;
  for (const Remark& remark : report.remarks.remarks())
    if (remark.outcome == Outcome::Applied && remark.reason != Reason::Narrowed &&
        remark.facts.numbers.contains("bound_per_input"))
      certificates.push_back({.pass = remark.pass,
                              .reason = std::string(info(remark.reason).code),
                              .nodes = remark.ops,
                              .tensor = remark.facts.value,
                              .numbers = remark.facts.numbers});
  return certificates;
}

Json toJson(std::span<const Certificate> certificates) {
  Json json = Json::array();
  for (const Certificate& certificate : certificates) {
    Json entry = {{"pass", certificate.pass},
                  {"reason", certificate.reason},
                  {"nodes", certificate.nodes},
                  {"tensor", certificate.tensor}};
    for (const auto& [name, number] : certificate.numbers) entry[name] = number;
    json.push_back(std::move(entry));
  }
  return json;
}

std::vector<Certificate> certificatesFrom(const Json& json) {
  std::vector<Certificate> certificates;
  for (const Json& entry : json) {
    Certificate certificate{.pass = entry.at("pass"),
                            .reason = entry.at("reason"),
                            .nodes = entry.at("nodes"),
                            .tensor = entry.at("tensor"),
                            .numbers = {}};
    for (const char* bound : {"bound_per_input", "bound_constant"})
      certificate.numbers[bound] = entry.at(bound);
    for (const auto& [name, value] : entry.items())
      if (value.is_number()) certificate.numbers[name] = value;
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

} // namespace enfold::diagnose
