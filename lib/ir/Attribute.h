// Attributes of ops: a small sorted map from name to value. Which names an op may have, of which
// kind and with which default, is stated by its row of the op table; attributes at their default
// are absent, so that equal ops compare and print equal. Copies and destructors are not inline,
// because a hundred files would compile them.
#pragma once

#include "ir/Tensor.h"

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace enfold {

enum class AttrKind : uint8_t { Int, Float, String, Ints, Floats, Strings, Tensor, Type };

/// The alternatives stand in the order of AttrKind. Floats are single precision, as in ONNX.
struct AttrValue : std::variant<int64_t, float, std::string, std::vector<int64_t>,
                                std::vector<float>, std::vector<std::string>, Tensor, ElemType> {
  using variant::variant;
  AttrValue(const AttrValue& other);
  AttrValue(AttrValue&& other) noexcept;
  AttrValue& operator=(const AttrValue& other);
  AttrValue& operator=(AttrValue&& other) noexcept;
  ~AttrValue();
};

inline AttrKind kindOf(const AttrValue& value) { return static_cast<AttrKind>(value.index()); }
std::string_view name(AttrKind kind);

struct AttrMap : std::map<std::string, AttrValue, std::less<>> {
  AttrMap();
  AttrMap(std::initializer_list<value_type> attrs);
  AttrMap(const AttrMap& other);
  AttrMap(AttrMap&& other) noexcept;
  AttrMap& operator=(const AttrMap& other);
  AttrMap& operator=(AttrMap&& other) noexcept;
  ~AttrMap();
};

/// Text as in the IR: 1, 1e-05, "text", [1,1], f32. Floats take the shortest exact form and always
/// look like floats ("1.0"). Tensors print as by the printer's rule for small constants.
std::string str(const AttrValue& value);

/// The shortest text that reads back as the same float: "1e-05", "0.5", "1.0", "inf", "-inf",
/// "nan".
std::string floatText(float value);
std::string floatText(double value);

uint64_t hash(const AttrMap& attrs);

} // namespace enfold
