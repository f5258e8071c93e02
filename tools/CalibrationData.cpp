// Files of samples.
#include "tools/CalibrationData.h"

#include "onnx/TensorFile.h"
#include "support/ErrorCodes.h"
#include "tools/Inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::tool {
namespace {

bool holdsSets(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_"))
      return true;
  return false;
}

/// Tensor files of a folder, by name.
Result<std::vector<std::filesystem::path>> filesIn(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".npy" || entry.path().extension() == ".pb")
      files.push_back(entry.path());
  if (error)
    return failure(ErrorCode::NoSuchFile, fmt::format("{}: {}", folder.string(), error.message()));
  if (files.empty())
    return failure(ErrorCode::NoSuchFile,
                   fmt::format("{} holds no samples: neither test_data_set_* nor .npy or .pb files",
                               folder.string()));
  std::ranges::sort(files);
  return files;
}

/// The first size of an input, where anything states it; else 1.
int64_t batchOf(const onnx::DeclaredTensor& input, const LoadOptions& load) {
  if (const auto shape = load.shapes.find(input.name);
      shape != load.shapes.end() && shape->second.size() == input.type.dims->size())
    return shape->second.front();
  const onnx::DeclaredType::Dim& dim = input.type.dims->front();
  if (dim.size) return *dim.size;
  const auto size = load.dims.find(dim.symbol);
  return size == load.dims.end() ? 1 : size->second;
}

} // namespace

Result<CalibrationData> CalibrationData::open(const std::filesystem::path& path,
                                              const onnx::Signature& signature,
                                              const LoadOptions& load) {
  CalibrationData data;
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return failure(ErrorCode::NoSuchFile, fmt::format("{}: no such file or folder", path.string()));
  if (signature.inputs.empty())
    return failure(ErrorCode::UnknownInput, "the model has no input to calibrate with");
  const bool isFolder = std::filesystem::is_directory(path, error);
  if (isFolder && holdsSets(path)) {
    ENFOLD_RETURN_IF_ERROR(data.openSets(path, signature));
    return data;
  }
  std::vector<std::filesystem::path> files = {path};
  if (isFolder) {
    ENFOLD_TRY(files, filesIn(path));
  }
  if (signature.inputs.size() == 1) {
    ENFOLD_RETURN_IF_ERROR(data.addStream(signature.inputs[0], std::move(files), load));
    return data;
  }
  if (!isFolder)
    return usageError(fmt::format("{}: the model has {} inputs: give a folder with a file for each",
                                  path.string(), signature.inputs.size()));
  for (const onnx::DeclaredTensor& input : signature.inputs) {
    const auto isOf = [&](const auto& file) { return file == tensorPath(path, input.name); };
    const auto file = std::ranges::find_if(files, isOf);
    if (file == files.end())
      return failure(ErrorCode::NoSuchFile, fmt::format("{} holds no {}", path.string(),
                                                        tensorPath({}, input.name).string()));
    ENFOLD_RETURN_IF_ERROR(data.addStream(input, {*file}, load));
  }
  return data;
}

Result<> CalibrationData::openSets(const std::filesystem::path& folder,
                                   const onnx::Signature& signature) {
  ENFOLD_TRY(std::vector<onnx::DataSet> sets, onnx::readDataSets(folder));
  for (onnx::DataSet& set : sets) {
    if (set.inputs.size() < signature.inputs.size())
      return usageError(fmt::format("{} holds {} inputs where the model has {}",
                                    set.folder.string(), set.inputs.size(),
                                    signature.inputs.size()));
    set.inputs.resize(signature.inputs.size());
    for (size_t i = 0; i < set.inputs.size(); ++i)
      if (std::ranges::find(signature.inputs, set.inputs[i].name, &onnx::DeclaredTensor::name) ==
          signature.inputs.end())
        set.inputs[i].name = signature.inputs[i].name;
    const Shape& first = set.inputs[0].tensor.shape();
    rows_ += first.empty() ? 1 : first[0];
    sets_.push_back(std::move(set.inputs));
  }
  count_ = sets_.size();
  return {};
}

Result<> CalibrationData::addStream(const onnx::DeclaredTensor& input,
                                    std::vector<std::filesystem::path> files,
                                    const LoadOptions& load) {
  if (!input.type.dims)
    return failure(ErrorCode::OpenShape,
                   fmt::format("the model does not say how many axes its input '{}' has: give "
                               "samples in test_data_set_* folders",
                               input.name));
  const size_t rank = input.type.dims->size();
  Stream stream{.input = input.name, .parts = {}, .tensor = {}};
  size_t count = 0;
  int64_t rows = 0;
  for (std::filesystem::path& path : files) {
    ENFOLD_TRY(const NamedTensor file, onnx::readTensorFile(path));
    const Shape& shape = file.tensor.shape();
    Part part{std::move(path), file.tensor.type(), shape, 1};
    if (shape.size() == rank + 1) {
      part.sample.erase(part.sample.begin());
      part.count = static_cast<size_t>(shape[0]);
      rows += shape[0];
    } else if (shape.size() == rank && rank > 0) {
      const int64_t batch = std::max<int64_t>(batchOf(input, load), 1);
      part.sample[0] = batch;
      part.count = static_cast<size_t>((shape[0] + batch - 1) / batch);
      part.isCut = true;
      rows += shape[0];
    } else if (shape.size() + 1 == rank) {
      part.sample.insert(part.sample.begin(), 1);
      rows += 1;
    } else {
      return failure(ErrorCode::WrongInput,
                     fmt::format("{}: {} does not fit input '{}' of rank {}", part.path.string(),
                                 part.type.str(), input.name, rank));
    }
    if (file.tensor.numElements() == 0)
      return failure(ErrorCode::NoSuchFile, fmt::format("{} holds no samples", part.path.string()));
    count += part.count;
    stream.parts.push_back(std::move(part));
  }
  if (!streams_.empty() && count != count_)
    return failure(ErrorCode::WrongInput,
                   fmt::format("{} samples of input '{}', but {} of input '{}'", count, input.name,
                               count_, streams_[0].input));
  if (streams_.empty()) rows_ = rows;
  count_ = count;
  streams_.push_back(std::move(stream));
  return {};
}

/// Behind the last row of a file, its first rows fill the batch.
Result<Tensor> CalibrationData::read(Stream& stream, size_t i) {
  const Part* part = stream.parts.data();
  for (; i >= part->count; ++part) i -= part->count;
  if (stream.loaded != part) {
    ENFOLD_TRY(NamedTensor file, onnx::readTensorFile(part->path));
    if (file.tensor.type() != part->type)
      return usageError(fmt::format("{} changes while it is read", part->path.string()));
    stream.tensor = std::move(file.tensor);
    stream.loaded = part;
  }
  const Tensor& whole = stream.tensor;
  if (part->count == 1 && numElements(part->sample) == whole.numElements())
    return whole.reshaped(part->sample);
  const int64_t rows = part->isCut ? part->sample[0] : 1, all = part->type.shape[0];
  const size_t bytes = whole.numBytes() / static_cast<size_t>(all);
  Tensor sample(whole.elem(), part->sample);
  std::byte* out = sample.mutableBytes();
  for (int64_t row = 0; row < rows; ++row) {
    const auto from = static_cast<size_t>((static_cast<int64_t>(i) * rows + row) % all);
    std::memcpy(out + static_cast<size_t>(row) * bytes, whole.bytes() + from * bytes, bytes);
  }
  return sample;
}

Result<std::vector<NamedTensor>> CalibrationData::at(size_t i) {
  if (!sets_.empty()) return sets_[i];
  std::vector<NamedTensor> sample;
  for (Stream& stream : streams_) {
    ENFOLD_TRY(Tensor tensor, read(stream, i));
    sample.push_back({stream.input, std::move(tensor)});
  }
  return sample;
}

} // namespace enfold::tool
