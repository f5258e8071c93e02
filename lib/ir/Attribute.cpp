// Text and hashing of attributes.
#include "ir/Attribute.h"

#include "support/Hash.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace enfold {
namespace {

template <typename T> std::string floatTextOf(T value) {
  if (std::isnan(value)) return "nan";
  std::string text = fmt::format("{}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// A string literal: quotes, backslashes and control characters escaped.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20)
      result += fmt::format("\\x{:02x}", c);
    else
      result += c;
  }
  return result + '"';
}

std::string tensorText(const Tensor& tensor) {
  std::string text = fmt::format("{}{}(", name(tensor.elem()), str(tensor.shape()));
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    text += (i ? "," : "") + (isFloat(tensor.elem()) ? floatText(tensor.asDouble(i))
                                                     : fmt::format("{}", tensor.asInt(i)));
  return text + ")";
}

struct TextOf {
  std::string operator()(int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(float value) const { return floatText(value); }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const std::vector<int64_t>& values) const {
    return fmt::format("[{}]", fmt::join(values, ","));
  }
  std::string operator()(const std::vector<float>& values) const {
    std::string text = "[";
    for (float value : values) text += (text.size() > 1 ? "," : "") + floatText(value);
    return text + "]";
  }
  std::string operator()(const std::vector<std::string>& values) const {
    std::string text = "[";
    for (const std::string& value : values) text += (text.size() > 1 ? "," : "") + quoted(value);
    return text + "]";
  }
  std::string operator()(const Tensor& value) const { return tensorText(value); }
  std::string operator()(ElemType value) const { return std::string(name(value)); }
};

uint64_t hashList(const std::vector<std::string>& words) {
  uint64_t seed = words.size();
  for (const std::string& word : words) seed = hashString(word, seed);
  return seed;
}

/// Of all bits, or of pieces of many: who compares attributes of equal hashes finds out the rest.
uint64_t hashTensor(const Tensor& tensor) {
  constexpr size_t kPieces = 16, kPieceBytes = 64;
  const size_t bytes = tensor.numBytes();
  if (bytes <= kPieces * kPieceBytes) return tensor.hash();
  const Shape& shape = tensor.shape();
  uint64_t seed = hashBytes(shape.data(), shape.size() * sizeof(int64_t));
  seed = hashCombine(seed, static_cast<uint64_t>(tensor.elem()));
  for (size_t i = 0; i < kPieces; ++i)
    seed = hashBytes(tensor.bytes() + (bytes - kPieceBytes) * i / (kPieces - 1), kPieceBytes, seed);
  return seed;
}

struct HashOf {
  template <typename T> uint64_t operator()(const T& value) const {
    if constexpr (std::is_same_v<T, Tensor>)
      return hashTensor(value);
    else if constexpr (std::is_same_v<T, std::vector<std::string>>)
      return hashList(value);
    else if constexpr (requires { value.data(); })
      return hashBytes(value.data(), value.size() * sizeof(value[0]));
    else
      return hashBytes(&value, sizeof value);
  }
};

} // namespace

AttrValue::AttrValue(const AttrValue& other) = default;
AttrValue::AttrValue(AttrValue&& other) noexcept = default;
AttrValue& AttrValue::operator=(const AttrValue& other) = default;
AttrValue& AttrValue::operator=(AttrValue&& other) noexcept = default;
AttrValue::~AttrValue() = default;

AttrMap::AttrMap() = default;
AttrMap::AttrMap(std::initializer_list<value_type> attrs) : map(attrs) {}
AttrMap::AttrMap(const AttrMap& other) = default;
AttrMap::AttrMap(AttrMap&& other) noexcept = default;
AttrMap& AttrMap::operator=(const AttrMap& other) = default;
AttrMap& AttrMap::operator=(AttrMap&& other) noexcept = default;
AttrMap::~AttrMap() = default;

std::string_view name(AttrKind kind) {
  constexpr std::string_view kNames[] = {"int",    "float",   "string", "ints",
                                         "floats", "strings", "tensor", "type"};
  return kNames[static_cast<size_t>(kind)];
}

std::string floatText(float value) { return floatTextOf(value); }
std::string floatText(double value) { return floatTextOf(value); }

std::string str(const AttrValue& value) { return std::visit(TextOf{}, value); }

uint64_t hash(const AttrMap& attrs) {
  uint64_t seed = attrs.size();
  for (const auto& [key, value] : attrs)
    seed =
        hashCombine(hashString(key, seed), hashCombine(value.index(), std::visit(HashOf{}, value)));
  return seed;
}

} // namespace enfold
