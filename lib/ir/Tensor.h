// A dense, row-major tensor held in memory: constants, inputs and outputs.
//
// Tensors are values. Copies share the bytes; writing through mutableData() first makes them
// unique, so a constant used in two places is never changed by editing one of them.
#pragma once

#include "ir/Float16.h"
#include "ir/Type.h"

#include <complex>
#include <cstddef>
#include <memory>
#include <span>

namespace enfold {

template <typename T> constexpr ElemType elemTypeOf() = delete;
template <> constexpr ElemType elemTypeOf<float>() { return ElemType::F32; }
template <> constexpr ElemType elemTypeOf<double>() { return ElemType::F64; }
template <> constexpr ElemType elemTypeOf<Half>() { return ElemType::F16; }
template <> constexpr ElemType elemTypeOf<BFloat16>() { return ElemType::BF16; }
template <> constexpr ElemType elemTypeOf<int8_t>() { return ElemType::I8; }
template <> constexpr ElemType elemTypeOf<int16_t>() { return ElemType::I16; }
template <> constexpr ElemType elemTypeOf<int32_t>() { return ElemType::I32; }
template <> constexpr ElemType elemTypeOf<int64_t>() { return ElemType::I64; }
template <> constexpr ElemType elemTypeOf<uint8_t>() { return ElemType::U8; }
template <> constexpr ElemType elemTypeOf<uint16_t>() { return ElemType::U16; }
template <> constexpr ElemType elemTypeOf<uint32_t>() { return ElemType::U32; }
template <> constexpr ElemType elemTypeOf<uint64_t>() { return ElemType::U64; }
template <> constexpr ElemType elemTypeOf<bool>() { return ElemType::Bool; }

class Tensor {
public:
  Tensor() = default;
  /// All zero. Throws OutOfMemory if there is no memory (support/Memory.h), here and by
  /// mutableBytes().
  Tensor(ElemType elem, Shape shape);
  /// Shares bytes somebody else keeps alive (a mapped file); they must be of the right size.
  Tensor(ElemType elem, Shape shape, std::shared_ptr<const std::byte> bytes);

  /// From values in row-major order; there must be as many as the shape holds.
  template <typename T> static Tensor of(Shape shape, std::span<const T> values);
  template <typename T> static Tensor of(Shape shape, std::initializer_list<T> values) {
    return of<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }
  template <typename T> static Tensor scalar(T value) { return of<T>({}, {value}); }

  ElemType elem() const { return elem_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t numElements() const { return enfold::numElements(shape_); }
  size_t numBytes() const { return static_cast<size_t>(numElements()) * byteSize(elem_); }
  Type type() const { return {elem_, shape_, {}}; }

  const std::byte* bytes() const { return bytes_.get(); }
  /// The bytes, kept alive.
  std::shared_ptr<const std::byte> share() const { return bytes_; }
  std::byte* mutableBytes();
  /// Typed access; T must be the storage type of elem().
  template <typename T> const T* data() const;
  template <typename T> T* mutableData() { return reinterpret_cast<T*>(checkedBytes<T>()); }
  template <typename T> std::span<const T> values() const {
    return {data<T>(), static_cast<size_t>(numElements())};
  }

  /// Element i as a double or an integer, whatever the real type (complex: the real part).
  double asDouble(int64_t i) const;
  int64_t asInt(int64_t i) const;
  /// Stores a value rounded to the element type.
  void setDouble(int64_t i, double value);
  /// All elements as integers: for the operands that hold shapes, axes and the like.
  std::vector<int64_t> toInts() const;

  /// The same bytes under another shape of as many elements.
  Tensor reshaped(Shape shape) const;

  /// Same type, shape and bits.
  bool operator==(const Tensor& other) const;
  /// 64-bit hash of type, shape and bits.
  uint64_t hash() const;

private:
  template <typename T> std::byte* checkedBytes() {
    ENFOLD_CHECK(elemTypeOf<T>() == elem_, "tensor accessed as another element type");
    return mutableBytes();
  }

  ElemType elem_ = ElemType::Undefined;
  Shape shape_;
  std::shared_ptr<const std::byte> bytes_;
  bool writable_ = false; ///< the bytes were allocated by a Tensor
};

/// A tensor as files hold them; the name may be empty.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

template <typename T> const T* Tensor::data() const {
  ENFOLD_CHECK(elemTypeOf<T>() == elem_, "tensor accessed as another element type");
  return reinterpret_cast<const T*>(bytes_.get());
}

template <typename T> Tensor Tensor::of(Shape shape, std::span<const T> values) {
  Tensor tensor(elemTypeOf<T>(), std::move(shape));
  ENFOLD_CHECK(static_cast<int64_t>(values.size()) == tensor.numElements(),
               "tensor made from a wrong number of values");
  T* data = tensor.mutableData<T>();
  for (size_t i = 0; i < values.size(); ++i) data[i] = values[i];
  return tensor;
}

/// Calls f(T{}) with the storage type of a plain numeric type or bool. Types without arithmetic of
/// their own (complex, 8- and 4-bit floats, sub-byte integers) give `fallback()`.
template <typename F, typename Fallback>
auto dispatchElem(ElemType elem, F&& f, Fallback&& fallback) {
  switch (elem) {
  case ElemType::F32:
    return f(float{});
  case ElemType::F64:
    return f(double{});
  case ElemType::F16:
    return f(Half{});
  case ElemType::BF16:
    return f(BFloat16{});
  case ElemType::I8:
    return f(int8_t{});
  case ElemType::I16:
    return f(int16_t{});
  case ElemType::I32:
    return f(int32_t{});
  case ElemType::I64:
    return f(int64_t{});
  case ElemType::U8:
    return f(uint8_t{});
  case ElemType::U16:
    return f(uint16_t{});
  case ElemType::U32:
    return f(uint32_t{});
  case ElemType::U64:
    return f(uint64_t{});
  case ElemType::Bool:
    return f(bool{});
  default:
    return fallback();
  }
}

} // namespace enfold
