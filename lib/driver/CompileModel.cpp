// Keys of programs, and looking them up.
#include "driver/CompileModel.h"

#include "codegen/Watched.h"
#include "onnx/RegularFile.h"
#include "support/Hash.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <dlfcn.h>

namespace enfold {
namespace {

namespace fs = std::filesystem;

Result<uint64_t> hashFile(const fs::path& path) {
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  if (file.size() == 0) return 0;
  ENFOLD_TRY(const auto bytes, file.map());
  return hashLarge(bytes.get(), static_cast<size_t>(file.size()));
}

uint64_t hashOf(const Tensor& tensor) { return hashLarge(tensor.bytes(), tensor.numBytes()); }

/// The build of the compiler that runs: its file changes with every link.
std::string compilerBuild() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&hashFile), &info) || !info.dli_fname) return "";
  std::error_code error;
  fs::path path = info.dli_fname;
  if (!path.is_absolute() && fs::exists("/proc/self/exe", error))
    path = fs::read_symlink("/proc/self/exe", error);
  const auto bytes = error ? 0 : fs::file_size(path, error);
  const auto time = error ? fs::file_time_type() : fs::last_write_time(path, error);
  return error ? "" : fmt::format("{} {}", bytes, time.time_since_epoch().count());
}

void describe(const LoadOptions& load, std::string& key) {
  key += fmt::format("shapes {} dims {} freeze {} overridden {} elided {}\n", load.shapes,
                     load.dims, load.freezeInitializers, load.overridden, load.allowElided);
  const onnx::ImportLimits& limits = load.limits;
  key += fmt::format("limits {} {} {} {} {} {}\n", limits.fileBytes, limits.nodes,
                     limits.tensorBytes, limits.expandedBytes, limits.nesting, limits.iterations);
  for (const auto& [name, tensor] : load.values)
    key += fmt::format("value {} {} {:x}\n", name, tensor.type().str(), hashOf(tensor));
  for (const auto& [name, tensor] : load.replacements)
    key += fmt::format("replacement {} {} {:x}\n", name, tensor.type().str(), hashOf(tensor));
}

void describe(const CompileOptions& options, std::string& key) {
  const PassOptions& passes = options.passes.passes;
  key += fmt::format("pipeline {} without {} fuse {} rewrites {}\n", options.pipeline,
                     options.disabled, options.fuse, options.passes.maxRewrites);
  key += fmt::format("tolerance {} accuracy {} denormals {} inference {} unfolded {} budget {}\n",
                     options.tolerance.value_or(-1), static_cast<int>(passes.accuracy),
                     static_cast<int>(passes.denormals), passes.assumeInferenceBn, passes.unfolded,
                     passes.constantBudget);
  key += fmt::format("precision {} unrounded {}\n", static_cast<int>(passes.precision),
                     passes.unrounded);
  if (options.tune) key += fmt::format("tuned for {} threads\n", options.tune->threads);
}

void describe(const codegen::Target& target, std::string& key) {
  key += fmt::format("target {} {} without {}\n{}", target.cpu, target.features,
                     target.disabledKernels, kir::print(target.machine, target.cpu));
}

/// All that a program depends on; empty if programs of the model cannot be stored.
Result<std::string> keyOf(const ModelSource& model, std::span<const NamedTensor> inputs,
                          const LoadOptions& load, const CompileOptions& options,
                          const codegen::Target& target) {
  const std::string build = compilerBuild();
  if (build.empty() || model.isText()) return "";
  std::string key = fmt::format("compiler {}\n", build);
  std::error_code error;
  if (model.isZoo()) {
    key += model.name + "\n";
  } else if (model.bytes) {
    key += fmt::format("bytes {:x} {}\n", hashLarge(model.bytes->data(), model.bytes->size()),
                       model.folder.empty() ? "" : fs::absolute(model.folder, error).string());
  } else {
    ENFOLD_TRY(const uint64_t hash, hashFile(model.name));
    // Data files are looked for beside the model, and its name becomes the program's.
    key += fmt::format("model {:x} {}\n", hash, fs::absolute(model.name, error).string());
  }
  for (const auto& [name, tensor] : inputs)
    key += fmt::format("input {} {}\n", name, tensor.type().str());
  describe(load, key);
  describe(options, key);
  describe(target, key);
  return key;
}

/// Inputs that were compiled in must be what they were, and so must the files beside the model.
bool isOf(const CachedModel& cached, std::span<const NamedTensor> inputs) {
  for (const auto& [name, tensor] : cached.boundInputs)
    for (const NamedTensor& input : inputs)
      if (input.name.empty() || (input.name == name && input.tensor != tensor)) return false;
  return std::ranges::all_of(cached.dataFiles, [](const auto& file) {
    const auto hash = hashFile(file.first);
    return hash && *hash == file.second;
  });
}

} // namespace

Result<CompiledModel> compileModel(const ModelSource& model, std::span<const NamedTensor> inputs,
                                   const LoadOptions& load, const CompileOptions& options,
                                   const CompileCache* cache, bool staged) {
  CompiledModel compiled;
  CachedModel entry;
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  if (cache && !codegen::isCodeWatched())
    if (auto key = keyOf(model, inputs, load, options, target)) entry.key = *std::move(key);
  if (!entry.key.empty()) {
    auto found = cache->find(entry.key, compiled.notes);
    if (found && load.onlyClosed && isOpen(found->signature, load)) {
      compiled.signature = std::move(found->signature);
      return compiled;
    }
    if (found && isOf(*found, inputs)) {
      ENFOLD_TRY(compiled.executable, Executable::link(found->program, target));
      compiled.inputDefaults = std::move(found->inputDefaults);
      compiled.boundInputs = std::move(found->boundInputs);
      std::ranges::move(found->notes, std::back_inserter(compiled.notes));
      compiled.signature = std::move(found->signature);
      compiled.cached = true;
      return compiled;
    }
  }
  ENFOLD_TRY(LoadedModel loaded,
             staged ? loadStaged(model, inputs, load) : loadModelFor(model, inputs, load));
  if (!loaded.graph) {
    compiled.signature = std::move(loaded.signature);
    return compiled;
  }
  CompileOptions how = options;
  if (!entry.key.empty() && !loaded.remainder.rest)
    how.store = [&](const StoredProgram& program) {
      entry.program = program;
      entry.inputDefaults = loaded.inputDefaults;
      entry.boundInputs = loaded.boundInputs;
      entry.notes = loaded.notes;
      entry.signature = loaded.signature;
      for (const fs::path& file : loaded.dataFiles)
        if (const auto hash = hashFile(file)) entry.dataFiles[file.string()] = *hash;
      if (const auto stored = cache->store(entry); !stored)
        compiled.notes.push_back("the program was not put into the cache: " + stored.error().str());
    };
  compiled.remainder = std::move(loaded.remainder);
  if (!compiled.remainder.rest || !loaded.graph->outputs().empty()) {
    ENFOLD_TRY(Compilation result, compile(std::move(loaded.graph), how));
    compiled.executable = std::move(result.executable);
    compiled.report = std::move(result.report);
  }
  compiled.inputDefaults = std::move(loaded.inputDefaults);
  compiled.boundInputs = std::move(loaded.boundInputs);
  std::ranges::move(loaded.notes, std::back_inserter(compiled.notes));
  compiled.signature = std::move(loaded.signature);
  return compiled;
}

} // namespace enfold
