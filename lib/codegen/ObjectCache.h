// Where compiled kernels are kept beyond the process that compiled them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace enfold::codegen {

/// Relocatable objects by what they were made of. Safe to use from several threads.
class ObjectCache {
public:
  virtual ~ObjectCache() = default;
  virtual std::optional<std::vector<std::string>> find(const std::string& key) = 0;
  /// Does nothing where objects cannot be kept.
  virtual void store(const std::string& key, const std::vector<std::string>& objects) = 0;
};

} // namespace enfold::codegen
