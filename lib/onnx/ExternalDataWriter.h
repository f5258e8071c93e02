// The file beside a model that holds its tensors when they are too many for the model itself.
#pragma once

#include "ir/Tensor.h"
#include "onnx/Proto.h"
#include "support/NewFile.h"

namespace enfold::onnx {

class ExternalDataWriter {
public:
  /// The file is `model` with ".data" behind it.
  static Result<ExternalDataWriter> create(const std::filesystem::path& model);

  /// Whether a tensor is worth a place of its own.
  static bool takes(const Tensor& tensor);
  /// Appends the tensor's data and makes `proto` say where they are.
  Result<> store(const Tensor& tensor, pb::TensorProto& proto);
  Result<> commit() { return file_.commit(); }

private:
  ExternalDataWriter(NewFile file, std::string location)
      : file_(std::move(file)), location_(std::move(location)) {}

  NewFile file_;
  std::string location_;
  uint64_t size_ = 0;
};

} // namespace enfold::onnx
