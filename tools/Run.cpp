// enfold run: runs a model on files or random inputs; prints, saves or checks the outputs.
#include "diagnose/OnnxRuntime.h"
#include "diagnose/QuantizationSteps.h"
#include "diagnose/Tap.h"
#include "onnx/Npz.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Runner.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

namespace enfold::tool {
namespace {

struct RunOptions {
  ModelOptions model;
  CacheOptions cache;
  InputOptions inputs;
  ToleranceOptions tolerance;
  bool reference = false;
  std::vector<std::string> taps;
  std::string output, against, labels, json;

  Engine engine() const { return reference ? Engine::Reference : Engine::Compiled; }
  /// Whether standard output is for people to read.
  bool printsText() const { return output != "-" && json != "-"; }
  diagnose::Json head() const { return {{"version", 1}, {"model", model.model}}; }
};

/// A tensor as the command tells it.
struct TensorSummary {
  explicit TensorSummary(const NamedTensor& of) : name(of.name), type(of.tensor.type()) {
    const int64_t elements = of.tensor.numElements();
    double sum = 0;
    for (int64_t i = 0; i < elements; ++i) {
      const double value = of.tensor.asDouble(i);
      low = std::min(low, value);
      high = std::max(high, value);
      sum += value;
    }
    mean = sum / std::max<double>(1, static_cast<double>(elements));
    for (int64_t i = 0; i < std::min<int64_t>(elements, 5); ++i)
      first.push_back(of.tensor.asDouble(i));
    isAll = elements <= 5;
  }

  std::string str() const {
    std::string head;
    for (const double value : first)
      head += fmt::format("{}{:.6g}", head.empty() ? "" : ", ", value);
    return fmt::format("{}: {}  min {:.6g}  max {:.6g}  mean {:.6g}  [{}{}]", name, type.str(), low,
                       high, mean, head, isAll ? "" : ", ...");
  }

  std::string name;
  Type type;
  double low = INFINITY, high = -INFINITY, mean = 0;
  std::vector<double> first;
  bool isAll = true;
};

/// Numbers that are not finite are null, like the least of no elements.
diagnose::Json toJson(const TensorSummary& summary) {
  const TensorSpec spec{summary.name, summary.type};
  diagnose::Json json = diagnose::tensorsJson({&spec, 1})[0];
  json.update({{"min", summary.low},
               {"max", summary.high},
               {"mean", summary.mean},
               {"first", summary.first}});
  return json;
}

/// How many rows have their largest score where the labels say.
Result<int64_t> countCorrect(const Tensor& scores, const std::string& path) {
  ENFOLD_TRY(const NamedTensor labels, onnx::readTensorFile(path));
  if (scores.rank() != 2 || labels.tensor.numElements() != scores.shape()[0])
    return failure(ErrorCode::WrongInput,
                   fmt::format("{} labels do not fit scores of {}", labels.tensor.numElements(),
                               scores.type().str()));
  const int64_t rows = scores.shape()[0], classes = scores.shape()[1];
  int64_t correct = 0;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t best = 0;
    for (int64_t c = 1; c < classes; ++c)
      if (scores.asDouble(row * classes + c) > scores.asDouble(row * classes + best)) best = c;
    correct += best == labels.tensor.asInt(row);
  }
  return correct;
}

/// What rounding to integers may do to each output of the model.
Result<std::vector<double>> roundingOf(const RunOptions& options,
                                       std::span<const NamedTensor> inputs) {
  ENFOLD_TRY(LoadOptions how, options.model.loadOptions());
  ENFOLD_TRY(const ModelSource source, options.model.source());
  ENFOLD_TRY(const LoadedModel model, loadStaged(source, inputs, std::move(how)));
  if (model.remainder.rest) return std::vector<double>(model.signature.outputs.size(), 0);
  const auto steps = diagnose::quantizationSteps(*model.graph);
  std::vector<double> rounding;
  for (const Value* output : model.graph->outputs()) {
    const auto step = steps.find(output->name());
    rounding.push_back(step == steps.end() ? 0 : diagnose::kSoundSteps * step->second);
  }
  return rounding;
}

/// Outputs beside those expected: a line for each, and the same as JSON.
class Checks {
public:
  explicit Checks(const RunOptions& options) : options_(options) {}

  /// `rounding` is what rounding to integers may do to the output.
  void add(const std::string& what, const Tensor& output, const Tensor& expected,
           diagnose::Tolerance standard, double rounding) {
    standard.rounding = rounding;
    const diagnose::Comparison c = diagnose::compare(
        output, expected,
        options_.tolerance.over(diagnose::atPrecision(standard, options_.model.precisionAsked())));
    if (options_.printsText()) fmt::print("{}\n", line(what, output, c));
    same_ &= c.same();
    rows_.push_back({{"output", what},
                     {"same", c.same()},
                     {"max_abs", c.maxAbs},
                     {"scale", c.scale},
                     {"max_relative", c.maxRelative},
                     {"mismatches", c.mismatches},
                     {"problem", c.problem}});
  }

  Result<int> finish() {
    if (!options_.json.empty()) {
      diagnose::Json json = options_.head();
      json.update({{"against", options_.against}, {"same", same_}, {"checks", std::move(rows_)}});
      ENFOLD_RETURN_IF_ERROR(writeJson(options_.json, json));
    }
    return same_ ? kDone : kWrong;
  }

private:
  static std::string line(const std::string& what, const Tensor& output,
                          const diagnose::Comparison& c) {
    if (!c.problem.empty()) return fmt::format("{}: WRONG {}", what, c.problem);
    const std::string status = fmt::format("{}: {}", what, c.same() ? "ok" : "WRONG");
    if (!c.steps.empty()) return fmt::format("{} {}", status, c.stepsText(output.numElements()));
    return fmt::format(
        "{} max abs {:.3g} (of {:.3g})  max rel {:.3g}{}", status, c.maxAbs, c.scale, c.maxRelative,
        c.same() ? "" : fmt::format("  {} elements differ, worst at {}", c.mismatches, c.worst));
  }

  const RunOptions& options_;
  diagnose::Json rows_ = diagnose::Json::array();
  bool same_ = true;
};

Result<> checkSet(const RunOptions& options, const onnx::DataSet& set, Checks& checks) {
  ENFOLD_TRY(Runner runner,
             Runner::make(options.model, options.cache, options.engine(), set.inputs));
  std::vector<NamedTensor> given = runner.keepCollections(set.inputs);
  nameByPosition(given, runner.inputs(), runner.optional());
  ENFOLD_TRY(const std::vector<Tensor> inputs,
             arrange(options.inputs, runner.inputs(), runner.optional(), given));
  ENFOLD_TRY(const std::vector<NamedTensor> outputs, runner.run(inputs));
  ENFOLD_TRY(const diagnose::Tolerance standard, folderTolerance(options.against));
  ENFOLD_TRY(const std::vector<double> rounding, roundingOf(options, set.inputs));
  if (set.outputs.size() > outputs.size())
    return usageError("more expected outputs than the model has");
  for (size_t i = 0; i < set.outputs.size(); ++i)
    checks.add(fmt::format("{} {}", set.folder.filename().string(), outputs[i].name),
               outputs[i].tensor, set.outputs[i].tensor, standard,
               i < rounding.size() ? rounding[i] : 0);
  return {};
}

/// The outputs by ONNX Runtime of the model as it was imported.
Result<std::vector<NamedTensor>> runElsewhere(const RunOptions& options,
                                              std::span<const NamedTensor> given) {
  ENFOLD_TRY(LoadOptions how, options.model.loadOptions());
  ENFOLD_TRY(const ModelSource source, options.model.source());
  ENFOLD_TRY(LoadedModel loaded, loadModelFor(source, given, std::move(how)));
  const OptionalInputs optional{std::move(loaded.inputDefaults), std::move(loaded.boundInputs)};
  ENFOLD_TRY(const std::vector<Tensor> inputs,
             arrange(options.inputs, inputsOf(*loaded.graph), optional, given));
  ENFOLD_TRY(std::vector<Tensor> tensors, diagnose::runOnnxRuntime(*loaded.graph, inputs));
  std::vector<NamedTensor> outputs;
  const auto names = loaded.graph->outputNames();
  for (size_t i = 0; i < tensors.size(); ++i) outputs.push_back({names[i], std::move(tensors[i])});
  return outputs;
}

/// The outputs on the same inputs in the way that --against names.
Result<std::vector<NamedTensor>> runOtherwise(const RunOptions& options,
                                              std::span<const NamedTensor> given) {
  if (options.against == "onnxruntime") return runElsewhere(options, given);
  ModelOptions model = options.model;
  model.noFuse = options.against == "unfused";
  const Engine engine = model.noFuse ? Engine::Compiled : Engine::Reference;
  ENFOLD_TRY(Runner runner, Runner::make(model, options.cache, engine, given));
  ENFOLD_TRY(const std::vector<Tensor> inputs,
             arrange(options.inputs, runner.inputs(), runner.optional(),
                     runner.keepCollections({given.begin(), given.end()})));
  return runner.run(inputs);
}

Result<> checkAnswers(const RunOptions& options, Checks& checks) {
  ENFOLD_TRY(const std::vector<NamedTensor> given, readInputs(options.inputs, options.model));
  ENFOLD_TRY(Runner runner, Runner::make(options.model, options.cache, options.engine(), given));
  ENFOLD_TRY(
      const std::vector<Tensor> inputs,
      arrange(options.inputs, runner.inputs(), runner.optional(), runner.keepCollections(given)));
  ENFOLD_TRY(const std::vector<NamedTensor> outputs, runner.run(inputs));
  ENFOLD_TRY(const std::vector<NamedTensor> expected, runOtherwise(options, given));
  ENFOLD_TRY(const std::vector<double> rounding, roundingOf(options, given));
  if (outputs.size() != expected.size())
    return invalid(
        fmt::format("{} tensors, and {} by {}", outputs.size(), expected.size(), options.against));
  for (size_t i = 0; i < outputs.size(); ++i)
    checks.add(outputs[i].name, outputs[i].tensor, expected[i].tensor, {},
               i < rounding.size() ? rounding[i] : 0);
  return {};
}

Result<int> check(const RunOptions& options) {
  Checks checks(options);
  if (isWayToCompute(options.against)) {
    ENFOLD_RETURN_IF_ERROR(checkAnswers(options, checks));
    return checks.finish();
  }
  ENFOLD_RETURN_IF_ERROR(checkFolder(options.against));
  ENFOLD_TRY(const LoadOptions how, options.model.loadOptions());
  ENFOLD_TRY(const ModelSource source, options.model.source());
  onnx::Signature signature;
  if (!source.isZoo() && !source.isText()) {
    ENFOLD_TRY(signature, loadSignature(source, how));
  }
  ENFOLD_TRY(const std::vector<onnx::DataSet> sets, onnx::readDataSets(options.against, signature));
  for (const onnx::DataSet& set : sets) ENFOLD_RETURN_IF_ERROR(checkSet(options, set, checks));
  return checks.finish();
}

/// Saves tensors as .npy files of a folder, or in one .npz file or on standard output.
Result<> save(const std::string& output, std::span<const NamedTensor> tensors) {
  if (output == "-" || output.ends_with(".npz")) {
    ENFOLD_TRY(const std::string bytes, onnx::encodeNpz(tensors));
    return writeText(output, bytes);
  }
  std::error_code error;
  std::filesystem::create_directories(output, error);
  for (const auto& [name, tensor] : tensors)
    ENFOLD_RETURN_IF_ERROR(onnx::writeNpy(tensorPath(output, name), tensor));
  return {};
}

/// Prints tensors, and saves them if asked to. With labels, the first is also compared with these.
Result<> show(const RunOptions& options, std::span<const NamedTensor> tensors) {
  diagnose::Json json = options.head();
  json["outputs"] = diagnose::Json::array();
  for (const NamedTensor& tensor : tensors) {
    const TensorSummary summary(tensor);
    if (options.printsText()) fmt::print("{}\n", summary.str());
    json["outputs"].push_back(toJson(summary));
  }
  if (!options.output.empty()) ENFOLD_RETURN_IF_ERROR(save(options.output, tensors));
  if (!options.labels.empty()) {
    if (tensors.empty()) return usageError("there is no output to compare with the labels");
    const Tensor& scores = tensors.front().tensor;
    ENFOLD_TRY(const int64_t correct, countCorrect(scores, options.labels));
    const int64_t rows = scores.shape()[0];
    if (options.printsText())
      fmt::print("accuracy: {} of {} ({:.2f}%)\n", correct, rows,
                 100.0 * static_cast<double>(correct) /
                     static_cast<double>(std::max<int64_t>(rows, 1)));
    json["accuracy"] = {{"correct", correct}, {"of", rows}};
  }
  return options.json.empty() ? Result<>() : writeJson(options.json, json);
}

/// Runs with intermediate tensors shown behind the outputs.
Result<int> runTapped(const RunOptions& options) {
  if (options.reference)
    return failure(ErrorCode::OptionConflict, "--tap reads the compiled network, not --reference");
  ENFOLD_TRY(Trial trial, makeTrial(options.model, options.inputs, nullptr));
  ENFOLD_TRY(auto network,
             diagnose::TappedNetwork::create(std::move(trial.graph), options.model.compileOptions(),
                                             options.model.sessionOptions(), options.taps));
  ENFOLD_TRY(const diagnose::TappedRun result, network->run(trial.inputs));
  const auto names = network->graph().outputNames();
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < result.outputs.size(); ++i)
    tensors.push_back({names[i], result.outputs[i]});
  for (const auto& [name, tensor] : result.taps) tensors.push_back({name, tensor});
  ENFOLD_RETURN_IF_ERROR(show(options, tensors));
  if (!result.sameProgram)
    note("note: storing these tensors changed how others are computed: they may differ in the last "
         "bits from what the outputs were computed of");
  return kDone;
}

Result<int> runOnce(const RunOptions& options) {
  ENFOLD_TRY(const std::vector<NamedTensor> given, readInputs(options.inputs, options.model));
  ENFOLD_TRY(Runner runner, Runner::make(options.model, options.cache, options.engine(), given));
  ENFOLD_TRY(std::vector<Tensor> inputs, arrange(options.inputs, runner.inputs(), runner.optional(),
                                                 runner.keepCollections(given)));
  ENFOLD_TRY(const std::vector<NamedTensor> outputs, runInPieces(runner, std::move(inputs)));
  ENFOLD_RETURN_IF_ERROR(show(options, outputs));
  return kDone;
}

Result<int> run(const RunOptions& options) {
  if (options.output == "-" && options.json == "-")
    return failure(ErrorCode::OptionConflict,
                   "-o - and --json - cannot both write to standard output");
  if (options.output == "-" && !options.labels.empty() && options.json.empty())
    return failure(ErrorCode::OptionConflict,
                   "-o - writes the outputs where --labels would print the accuracy");
  if (options.against.empty()) return options.taps.empty() ? runOnce(options) : runTapped(options);
  if (!options.taps.empty())
    return failure(ErrorCode::OptionConflict, "--tap and --against do not go together");
  if (!options.output.empty() || !options.labels.empty())
    return failure(ErrorCode::OptionConflict,
                   "--against compares the outputs: it goes with neither -o nor --labels");
  return check(options);
}

} // namespace

Action addRun(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  options->model.add(app);
  options->model.addTune(app);
  options->cache.add(app);
  options->inputs.add(app);
  app.add_option("-o,--output", options->output,
                 "Save the outputs as .npy files in this folder, or in one .npz file; - for stdout")
      ->type_name("DIR|FILE.npz");
  app.add_option("--labels", options->labels, "A .npy file of expected classes; print the accuracy")
      ->type_name("FILE");
  addAgainst(app, options->against);
  options->tolerance.add(app);
  app.add_option("--tap", options->taps,
                 "Also show this tensor, or the result of this node; does not change the outputs")
      ->type_name("NAME");
  app.add_flag("--reference", options->reference, "Run the reference functions, without passes");
  addJson(app, options->json);
  return [options] {
    const auto code = run(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
