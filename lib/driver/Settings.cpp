// The table of settings.
#include "driver/Settings.h"

#include "lower/Families.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

namespace enfold {
namespace {

std::unexpected<Error> refuse(std::string_view value, std::string_view wanted) {
  return failure(ErrorCode::BadValue, fmt::format("'{}' is not {}", value, wanted));
}

template <typename T> std::optional<T> number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, value);
  const bool isRead =
      error == std::errc() && last == end && !std::isnan(static_cast<double>(value));
  return isRead ? std::optional(value) : std::nullopt;
}

Result<> setFlag(bool& flag, std::string_view value) {
  if (value != "0" && value != "1") return refuse(value, "0 or 1");
  flag = value == "1";
  return {};
}

/// A whole number, at least `least`.
template <typename T> Result<> setCount(T& count, std::string_view value, int64_t least) {
  const auto read = number<int64_t>(value);
  if (!read || *read < least || !std::in_range<T>(*read))
    return refuse(value, fmt::format("a whole number from {}", least));
  count = static_cast<T>(*read);
  return {};
}

/// "400", "400K", "1.5G": powers of 1024.
Result<> setBytes(int64_t& bytes, std::string_view value) {
  constexpr std::string_view kUnits = "KMGT";
  double factor = 1;
  if (const size_t unit = value.empty() ? kUnits.npos : kUnits.find(value.back());
      unit != kUnits.npos) {
    factor = std::ldexp(1, 10 * static_cast<int>(unit + 1));
    value.remove_suffix(1);
  }
  const auto read = number<double>(value);
  if (!read || !(*read >= 0) || !(*read * factor < 0x1p62))
    return refuse(value, "a number of bytes such as 400M");
  bytes = static_cast<int64_t>(*read * factor);
  return {};
}

Result<> setAccuracy(PassOptions& passes, std::string_view value) {
  if (value != "standard" && value != "strict") return refuse(value, "standard or strict");
  passes.accuracy = value == "strict" ? Accuracy::Strict : Accuracy::Standard;
  return {};
}

Result<> setPrecision(PassOptions& passes, std::string_view value) {
  const auto precision = precisionOf(value);
  if (!precision) return refuse(value, "model, fp32 or bf16");
  passes.precision = *precision;
  return {};
}

Result<> setTolerance(std::optional<double>& tolerance, std::string_view value) {
  const auto read = number<double>(value);
  if (!read || !(*read >= 0) || std::isinf(*read)) return refuse(value, "a number from 0");
  tolerance = read;
  return {};
}

Result<> setDenormals(Settings& settings, std::string_view value) {
  bool keep = false;
  ENFOLD_RETURN_IF_ERROR(setFlag(keep, value));
  settings.network.session.strictDenormals = keep;
  settings.network.compile.passes.passes.denormals = keep ? Denormals::Keep : Denormals::Flush;
  return {};
}

Result<> setTune(std::optional<TuneOptions>& tune, std::string_view value) {
  bool on = false;
  ENFOLD_RETURN_IF_ERROR(setFlag(on, value));
  tune = on ? std::optional(TuneOptions{}) : std::nullopt;
  return {};
}

Result<> disablePass(std::set<std::string>& disabled, std::string_view value) {
  if (!findPass(value)) return refuse(value, "the name of a pass");
  disabled.emplace(value);
  return {};
}

Result<> disableKernel(std::set<std::string, std::less<>>& disabled, std::string_view value) {
  if (!lower::isKernelName(value))
    return refuse(value, fmt::format("a kernel: {}", fmt::join(lower::kernelNames(), ", ")));
  disabled.emplace(value);
  return {};
}

Result<> setThreads(int& threads, std::string_view value) {
  ENFOLD_RETURN_IF_ERROR(setCount(threads, value, 0));
  if (threads > ENFOLD_MAX_THREADS)
    return refuse(value, fmt::format("at most {} threads", ENFOLD_MAX_THREADS));
  return {};
}

Result<> setStreams(int& streams, std::string_view value) {
  ENFOLD_RETURN_IF_ERROR(setCount(streams, value, 1));
  if (streams > ENFOLD_MAX_THREADS)
    return refuse(value, fmt::format("at most {} streams", ENFOLD_MAX_THREADS));
  return {};
}

} // namespace

std::span<const SettingInfo> settingTable() {
  using S = Settings&;
  using V = std::string_view;
  static constexpr SettingInfo kTable[] = {
      {"threads", "N", "threads of a run; 0: as many as the process may use",
       [](S s, V v) { return setThreads(s.network.session.threads, v); }},
      {"streams", "N",
       "calls at the same time that have so many threads each; further ones have one",
       [](S s, V v) { return setStreams(s.network.streams, v); }},
      {"shape", "NAME=1x3x224x224", "size of an input, or of a symbolic dimension; several",
       [](S s, V v) { return addShape(s.network.load, v); }},
      {"freeze-initializers", "0|1", "inputs that have a default become constants",
       [](S s, V v) { return setFlag(s.network.load.freezeInitializers, v); }},
      {"data-folder", "DIR", "where the external data of a model in memory lies",
       [](S s, V v) -> Result<> {
         s.dataFolder = v;
         return {};
       }},
      {"accuracy", "standard|strict", "strict: no algorithm that rounds more than direct sums",
       [](S s, V v) { return setAccuracy(s.network.compile.passes.passes, v); }},
      {"precision", "model|fp32|bf16",
       "fp32: networks of f16 are computed in f32; bf16: those of f32 multiply bf16",
       [](S s, V v) { return setPrecision(s.network.compile.passes.passes, v); }},
      {"tolerance", "T", "undo what costs more accuracy, relative to the largest number",
       [](S s, V v) { return setTolerance(s.network.compile.tolerance, v); }},
      {"strict-denormals", "0|1", "keep denormal numbers", setDenormals},
      {"assume-inference-bn", "0|1", "treat training-mode batch normalization as inference",
       [](S s, V v) { return setFlag(s.network.compile.passes.passes.assumeInferenceBn, v); }},
      {"fuse", "0|1", "0: leave out every pass that folds or fuses",
       [](S s, V v) { return setFlag(s.network.compile.fuse, v); }},
      {"disable-pass", "PASS", "leave out a pass; several",
       [](S s, V v) { return disablePass(s.network.compile.disabled, v); }},
      {"disable-kernel", "KERNEL", "do not compute with this kernel; several",
       [](S s, V v) { return disableKernel(s.network.compile.disabledKernels, v); }},
      {"passes", "PASS,PASS{option=2},...", "run these passes instead of the default ones",
       [](S s, V v) -> Result<> {
         ENFOLD_RETURN_IF_ERROR(parsePipeline(v));
         s.network.compile.pipeline = v;
         return {};
       }},
      {"max-rewrites", "N", "stop the passes after so many rewrites",
       [](S s, V v) { return setCount(s.network.compile.passes.maxRewrites, v, 0); }},
      {"tune", "0|1", "measure which algorithms are fastest, instead of estimating it",
       [](S s, V v) { return setTune(s.network.compile.tune, v); }},
      {"cpu", "NAME", "LLVM's name of the processor to compile for; native: this one",
       [](S s, V v) -> Result<> {
         s.network.compile.cpu = v;
         return {};
       }},
      {"capacity", "N", "for how many combinations of sizes programs are kept",
       [](S s, V v) { return setCount(s.network.capacity, v, 1); }},
      {"cache", "0|1", "keep compiled programs in a folder, for other processes",
       [](S s, V v) { return setFlag(s.useCache, v); }},
      {"cache-folder", "DIR", "that folder; without it ENFOLD_CACHE_DIR or the user's cache",
       [](S s, V v) -> Result<> {
         s.cacheFolder = v;
         return {};
       }},
      {"cache-bytes", "BYTES", "how much the folder may hold",
       [](S s, V v) { return setBytes(s.cacheBytes, v); }},
      {"limit-file-bytes", "BYTES", "refuse larger model files",
       [](S s, V v) { return setBytes(s.network.load.limits.fileBytes, v); }},
      {"limit-tensor-bytes", "BYTES", "refuse models with larger tensors",
       [](S s, V v) { return setBytes(s.network.load.limits.tensorBytes, v); }},
      {"limit-memory", "BYTES", "refuse models that need more memory, this process's included",
       [](S s, V v) -> Result<> {
         int64_t bytes = 0;
         ENFOLD_RETURN_IF_ERROR(setBytes(bytes, v));
         s.memoryBytes = bytes;
         return {};
       }},
      {"limit-nodes", "N", "refuse models with more nodes",
       [](S s, V v) { return setCount(s.network.load.limits.nodes, v, 0); }},
      {"limit-nesting", "N", "refuse deeper functions and subgraphs",
       [](S s, V v) { return setCount(s.network.load.limits.nesting, v, 0); }},
      {"limit-iterations", "N", "end a run in which a loop goes on for longer",
       [](S s, V v) { return setCount(s.network.load.limits.iterations, v, 0); }},
  };
  return kTable;
}

Result<> set(Settings& settings, std::string_view name, std::string_view value) {
  const auto table = settingTable();
  const auto row = std::ranges::find(table, name, &SettingInfo::name);
  if (row == table.end()) {
    std::vector<std::string_view> names;
    for (const SettingInfo& info : table) names.push_back(info.name);
    return failure(ErrorCode::UnknownName,
                   fmt::format("no setting '{}'; there are {}", name, fmt::join(names, ", ")));
  }
  auto done = row->apply(settings, value);
  if (!done)
    for (Diag& diag : done.error().diags)
      diag.message = fmt::format("setting '{}': {}", name, diag.message);
  return done;
}

Result<Network::Options> Settings::networkOptions() const {
  Network::Options options = network;
  if (memoryBytes)
    options.load.memory = options.compile.memory =
        MemoryLimit{*memoryBytes, network.session.threads};
  if (useCache) {
    const auto folder = cacheFolder.empty() ? CompileCache::defaultFolder() : cacheFolder;
    if (folder.empty())
      return failure(ErrorCode::BadCacheFolder,
                     "no folder for the cache: set ENFOLD_CACHE_DIR or 'cache-folder'");
    options.cache.emplace(folder, cacheBytes);
  }
  return options;
}

} // namespace enfold
