// enfold cache: lists, checks and prunes the folder of compiled programs; and the options by which
// other commands use it.
#include "tools/Cache.h"

#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Deadline.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace enfold::tool {
namespace {

Result<CompileCache> open(const std::string& folder, int64_t bytes) {
  const std::filesystem::path path =
      folder.empty() ? CompileCache::defaultFolder() : std::filesystem::path(folder);
  if (path.empty())
    return failure(ErrorCode::BadCacheFolder,
                   "no folder for the cache: set ENFOLD_CACHE_DIR or use --cache-dir");
  return CompileCache(path, bytes);
}

void addFolder(CLI::App& app, std::string& folder) {
  app.add_option("--cache-dir", folder,
                 "Folder of the cache; default: ENFOLD_CACHE_DIR, or ~/.cache/enfold")
      ->type_name("DIR")
      ->group("Cache");
}

std::string when(std::filesystem::file_time_type time) {
  const auto system =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::file_clock::to_sys(time));
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", system);
}

double bytesOf(const std::vector<CompileCache::Entry>& files) {
  double bytes = 0;
  for (const auto& file : files) bytes += static_cast<double>(file.bytes);
  return bytes;
}

diagnose::Json toJson(const std::vector<CompileCache::Entry>& files) {
  diagnose::Json json = diagnose::Json::array();
  for (const auto& file : files) {
    const auto name = CompileCache::describe(file.path);
    json.push_back({{"entry", file.path.stem().string()},
                    {"bytes", file.bytes},
                    {"used", when(file.used)},
                    {"program", name ? diagnose::Json(*name) : nullptr},
                    {"problem", name ? "" : name.error().str()}});
  }
  return json;
}

/// The state of the folder.
diagnose::Json toJson(const CompileCache& cache) {
  const auto unfinished = cache.unfinished();
  return {{"version", 1},
          {"folder", cache.folder().string()},
          {"programs", toJson(cache.entries())},
          {"unfinished", unfinished.size()},
          {"unfinished_bytes", bytesOf(unfinished)}};
}

std::string list(const CompileCache& cache) {
  std::vector<std::vector<std::string>> rows = {{"entry", "size", "last used (UTC)", "program"}};
  const auto entries = cache.entries();
  for (const auto& entry : entries) {
    rows.push_back({entry.path.stem().string(), humanBytes(static_cast<double>(entry.bytes)),
                    when(entry.used), CompileCache::describe(entry.path).value_or("(damaged)")});
  }
  std::string text = entries.empty() ? "" : table(rows);
  text += fmt::format("{} program{} of {} in {}\n", entries.size(), entries.size() == 1 ? "" : "s",
                      humanBytes(bytesOf(entries)), cache.folder().string());
  if (const auto unfinished = cache.unfinished(); !unfinished.empty())
    text += fmt::format(
        "{} unfinished files of {}: being written, or left by a writer that was killed\n",
        unfinished.size(), humanBytes(bytesOf(unfinished)));
  return text;
}

/// How many programs are damaged, each told in `text`.
size_t verifyAll(const CompileCache& cache, std::string& text) {
  size_t damaged = 0;
  const auto entries = cache.entries();
  for (const auto& entry : entries)
    if (const auto whole = CompileCache::describe(entry.path); !whole) {
      ++damaged;
      text += whole.error().str() + "\n";
    }
  text += fmt::format("{} of {} programs are intact\n", entries.size() - damaged, entries.size());
  return damaged;
}

std::string prune(const CompileCache& cache, int64_t bytes) {
  const auto [programs, unfinished] = cache.prune(bytes);
  std::string text = fmt::format("removed {} program{} of {}\n", programs.size(),
                                 programs.size() == 1 ? "" : "s", humanBytes(bytesOf(programs)));
  if (!unfinished.empty())
    text += fmt::format("removed {} unfinished files of {}\n", unfinished.size(),
                        humanBytes(bytesOf(unfinished)));
  return text;
}

} // namespace

void CacheOptions::add(CLI::App& app) {
  app.add_flag("--cache", use, "Take the program from the cache, or add it")->group("Cache");
  addFolder(app, folder);
  app.add_option("--cache-bytes", bytes, "Largest size of the cache: 4GB")
      ->type_name("BYTES")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::NonNegativeNumber)
      ->group("Cache");
}

Result<std::optional<CompileCache>> CacheOptions::cache() const {
  if (!use) return std::nullopt;
  ENFOLD_TRY(CompileCache cache, open(folder, bytes));
  return cache;
}

Result<CompiledModel> compileFor(const ModelOptions& options, const CacheOptions& cacheOptions,
                                 std::span<const NamedTensor> inputs, bool staged) {
  const Deadline deadline(options.limitSeconds);
  ENFOLD_TRY(const LoadOptions load, options.loadOptions());
  ENFOLD_TRY(const std::optional<CompileCache> cache, cacheOptions.cache());
  ENFOLD_TRY(const ModelSource source, options.source());
  ENFOLD_TRY(CompiledModel compiled, compileModel(source, inputs, load, options.compileOptions(),
                                                  cache ? &*cache : nullptr, staged));
  for (const std::string& text : compiled.notes) note("note: " + text);
  if (!compiled.executable) return compiled;
  if (options.limitMemory && !compiled.cached)
    note("memory: at most " + compiled.executable->memoryNeeds().str());
  if (options.verbosity <= 0) return compiled;
  if (compiled.cached) note("the program comes from the cache");
  for (const Remark& remark : compiled.report.remarks.remarks()) note(remark.str());
  const CompileTimes& times = compiled.executable->times();
  note(fmt::format("passes {:.1f} ms, lowering {:.1f} ms, code generation {:.1f} ms", times.passes,
                   times.lowering, times.codegen));
  for (const std::string& op : compiled.executable->referenceOps()) note("reference: " + op);
  return compiled;
}

Action addCache(CLI::App& app) {
  struct Options {
    std::string folder, json;
    int64_t keep = 0;
  };
  auto options = std::make_shared<Options>();
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* summary) {
    CLI::App* sub = app.add_subcommand(name, summary);
    addFolder(*sub, options->folder);
    addJson(*sub, options->json);
    return sub;
  };
  add("ls", "List the programs in the cache, most recently used first");
  const CLI::App* verify = add("verify", "Read and check every program");
  CLI::App* pruning = add("prune", "Remove programs, least recently used first");
  pruning->add_option("--keep", options->keep, "Keep this much: 500MB; 0 removes all")
      ->type_name("BYTES")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::NonNegativeNumber);
  return [options, verify, pruning] {
    const auto cache = open(options->folder, CompileCache::kCapacity);
    if (!cache) return report(cache.error());
    size_t damaged = 0;
    std::string text;
    if (*verify)
      damaged = verifyAll(*cache, text);
    else
      text = *pruning ? prune(*cache, options->keep) : list(*cache);
    const auto told =
        options->json.empty() ? writeText("-", text) : writeJson(options->json, toJson(*cache));
    if (!told) return report(told.error());
    return damaged ? int{kWrong} : int{kDone};
  };
}

} // namespace enfold::tool
