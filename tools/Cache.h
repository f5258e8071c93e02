// Options of the commands that can use cached programs.
#pragma once

#include "driver/CompileModel.h"
#include "tools/Common.h"

namespace enfold::tool {

struct CacheOptions {
  bool use = false;
  std::string folder; ///< empty: the default one
  int64_t bytes = CompileCache::kCapacity;

  void add(CLI::App& app);
  /// None if it is not to be used.
  Result<std::optional<CompileCache>> cache() const;
};

/// Loads and compiles for these inputs, or finds the program in the cache; prints the notes, and
/// with -v remarks and times, to stderr.
Result<CompiledModel> compileFor(const ModelOptions& options, const CacheOptions& cache,
                                 std::span<const NamedTensor> inputs, bool staged = false);

} // namespace enfold::tool
