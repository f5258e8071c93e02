// enfold run: runs a model on files or random inputs; prints, saves or checks the outputs.
#include "driver/Compare.h"
#include "onnx/TensorFile.h"
#include "reference/Reference.h"
#include "tools/Commands.h"
#include "tools/Common.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace enfold::tool {
namespace {

struct RunOptions {
  ModelOptions model;
  std::vector<std::string> inputs;
  bool random = false;
  bool reference = false;
  uint64_t seed = 0;
  std::string output, check, labels;
  std::optional<double> rtol, atol;
};

using Inputs = std::map<std::string, Tensor>; // by name

/// Runs a graph by its executable or by the reference functions.
class Runner {
public:
  /// Ready to run on inputs like these.
  static Result<Runner> make(const RunOptions& options, std::span<const NamedTensor> inputs) {
    ENFOLD_TRY(LoadOptions how, options.model.loadOptions());
    ENFOLD_TRY(LoadedModel model, loadModelFor(options.model.model, inputs, std::move(how)));
    for (const std::string& text : model.notes) note("note: " + text);
    Runner runner;
    runner.bound_ = std::move(model.boundInputs);
    runner.defaults_ = std::move(model.inputDefaults);
    if (options.reference) {
      runner.graph_ = std::move(model.graph);
      return runner;
    }
    ENFOLD_TRY(Compilation compiled,
               compile(std::move(model.graph), options.model.compileOptions()));
    if (options.model.verbosity > 0)
      for (const Remark& remark : compiled.report.remarks.remarks()) note(remark.str());
    ENFOLD_TRY(runner.session_,
               Session::create(compiled.executable, options.model.sessionOptions()));
    return runner;
  }

  const Graph& graph() const { return graph_ ? *graph_ : session_->executable().graph(); }
  const Inputs& defaults() const { return defaults_; }
  /// Whether the model has that input, be it compiled in.
  bool hasInput(const std::string& name) const {
    return bound_.contains(name) ||
           std::ranges::any_of(graph().inputs(), [&](const auto& i) { return i->name() == name; });
  }
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) {
    return graph_ ? reference::run(*graph_, inputs) : session_->run(inputs);
  }

private:
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Session> session_;
  Inputs defaults_, bound_;
};

/// The tensors of --input.
Result<std::vector<NamedTensor>> readInputs(const RunOptions& options) {
  std::vector<NamedTensor> inputs;
  for (const std::string& text : options.inputs) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return usageError(fmt::format("--input {}: expected NAME=FILE", text));
    ENFOLD_TRY(NamedTensor file, onnx::readTensorFile(text.substr(equals + 1)));
    inputs.push_back({text.substr(0, equals), std::move(file.tensor)});
  }
  return inputs;
}

/// The tensors in the order of the graph's inputs.
Result<std::vector<Tensor>> arrange(const RunOptions& options, const Runner& runner,
                                    std::span<const NamedTensor> given) {
  std::vector<Tensor> inputs;
  uint64_t seed = options.seed;
  for (const auto& input : runner.graph().inputs()) {
    const auto named = std::ranges::find(given, input->name(), &NamedTensor::name);
    if (named != given.end()) {
      inputs.push_back(fitImages(named->tensor, *input));
    } else if (auto it = runner.defaults().find(input->name()); it != runner.defaults().end()) {
      inputs.push_back(it->second);
    } else if (options.random) {
      inputs.push_back(randomTensor(input->type(), seed++));
    } else {
      return usageError(
          fmt::format("input '{}' ({}) is not given: use --input {}=FILE or --random SEED",
                      input->name(), input->type().str(), input->name()));
    }
  }
  for (const NamedTensor& tensor : given)
    if (!runner.hasInput(tensor.name))
      return usageError(fmt::format("the model has no input '{}'", tensor.name));
  return inputs;
}

/// Runs a batch of any size through a network compiled for another, piece by piece.
Result<std::vector<Tensor>> runInPieces(Runner& runner, std::vector<Tensor> inputs) {
  const Graph& graph = runner.graph();
  const bool single = graph.inputs().size() == 1 && inputs.size() == 1;
  const Shape& shape = single ? graph.inputs()[0]->shape() : Shape{};
  if (!single || shape.empty() || inputs[0].shape().size() != shape.size() ||
      inputs[0].shape() == shape || inputs[0].elem() != graph.inputs()[0]->elem() ||
      shape[0] == 0 || !std::equal(shape.begin() + 1, shape.end(), inputs[0].shape().begin() + 1))
    return runner.run(inputs);
  const int64_t count = inputs[0].shape()[0];
  std::vector<Tensor> outputs;
  for (const Value* output : graph.outputs()) {
    if (output->shape().empty() || output->shape()[0] != shape[0])
      return usageError("the outputs do not follow the batch, so it cannot be run in pieces");
    Shape whole = output->shape();
    whole[0] = count;
    outputs.emplace_back(output->elem(), whole);
  }
  const auto copyRows = [](const Tensor& from, int64_t at, Tensor& to, int64_t into, int64_t rows) {
    const size_t row = from.numBytes() / static_cast<size_t>(from.shape()[0]);
    std::memcpy(to.mutableBytes() + static_cast<size_t>(into) * row,
                from.bytes() + static_cast<size_t>(at) * row, static_cast<size_t>(rows) * row);
  };
  for (int64_t begin = 0; begin < count; begin += shape[0]) {
    const int64_t rows = std::min(shape[0], count - begin);
    Tensor piece(inputs[0].elem(), shape);
    copyRows(inputs[0], begin, piece, 0, rows);
    ENFOLD_TRY(const std::vector<Tensor> results, runner.run(std::span(&piece, 1)));
    for (size_t i = 0; i < results.size(); ++i) copyRows(results[i], 0, outputs[i], begin, rows);
  }
  return outputs;
}

void printSummary(const std::string& name, const Tensor& tensor) {
  double low = INFINITY, high = -INFINITY, sum = 0;
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const double value = tensor.asDouble(i);
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
  }
  std::string head;
  for (int64_t i = 0; i < std::min<int64_t>(tensor.numElements(), 5); ++i)
    head += fmt::format("{}{:.6g}", i ? ", " : "", tensor.asDouble(i));
  fmt::print("{}: {}  min {:.6g}  max {:.6g}  mean {:.6g}  [{}{}]\n", name, tensor.type().str(),
             low, high, sum / std::max<double>(1, static_cast<double>(tensor.numElements())), head,
             tensor.numElements() > 5 ? ", ..." : "");
}

int printAccuracy(const Tensor& scores, const std::string& path) {
  const auto file = onnx::readTensorFile(path);
  if (!file) return report(file.error());
  const Tensor* labels = &file->tensor;
  if (scores.rank() != 2 || labels->numElements() != scores.shape()[0])
    return report(Error(ErrorKind::Usage, fmt::format("{} labels do not fit scores of {}",
                                                      labels->numElements(), scores.type().str())));
  const int64_t rows = scores.shape()[0], classes = scores.shape()[1];
  int64_t correct = 0;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t best = 0;
    for (int64_t c = 1; c < classes; ++c)
      if (scores.asDouble(row * classes + c) > scores.asDouble(row * classes + best)) best = c;
    correct += best == labels->asInt(row);
  }
  fmt::print("accuracy: {} of {} ({:.2f}%)\n", correct, rows,
             100.0 * static_cast<double>(correct) /
                 static_cast<double>(std::max<int64_t>(rows, 1)));
  return kDone;
}

/// The tolerance of a folder: what its tolerance.json says, if there is one.
Result<Tolerance> folderTolerance(const std::filesystem::path& folder) {
  Tolerance tolerance;
  std::ifstream file(folder / "tolerance.json");
  if (!file) return tolerance;
  const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const auto read = [&](const char* key, double& value) {
    if (!json.contains(key)) return true;
    if (!json[key].is_number()) return false;
    value = json[key];
    return true;
  };
  if (!json.is_object() || !read("rtol", tolerance.rtol) || !read("atol", tolerance.atol))
    return usageError((folder / "tolerance.json").string() + ": not an object of rtol and atol");
  return tolerance;
}

/// Inputs of a set that go by another name than the graph's, or none, get the name of their place.
void nameByPlace(std::vector<NamedTensor>& inputs, const Runner& runner) {
  for (size_t i = 0; i < std::min(inputs.size(), runner.graph().inputs().size()); ++i)
    if (!runner.hasInput(inputs[i].name)) inputs[i].name = runner.graph().inputs()[i]->name();
}

/// Prints a line on an output, and returns whether it is as expected.
bool judge(const std::string& what, const Tensor& output, const Tensor& expected,
           const Tolerance& tolerance) {
  const Comparison c = compare(output, expected, tolerance);
  if (!c.problem.empty())
    fmt::print("{}: WRONG {}\n", what, c.problem);
  else
    fmt::print("{}: {} max abs {:.3g} (of {:.3g})  max rel {:.3g}{}\n", what,
               c.same() ? "ok" : "WRONG", c.maxAbs, c.scale, c.maxRelative,
               c.same() ? ""
                        : fmt::format("  {} elements differ, worst at {}", c.mismatches, c.worst));
  return c.same();
}

/// Compares one test_data_set.
Result<bool> checkSet(const RunOptions& options, onnx::DataSet set) {
  ENFOLD_TRY(Runner runner, Runner::make(options, set.inputs));
  nameByPlace(set.inputs, runner);
  ENFOLD_TRY(const std::vector<Tensor> inputs, arrange(options, runner, set.inputs));
  ENFOLD_TRY(const std::vector<Tensor> outputs, runner.run(inputs));
  ENFOLD_TRY(const Tolerance standard, folderTolerance(options.check));
  const Tolerance tolerance{options.rtol.value_or(standard.rtol),
                            options.atol.value_or(standard.atol)};
  bool same = true;
  for (size_t i = 0; i < set.outputs.size(); ++i) {
    if (i >= outputs.size()) return usageError("more expected outputs than the model has");
    const std::string& name = runner.graph().outputNames()[i];
    same &= judge(fmt::format("{} {}", set.folder.filename().string(), name), outputs[i],
                  set.outputs[i].tensor, tolerance);
  }
  return same;
}

/// Compares with what the reference functions answer to the same inputs, without passes.
Result<bool> checkAgainstReference(const RunOptions& options) {
  ENFOLD_TRY(const std::vector<NamedTensor> given, readInputs(options));
  ENFOLD_TRY(Runner runner, Runner::make(options, given));
  ENFOLD_TRY(const std::vector<Tensor> inputs, arrange(options, runner, given));
  ENFOLD_TRY(const std::vector<Tensor> outputs, runner.run(inputs));
  RunOptions plain = options;
  plain.reference = true;
  ENFOLD_TRY(Runner reference, Runner::make(plain, given));
  ENFOLD_TRY(const std::vector<Tensor> expected, reference.run(inputs));
  const Tolerance standard;
  const Tolerance tolerance{options.rtol.value_or(standard.rtol),
                            options.atol.value_or(standard.atol)};
  bool same = true;
  for (size_t i = 0; i < outputs.size(); ++i)
    same &= judge(runner.graph().outputNames()[i], outputs[i], expected[i], tolerance);
  return same;
}

Result<bool> check(const RunOptions& options) {
  if (options.check == "reference") return checkAgainstReference(options);
  ENFOLD_TRY(const std::vector<onnx::DataSet> sets, onnx::readDataSets(options.check));
  bool same = true;
  for (const onnx::DataSet& set : sets) {
    ENFOLD_TRY(const bool right, checkSet(options, set));
    same &= right;
  }
  return same;
}

int run(const RunOptions& options) {
  if (!options.check.empty()) {
    const auto same = check(options);
    return same ? *same ? kDone : kWrong : report(same.error());
  }
  auto given = readInputs(options);
  if (!given) return report(given.error());
  auto runner = Runner::make(options, *given);
  if (!runner) return report(runner.error());
  auto inputs = arrange(options, *runner, *given);
  if (!inputs) return report(inputs.error());
  const auto outputs = runInPieces(*runner, std::move(*inputs));
  if (!outputs) return report(outputs.error());
  for (size_t i = 0; i < outputs->size(); ++i) {
    const std::string& name = runner->graph().outputNames()[i];
    printSummary(name, (*outputs)[i]);
    if (options.output.empty()) continue;
    std::string file = name;
    std::ranges::replace(file, '/', '_');
    std::error_code error;
    std::filesystem::create_directories(options.output, error);
    const auto path = std::filesystem::path(options.output) / (file + ".npy");
    if (auto written = onnx::writeNpy(path, (*outputs)[i]); !written)
      return report(written.error());
  }
  return options.labels.empty() ? kDone : printAccuracy(outputs->front(), options.labels);
}

} // namespace

Action addRun(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  options->model.add(app);
  app.add_option("--input", options->inputs, "An input: NAME=FILE.npy or NAME=FILE.pb");
  app.add_option("--random", options->seed, "Fill inputs that are not given from this seed")
      ->each([options](const std::string&) { options->random = true; });
  app.add_option("--output", options->output, "Save the outputs as .npy into this folder");
  app.add_option("--labels", options->labels, "Classes expected, .npy: print the accuracy");
  app.add_option(
      "--check", options->check,
      "Compare with the test_data_set_* of this folder, or with `reference`, the reference "
      "functions");
  app.add_option("--rtol", options->rtol, "Relative tolerance of --check");
  app.add_option("--atol", options->atol, "Absolute tolerance of --check");
  app.add_flag("--reference", options->reference, "Run the reference functions, without passes");
  return [options] { return run(*options); };
}

} // namespace enfold::tool
