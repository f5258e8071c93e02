// Element types of tensors. The numbers are those of ONNX TensorProto.DataType, so that import,
// export and the runtime's tables need no translation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace enfold {

enum class ElemType : uint8_t {
  Undefined = 0,
  F32 = 1,
  U8 = 2,
  I8 = 3,
  U16 = 4,
  I16 = 5,
  I32 = 6,
  I64 = 7,
  Bool = 9,
  F16 = 10,
  F64 = 11,
  U32 = 12,
  U64 = 13,
  C64 = 14,
  C128 = 15,
  BF16 = 16,
  F8E4M3FN = 17,
  F8E4M3FNUZ = 18,
  F8E5M2 = 19,
  F8E5M2FNUZ = 20,
  U4 = 21,
  I4 = 22,
  F4E2M1 = 23,
  F8E8M0 = 24,
  U2 = 25,
  I2 = 26,
};

enum class ElemClass : uint8_t { Float, Signed, Unsigned, Bool, Complex };

/// Facts of one element type. Types narrower than a byte are held one element a byte.
struct ElemTypeInfo {
  ElemType type;
  std::string_view name; ///< as in the text form: "f32"
  ElemClass cls;
  int bits;     ///< significant bits of one element
  size_t bytes; ///< bytes one element takes in a Tensor
};

/// All types but Undefined, in the order of their numbers.
std::span<const ElemTypeInfo> elemTypes();

/// Facts of `type`, which must not be Undefined.
const ElemTypeInfo& info(ElemType type);

inline std::string_view name(ElemType type) { return info(type).name; }
inline size_t byteSize(ElemType type) { return info(type).bytes; }
inline bool isFloat(ElemType type) { return info(type).cls == ElemClass::Float; }
inline bool isInteger(ElemType type) {
  return info(type).cls == ElemClass::Signed || info(type).cls == ElemClass::Unsigned;
}
/// Whether its numbers are integers of 8 bits.
inline bool isByte(ElemType type) { return type == ElemType::U8 || type == ElemType::I8; }

/// Whether kernels compute with it; ops on other types run as their reference functions.
bool hasArithmetic(ElemType type);

/// The type of a text name ("f32") or of an ONNX data type number; none if there is none.
std::optional<ElemType> elemTypeByName(std::string_view name);
std::optional<ElemType> elemTypeByNumber(int number);

} // namespace enfold
