// Kernels that programs share, in the cache of programs: a process that meets the sizes that
// another met before it compiles nothing.
#pragma once

#include "codegen/ObjectCache.h"
#include "driver/CompileCache.h"

namespace enfold {

class KernelCache final : public codegen::ObjectCache {
public:
  /// `build` tells the compiler and the processor, which keys leave out.
  KernelCache(CompileCache cache, std::string build)
      : cache_(std::move(cache)), build_(std::move(build)) {}

  std::optional<std::vector<std::string>> find(const std::string& key) override;
  void store(const std::string& key, const std::vector<std::string>& objects) override;

private:
  const CompileCache cache_;
  const std::string build_;
};

} // namespace enfold
