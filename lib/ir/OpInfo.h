// What the op table says, in a form programs can use: one OpInfo per row of Ops.def.
#pragma once

#include "ir/Attribute.h"
#include "support/Result.h"

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enfold {

enum class OpKind : uint16_t {
#define ENFOLD_OP(kind, text, operands, results, attrs, infer, traits) kind,
#include "ir/Ops.def"
};

/// Facts that let passes treat ops alike without knowing them.
namespace traits {
enum Traits : unsigned {
  None = 0,
  Elementwise = 1, ///< each result element depends on one element of each (broadcast) operand
  Commutative = 2, ///< operands may swap
  ShapeOnly = 4,   ///< the result holds the operand's bytes under another shape
  Epilogue = 8,    ///< may carry an epilogue; every elementwise op may as well
};
constexpr Traits operator|(Traits a, Traits b) {
  return static_cast<Traits>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
} // namespace traits

struct OperandInfo {
  std::string name;
  bool optional = false;
  bool variadic = false; ///< the last one only
};

/// Which values an attribute may have; of a list, each of its numbers. All, if nothing is stated.
struct AllowedValues {
  std::vector<std::string> words; ///< of a string
  std::vector<int64_t> numbers;   ///< of an int
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();

  bool contain(const AttrValue& value) const;
  /// "nearest, linear or cubic", "at least 1", "from 0 to 64"; empty when all are allowed.
  std::string str() const;
};

struct AttrInfo {
  std::string name;
  AttrKind kind;
  bool required = false;
  bool own = false; ///< of enfold alone: files of ONNX neither have nor get it
  std::optional<AttrValue> defaultValue = std::nullopt;
  AllowedValues allowed = {};
};

/// Reads one attribute as the op table writes it: "group: int = 1 >= 1".
AttrInfo parseAttr(std::string_view row);

/// An error, naming the attribute, its value and what is allowed, if `value` is of another kind or
/// none of the attribute's values. `op` is what has it.
Result<> checkAttr(const AttrInfo& attr, const AttrValue& value, std::string_view op);

class InferContext;
using InferFunction = Result<std::vector<Type>> (*)(const InferContext&);

struct OpInfo {
  OpKind kind;
  std::string name;     ///< in the text form: "batch_norm"
  std::string onnxName; ///< "BatchNormalization"; empty for ops of enfold's own
  std::vector<OperandInfo> operands;
  std::vector<OperandInfo> results;
  std::vector<AttrInfo> attrs;
  InferFunction infer;
  unsigned traits;

  bool is(traits::Traits trait) const { return (traits & trait) != 0; }
  bool supportsEpilogue() const { return is(traits::Epilogue) || is(traits::Elementwise); }
  bool isVariadic() const { return !operands.empty() && operands.back().variadic; }
  size_t minOperands() const;
  const AttrInfo* attr(std::string_view name) const;
  /// The same for one of this op's attributes; an error if it has none of that name.
  Result<> checkAttr(std::string_view name, const AttrValue& value) const;
};

/// All rows, indexed by OpKind.
std::span<const OpInfo> opTable();
const OpInfo& info(OpKind kind);
inline const std::string& name(OpKind kind) { return info(kind).name; }
std::optional<OpKind> opByName(std::string_view name);
std::optional<OpKind> opByOnnxName(std::string_view name);

/// The attribute, its default, or for an absent optional one the empty value of T. The row must
/// have an attribute of that name and kind.
template <typename T> T attrOr(const OpInfo& info, const AttrMap& attrs, std::string_view name) {
  if (auto it = attrs.find(name); it != attrs.end()) return std::get<T>(it->second);
  const AttrInfo* attr = info.attr(name);
  ENFOLD_CHECK(attr != nullptr, std::string(name) + " is no attribute of " + info.name);
  return attr->defaultValue ? std::get<T>(*attr->defaultValue) : T{};
}

} // namespace enfold
