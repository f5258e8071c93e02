// The samples that a network is calibrated on: recorded tensors from files, read as they are
// needed, or random numbers.
//
// A file's first axis counts samples: a tensor of one more axis than the input holds a whole input
// at each index, one of as many axes is cut into batches as large as the model's. A folder holds
// test_data_set_* folders, or files: for a model of one input any number of them, else one for each
// input, named after it.
#pragma once

#include "quantize/Runs.h"
#include "tools/Common.h"

namespace enfold::tool {

class CalibrationData {
public:
  /// `batch` of an input is what LoadOptions or the model say, or 1.
  static Result<CalibrationData> open(const std::filesystem::path& path,
                                      const onnx::Signature& signature, const LoadOptions& load);

  /// How many there are.
  size_t count() const { return count_; }
  /// Rows of all samples along the first axis of the first input.
  int64_t rows() const { return rows_; }
  /// Sample i, by the names of inputs.
  Result<std::vector<NamedTensor>> at(size_t i);

private:
  /// A file's samples.
  struct Part {
    std::filesystem::path path;
    Type type;
    Shape sample; ///< shape of each
    size_t count = 0;
    bool isCut = false; ///< into batches along the first axis
  };
  /// The files of an input, one after the other.
  struct Stream {
    std::string input;
    std::vector<Part> parts;
    const Part* loaded = nullptr;
    Tensor tensor;
  };

  Result<> addStream(const onnx::DeclaredTensor& input, std::vector<std::filesystem::path> files,
                     const LoadOptions& load);
  Result<> openSets(const std::filesystem::path& folder, const onnx::Signature& signature);
  static Result<Tensor> read(Stream& stream, size_t i);

  std::vector<Stream> streams_;
  std::vector<std::vector<NamedTensor>> sets_; ///< of test_data_set_* folders
  size_t count_ = 0;
  int64_t rows_ = 0;
};

} // namespace enfold::tool
