// Tensor data that lives in files beside the model. Such a file is named by the model, so it is
// trusted with nothing: it must be a regular file inside the model's folder, reached by a relative
// path without "..", and the bytes asked for must lie inside it.
#pragma once

#include "onnx/Proto.h"
#include "support/Result.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace enfold::onnx {

class ExternalData {
public:
  /// An empty folder: no external data at all.
  explicit ExternalData(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The `length` bytes a tensor keeps outside the model, mapped and shared.
  Result<std::shared_ptr<const std::byte>> read(const pb::TensorProto& tensor, size_t length);

  /// The files read so far.
  std::vector<std::filesystem::path> files() const;

private:
  struct Mapping {
    std::shared_ptr<const std::byte> bytes;
    uint64_t size = 0;
  };
  Result<const Mapping*> open(const std::string& location);

  std::filesystem::path folder_;
  std::map<std::string, Mapping> mappings_;
};

} // namespace enfold::onnx
