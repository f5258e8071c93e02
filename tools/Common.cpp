// Shared parts of the subcommands.
#include "tools/Common.h"

#include "ir/ConstantText.h"
#include "ir/Printer.h"
#include "support/ErrorCodes.h"
#include "support/NewFile.h"
#include "tools/ProgressLine.h"
#include "tools/StandardInput.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace enfold::tool {
namespace {

CLI::Range isCount() { return {int64_t{0}, std::numeric_limits<int64_t>::max()}; }

bool looksNumeric(const std::string& cell) {
  return !cell.empty() && (std::isdigit(static_cast<unsigned char>(cell[0])) || cell[0] == '-');
}

} // namespace

void ModelOptions::add(CLI::App& app) {
  app.add_option("MODEL", model,
                 "A .onnx or .eir file, zoo:NAME, or - for an ONNX model on standard input")
      ->required();
  app.add_option("--shape", shapes,
                 "Shape of an input, or size of a symbolic dimension: NAME=1x3x224x224")
      ->type_name("NAME=SIZES")
      ->group("Model");
  app.add_flag("--freeze-initializers", freeze, "Make inputs that have a default value constants")
      ->group("Model");
  app.add_option("--passes", passes,
                 "Run these passes instead of the default ones: a,(b,c)*,d or none")
      ->type_name("LIST")
      ->group("Passes");
  app.add_option("--disable-pass", disabled, "Leave out this pass")
      ->type_name("PASS")
      ->group("Passes");
  app.add_option("--disable-kernel", disabledKernels,
                 "Do not use this kernel, named as `enfold explain` does: conv_winograd")
      ->type_name("KERNEL")
      ->group("Passes");
  app.add_option("--max-rewrites", maxRewrites, "Stop after this many rewrites")
      ->check(isCount())
      ->group("Passes");
  app.add_flag("--no-fuse", noFuse, "Leave out every pass that folds or fuses")->group("Passes");
  app.add_flag("--assume-inference-bn", assumeInferenceBn,
               "Treat batch normalization in training mode as inference")
      ->group("Passes");
  app.add_option("--tolerance", tolerance,
                 "Undo folds, and rounding of operands, whose error exceeds this, relative to the "
                 "largest element")
      ->check(CLI::NonNegativeNumber)
      ->group("Numbers");
  app.add_flag("--strict-denormals", strictDenormals, "Keep denormal numbers")->group("Numbers");
  app.add_option("--accuracy", accuracy,
                 "standard or strict; strict excludes algorithms that round more, such as Winograd")
      ->check(CLI::IsMember({"standard", "strict"}))
      ->group("Numbers");
  app.add_option(
         "--precision", precision,
         "model, fp32 or bf16; fp32: networks of f16 are computed in f32; bf16: convolutions "
         "and matrix products of f32 multiply bf16, and sum in f32")
      ->check(CLI::IsMember({"model", "fp32", "bf16"}))
      ->group("Numbers");
  addLimits(app);
  app.add_option("--machine", machine,
                 "Compile for the processor that this file describes (see `enfold machine`)")
      ->type_name("FILE")
      ->group("Running");
  app.add_option("--threads", threads, "Number of threads; 0: as many as the process may use")
      ->check(CLI::Range(0, ENFOLD_MAX_THREADS))
      ->group("Running");
  app.add_flag("-v,--verbose", verbosity, "Print remarks and times to stderr")->group("Running");
}

void ModelOptions::addTune(CLI::App& app) {
  app.add_flag("--tune", tune,
               "Choose algorithms by measurement instead of by estimate; takes about a minute, so "
               "keep the program with --cache or in a file")
      ->group("Running");
}

void ModelOptions::addLimits(CLI::App& app) {
  const auto bytes = [&](const char* name, auto& value, const char* what) {
    app.add_option(name, value, what)
        ->transform(CLI::AsSizeValue(false))
        ->check(isCount())
        ->group("Limits");
  };
  bytes("--limit-file-bytes", limits.fileBytes, "Refuse model files larger than this: 500MB");
  bytes("--limit-tensor-bytes", limits.tensorBytes,
        "Refuse models with tensors larger than this: 2GB");
  bytes("--limit-memory", limitMemory,
        "Print the peak memory needed, and refuse models that need more than this: 2G");
  app.add_option("--limit-nodes", limits.nodes, "Refuse models with more nodes than this")
      ->check(isCount())
      ->group("Limits");
  app.add_option("--limit-nesting", limits.nesting,
                 "Refuse functions and subgraphs nested deeper than this")
      ->check(isCount())
      ->group("Limits");
  app.add_option("--limit-iterations", limits.iterations,
                 "Stop a run when a loop takes more iterations")
      ->check(isCount())
      ->group("Limits");
  app.add_option("--limit-compile-seconds", limitSeconds,
                 "Give up if compilation takes longer than this")
      ->check(CLI::PositiveNumber)
      ->group("Limits");
}

Result<LoadOptions> ModelOptions::loadOptions() const {
  LoadOptions load;
  load.limits = limits;
  load.memory = memoryLimit();
  load.freezeInitializers = freeze;
  for (const std::string& text : shapes)
    if (auto added = addShape(load, text); !added) {
      for (Diag& diag : added.error().diags) diag.message = "--shape: " + diag.message;
      return std::unexpected(std::move(added).error());
    }
  return load;
}

Result<ModelSource> ModelOptions::source() const {
  if (model != "-") return ModelSource(model);
  if (!standardInput_) {
    ENFOLD_TRY(std::string bytes, readStandardInput());
    standardInput_ = ModelSource::inMemory(std::move(bytes));
  }
  return *standardInput_;
}

CompileOptions ModelOptions::compileOptions() const {
  CompileOptions options;
  options.pipeline = passes;
  options.machine = machine;
  options.disabled.insert(disabled.begin(), disabled.end());
  options.disabledKernels.insert(disabledKernels.begin(), disabledKernels.end());
  options.fuse = !noFuse;
  options.tolerance = tolerance;
  options.memory = memoryLimit();
  options.passes.maxRewrites = maxRewrites;
  options.passes.passes.assumeInferenceBn = assumeInferenceBn;
  if (accuracy == "strict") options.passes.passes.accuracy = Accuracy::Strict;
  options.passes.passes.precision = precisionAsked();
  if (strictDenormals) options.passes.passes.denormals = Denormals::Keep;
  if (tune) {
    const auto line = std::make_shared<ProgressLine>();
    options.tune = {.threads = threads,
                    .progress =
                        [line](int round, int rounds) {
                          line->show(fmt::format("tuning: round {} of {}", round, rounds));
                        },
                    .done =
                        [line](const TuneReport& report) {
                          line->clear();
                          note(report.str());
                        }};
  }
  return options;
}

std::optional<MemoryLimit> ModelOptions::memoryLimit() const {
  if (!limitMemory) return std::nullopt;
  return MemoryLimit{*limitMemory, threads};
}

Session::Options ModelOptions::sessionOptions() const { return {threads, strictDenormals}; }

namespace {

/// Names in a file may hold what a terminal would take as commands.
std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if ((code < 0x20 && c != '\n' && c != '\t') || code == 0x7f)
      shown += fmt::format("\\x{:02x}", code);
    else
      shown += c;
  }
  return shown;
}

} // namespace

int report(const Error& error) {
  for (const Diag& diag : error.diags) fmt::print(stderr, "enfold: {}\n", printable(diag.str()));
  std::string codes;
  for (const ErrorCode code : codesOf(error)) codes += fmt::format(" {}", info(code).code);
  fmt::print(stderr, "See `enfold errors{}`.\n", codes);
  return info(error.kind).exitCode;
}

void note(std::string_view text) { fmt::print(stderr, "{}\n", printable(text)); }

Result<LoadedModel> load(const ModelOptions& options, ModelUse use) {
  ENFOLD_TRY(const LoadOptions how, options.loadOptions());
  ENFOLD_TRY(const ModelSource source, options.source());
  const auto loadNow = [&] {
    return use == ModelUse::WithDefaults ? loadModelFor(source, {}, how) : loadModel(source, how);
  };
  ENFOLD_TRY(LoadedModel model, use == ModelUse::FirstPart ? loadStaged(source, how) : loadNow());
  for (const std::string& text : model.notes) note("note: " + text);
  return model;
}

void addJson(CLI::App& app, std::string& path) {
  app.add_option("--json", path, "Write JSON to this file, - for stdout")->type_name("FILE");
}

Result<> writeText(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text << std::flush;
    return {};
  }
  return writeFile(path, text);
}

Result<> writeJson(const std::string& path, const diagnose::Json& json) {
  return writeText(path, diagnose::jsonText(json, 2) + "\n");
}

Result<> saveModel(const Graph& graph, const std::string& path,
                   const onnx::ExportOptions& options) {
  if (path != "-") return onnx::exportModel(graph, path, options);
  ENFOLD_TRY(const std::string bytes, onnx::encodeModel(graph, options));
  return writeText(path, bytes);
}

Result<> saveGraphText(const Graph& graph, const std::filesystem::path& path) {
  std::filesystem::path data = path;
  data.replace_extension(".bin");
  std::string bytes;
  const std::string text = print(
      graph, {.constants = PrintOptions::Constants::File,
              .fileName = data.filename().string(),
              .append = [&](const Tensor& tensor) {
                const auto offset = static_cast<int64_t>(bytes.size());
                bytes.append(reinterpret_cast<const char*>(tensor.bytes()), tensor.numBytes());
                return offset;
              }});
  if (!bytes.empty()) ENFOLD_RETURN_IF_ERROR(writeText(data.string(), bytes));
  return writeText(path.string(), text);
}

std::string humanBytes(double bytes) {
  const char* units[] = {"B", "KB", "MB", "GB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit < 3; ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit ? 1 : 0, units[unit]);
}

std::string humanCount(double count, const char* unit) {
  const char* prefixes[] = {"", "k", "M", "G", "T"};
  size_t prefix = 0;
  for (; count >= 1000 && prefix < 4; ++prefix) count /= 1000;
  return fmt::format("{:.{}f} {}{}", count, prefix ? 2 : 0, prefixes[prefix], unit);
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool right = i > 0 && rows.size() > 1 && i < rows[1].size() && looksNumeric(rows[1][i]);
      line += (i ? "  " : "") + (right ? fmt::format("{:>{}}", row[i], widths[i])
                                       : fmt::format("{:<{}}", row[i], widths[i]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

} // namespace enfold::tool
