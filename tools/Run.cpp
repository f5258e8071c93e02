// enfold run: runs a model on files or random inputs; prints, saves or checks the outputs.
#include "diagnose/QuantizationSteps.h"
#include "diagnose/Tap.h"
#include "driver/Stage.h"
#include "onnx/Npz.h"
#include "reference/Reference.h"
#include "tools/Cache.h"
#include "tools/Commands.h"
#include "tools/Deadline.h"
#include "tools/Inputs.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

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
  std::string output, check, labels;
};

/// Runs a model by its executable or by the reference functions, in stages where data decide sizes.
class Runner {
public:
  /// Ready to run on inputs like these.
  static Result<Runner> make(const RunOptions& options, std::span<const NamedTensor> inputs) {
    Runner runner;
    if (options.reference) {
      const Deadline deadline(options.model.limitSeconds);
      ENFOLD_TRY(LoadOptions how, options.model.loadOptions());
      ENFOLD_TRY(const ModelSource source, options.model.source());
      ENFOLD_TRY(LoadedModel model, loadStaged(source, inputs, std::move(how)));
      for (const std::string& text : model.notes) note("note: " + text);
      runner.optional_ = {std::move(model.inputDefaults), std::move(model.boundInputs)};
      if (model.remainder.rest) {
        runner.signature_ = std::move(model.signature);
        runner.stage_ = referenceStage(std::move(model.graph), std::move(model.remainder));
        return runner;
      }
      runner.graph_ = std::move(model.graph);
      const MemoryNeeds needs = referenceMemoryNeeds(*runner.graph_);
      const auto limit = options.model.compileOptions().memory;
      ENFOLD_RETURN_IF_ERROR(checkMemory(needs, limit));
      if (limit) note("memory: at most " + needs.str());
      return runner;
    }
    ENFOLD_TRY(CompiledModel compiled, compileFor(options.model, options.cache, inputs, true));
    runner.optional_ = {std::move(compiled.inputDefaults), std::move(compiled.boundInputs)};
    if (compiled.remainder.rest) {
      runner.signature_ = std::move(compiled.signature);
      ENFOLD_TRY(runner.stage_, stageOf(compiled.executable, std::move(compiled.remainder),
                                        {.compile = options.model.compileOptions(),
                                         .session = options.model.sessionOptions()}));
      return runner;
    }
    ENFOLD_TRY(runner.session_,
               Session::create(compiled.executable, options.model.sessionOptions()));
    return runner;
  }

  std::vector<TensorSpec> inputs() const {
    if (stage_) return stage_->inputs();
    return graph_ ? inputsOf(*graph_) : session_->executable().inputs();
  }
  /// Of a model that runs in stages, types are known behind a run only.
  std::vector<TensorSpec> outputs() const {
    if (stage_) {
      std::vector<TensorSpec> specs;
      for (const auto& [name, type] : signature_.outputs) specs.push_back({name, {type.elem}});
      return specs;
    }
    return graph_ ? outputsOf(*graph_) : session_->executable().outputs();
  }
  bool isStaged() const { return stage_ != nullptr; }
  const OptionalInputs& optional() const { return optional_; }
  /// Keeps those of `given` that are sequences and optional values for the runs to come, and
  /// returns the others.
  std::vector<NamedTensor> keepCollections(std::vector<NamedTensor> given) {
    const auto isOther = [&](const NamedTensor& tensor) {
      const auto declared =
          std::ranges::find(signature_.inputs, tensor.name, &onnx::DeclaredTensor::name);
      return declared == signature_.inputs.end() || declared->type.isTensor();
    };
    const auto kept = std::ranges::stable_partition(given, isOther);
    collections_.assign(kept.begin(), kept.end());
    given.erase(kept.begin(), kept.end());
    return given;
  }
  /// The outputs; the tensors of a sequence `q` are named `q[0]` and so on.
  Result<std::vector<NamedTensor>> run(std::span<const Tensor> inputs) {
    std::vector<NamedTensor> outputs;
    if (!stage_) {
      ENFOLD_TRY(std::vector<Tensor> tensors,
                 graph_ ? reference::run(*graph_, inputs) : session_->run(inputs));
      const std::vector<TensorSpec> specs = this->outputs();
      for (size_t i = 0; i < tensors.size(); ++i)
        outputs.push_back({specs[i].name, std::move(tensors[i])});
      return outputs;
    }
    std::vector<NamedTensor> named = collections_;
    for (size_t i = 0; i < inputs.size(); ++i)
      named.push_back({stage_->inputs()[i].name, inputs[i]});
    ENFOLD_TRY(std::vector<onnx::Datum> values,
               runStaged(*stage_, signature_, named, optional_.defaults, RunLimits()));
    for (size_t i = 0; i < values.size(); ++i) {
      const std::string& name = signature_.outputs[i].name;
      const bool isSequence = values[i].kind == onnx::Datum::Kind::Sequence;
      for (size_t k = 0; k < values[i].tensors.size(); ++k)
        outputs.push_back(
            {isSequence ? fmt::format("{}[{}]", name, k) : name, std::move(values[i].tensors[k])});
    }
    return outputs;
  }

private:
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Session> session_;
  std::shared_ptr<Stage> stage_;
  onnx::Signature signature_; ///< of a model that runs in stages
  std::vector<NamedTensor> collections_;
  OptionalInputs optional_;
};

/// Runs a batch of any size through a network compiled for another, piece by piece.
Result<std::vector<NamedTensor>> runInPieces(Runner& runner, std::vector<Tensor> inputs) {
  const std::vector<TensorSpec> specs = runner.inputs();
  const bool single = specs.size() == 1 && inputs.size() == 1 && !runner.isStaged();
  const Shape& shape = single ? specs[0].type.shape : Shape{};
  if (!single || shape.empty() || inputs[0].shape().size() != shape.size() ||
      inputs[0].shape() == shape || inputs[0].elem() != specs[0].type.elem || shape[0] == 0 ||
      !std::equal(shape.begin() + 1, shape.end(), inputs[0].shape().begin() + 1))
    return runner.run(inputs);
  const int64_t count = inputs[0].shape()[0];
  std::vector<NamedTensor> outputs;
  for (const auto& [name, type] : runner.outputs()) {
    if (type.shape.empty() || type.shape[0] != shape[0])
      return usageError("the outputs do not follow the batch, so it cannot be run in pieces");
    Shape whole = type.shape;
    whole[0] = count;
    outputs.push_back({name, Tensor(type.elem, whole)});
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
    ENFOLD_TRY(const std::vector<NamedTensor> results, runner.run(std::span(&piece, 1)));
    for (size_t i = 0; i < results.size(); ++i)
      copyRows(results[i].tensor, 0, outputs[i].tensor, begin, rows);
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

/// Prints a line on an output, and returns whether it is as expected.
bool checkOutput(const std::string& what, const Tensor& output, const Tensor& expected,
                 const diagnose::Tolerance& tolerance) {
  const diagnose::Comparison c = diagnose::compare(output, expected, tolerance);
  if (!c.problem.empty())
    fmt::print("{}: WRONG {}\n", what, c.problem);
  else if (!c.steps.empty())
    fmt::print("{}: {} {}\n", what, c.same() ? "ok" : "WRONG", c.stepsText(output.numElements()));
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
  std::vector<NamedTensor> given = runner.keepCollections(set.inputs);
  nameByPosition(given, runner.inputs(), runner.optional());
  ENFOLD_TRY(const std::vector<Tensor> inputs,
             arrange(options.inputs, runner.inputs(), runner.optional(), given));
  ENFOLD_TRY(const std::vector<NamedTensor> outputs, runner.run(inputs));
  ENFOLD_TRY(const diagnose::Tolerance standard, folderTolerance(options.check));
  ENFOLD_TRY(const std::vector<double> rounding, roundingOf(options, set.inputs));
  bool same = true;
  for (size_t i = 0; i < set.outputs.size(); ++i) {
    if (i >= outputs.size()) return usageError("more expected outputs than the model has");
    const auto& [name, output] = outputs[i];
    const diagnose::Tolerance tolerance = options.tolerance.over(
        diagnose::atPrecision({standard.rtol, standard.atol, i < rounding.size() ? rounding[i] : 0},
                              options.model.precisionAsked()));
    same &= checkOutput(fmt::format("{} {}", set.folder.filename().string(), name), output,
                        set.outputs[i].tensor, tolerance);
  }
  return same;
}

/// Compares with what the reference functions answer to the same inputs, without passes.
Result<bool> checkAgainstReference(const RunOptions& options) {
  ENFOLD_TRY(const std::vector<NamedTensor> given, readInputs(options.inputs, options.model));
  ENFOLD_TRY(Runner runner, Runner::make(options, given));
  ENFOLD_TRY(
      const std::vector<Tensor> inputs,
      arrange(options.inputs, runner.inputs(), runner.optional(), runner.keepCollections(given)));
  ENFOLD_TRY(const std::vector<NamedTensor> outputs, runner.run(inputs));
  RunOptions plain = options;
  plain.reference = true;
  ENFOLD_TRY(Runner reference, Runner::make(plain, given));
  reference.keepCollections(given);
  ENFOLD_TRY(const std::vector<NamedTensor> expected, reference.run(inputs));
  ENFOLD_TRY(const std::vector<double> rounding, roundingOf(options, given));
  bool same = true;
  if (outputs.size() != expected.size())
    return invalid(fmt::format("{} tensors, and {} by the reference functions", outputs.size(),
                               expected.size()));
  for (size_t i = 0; i < outputs.size(); ++i)
    same &= checkOutput(
        outputs[i].name, outputs[i].tensor, expected[i].tensor,
        options.tolerance.over(diagnose::atPrecision(
            {.rounding = i < rounding.size() ? rounding[i] : 0}, options.model.precisionAsked())));
  return same;
}

Result<bool> check(const RunOptions& options) {
  if (options.check == "reference") return checkAgainstReference(options);
  ENFOLD_TRY(const LoadOptions how, options.model.loadOptions());
  ENFOLD_TRY(const ModelSource source, options.model.source());
  onnx::Signature signature;
  if (!source.isZoo() && !source.isText()) {
    ENFOLD_TRY(signature, loadSignature(source, how));
  }
  ENFOLD_TRY(const std::vector<onnx::DataSet> sets, onnx::readDataSets(options.check, signature));
  bool same = true;
  for (const onnx::DataSet& set : sets) {
    ENFOLD_TRY(const bool right, checkSet(options, set));
    same &= right;
  }
  return same;
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

/// Prints tensors, and saves them if asked to.
Result<> show(const RunOptions& options, std::span<const NamedTensor> tensors) {
  if (options.output != "-")
    for (const auto& [name, tensor] : tensors) printSummary(name, tensor);
  return options.output.empty() ? Result<>() : save(options.output, tensors);
}

/// Runs with intermediate tensors shown behind the outputs.
Result<int> runTapped(const RunOptions& options) {
  if (options.reference) return usageError("--tap reads the compiled network, not --reference");
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
  ENFOLD_TRY(Runner runner, Runner::make(options, given));
  ENFOLD_TRY(std::vector<Tensor> inputs, arrange(options.inputs, runner.inputs(), runner.optional(),
                                                 runner.keepCollections(given)));
  ENFOLD_TRY(const std::vector<NamedTensor> outputs, runInPieces(runner, std::move(inputs)));
  ENFOLD_RETURN_IF_ERROR(show(options, outputs));
  if (options.labels.empty()) return kDone;
  if (outputs.empty()) return usageError("there is no output to compare with the labels");
  return printAccuracy(outputs.front().tensor, options.labels);
}

Result<int> run(const RunOptions& options) {
  if (options.output == "-" && !options.labels.empty())
    return usageError("-o - writes the outputs where --labels would print the accuracy");
  if (!options.check.empty()) {
    if (!options.taps.empty()) return usageError("--tap and --check do not go together");
    ENFOLD_TRY(const bool same, check(options));
    return same ? kDone : kWrong;
  }
  return options.taps.empty() ? runOnce(options) : runTapped(options);
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
  app.add_option("--check", options->check,
                 "Compare with the test_data_set_* folders in this folder, or with `reference`: "
                 "the reference "
                 "functions")
      ->type_name("DIR");
  options->tolerance.add(app);
  app.add_option("--tap", options->taps,
                 "Also show this tensor, or the result of this node; does not change the outputs")
      ->type_name("NAME");
  app.add_flag("--reference", options->reference, "Run the reference functions, without passes");
  return [options] {
    const auto code = run(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
