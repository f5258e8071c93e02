// What the programs of a network with open sizes have in common, as a file: the algorithms of its
// convolutions, and the kernels that several sizes share.
#pragma once

#include "codegen/KernelStore.h"
#include "driver/Algorithms.h"

#include <filesystem>

namespace enfold {

struct CachedTemplates {
  std::string key;  ///< what they were made from
  std::string name; ///< of the network
  AlgorithmPins::Choice algorithms;
  codegen::KernelStore::Contents kernels;
};

/// Writes the file, whole or not at all.
Result<> writeTemplates(const std::filesystem::path& path, const CachedTemplates& templates);

/// Reads the file; its code is linked as it is used. Fails on a file that is damaged in any way.
Result<CachedTemplates> readTemplates(const std::filesystem::path& path);

} // namespace enfold
