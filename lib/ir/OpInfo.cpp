// Reads the schema strings of the op table once into OpInfo rows.
#include "ir/OpInfo.h"

#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
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
                        AttrKind::Floats, AttrKind::Strings, AttrKind::Tensor, AttrKind::Type})
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
  case AttrKind::Strings:
  case AttrKind::Tensor:
  case AttrKind::Type:
    break;
  }
  checkFailed("default", __FILE__, __LINE__, "this attribute kind takes no default");
}

/// "in {a, b}", "in [a, b]" or ">= a".
AllowedValues parseAllowed(std::string_view text, AttrKind kind) {
  AllowedValues allowed;
  if (text.starts_with(">=")) {
    allowed.least = parseNumber<double>(trim(text.substr(2)));
    return allowed;
  }
  text = trim(text.substr(2)); // behind "in"
  const std::vector<std::string_view> parts = split(text.substr(1, text.size() - 2), ',');
  if (text.front() == '[') {
    ENFOLD_CHECK(parts.size() == 2, text);
    allowed.least = parseNumber<double>(parts[0]);
    allowed.most = parseNumber<double>(parts[1]);
  } else if (kind == AttrKind::String || kind == AttrKind::Strings) {
    allowed.words.assign(parts.begin(), parts.end());
  } else {
    for (std::string_view part : parts) allowed.numbers.push_back(parseNumber<int64_t>(part));
  }
  return allowed;
}

std::vector<AttrInfo> parseAttrs(std::string_view text) {
  std::vector<AttrInfo> attrs;
  for (std::string_view row : split(text, ';')) attrs.push_back(parseAttr(row));
  return attrs;
}

std::vector<OpInfo> readTable() {
  using namespace traits;
  std::vector<OpInfo> table;
  const auto add = [&](OpKind kind, std::string_view onnxName, std::string_view text,
                       std::string_view operands, std::string_view results, std::string_view attrs,
                       InferFunction infer, unsigned traits) {
    const bool isOwn = kind == OpKind::Reorder || kind == OpKind::Select;
    table.push_back({kind, std::string(text), isOwn ? "" : std::string(onnxName),
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

bool AllowedValues::contain(const AttrValue& value) const {
  const auto inRange = [&](double number) { return number >= least && number <= most; };
  if (const auto* number = std::get_if<int64_t>(&value))
    return numbers.empty() ? inRange(static_cast<double>(*number))
                           : std::ranges::find(numbers, *number) != numbers.end();
  if (const auto* word = std::get_if<std::string>(&value))
    return words.empty() || std::ranges::find(words, *word) != words.end();
  if (const auto* list = std::get_if<std::vector<std::string>>(&value))
    return words.empty() || std::ranges::all_of(*list, [&](const std::string& word) {
             return std::ranges::find(words, word) != words.end();
           });
  const bool bounded = std::isfinite(least) || std::isfinite(most);
  if (const auto* number = std::get_if<float>(&value)) return !bounded || inRange(*number);
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value))
    return std::ranges::all_of(*list, [&](int64_t n) { return inRange(static_cast<double>(n)); });
  if (const auto* list = std::get_if<std::vector<float>>(&value))
    return !bounded || std::ranges::all_of(*list, inRange);
  return true;
}

std::string AllowedValues::str() const {
  std::vector<std::string> all = words;
  for (const int64_t number : numbers) all.push_back(fmt::format("{}", number));
  if (!all.empty()) {
    const std::string last = all.back();
    all.pop_back();
    return all.empty() ? last : fmt::format("{} or {}", fmt::join(all, ", "), last);
  }
  if (std::isfinite(most)) return fmt::format("from {} to {}", least, most);
  return std::isfinite(least) ? fmt::format("at least {}", least) : "";
}

AttrInfo parseAttr(std::string_view row) {
  const size_t condition = std::min(row.find(" in "), row.find(" >= "));
  const std::string_view stated = row.substr(0, condition);
  const size_t colon = stated.find(':'), equals = stated.find('=');
  AttrInfo attr{std::string(trim(stated.substr(0, colon))), AttrKind::Int};
  std::string_view kind = trim(
      stated.substr(colon + 1, equals == std::string_view::npos ? equals : equals - colon - 1));
  const bool optional = dropSuffix(kind, "?");
  attr.own = dropSuffix(kind, "!");
  if (kind == "flag") {
    kind = "int";
    attr.allowed.numbers = {0, 1};
  }
  attr.kind = parseKind(kind);
  if (condition != std::string_view::npos)
    attr.allowed = parseAllowed(trim(row.substr(condition)), attr.kind);
  if (equals != std::string_view::npos)
    attr.defaultValue = parseDefault(attr.kind, trim(stated.substr(equals + 1)));
  ENFOLD_CHECK(!attr.defaultValue || attr.allowed.contain(*attr.defaultValue), row);
  attr.required = !optional && !attr.defaultValue;
  return attr;
}

Result<> checkAttr(const AttrInfo& attr, const AttrValue& value, std::string_view op) {
  if (kindOf(value) != attr.kind)
    return failure(ErrorCode::BadAttribute,
                   fmt::format("attribute '{}' of {} must be of kind {}, not {}", attr.name, op,
                               name(attr.kind), name(kindOf(value))));
  if (attr.allowed.contain(value)) return {};
  const bool isList = attr.kind == AttrKind::Ints || attr.kind == AttrKind::Floats ||
                      attr.kind == AttrKind::Strings;
  return failure(ErrorCode::BadAttribute,
                 fmt::format("attribute '{}' of {} is {}; {} must be {}", attr.name, op, str(value),
                             isList ? "each of them" : "it", attr.allowed.str()));
}

size_t OpInfo::minOperands() const {
  size_t least = 0;
  for (size_t i = 0; i < operands.size(); ++i)
    if (!operands[i].optional && !operands[i].variadic) least = i + 1;
  return least;
}

const AttrInfo* OpInfo::attr(std::string_view wanted) const {
  const auto it =
      std::find_if(attrs.begin(), attrs.end(), [&](const AttrInfo& a) { return a.name == wanted; });
  return it == attrs.end() ? nullptr : &*it;
}

Result<> OpInfo::checkAttr(std::string_view wanted, const AttrValue& value) const {
  if (const AttrInfo* row = attr(wanted)) return enfold::checkAttr(*row, value, name);
  return failure(ErrorCode::BadAttribute, fmt::format("{} has no attribute '{}'", name, wanted));
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
