// A compiled program as a file, to be mapped and linked in another process. The file is valid for
// one machine and one build of the compiler: it is for caching, not for exchange.
#pragma once

#include "driver/Executable.h"
#include "onnx/Signature.h"

#include <filesystem>
#include <map>

namespace enfold {

/// A program with what was learnt of its model on the way to it (driver/Model.h).
struct CachedModel {
  std::string key; ///< what the program was made from
  StoredProgram program;
  std::map<std::string, Tensor> inputDefaults, boundInputs;
  std::vector<std::string> notes;
  onnx::Signature signature;
  std::map<std::string, uint64_t> dataFiles; ///< hashes of the files beside the model, by path
};

/// Writes the file, whole or not at all.
Result<> writeProgram(const std::filesystem::path& path, const CachedModel& model);

/// The model's constants are the mapped file. Fails on a file that is damaged in any way: all it
/// holds is under checksums.
Result<CachedModel> readProgram(const std::filesystem::path& path);

} // namespace enfold
