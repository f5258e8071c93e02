// Loading operands with broadcasting.
#include "lower/Operand.h"

#include "lower/Images.h"
#include "lower/Scalars.h"

#include <algorithm>
#include <cstring>

namespace enfold::lower {
namespace {

/// A constant's bytes with zeros behind them, `elements` in all.
std::vector<std::byte> padded(const Tensor& tensor, int64_t elements) {
  std::vector<std::byte> bytes(static_cast<size_t>(elements) * byteSize(tensor.elem()));
  std::memcpy(bytes.data(), tensor.bytes(), tensor.numBytes());
  return bytes;
}

} // namespace

bool Operand::fits(const Type& operand, const Type& result) {
  return scalarOf(operand.elem) && accessOf(operand, result);
}

Operand::Operand(const Value* value, const Type& result, Lowering& lowering)
    : type_(value->type()), access_(*accessOf(value->type(), result)),
      elements_(value->type().numBytes() / static_cast<int64_t>(byteSize(value->elem()))),
      block_(result.layout.block) {
  if (hasImagesOf(*value, result.shape))
    access_.strides[0] = denseStrides(physicalExtents(value->type()))[0];
  const Tensor* tensor = value->constant();
  if (tensor && tensor->numElements() == 1) {
    immediate_ = tensor->asDouble(0);
    if (!isFloat(tensor->elem())) immediateInt_ = tensor->asInt(0);
  } else if (tensor && access_.channels) {
    elements_ = (elements_ + block_ - 1) / block_ * block_;
    buffer_ = lowering.constant(padded(*tensor, elements_));
    access_.channels.reset();
  } else {
    buffer_ = lowering.storage(value);
    if (access_.channels && *access_.channels % block_ == 0) access_.channels.reset();
  }
  pixels_ = pixelsOf(result);
}

Operand::Pixels Operand::pixelsOf(const Type& result) const {
  if (result.layout.isPlain()) return Pixels::Apart;
  const std::vector<int64_t> extents = physicalExtents(result), dense = denseStrides(extents);
  const auto begin = static_cast<ptrdiff_t>(2), end = std::ssize(dense) - 1;
  const std::span strides(access_.strides.begin() + begin, access_.strides.begin() + end);
  if (std::ranges::all_of(strides, [](int64_t stride) { return stride == 0; })) return Pixels::Same;
  for (size_t i = 2; i + 1 < dense.size(); ++i)
    if (access_.strides[i] != dense[i] && extents[i] != 1) return Pixels::Apart;
  return Pixels::Neighbours;
}

void Operand::declare(kir::Builder& b) {
  if (buffer_) declared_ = b.input("arg", *scalarOf(type_.elem), elements_);
}

kir::Value Operand::load(kir::Builder& b, std::span<const kir::Index> coordinates, int lanes,
                         int pixels) const {
  const kir::Scalar compute = computeScalar(*scalarOf(type_.elem));
  if (immediateInt_) return b.constantInt({compute, lanes}, *immediateInt_);
  if (immediate_) return b.constant({compute, lanes}, *immediate_);
  const bool repeats = pixels > 1 && pixels_ == Pixels::Same;
  kir::Value stored = loadStored(b, coordinates, repeats ? lanes / pixels : lanes);
  if (repeats) {
    std::vector<int> mask;
    for (int i = 0; i < lanes; ++i) mask.push_back(i % stored.lanes());
    stored = b.shuffle(stored, stored, mask);
  }
  return compute == *scalarOf(type_.elem) ? stored : b.cast(stored, compute);
}

kir::Value Operand::loadStored(kir::Builder& b, std::span<const kir::Index> coordinates,
                               int lanes) const {
  kir::Index element = 0;
  for (size_t i = 0; i < coordinates.size(); ++i)
    element = element + coordinates[i] * access_.strides[i];
  const kir::Place place = (*declared_)[element];
  const int64_t stride = access_.strides.back();
  if (access_.channels)
    return b.loadPartial(place, min(kir::Index(lanes), *access_.channels - coordinates[1] * block_),
                         b.zero({*scalarOf(type_.elem), lanes}));
  if (stride == 1 || lanes == 1) return b.load(place, lanes);
  return stride == 0 ? b.broadcast(place, lanes) : b.loadStrided(place, stride, lanes);
}

} // namespace enfold::lower
