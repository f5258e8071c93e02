// Native programs from plans, and their names.
#include "driver/NativeProgram.h"

#include "support/ErrorCodes.h"

#include <enfold/enfold.h>

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

// Not those of <cctype>, which depend on the locale.
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isWordCharacter(char c) { return isLetter(c) || (c >= '0' && c <= '9') || c == '_'; }

/// The runtime's own names begin like this.
bool isReserved(std::string_view symbol) {
  constexpr std::string_view kRuntime = "enfold";
  return std::ranges::equal(symbol.substr(0, kRuntime.size()), kRuntime,
                            [](char a, char b) { return (a | 0x20) == b; });
}

} // namespace

Result<ProgramParts> nativeProgram(lower::Plan& plan, ConstantPool* pool) {
  std::vector<Diag> refused;
  for (std::string& op : plan.referenceOps())
    refused.push_back({"has no generated kernel yet, only a reference function, which native code "
                       "cannot call (`enfold run` can)",
                       std::move(op), ErrorCode::NoKernel});
  const auto check = [&](const Value* value) {
    if (enfold_elem_bytes(static_cast<int32_t>(value->elem())) == 0)
      refused.push_back(
          {fmt::format("programs cannot have inputs or outputs of {}", name(value->elem())),
           fmt::format("'{}'", value->name()), ErrorCode::UnsupportedType});
  };
  std::ranges::for_each(plan.inputs, check);
  std::ranges::for_each(plan.outputs, check);
  if (!refused.empty()) return std::unexpected(Error(ErrorKind::Unsupported, std::move(refused)));
  return makeProgram(plan, pool);
}

std::string symbolOf(std::string_view name) {
  std::string symbol;
  for (const char c : name) {
    if (isWordCharacter(c) && c != '_')
      symbol += c;
    else if (!symbol.empty() && symbol.back() != '_')
      symbol += '_';
  }
  while (!symbol.empty() && symbol.back() == '_') symbol.pop_back();
  if (symbol.empty()) return "model";
  return isLetter(symbol[0]) && !isReserved(symbol) ? symbol : "model_" + symbol;
}

bool isSymbol(std::string_view text) {
  return !text.empty() && isLetter(text[0]) && std::ranges::all_of(text, isWordCharacter) &&
         !isReserved(text);
}

} // namespace enfold
