// Reads the schema strings of the op table once into OpInfo rows.
#include "ir/OpInfo.h"

#include "ir/Infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

namespace enfold {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.push_back(trim(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

bool dropSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

std::vector<OperandInfo> parseOperands(std::string_view text) {
  std::vector<OperandInfo> operands;
  for (std::string_view part : split(text, ',')) {
    OperandInfo operand;
    operand.optional = dropSuffix(part, "?");
    operand.variadic = dropSuffix(part, "...");
    operand.name = part;
    operands.push_back(std::move(operand));
  }
  return operands;
}

AttrKind parseKind(std::string_view text) {
  for (AttrKind kind : {AttrKind::Int, AttrKind::Float, AttrKind::String, AttrKind::Ints,
                        AttrKind::Floats, AttrKind::Tensor, AttrKind::Type})
    if (name(kind) == text) return kind;
  checkFailed("kind", __FILE__, __LINE__, text);
}

template <typename T> T parseNumber(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  ENFOLD_CHECK(error == std::errc() && end == text.data() + text.size(), text);
  return value;
}

AttrValue parseDefault(AttrKind kind, std::string_view text) {
  switch (kind) {
  case AttrKind::Int:
    return parseNumber<int64_t>(text);
  case AttrKind::Float:
    return parseNumber<float>(text);
  case AttrKind::String:
    return std::string(text);
  case AttrKind::Ints: {
    std::vector<int64_t> values;
    for (std::string_view part : split(text.substr(1, text.size() - 2), ','))
      values.push_back(parseNumber<int64_t>(part));
    return values;
  }
  case AttrKind::Floats:
  case AttrKind::Tensor:
  case AttrKind::Type:
    break;
  }
  checkFailed("default", __FILE__, __LINE__, "this attribute kind takes no default");
}

std::vector<AttrInfo> parseAttrs(std::string_view text) {
  std::vector<AttrInfo> attrs;
  for (std::string_view part : split(text, ';')) {
    const size_t colon = part.find(':'), equals = part.find('=');
    AttrInfo attr{std::string(trim(part.substr(0, colon))), AttrKind::Int};
    std::string_view kind = trim(
        part.substr(colon + 1, equals == std::string_view::npos ? equals : equals - colon - 1));
    const bool optional = dropSuffix(kind, "?");
    attr.own = dropSuffix(kind, "!");
    attr.kind = parseKind(kind);
    if (equals != std::string_view::npos)
      attr.defaultValue = parseDefault(attr.kind, trim(part.substr(equals + 1)));
    attr.required = !optional && !attr.defaultValue;
    attrs.push_back(std::move(attr));
  }
  return attrs;
}

std::vector<OpInfo> readTable() {
  using namespace traits;
  std::vector<OpInfo> table;
  const auto add = [&](OpKind kind, std::string_view onnxName, std::string_view text,
                       std::string_view operands, std::string_view results, std::string_view attrs,
                       InferFunction infer, unsigned traits) {
    table.push_back({kind, std::string(text), kind == OpKind::Reorder ? "" : std::string(onnxName),
                     parseOperands(operands), parseOperands(results), parseAttrs(attrs), infer,
                     traits});
  };
#define ENFOLD_OP(kind, text, operands, results, attrs, infer, traits)                             \
  add(OpKind::kind, #kind, text, operands, results, attrs, infer, traits);
#include "ir/Ops.def"
  return table;
}

std::optional<OpKind> lookUp(const std::unordered_map<std::string_view, OpKind>& map,
                             std::string_view name) {
  const auto it = map.find(name);
  return it == map.end() ? std::nullopt : std::optional(it->second);
}

} // namespace

size_t OpInfo::minOperands() const {
  return static_cast<size_t>(
      std::count_if(operands.begin(), operands.end(),
                    [](const OperandInfo& o) { return !o.optional && !o.variadic; }));
}

const AttrInfo* OpInfo::attr(std::string_view wanted) const {
  const auto it =
      std::find_if(attrs.begin(), attrs.end(), [&](const AttrInfo& a) { return a.name == wanted; });
  return it == attrs.end() ? nullptr : &*it;
}

std::span<const OpInfo> opTable() {
  static const std::vector<OpInfo> table = readTable();
  return table;
}

const OpInfo& info(OpKind kind) { return opTable()[static_cast<size_t>(kind)]; }

std::optional<OpKind> opByName(std::string_view name) {
  static const auto map = [] {
    std::unordered_map<std::string_view, OpKind> names;
    for (const OpInfo& row : opTable()) names.emplace(row.name, row.kind);
    return names;
  }();
  return lookUp(map, name);
}

std::optional<OpKind> opByOnnxName(std::string_view name) {
  static const auto map = [] {
    std::unordered_map<std::string_view, OpKind> names;
    for (const OpInfo& row : opTable())
      if (!row.onnxName.empty()) names.emplace(row.onnxName, row.kind);
    return names;
  }();
  return lookUp(map, name);
}

} // namespace enfold
