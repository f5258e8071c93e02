// Names and sizes of Kernel IR types.
#include "kernel/Type.h"

#include <fmt/core.h>

#include <array>

namespace enfold::kir {
namespace {

struct ScalarInfo {
  std::string_view name;
  int64_t bytes;
};

constexpr std::array<ScalarInfo, kNumScalars> kScalars = {{
    {"index", 8},
    {"bool", 1},
    {"i8", 1},
    {"i16", 2},
    {"i32", 4},
    {"i64", 8},
    {"u8", 1},
    {"u16", 2},
    {"u32", 4},
    {"u64", 8},
    {"f16", 2},
    {"bf16", 2},
    {"f32", 4},
    {"f64", 8},
}};

} // namespace

std::string_view name(Scalar scalar) { return kScalars[static_cast<size_t>(scalar)].name; }

int64_t sizeInBytes(Scalar scalar) { return kScalars[static_cast<size_t>(scalar)].bytes; }

std::string Type::str() const {
  if (isNone()) return "none";
  if (lanes == 1) return std::string(name(scalar));
  return fmt::format("{}x{}", name(scalar), lanes);
}

} // namespace enfold::kir
