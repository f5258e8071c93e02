// Storage of tensors, and element access whatever the type.
#include "ir/Tensor.h"

#include "ir/SmallFloat.h"
#include "support/Hash.h"
#include "support/Memory.h"
#include "support/Pages.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

namespace enfold {
namespace {

constexpr size_t kAlignment = 64;

/// Memory for a tensor, not initialized unless there is so much of it that the system clears it.
/// Throws OutOfMemory.
std::shared_ptr<std::byte> allocate(const Type& type) {
  const auto bytes = static_cast<size_t>(type.numBytes());
  if (bytes >= kManyPages) {
    if (auto memory = allocatePages(bytes)) return memory;
  } else {
    const size_t rounded = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    if (auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)))
      return {memory, [](std::byte* p) { std::free(p); }};
  }
  throw OutOfMemory(bytes, "a tensor of " + type.str());
}

/// Wraps a double into an integer type as C++ does, without undefined behaviour out of range.
template <typename T> T toInteger(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 9223372036854775808.0)
    return static_cast<T>(
        static_cast<uint64_t>(value >= 18446744073709551616.0 ? 18446744073709549568.0 : value));
  if (value < -9223372036854775808.0) return static_cast<T>(INT64_MIN);
  return static_cast<T>(static_cast<int64_t>(value));
}

} // namespace

Tensor::Tensor(ElemType elem, Shape shape) : elem_(elem), shape_(std::move(shape)) {
  auto memory = allocate(type());
  if (numBytes() < kManyPages) std::memset(memory.get(), 0, numBytes());
  bytes_ = std::move(memory);
  writable_ = true;
}

Tensor::Tensor(ElemType elem, Shape shape, std::shared_ptr<const std::byte> bytes)
    : elem_(elem), shape_(std::move(shape)), bytes_(std::move(bytes)) {}

std::byte* Tensor::mutableBytes() {
  if (!writable_ || bytes_.use_count() != 1) {
    auto memory = allocate(type());
    std::memcpy(memory.get(), bytes_.get(), numBytes());
    bytes_ = std::move(memory);
    writable_ = true;
  }
  // Uniquely owned and allocated here, so nobody else can see the change.
  return const_cast<std::byte*>(bytes_.get());
}

double Tensor::asDouble(int64_t i) const {
  return dispatchElem(
      elem_, [&](auto tag) { return static_cast<double>(data<decltype(tag)>()[i]); },
      [&] { return smallElementToDouble(elem_, bytes_.get(), i); });
}

int64_t Tensor::asInt(int64_t i) const {
  switch (elem_) {
  case ElemType::I64:
    return data<int64_t>()[i];
  case ElemType::U64:
    return static_cast<int64_t>(data<uint64_t>()[i]);
  default:
    return toInteger<int64_t>(asDouble(i));
  }
}

void Tensor::setDouble(int64_t i, double value) {
  std::byte* bytes = mutableBytes();
  dispatchElem(
      elem_,
      [&](auto tag) {
        using T = decltype(tag);
        T* data = reinterpret_cast<T*>(bytes);
        if constexpr (std::is_same_v<T, bool>)
          data[i] = value != 0;
        else if constexpr (std::is_integral_v<T>)
          data[i] = toInteger<T>(value);
        else
          data[i] = T(value);
      },
      [&] { setSmallElement(elem_, bytes, i, value); });
}

std::vector<int64_t> Tensor::toInts() const {
  std::vector<int64_t> values(static_cast<size_t>(numElements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = asInt(static_cast<int64_t>(i));
  return values;
}

Tensor Tensor::reshaped(Shape shape) const {
  ENFOLD_CHECK(enfold::numElements(shape) == numElements(), "reshaped to another size");
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

bool Tensor::operator==(const Tensor& other) const {
  return elem_ == other.elem_ && shape_ == other.shape_ &&
         (bytes_ == other.bytes_ || std::memcmp(bytes(), other.bytes(), numBytes()) == 0);
}

uint64_t Tensor::hash() const {
  uint64_t seed = hashBytes(shape_.data(), shape_.size() * sizeof(int64_t));
  return hashBytes(bytes(), numBytes(), seed ^ static_cast<uint64_t>(elem_));
}

} // namespace enfold
