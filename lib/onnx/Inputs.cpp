// Binding the dimensions of declared types.
#include "onnx/Inputs.h"

#include "onnx/AnonymousSize.h"
#include "onnx/TensorCodec.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold::onnx {
namespace {

using Dim = DeclaredType::Dim;

/// "[N,3,?,?]"
std::string text(const std::vector<Dim>& dims) {
  std::vector<std::string> parts;
  for (const Dim& dim : dims)
    parts.push_back(dim.size ? fmt::to_string(*dim.size) : dim.symbol.empty() ? "?" : dim.symbol);
  return fmt::format("[{}]", fmt::join(parts, ","));
}

/// A shape like the declared one to show how to state it: "1x3x224x224".
std::string example(const std::vector<Dim>& dims) {
  std::vector<int64_t> sizes;
  for (const Dim& dim : dims) sizes.push_back(dim.size.value_or(sizes.empty() ? 1 : 224));
  return fmt::to_string(fmt::join(sizes, "x"));
}

} // namespace

std::optional<int64_t> DimBindings::sizeOf(const Dim& dim) const {
  if (dim.size) return dim.size;
  if (const auto it = sizes_.find(dim.symbol); it != sizes_.end()) return it->second;
  const auto it = sampled_.find(dim.symbol);
  return it == sampled_.end() ? std::nullopt : it->second;
}

Result<> DimBindings::learn(const std::string& input, const DeclaredType& type) {
  const auto given = options_.shapes.find(input);
  if (given == options_.shapes.end() || !type.dims) return {};
  const Shape& shape = given->second;
  if (shape.size() != type.dims->size())
    return failure(ErrorCode::WrongInput,
                   fmt::format("input '{}' has the shape {} of rank {}, which {} of rank {} does "
                               "not fit",
                               input, text(*type.dims), type.dims->size(), str(shape),
                               shape.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = (*type.dims)[i];
    if (dim.size && *dim.size != shape[i])
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' has the shape {}, which {} does not fit", input,
                                 text(*type.dims), str(shape)));
    if (dim.size || isAnonymous(dim.symbol)) continue;
    const auto [known, added] = sizes_.emplace(dim.symbol, shape[i]);
    if (!added && known->second != shape[i])
      return failure(ErrorCode::WrongInput,
                     fmt::format("dimension '{}' of input '{}' is given as {} and as {}",
                                 dim.symbol, input, known->second, shape[i]));
  }
  return {};
}

void DimBindings::nameSamples(std::span<const std::string> inputs) {
  for (size_t i = 0; i < options_.samples.size(); ++i) {
    const auto& [name, tensor] = options_.samples[i];
    if (!name.empty())
      samples_.insert_or_assign(name, &tensor);
    else if (i < inputs.size())
      samples_.emplace(inputs[i], &tensor);
  }
}

void DimBindings::learnSample(const std::string& input, const DeclaredType& type) {
  const Shape* shape = sampleShape(input, type);
  if (!shape || !type.dims) return;
  for (size_t i = 0; i < shape->size(); ++i) {
    const Dim& dim = (*type.dims)[i];
    if (dim.size || isAnonymous(dim.symbol)) continue;
    const auto [known, added] = sampled_.emplace(dim.symbol, (*shape)[i]);
    if (!added && known->second != (*shape)[i]) known->second = std::nullopt;
  }
}

std::optional<std::string> DimBindings::assumeBatch(const std::string& input,
                                                    const DeclaredType& type) {
  if (!type.dims || type.dims->size() < 2 || sizeOf(type.dims->front())) return std::nullopt;
  if (options_.shapes.contains(input) || sampleShape(input, type)) return std::nullopt;
  singleBatch_.insert(input);
  if (const std::string& symbol = type.dims->front().symbol; !isAnonymous(symbol))
    sizes_.emplace(symbol, 1);
  return fmt::format(
      "the batch size of input '{}', {}, is taken as 1; to set it, use --shape {}={}", input,
      text(*type.dims), input, example(*type.dims));
}

const Tensor* DimBindings::sample(const std::string& input) const {
  const auto it = samples_.find(input);
  return it == samples_.end() ? nullptr : it->second;
}

const Shape* DimBindings::sampleShape(const std::string& input, const DeclaredType& type) const {
  const Tensor* tensor = sample(input);
  if (!tensor) return nullptr;
  return !type.dims || type.dims->size() == tensor->shape().size() ? &tensor->shape() : nullptr;
}

Result<Shape> DimBindings::shapeOf(const std::string& input, const DeclaredType& type) const {
  Shape shape;
  const Shape* known = sampleShape(input, type);
  if (const auto given = options_.shapes.find(input); given != options_.shapes.end()) {
    shape = given->second;
  } else if (!type.dims && known) {
    shape = *known;
  } else if (!type.dims) {
    return failure(
        ErrorCode::OpenShape,
        fmt::format("input '{0}' has no shape: state it, as in --shape {0}=1x3x224x224", input));
  } else {
    for (const Dim& dim : *type.dims) {
      auto size = sizeOf(dim);
      if (!size && known) size = (*known)[shape.size()];
      if (!size && shape.empty() && singleBatch_.contains(input)) size = 1;
      if (!size)
        return failure(ErrorCode::OpenShape,
                       fmt::format("input '{0}' has the open shape {1}: state it, as in "
                                   "--shape {0}={2}",
                                   input, text(*type.dims), example(*type.dims)));
      shape.push_back(*size);
    }
  }
  ENFOLD_RETURN_IF_ERROR(checkShape(shape, type.elem));
  return shape;
}

std::optional<Type> DimBindings::resolve(const DeclaredType& type) const {
  if (!type.dims) return std::nullopt;
  Type resolved{type.elem, {}, {}};
  for (const Dim& dim : *type.dims) {
    const auto size = sizeOf(dim);
    if (!size) return std::nullopt;
    resolved.shape.push_back(*size);
  }
  return checkShape(resolved.shape, resolved.elem) ? std::optional(std::move(resolved))
                                                   : std::nullopt;
}

} // namespace enfold::onnx
