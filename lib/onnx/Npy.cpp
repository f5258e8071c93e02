// The header is a Python dictionary of three known keys; only that much Python is read.
#include "onnx/Npy.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace enfold::onnx {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Descr {
  std::string_view code; ///< kind and bytes, without the byte order
  ElemType elem;
};

constexpr std::array kDescrs = {
    Descr{"f4", ElemType::F32}, Descr{"f8", ElemType::F64},   Descr{"f2", ElemType::F16},
    Descr{"i1", ElemType::I8},  Descr{"i2", ElemType::I16},   Descr{"i4", ElemType::I32},
    Descr{"i8", ElemType::I64}, Descr{"u1", ElemType::U8},    Descr{"u2", ElemType::U16},
    Descr{"u4", ElemType::U32}, Descr{"u8", ElemType::U64},   Descr{"b1", ElemType::Bool},
    Descr{"c8", ElemType::C64}, Descr{"c16", ElemType::C128},
};

struct Header {
  std::string descr;
  bool fortranOrder = false;
  Shape shape;
};

/// What stands behind `'key':` in the dictionary; empty when it is not there.
std::string_view field(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

std::optional<Shape> parseShape(std::string_view text) {
  const size_t close = text.find(')');
  if (!text.starts_with('(') || close == std::string_view::npos) return std::nullopt;
  Shape shape;
  for (std::string_view rest = text.substr(1, close - 1); !rest.empty();) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" ,"), rest.size()));
    if (rest.empty()) break;
    int64_t size = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
    if (error != std::errc{}) return std::nullopt;
    shape.push_back(size);
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  }
  return shape;
}

Result<Header> parseHeader(std::string_view text) {
  const std::string_view descr = field(text, "descr"), order = field(text, "fortran_order");
  const std::optional<Shape> shape = parseShape(field(text, "shape"));
  const size_t quote = descr.starts_with('\'') ? descr.find('\'', 1) : std::string_view::npos;
  if (quote == std::string_view::npos || order.empty() || !shape)
    return failure(ErrorCode::DamagedFile, "its .npy header is not one of a plain array");
  return Header{std::string(descr.substr(1, quote - 1)), order.starts_with("True"), *shape};
}

Result<ElemType> elemOf(const std::string& descr) {
  if (descr.size() >= 3 && descr[0] != '>')
    for (const Descr& row : kDescrs)
      if (row.code == std::string_view(descr).substr(1)) return row.elem;
  return unsupported(fmt::format("NumPy type '{}' is not read", descr));
}

/// The elements of a Fortran-ordered array put in C order.
Tensor fromFortranOrder(const Tensor& stored) {
  const Shape& shape = stored.shape();
  const size_t size = byteSize(stored.elem()), rank = shape.size();
  Tensor tensor(stored.elem(), shape);
  std::byte* out = tensor.mutableBytes();
  Shape index(rank, 0);
  for (int64_t i = 0; i < tensor.numElements(); ++i, out += size) {
    int64_t from = 0;
    for (size_t d = rank; d-- > 0;) from = from * shape[d] + index[d];
    std::memcpy(out, stored.bytes() + static_cast<size_t>(from) * size, size);
    for (size_t d = rank; d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
  return tensor;
}

} // namespace

bool isNpy(std::span<const std::byte> bytes) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
      .starts_with(kMagic);
}

Result<Tensor> decodeNpy(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!isNpy(bytes) || text.size() < 10)
    return failure(ErrorCode::DamagedFile, "it is not a .npy file");
  const int version = text[6];
  if (version < 1 || version > 3)
    return unsupported(fmt::format(".npy format version {} is not read", version));
  const size_t lengthBytes = version == 1 ? 2 : 4, start = 8 + lengthBytes;
  uint32_t length = 0;
  if (text.size() < start) return failure(ErrorCode::DamagedFile, "its .npy header is cut short");
  std::memcpy(&length, text.data() + 8, lengthBytes);
  if (text.size() - start < length)
    return failure(ErrorCode::DamagedFile, "its .npy header is cut short");
  ENFOLD_TRY(const Header header, parseHeader(text.substr(start, length)));
  ENFOLD_TRY(const ElemType elem, elemOf(header.descr));
  ENFOLD_RETURN_IF_ERROR(checkShape(header.shape, elem));
  const size_t wanted = static_cast<size_t>(numElements(header.shape)) * byteSize(elem);
  const std::span<const std::byte> data = bytes.subspan(start + length);
  if (data.size() != wanted)
    return failure(ErrorCode::DamagedFile,
                   fmt::format("it holds {} bytes of data where {} need {}", data.size(),
                               Type{elem, header.shape, {}}.str(), wanted));
  Tensor tensor(elem, header.shape);
  if (wanted > 0) std::memcpy(tensor.mutableBytes(), data.data(), wanted);
  if (elem == ElemType::Bool)
    for (size_t i = 0; i < wanted; ++i)
      tensor.mutableBytes()[i] = std::byte{data[i] != std::byte{0}};
  return header.fortranOrder ? fromFortranOrder(tensor) : tensor;
}

std::string encodeNpy(const Tensor& tensor) {
  for (const Descr& row : kDescrs) {
    if (row.elem != tensor.elem()) continue;
    std::string shape;
    for (const int64_t size : tensor.shape()) shape += fmt::format("{}, ", size);
    std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                     byteSize(row.elem) == 1 ? '|' : '<', row.code, shape);
    // The data starts at a multiple of 64 bytes.
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    const auto length = static_cast<uint16_t>(header.size());
    std::string out(kMagic);
    out += {'\1', '\0', static_cast<char>(length & 255), static_cast<char>(length >> 8)};
    out += header;
    return out.append(reinterpret_cast<const char*>(tensor.bytes()), tensor.numBytes());
  }
  Tensor wide(isFloat(tensor.elem()) ? ElemType::F32 : ElemType::I32, tensor.shape());
  for (int64_t i = 0; i < wide.numElements(); ++i) wide.setDouble(i, tensor.asDouble(i));
  return encodeNpy(wide);
}

} // namespace enfold::onnx
