// Shared by the subcommands: the options of every MODEL, loading, error reporting, text output.
#pragma once

#include "diagnose/Json.h"
#include "driver/Compiler.h"
#include "driver/Model.h"
#include "onnx/Export.h"

#include <filesystem>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace enfold::tool {

enum ExitCode { kDone = 0, kWrong = 1, kUsage = 2, kUnsupported = 3 };

/// Options of every command that takes a model.
struct ModelOptions {
  std::string model;
  std::vector<std::string> shapes; ///< NAME=1x3x224x224, or DIM=8
  bool freeze = false;
  bool noFuse = false;
  bool assumeInferenceBn = false;
  std::string accuracy = "standard";
  std::string precision = "model";
  bool strictDenormals = false;
  std::vector<std::string> disabled, disabledKernels;
  std::string passes;
  std::optional<double> tolerance;
  int64_t maxRewrites = std::numeric_limits<int64_t>::max();
  std::string machine; ///< file that describes the processor
  onnx::ImportLimits limits;
  std::optional<double> limitSeconds; ///< of compilation
  std::optional<int64_t> limitMemory; ///< bytes of the process
  int threads = 0;
  int verbosity = 0;
  bool tune = false;

  void add(CLI::App& app);
  /// The option of commands that run or write what they compile.
  void addTune(CLI::App& app);
  Result<LoadOptions> loadOptions() const;
  /// The model; "-" is one in ONNX's format on standard input, which is read at the first call.
  Result<ModelSource> source() const;
  CompileOptions compileOptions() const;
  Session::Options sessionOptions() const;
  Precision precisionAsked() const { return *precisionOf(precision); }

private:
  mutable std::optional<ModelSource> standardInput_; ///< once it was read
  std::optional<MemoryLimit> memoryLimit() const;
  void addLimits(CLI::App& app);
};

/// Prints the error and its code to stderr, and gives the exit code of its kind.
int report(const Error& error);
/// A note to stderr.
void note(std::string_view text);

/// What a loaded model is for: any inputs; runs in which inputs that have a default keep it; or to
/// look at it, of a model in which data decide sizes at the part in front of them.
enum class ModelUse { Any, WithDefaults, FirstPart };

/// Loads the model, printing its notes.
Result<LoadedModel> load(const ModelOptions& options, ModelUse use = ModelUse::Any);

/// The option for a file of JSON, `-` for standard output.
void addJson(CLI::App& app, std::string& path);

/// Writes to a file, whole or not at all, or to stdout for "-".
Result<> writeText(const std::string& path, const std::string& text);
Result<> writeJson(const std::string& path, const diagnose::Json& json);

/// Writes the graph as ONNX, to stdout for "-".
Result<> saveModel(const Graph& graph, const std::string& path,
                   const onnx::ExportOptions& options = {});

/// Writes the graph as .eir, and its large constants to a .bin file of the same name.
Result<> saveGraphText(const Graph& graph, const std::filesystem::path& path);

/// "12.3 MB", "4.5 GFLOP".
std::string humanBytes(double bytes);
std::string humanCount(double count, const char* unit);

/// Rows of cells printed as columns: the first left-aligned, the others right-aligned when they
/// look like numbers.
std::string table(const std::vector<std::vector<std::string>>& rows);

} // namespace enfold::tool
