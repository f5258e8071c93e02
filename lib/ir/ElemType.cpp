// The table of element types.
#include "ir/ElemType.h"

#include "support/Result.h"

#include <array>

namespace enfold {
namespace {

using enum ElemClass;

constexpr std::array kElemTypes = {
    ElemTypeInfo{ElemType::F32, "f32", Float, 32, 4},
    ElemTypeInfo{ElemType::U8, "u8", Unsigned, 8, 1},
    ElemTypeInfo{ElemType::I8, "i8", Signed, 8, 1},
    ElemTypeInfo{ElemType::U16, "u16", Unsigned, 16, 2},
    ElemTypeInfo{ElemType::I16, "i16", Signed, 16, 2},
    ElemTypeInfo{ElemType::I32, "i32", Signed, 32, 4},
    ElemTypeInfo{ElemType::I64, "i64", Signed, 64, 8},
    ElemTypeInfo{ElemType::Bool, "bool", Bool, 1, 1},
    ElemTypeInfo{ElemType::F16, "f16", Float, 16, 2},
    ElemTypeInfo{ElemType::F64, "f64", Float, 64, 8},
    ElemTypeInfo{ElemType::U32, "u32", Unsigned, 32, 4},
    ElemTypeInfo{ElemType::U64, "u64", Unsigned, 64, 8},
    ElemTypeInfo{ElemType::C64, "c64", Complex, 64, 8},
    ElemTypeInfo{ElemType::C128, "c128", Complex, 128, 16},
    ElemTypeInfo{ElemType::BF16, "bf16", Float, 16, 2},
    ElemTypeInfo{ElemType::F8E4M3FN, "f8e4m3fn", Float, 8, 1},
    ElemTypeInfo{ElemType::F8E4M3FNUZ, "f8e4m3fnuz", Float, 8, 1},
    ElemTypeInfo{ElemType::F8E5M2, "f8e5m2", Float, 8, 1},
    ElemTypeInfo{ElemType::F8E5M2FNUZ, "f8e5m2fnuz", Float, 8, 1},
    ElemTypeInfo{ElemType::U4, "u4", Unsigned, 4, 1},
    ElemTypeInfo{ElemType::I4, "i4", Signed, 4, 1},
    ElemTypeInfo{ElemType::F4E2M1, "f4e2m1", Float, 4, 1},
    ElemTypeInfo{ElemType::F8E8M0, "f8e8m0", Float, 8, 1},
    ElemTypeInfo{ElemType::U2, "u2", Unsigned, 2, 1},
    ElemTypeInfo{ElemType::I2, "i2", Signed, 2, 1},
};

} // namespace

std::span<const ElemTypeInfo> elemTypes() { return kElemTypes; }

const ElemTypeInfo& info(ElemType type) {
  for (const ElemTypeInfo& row : kElemTypes)
    if (row.type == type) return row;
  checkFailed("known element type", __FILE__, __LINE__, "an element type without a table row");
}

bool hasArithmetic(ElemType type) {
  const ElemTypeInfo& row = info(type);
  return row.cls == Bool || (row.cls != Complex && row.bits >= (row.cls == Float ? 16 : 8));
}

std::optional<ElemType> elemTypeByName(std::string_view name) {
  for (const ElemTypeInfo& row : kElemTypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

std::optional<ElemType> elemTypeByNumber(int number) {
  for (const ElemTypeInfo& row : kElemTypes)
    if (static_cast<int>(row.type) == number) return row.type;
  return std::nullopt;
}

} // namespace enfold
