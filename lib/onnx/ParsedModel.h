// A model that is imported again and again, for inputs of other sizes: the file is read once, and
// the graphs share the tensors that it holds.
#pragma once

#include "onnx/Import.h"

#include <memory>

namespace enfold::onnx {

class ParsedModel {
public:
  static Result<std::shared_ptr<const ParsedModel>> open(const std::filesystem::path& file,
                                                         const ImportLimits& limits);
  /// From memory. External data is looked for in `folder`; without one it is refused.
  static Result<std::shared_ptr<const ParsedModel>> open(std::span<const std::byte> bytes,
                                                         const ImportLimits& limits,
                                                         const std::filesystem::path& folder);
  ~ParsedModel();
  ParsedModel(const ParsedModel&) = delete;
  ParsedModel& operator=(const ParsedModel&) = delete;

  /// As importModel() does, but for models that are to be cut, which need the file itself.
  Result<ImportedModel> import(const ImportOptions& options) const;

private:
  struct Impl;
  explicit ParsedModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace enfold::onnx
