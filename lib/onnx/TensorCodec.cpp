// Decoding and encoding of tensor data. The layouts are those of onnx.proto: raw_data is
// little-endian and row-major, types narrower than a byte are packed low bits first; the typed
// fields hold one element each, but for the packed types a whole byte of them.
#include "onnx/TensorCodec.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace enfold::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw data is read as it lies");

int bitsPerElement(ElemType elem) {
  const int bits = info(elem).bits;
  return bits < 8 && elem != ElemType::Bool ? bits : static_cast<int>(byteSize(elem)) * 8;
}

bool isPacked(ElemType elem) { return bitsPerElement(elem) < 8; }

Result<Shape> decodeShape(const pb::TensorProto& proto, ElemType elem, const ImportLimits& limits) {
  Shape shape(proto.dims().begin(), proto.dims().end());
  ENFOLD_RETURN_IF_ERROR(checkShape(shape, elem));
  const int64_t bytes = numElements(shape) * static_cast<int64_t>(byteSize(elem));
  if (bytes > limits.tensorBytes)
    return failure(ErrorCode::OverLimit,
                   fmt::format("its {} bytes are over the limit of {}", bytes, limits.tensorBytes));
  return shape;
}

/// One element a byte out of a packed row.
Tensor unpack(ElemType elem, Shape shape, const std::byte* packed) {
  Tensor tensor(elem, std::move(shape));
  const int bits = bitsPerElement(elem), perByte = 8 / bits;
  const auto mask = static_cast<std::byte>((1 << bits) - 1);
  std::byte* out = tensor.mutableBytes();
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    out[i] = (packed[i / perByte] >> static_cast<int>(i % perByte) * bits) & mask;
  return tensor;
}

/// A Tensor over bytes that lie as in a file. Shares them where their alignment and values permit.
Tensor fromBytes(ElemType elem, Shape shape, std::shared_ptr<const std::byte> bytes) {
  if (isPacked(elem)) return unpack(elem, std::move(shape), bytes.get());
  const auto count = static_cast<size_t>(numElements(shape));
  const size_t size = count * byteSize(elem);
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.get()) % byteSize(elem) == 0;
  // A bool other than 0 and 1 would be undefined behaviour to read.
  const bool canonical =
      elem != ElemType::Bool ||
      std::all_of(bytes.get(), bytes.get() + count, [](std::byte b) { return b <= std::byte{1}; });
  if (count > 0 && aligned && canonical) return Tensor(elem, std::move(shape), std::move(bytes));
  Tensor tensor(elem, std::move(shape));
  if (size > 0) std::memcpy(tensor.mutableBytes(), bytes.get(), size);
  if (!canonical)
    std::transform(bytes.get(), bytes.get() + count, tensor.mutableBytes(),
                   [](std::byte b) { return b == std::byte{0} ? b : std::byte{1}; });
  return tensor;
}

/// From a typed field: `field` holds as many numbers as there are stored units.
template <typename Stored, typename Field>
Result<Tensor> fromField(ElemType elem, Shape shape, const Field& field) {
  const size_t bytes = packedBytes(elem, numElements(shape));
  const size_t wanted = bytes / sizeof(Stored);
  if (static_cast<size_t>(field.size()) != wanted)
    return failure(ErrorCode::BadTensor,
                   fmt::format("it holds {} values where its shape {} needs {}", field.size(),
                               str(shape), wanted));
  auto stored = std::make_shared<std::vector<Stored>>(wanted);
  std::transform(field.begin(), field.end(), stored->begin(),
                 [](auto value) { return static_cast<Stored>(value); });
  return fromBytes(elem, std::move(shape),
                   {stored, reinterpret_cast<const std::byte*>(stored->data())});
}

Result<Tensor> fromFields(ElemType elem, Shape shape, const pb::TensorProto& proto) {
  switch (elem) {
  case ElemType::F32:
  case ElemType::C64:
    return fromField<float>(elem, std::move(shape), proto.float_data());
  case ElemType::F64:
  case ElemType::C128:
    return fromField<double>(elem, std::move(shape), proto.double_data());
  case ElemType::I64:
    return fromField<int64_t>(elem, std::move(shape), proto.int64_data());
  case ElemType::U64:
    return fromField<uint64_t>(elem, std::move(shape), proto.uint64_data());
  case ElemType::U32:
    return fromField<uint32_t>(elem, std::move(shape), proto.uint64_data());
  case ElemType::I32:
    return fromField<int32_t>(elem, std::move(shape), proto.int32_data());
  case ElemType::I16:
  case ElemType::U16:
  case ElemType::F16:
  case ElemType::BF16:
    return fromField<uint16_t>(elem, std::move(shape), proto.int32_data());
  default:
    return fromField<uint8_t>(elem, std::move(shape), proto.int32_data());
  }
}

int numTypedValues(const pb::TensorProto& proto) {
  return proto.float_data_size() + proto.double_data_size() + proto.int32_data_size() +
         proto.int64_data_size() + proto.uint64_data_size() + proto.string_data_size();
}

Result<Tensor> fromRaw(ElemType elem, Shape shape, pb::TensorProto& proto) {
  const size_t wanted = packedBytes(elem, numElements(shape));
  if (proto.raw_data().size() != wanted)
    return failure(ErrorCode::BadTensor,
                   fmt::format("it holds {} bytes where its shape {} needs {}",
                               proto.raw_data().size(), str(shape), wanted));
  const std::shared_ptr<std::string> raw(proto.release_raw_data());
  return fromBytes(elem, std::move(shape), {raw, reinterpret_cast<const std::byte*>(raw->data())});
}

/// Where in the dense tensor each value goes: indices are linear ([nnz]) or per axis ([nnz,rank]).
Result<std::vector<int64_t>> sparsePositions(const Tensor& indices, int64_t count,
                                             const Shape& shape) {
  const auto rank = static_cast<int64_t>(shape.size());
  const bool linear = indices.shape() == Shape{count};
  if (indices.elem() != ElemType::I64 || (!linear && indices.shape() != Shape{count, rank}))
    return failure(ErrorCode::BadTensor,
                   fmt::format("its indices are {}, which fits neither {} values nor rank {}",
                               indices.type().str(), count, rank));
  std::vector<int64_t> positions;
  const int64_t* index = indices.data<int64_t>();
  for (int64_t i = 0; i < count; ++i) {
    int64_t position = 0;
    if (linear) {
      position = index[i];
    } else {
      for (int64_t d = 0; d < rank; ++d) {
        const int64_t at = index[i * rank + d], size = shape[static_cast<size_t>(d)];
        if (at < 0 || at >= size)
          return failure(ErrorCode::BadTensor, fmt::format("its index {} is out of range", at));
        position = position * size + at;
      }
    }
    if (position < 0 || position >= numElements(shape))
      return failure(ErrorCode::BadTensor, fmt::format("its index {} is out of range", position));
    positions.push_back(position);
  }
  return positions;
}

} // namespace

size_t packedBytes(ElemType elem, int64_t count) {
  const auto bits = static_cast<size_t>(bitsPerElement(elem));
  return (static_cast<size_t>(count) * bits + 7) / 8;
}

Result<ElemType> decodeElemType(int number) {
  if (number == pb::TensorProto::STRING)
    return failure(ErrorCode::UnsupportedType, "tensors of strings are not supported");
  if (auto elem = elemTypeByNumber(number)) return *elem;
  return invalid(fmt::format("{} is not the number of an element type", number));
}

Result<Tensor> decodeTensor(pb::TensorProto& proto, ExternalData& external,
                            const ImportLimits& limits) {
  ENFOLD_TRY(const ElemType elem, decodeElemType(proto.data_type()));
  ENFOLD_TRY(Shape shape, decodeShape(proto, elem, limits));
  if (proto.has_segment()) return unsupported("tensors in segments are not supported");
  const int typedValues = numTypedValues(proto);
  if (proto.data_location() == pb::TensorProto_DataLocation_EXTERNAL) {
    if (typedValues > 0 || !proto.raw_data().empty())
      return failure(ErrorCode::BadTensor, "it has data both inside and outside the model");
    ENFOLD_TRY(auto bytes, external.read(proto, packedBytes(elem, numElements(shape))));
    return fromBytes(elem, std::move(shape), std::move(bytes));
  }
  if (!proto.raw_data().empty()) {
    if (typedValues > 0) return failure(ErrorCode::BadTensor, "it has both raw and typed data");
    return fromRaw(elem, std::move(shape), proto);
  }
  return fromFields(elem, std::move(shape), proto);
}

bool holdsTensor(const pb::NodeProto& node) {
  if (node.op_type() != "Constant" || !node.domain().empty() || node.output_size() != 1 ||
      node.attribute_size() != 1)
    return false;
  const pb::AttributeProto& attr = node.attribute(0);
  return attr.name() == "value" && attr.has_t() && attr.ref_attr_name().empty() &&
         attr.type() == pb::AttributeProto_AttributeType_TENSOR;
}

void forgetNumbers(pb::TensorProto& proto) {
  pb::TensorProto bare;
  bare.set_name(proto.name());
  bare.set_data_type(proto.data_type());
  *bare.mutable_dims() = proto.dims();
  proto = std::move(bare);
}

Result<Tensor> decodeSparseTensor(pb::SparseTensorProto& proto, ExternalData& external,
                                  const ImportLimits& limits) {
  ENFOLD_TRY(const Tensor values, decodeTensor(*proto.mutable_values(), external, limits));
  ENFOLD_TRY(const Tensor indices, decodeTensor(*proto.mutable_indices(), external, limits));
  const Shape shape(proto.dims().begin(), proto.dims().end());
  ENFOLD_RETURN_IF_ERROR(checkShape(shape, values.elem()));
  if (values.rank() != 1)
    return failure(
        ErrorCode::BadTensor,
        fmt::format("its values have the shape {} instead of one dimension", str(values.shape())));
  const size_t size = byteSize(values.elem());
  if (numElements(shape) > limits.expandedBytes / static_cast<int64_t>(size))
    return failure(ErrorCode::OverLimit,
                   fmt::format("made dense, its shape {} is over the limit of {} bytes", str(shape),
                               limits.expandedBytes));
  ENFOLD_TRY(const auto positions, sparsePositions(indices, values.numElements(), shape));
  Tensor dense(values.elem(), shape);
  std::byte* out = dense.mutableBytes();
  for (size_t i = 0; i < positions.size(); ++i)
    std::memcpy(out + static_cast<size_t>(positions[i]) * size, values.bytes() + i * size, size);
  return dense;
}

std::string encodeBytes(const Tensor& tensor) {
  const ElemType elem = tensor.elem();
  const char* bytes = reinterpret_cast<const char*>(tensor.bytes());
  if (!isPacked(elem)) return {bytes, tensor.numBytes()};
  std::string packed(packedBytes(elem, tensor.numElements()), '\0');
  const int bits = bitsPerElement(elem), perByte = 8 / bits;
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const int code = bytes[i] & ((1 << bits) - 1);
    packed[static_cast<size_t>(i / perByte)] |=
        static_cast<char>(code << static_cast<int>(i % perByte) * bits);
  }
  return packed;
}

void encodeHeader(const Tensor& tensor, const std::string& name, pb::TensorProto& proto) {
  proto.set_name(name);
  proto.set_data_type(static_cast<int>(tensor.elem()));
  for (int64_t size : tensor.shape()) proto.add_dims(size);
}

void encodeTensor(const Tensor& tensor, const std::string& name, pb::TensorProto& proto) {
  encodeHeader(tensor, name, proto);
  proto.set_raw_data(encodeBytes(tensor));
}

} // namespace enfold::onnx
