// Tensors in files: ONNX TensorProto (.pb) and NumPy (.npy), and folders of test data.
#pragma once

#include "ir/Tensor.h"
#include "onnx/Signature.h"
#include "support/Result.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace enfold::onnx {

/// Reads a .npy file (versions 1 to 3, C order or Fortran order) or a TensorProto.
Result<NamedTensor> readTensorFile(const std::filesystem::path& path);

/// The same of the bytes of such a file; what they refer to lies in the folder.
Result<NamedTensor> decodeTensorFile(std::span<const std::byte> bytes,
                                     const std::filesystem::path& folder);

/// Writes NumPy format 1.0. Element types NumPy lacks are widened to float32.
Result<> writeNpy(const std::filesystem::path& path, const Tensor& tensor);

/// Writes a TensorProto.
Result<> writeTensorProto(const std::filesystem::path& path, const NamedTensor& tensor);

/// One test_data_set_N folder: inputs and expected outputs in the order of their numbers. Of a
/// sequence, its tensors, all under the name that the model gives it.
struct DataSet {
  std::filesystem::path folder;
  std::vector<NamedTensor> inputs, outputs;
};

/// All test_data_set_* below `folder`, in order; an error if there is none. Files of sequences and
/// optional values are told from those of tensors by what the model declares.
Result<std::vector<DataSet>> readDataSets(const std::filesystem::path& folder,
                                          const Signature& model = {});

} // namespace enfold::onnx
