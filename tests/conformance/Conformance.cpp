// Runs cases of the official ONNX test suite, compiled and fused, many in one process.
//
//   conformance CASES LIST [TEXT]
//
// CASES holds a folder for each case, LIST names the cases to run, TEXT selects those whose name
// contains it. A line is printed for each case that fails, then the count; exit status 1 if one
// failed or there is none. Children run the cases, so that a crash is the failure of one case and
// not the end.
#include "diagnose/Compare.h"
#include "driver/Compiler.h"
#include "driver/Model.h"
#include "driver/Stage.h"
#include "fuzz/Isolate.h"
#include "onnx/TensorFile.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

namespace enfold {
namespace {

using diagnose::compare;
using diagnose::Comparison;
using diagnose::Tolerance;

namespace fs = std::filesystem;

constexpr int kSecondsPerChild = 280;

/// The suite's own criterion, numpy's allclose: unlike driver/Compare.h, whose absolute part grows
/// with the tensor. Empty if the tensors are close.
std::string difference(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  if (actual.type() != expected.type())
    return fmt::format("{} where {} is expected", actual.type().str(), expected.type().str());
  int64_t wrong = 0;
  std::string first;
  for (int64_t i = 0; i < expected.numElements(); ++i) {
    const double a = actual.asDouble(i), b = expected.asDouble(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (std::fabs(a - b) <= tolerance.atol + tolerance.rtol * std::fabs(b)) continue;
    if (wrong++ == 0) first = fmt::format("element {} is {} where {} is expected", i, a, b);
  }
  if (wrong == 0) return "";
  return fmt::format("{} of {} elements differ, {}", wrong, expected.numElements(), first);
}

Result<Tolerance> toleranceOf(const fs::path& folder) {
  std::ifstream file(folder / "tolerance.json");
  const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("rtol") || !json.contains("atol"))
    return invalid("no tolerance.json");
  return Tolerance{json["rtol"], json["atol"]};
}

/// The tensors in the order of the graph's inputs.
Result<std::vector<Tensor>> arrange(const Graph& graph, const onnx::DataSet& set) {
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs()) {
    const auto named = std::ranges::find(set.inputs, input->name(), &NamedTensor::name);
    if (named != set.inputs.end())
      inputs.push_back(named->tensor);
    else if (graph.inputs().size() == set.inputs.size())
      inputs.push_back(set.inputs[inputs.size()].tensor);
    else
      return invalid(fmt::format("no data for input '{}'", input->name()));
  }
  return inputs;
}

Result<> compareOutputs(std::span<const Tensor> outputs, std::span<const std::string> names,
                        const onnx::DataSet& set, const Tolerance& tolerance) {
  if (outputs.size() != set.outputs.size())
    return invalid(fmt::format("{} outputs of {}", outputs.size(), set.outputs.size()));
  for (size_t i = 0; i < outputs.size(); ++i)
    if (const std::string text = difference(outputs[i], set.outputs[i].tensor, tolerance);
        !text.empty())
      return invalid(fmt::format("output '{}': {}", names[i], text));
  return {};
}

/// Compares a model in which data decide sizes.
Result<> checkStaged(LoadedModel model, const onnx::DataSet& set, const Tolerance& tolerance) {
  std::shared_ptr<const Executable> executable;
  if (!model.graph->outputs().empty()) {
    ENFOLD_TRY(const Compilation compiled, compile(std::move(model.graph)));
    executable = compiled.executable;
  }
  ENFOLD_TRY(const auto stage, stageOf(executable, std::move(model.remainder),
                                       {.compile = {}, .session = {.threads = 1}}));
  std::vector<NamedTensor> inputs = set.inputs;
  const auto& declared = model.signature.inputs;
  for (size_t i = 0; i < inputs.size() && i < declared.size(); ++i)
    if (std::ranges::find(declared, inputs[i].name, &onnx::DeclaredTensor::name) == declared.end())
      inputs[i].name = declared[i].name;
  ENFOLD_TRY(const auto results,
             runStaged(*stage, model.signature, inputs, model.inputDefaults, RunLimits()));
  std::vector<Tensor> outputs;
  std::vector<std::string> names;
  for (size_t i = 0; i < results.size(); ++i)
    for (const Tensor& tensor : results[i].tensors) {
      outputs.push_back(tensor);
      names.push_back(model.signature.outputs[i].name);
    }
  return compareOutputs(outputs, names, set, tolerance);
}

Result<> checkSet(const fs::path& folder, const onnx::DataSet& set) {
  ENFOLD_TRY(const Tolerance tolerance, toleranceOf(folder));
  ENFOLD_TRY(LoadedModel model, loadStaged(folder / "model.onnx", set.inputs, {}));
  if (model.remainder.rest) return checkStaged(std::move(model), set, tolerance);
  ENFOLD_TRY(const Compilation compiled, compile(std::move(model.graph)));
  ENFOLD_TRY(const auto session, Session::create(compiled.executable, {.threads = 1}));
  const Graph& graph = *compiled.graph;
  ENFOLD_TRY(const std::vector<Tensor> inputs, arrange(graph, set));
  ENFOLD_TRY(const std::vector<Tensor> outputs, session->run(inputs));
  return compareOutputs(outputs, graph.outputNames(), set, tolerance);
}

Result<> checkCase(const fs::path& folder) {
  ENFOLD_TRY(const auto signature, loadSignature(folder / "model.onnx"));
  ENFOLD_TRY(const auto sets, onnx::readDataSets(folder, signature));
  for (const onnx::DataSet& set : sets) ENFOLD_RETURN_IF_ERROR(checkSet(folder, set));
  return {};
}

/// Why the case fails, in one line; empty if it passes.
std::string failureOf(const fs::path& folder) {
  const auto done = checkCase(folder);
  if (done) return "";
  std::string text = done.error().str();
  std::ranges::replace(text, '\n', ' ');
  return text.empty() ? "it fails" : text;
}

/// The failure of each case, empty for those that pass. A child that ends early failed at the case
/// it did not report.
std::vector<std::string> runAll(const fs::path& cases, const std::vector<std::string>& names) {
  std::vector<std::string> failures;
  while (failures.size() < names.size()) {
    const fuzz::Isolated child = fuzz::isolate(kSecondsPerChild, [&](const auto& report) {
      for (size_t i = failures.size(); i < names.size(); ++i)
        report(failureOf(cases / names[i]) + "\n");
    });
    size_t begin = 0;
    for (size_t end; (end = child.text.find('\n', begin)) != std::string::npos; begin = end + 1)
      failures.push_back(child.text.substr(begin, end - begin));
    if (failures.size() < names.size())
      failures.push_back(child.crash.empty() ? "the process ended" : child.crash);
  }
  return failures;
}

/// The first word of each line.
std::vector<std::string> readNames(const fs::path& path) {
  std::vector<std::string> names;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (const std::string name = line.substr(0, line.find(' ')); !name.empty() && name[0] != '#')
      names.push_back(name);
  return names;
}

int run(const fs::path& cases, const fs::path& list, const std::string& filter) {
  std::vector<std::string> names = readNames(list);
  std::erase_if(names, [&](const auto& name) { return name.find(filter) == std::string::npos; });
  const std::vector<std::string> failures = runAll(cases, names);
  size_t passed = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    passed += failures[i].empty();
    if (!failures[i].empty()) fmt::print("{}: {}\n", names[i], failures[i]);
  }
  fmt::print("{} of {} cases pass\n", passed, names.size());
  return passed == names.size() && !names.empty() ? 0 : 1;
}

} // namespace
} // namespace enfold

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 2 || words.size() > 3) {
    fmt::print(stderr, "usage: conformance CASES LIST [TEXT]\n");
    return 2;
  }
  return enfold::run(words[0], words[1], words.size() > 2 ? words[2] : "");
}
