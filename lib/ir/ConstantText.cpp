// Reading constants.
#include "ir/ConstantText.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

namespace enfold {
namespace {

template <typename T> bool read(std::string_view text, T& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

template <typename T> bool readFloat(std::string_view text, T& value) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  if (text == "inf") return value = kInfinity, true;
  if (text == "-inf") return value = -kInfinity, true;
  if (text == "nan") return value = std::numeric_limits<T>::quiet_NaN(), true;
  return read(text, value);
}

uint64_t splitmix64(uint64_t state) {
  state += 0x9e3779b97f4a7c15u;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebu;
  return state ^ (state >> 31);
}

} // namespace

bool storeElement(Tensor& tensor, int64_t i, std::string_view text) {
  switch (tensor.elem()) {
  case ElemType::F32:
    return readFloat(text, tensor.mutableData<float>()[i]);
  case ElemType::F64:
    return readFloat(text, tensor.mutableData<double>()[i]);
  case ElemType::I64:
    return read(text, tensor.mutableData<int64_t>()[i]);
  case ElemType::U64:
    return read(text, tensor.mutableData<uint64_t>()[i]);
  case ElemType::Bool:
    tensor.setDouble(i, text == "true");
    return text == "true" || text == "false";
  default:
    break;
  }
  double value = 0;
  if (!readFloat(text, value)) return false;
  tensor.setDouble(i, value);
  return isFloat(tensor.elem()) || tensor.asDouble(i) == value;
}

void fillRandom(Tensor& tensor, uint64_t seed, double low, double high) {
  const uint64_t start = splitmix64(seed);
  // The conversion is of signed numbers because machines have an instruction for those.
  const auto number = [=](int64_t i) {
    const auto bits = static_cast<int64_t>(splitmix64(start + static_cast<uint64_t>(i)) >> 11);
    return low + (high - low) * static_cast<double>(bits) * 0x1p-53;
  };
  const int64_t count = tensor.numElements();
  if (tensor.elem() == ElemType::F32) {
    float* data = tensor.mutableData<float>();
    for (int64_t i = 0; i < count; ++i) data[i] = static_cast<float>(number(i));
    return;
  }
  for (int64_t i = 0; i < count; ++i) tensor.setDouble(i, number(i));
}

Tensor randomTensor(const Type& type, uint64_t seed) {
  Tensor tensor(type.elem, type.shape);
  fillRandom(tensor, seed, 0, isFloat(type.elem) ? 1 : type.elem == ElemType::Bool ? 2 : 8);
  return tensor;
}

bool fillHex(Tensor& tensor, std::string_view hex) {
  if (hex.size() != 2 * tensor.numBytes()) return false;
  std::byte* bytes = tensor.mutableBytes();
  for (size_t i = 0; i < tensor.numBytes(); ++i) {
    unsigned value = 0;
    const auto [end, error] =
        std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, value, 16);
    if (error != std::errc() || end != hex.data() + 2 * i + 2) return false;
    bytes[i] = static_cast<std::byte>(value);
  }
  return true;
}

Result<> fillFromFile(Tensor& tensor, const std::filesystem::path& folder, const std::string& name,
                      int64_t offset) {
  namespace fs = std::filesystem;
  if (folder.empty()) return failure(ErrorCode::ExternalData, "this text must not refer to files");
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  const fs::path file = error ? fs::path() : fs::canonical(root / name, error);
  if (error)
    return failure(ErrorCode::ExternalData, fmt::format("file '{}' cannot be found", name));
  const auto [end, rest] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  if (end != root.end() || fs::path(name).is_absolute())
    return failure(ErrorCode::ExternalData,
                   fmt::format("file '{}' is outside the folder of the text", name));
  if (!fs::is_regular_file(file, error))
    return failure(ErrorCode::ExternalData, fmt::format("'{}' is not a regular file", name));
  const auto size = static_cast<int64_t>(fs::file_size(file, error));
  const auto wanted = static_cast<int64_t>(tensor.numBytes());
  if (error || offset < 0 || wanted > size || offset > size - wanted)
    return failure(ErrorCode::ExternalData,
                   fmt::format("file '{}' does not hold {} bytes at {}", name, wanted, offset));
  std::ifstream in(file, std::ios::binary);
  in.seekg(offset);
  if (!in.read(reinterpret_cast<char*>(tensor.mutableBytes()), wanted))
    return failure(ErrorCode::ExternalData, fmt::format("file '{}' cannot be read", name));
  return {};
}

} // namespace enfold
