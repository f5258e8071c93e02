// How a model is read, compiled and run, by names and values: what interfaces without C++ types
// set.
#pragma once

#include "driver/Network.h"

#include <span>
#include <string_view>

namespace enfold {

struct Settings {
  Network::Options network;
  std::filesystem::path dataFolder; ///< external data of models in memory; empty: it is refused
  bool useCache = false;
  std::filesystem::path cacheFolder; ///< empty: the default one
  int64_t cacheBytes = CompileCache::kCapacity;
  std::optional<int64_t> memoryBytes; ///< of the process; none: no limit

  /// The network's options, with the cache if it is to be used, and the limit on memory.
  Result<Network::Options> networkOptions() const;
};

struct SettingInfo {
  std::string_view name;
  std::string_view values; ///< "N", "0|1", "standard|strict"
  std::string_view meaning;
  Result<> (*apply)(Settings& settings, std::string_view value);
};

std::span<const SettingInfo> settingTable();

/// Fails naming the setting, the value and what is allowed; for an unknown name, naming those there
/// are.
Result<> set(Settings& settings, std::string_view name, std::string_view value);

} // namespace enfold
