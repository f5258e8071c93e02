// enfold quantize: converts a network of floats to 8-bit integers, by samples of its inputs.
#include "quantize/Quantize.h"

#include "ir/ConstantText.h"
#include "onnx/Export.h"
#include "onnx/TensorFile.h"
#include "quantize/Prepare.h"
#include "support/ErrorCodes.h"
#include "tools/CalibrationData.h"
#include "tools/Commands.h"
#include "tools/Deadline.h"
#include "tools/Inputs.h"
#include "tools/OpenSizes.h"
#include "tools/ProgressLine.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace enfold::tool {
namespace {

struct QuantizeOptions {
  ModelOptions model;
  PixelOptions pixels;
  std::string calibrate, output, method = "auto", labels, json;
  std::vector<uint64_t> seeds;
  CLI::Option* random = nullptr;
  size_t samples = 0; ///< 0: all, or eight random ones
  double percent = 99.99;
  bool noEqualize = false, noBiasCorrection = false, reduceRange = false, quantizeOutputs = false;
  std::optional<double> maxLoss;
  std::vector<std::string> excluded;
};

/// The model, and samples that fit it.
struct Task {
  LoadedModel model;
  std::optional<CalibrationData> data;
  quantize::Samples samples;
};

/// The tensors of a sample in the order of the graph's inputs.
Result<std::vector<Tensor>> arranged(std::vector<NamedTensor> sample, const Graph& graph,
                                     size_t number, const PixelOptions& pixels) {
  std::vector<Tensor> tensors;
  for (const auto& input : graph.inputs()) {
    const auto it = std::ranges::find(sample, input->name(), &NamedTensor::name);
    if (it == sample.end())
      return failure(ErrorCode::UnknownInput,
                     fmt::format("sample {} has no input '{}'", number, input->name()));
    ENFOLD_TRY(tensors.emplace_back(), pixels.asNumbers(std::move(it->tensor), input->type()));
    if (tensors.back().type() != input->type())
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' must be {}, not {} as in sample {}", input->name(),
                                 input->type().str(), tensors.back().type().str(), number));
  }
  return tensors;
}

Result<> loadTask(const QuantizeOptions& options, Task& task) {
  const bool isRandom = options.random->count() > 0;
  if (isRandom != options.calibrate.empty())
    return usageError("give samples: either --calibrate DIR or FILE.npy, or --random");
  ENFOLD_TRY(LoadOptions load, options.model.loadOptions());
  if (isRandom) {
    ENFOLD_TRY(task.model, tool::load(options.model, ModelUse::WithDefaults));
    const uint64_t seed = options.seeds.empty() ? 1 : options.seeds.front();
    task.samples.count = options.samples == 0 ? 8 : options.samples;
    task.samples.at = [&graph = *task.model.graph, seed](size_t i) -> Result<std::vector<Tensor>> {
      std::vector<Tensor> tensors;
      for (const auto& input : graph.inputs())
        tensors.push_back(
            randomTensor(input->type(), seed + i * graph.inputs().size() + tensors.size()));
      return tensors;
    };
    return {};
  }
  ENFOLD_TRY(const ModelSource source, options.model.source());
  ENFOLD_TRY(const onnx::Signature signature, loadSignature(source, load));
  ENFOLD_TRY(task.data, CalibrationData::open(options.calibrate, signature, load));
  ENFOLD_TRY(const std::vector<NamedTensor> first, task.data->at(0));
  ENFOLD_TRY(task.model, loadModelFor(source, first, std::move(load)));
  for (const std::string& text : task.model.notes) note("note: " + text);
  const size_t all = task.data->count();
  task.samples.count = options.samples == 0 ? all : std::min(options.samples, all);
  task.samples.at = [&task, &options](size_t i) -> Result<std::vector<Tensor>> {
    ENFOLD_TRY(std::vector<NamedTensor> sample, task.data->at(i));
    return arranged(std::move(sample), *task.model.graph, i, options.pixels);
  };
  return {};
}

Result<std::vector<int64_t>> readLabels(const QuantizeOptions& options, const Task& task) {
  if (options.labels.empty()) return std::vector<int64_t>();
  if (!task.data)
    return failure(ErrorCode::OptionConflict,
                   "--labels are of recorded samples, not of random ones");
  ENFOLD_TRY(const NamedTensor file, onnx::readTensorFile(options.labels));
  if (!isInteger(file.tensor.elem()) || file.tensor.numElements() != task.data->rows())
    return failure(ErrorCode::WrongInput,
                   fmt::format("{}: {} does not hold a class for each of {} samples",
                               options.labels, file.tensor.type().str(), task.data->rows()));
  return file.tensor.toInts();
}

std::string decibelText(const quantize::Noise& noise) {
  const double value = noise.decibels();
  return std::isfinite(value) ? fmt::format("{:.1f}", value) : value > 0 ? "exact" : "none";
}

void print(const quantize::Report& report) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "op", "SNR dB", "low", "high", "scale", "zero", "type"}};
  for (const quantize::LayerReport& layer : report.layers) {
    std::vector<std::string> row = {layer.name, layer.op, decibelText(layer.noise)};
    if (layer.output)
      row.insert(row.end(), {fmt::format("{:.4g}", layer.output->range.low),
                             fmt::format("{:.4g}", layer.output->range.high),
                             fmt::format("{:.4g}", layer.output->scale.scale),
                             std::to_string(layer.output->scale.zero)});
    else
      row.insert(row.end(), 4, "-");
    row.push_back(layer.floatBecause.empty() ? "8 bits" : "float: " + layer.floatBecause);
    rows.push_back(std::move(row));
  }
  fmt::print("{}", table(rows));
  for (const std::string& tensor : report.deadTensors)
    fmt::print("note: '{}' is 0 in all samples\n", tensor);
  fmt::print("{} of {} layers in 8 bits, by {} samples: {} ranges, {} pairs of layers equalized, "
             "{} biases corrected\n",
             report.numQuantized(), report.layers.size(), report.samples, name(report.method),
             report.equalizedPairs, report.correctedLayers);
  for (const quantize::OutputReport& output : report.outputs)
    fmt::print("output {}: SNR {} dB, largest error {:.3g}\n", output.name,
               decibelText(output.noise), output.noise.largest);
  const auto percent = [](const quantize::Accuracy& accuracy) {
    return 100.0 * static_cast<double>(accuracy.right) / static_cast<double>(accuracy.count);
  };
  if (report.before.count > 0)
    fmt::print("accuracy: {} of {} ({:.2f}%) in floats, {} ({:.2f}%) quantized\n",
               report.before.right, report.before.count, percent(report.before), report.after.right,
               percent(report.after));
}

Result<> save(const Graph& graph, const QuantizeOptions& options, const LoadedModel& model) {
  const std::filesystem::path path = options.output;
  if (path.extension() == ".eir") return saveGraphText(graph, path);
  const auto prepare = [&](const Graph& loaded) {
    return quantize::prepared(loaded, options.model.compileOptions());
  };
  return saveModel(graph, options.output,
                   {.inputDefaults = model.inputDefaults,
                    .openTypes = openTypes(options.model, model, ModelUse::WithDefaults, prepare)});
}

Result<> run(const QuantizeOptions& options) {
  const std::string extension = std::filesystem::path(options.output).extension();
  if (extension != ".onnx" && extension != ".eir" && options.output != "-")
    return failure(
        ErrorCode::BadValue,
        fmt::format("-o {}: the name must end in .onnx or .eir, or be -", options.output));
  if (options.output == "-" && options.json == "-")
    return failure(ErrorCode::OptionConflict,
                   "-o - and --json - cannot both write to standard output");
  const Deadline deadline(options.model.limitSeconds);
  Task task;
  ENFOLD_RETURN_IF_ERROR(loadTask(options, task));
  ProgressLine line;
  quantize::Options how{
      .method = quantize::methodOf(options.method),
      .percent = options.percent,
      .equalize = !options.noEqualize,
      .correctBiases = !options.noBiasCorrection,
      .weights = options.reduceRange ? quantize::WeightRange::Reduced : quantize::WeightRange::Full,
      .quantizeOutputs = options.quantizeOutputs,
      .excluded = {options.excluded.begin(), options.excluded.end()},
      .leastSignal = options.maxLoss,
      .run = {options.model.compileOptions(), options.model.sessionOptions(),
              [&](std::string_view what, size_t done, size_t count) {
                line.show(fmt::format("{}: sample {} of {}", what, done + 1, count));
              }}};
  ENFOLD_TRY(how.labels, readLabels(options, task));
  ENFOLD_TRY(const quantize::Quantized quantized,
             quantize::quantize(*task.model.graph, task.samples, how));
  line.clear();
  ENFOLD_RETURN_IF_ERROR(save(*quantized.graph, options, task.model));
  if (options.json != "-" && options.output != "-") print(quantized.report);
  if (options.json.empty()) return {};
  return writeJson(options.json, toJson(quantized.report));
}

} // namespace

Action addQuantize(CLI::App& app) {
  auto options = std::make_shared<QuantizeOptions>();
  options->model.add(app);
  app.add_option("--calibrate", options->calibrate,
                 "Samples of the inputs: a .npy file whose first axis counts them, or a folder of "
                 "such files or of test_data_set_*")
      ->type_name("DATA");
  options->random = app.add_option("--random", options->seeds,
                                   "Calibrate with random numbers from this seed (default 1)")
                        ->expected(0, 1)
                        ->default_str("1")
                        ->type_name("SEED");
  options->pixels.add(app);
  app.add_option("--samples", options->samples, "Use the first of the samples only, this many")
      ->check(CLI::PositiveNumber)
      ->type_name("COUNT");
  app.add_option("-o,--output", options->output,
                 "Write the network to this file: .onnx or .eir; - for ONNX on stdout")
      ->required()
      ->type_name("FILE");
  app.add_option("--method", options->method,
                 "How ranges are chosen: minmax, percentile, mse, or auto, which measures them all")
      ->check(CLI::IsMember({"auto", "minmax", "percentile", "mse"}));
  app.add_option("--percentile", options->percent, "What the method of that name keeps, in percent")
      ->check(CLI::Range(50.0, 100.0))
      ->type_name("PERCENT");
  app.add_flag("--no-equalize", options->noEqualize, "Do not try to equalize channels");
  app.add_flag("--no-bias-correction", options->noBiasCorrection, "Do not try to correct biases");
  app.add_flag("--reduce-range", options->reduceRange,
               "Weights of 7 bits, for programs whose sums of two products saturate 16 bits");
  app.add_flag("--quantize-outputs", options->quantizeOutputs,
               "Also round the results of the last layers to 8 bits");
  app.add_option("--max-loss", options->maxLoss,
                 "Keep layers of less signal to noise than this many dB in floats, if that helps "
                 "the outputs")
      ->type_name("DB");
  app.add_option("--exclude", options->excluded, "Keep this node in floats")->type_name("NODE");
  app.add_option("--labels", options->labels,
                 "A .npy file of the samples' classes; print the accuracy before and after")
      ->type_name("FILE");
  app.add_option("--json", options->json, "Write the report as JSON to this file, - for stdout")
      ->type_name("FILE");
  return [options] {
    const auto done = run(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
