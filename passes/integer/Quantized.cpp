// Reading the parameters of quantization.
#include "passes/integer/Quantized.h"

#include "passes/Match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold {

CodeRange codeRange(ElemType elem) {
  const bool isSigned = info(elem).cls == ElemClass::Signed;
  const int64_t count = int64_t{1} << info(elem).bits;
  return isSigned ? CodeRange{-count / 2, count / 2 - 1} : CodeRange{0, count - 1};
}

Op* dequantizationOf(const Value* value) { return producedBy(value, OpKind::DequantizeLinear); }

OrRefusal<Quantization> quantizationOf(const Op& op) {
  const Tensor* scale = op.own(1)->constant();
  const Tensor* zero = op.own(2) ? op.own(2)->constant() : nullptr;
  const bool quantizes = op.kind() == OpKind::QuantizeLinear;
  const ElemType real = quantizes ? op.own(0)->elem() : op.result()->elem();
  const ElemType codes = quantizes ? op.result()->elem() : op.own(0)->elem();
  if (!scale || (op.own(2) && !zero))
    return refuse(Reason::DataDependent,
                  fmt::format("scale or zero point of {} is computed", op.describe()));
  if (real != ElemType::F32 || scale->elem() != ElemType::F32 || !isInteger(codes) ||
      info(codes).bits > 32)
    return refuse(Reason::ElementType,
                  fmt::format("{} is between {} and {}", op.describe(), name(real), name(codes)));
  if (op.integer("block_size") != 0)
    return refuse(Reason::OtherAxis, fmt::format("{} scales in blocks", op.describe()));
  const auto stated =
      quantizes ? elemTypeByNumber(static_cast<int>(op.integer("precision"))) : std::nullopt;
  if (stated.value_or(ElemType::F32) != ElemType::F32)
    return refuse(Reason::ElementType, fmt::format("{} divides in another type", op.describe()));
  Quantization result;
  for (int64_t i = 0; i < scale->numElements(); ++i) {
    const float number = scale->data<float>()[i];
    // Codes times the scale, and their quotients, must be normal numbers.
    if (!std::isfinite(number) || number < 0x1p-100f || number > 0x1p+90f)
      return refuse(Reason::BadScale, fmt::format("a scale of {} is {}", op.describe(), number));
    result.scales.push_back(number);
    result.zeros.push_back(zero ? zero->asInt(zero->numElements() == 1 ? 0 : i) : 0);
  }
  if (result.scales.empty())
    return refuse(Reason::BadScale, fmt::format("{} has no scale", op.describe()));
  const auto same = [](const auto& numbers) {
    return std::ranges::all_of(numbers, [&](auto n) { return n == numbers.front(); });
  };
  if (same(result.scales) && same(result.zeros)) {
    result.scales.resize(1);
    result.zeros.resize(1);
  } else {
    result.axis = frontAxis(op.integer("axis"), op.own(0)->type().rank());
  }
  return result;
}

int64_t codeOf(float value, const Quantization& uniform, ElemType elem) {
  const auto [low, high] = codeRange(elem);
  const double code = static_cast<double>(std::nearbyint(value / uniform.scales[0])) +
                      static_cast<double>(uniform.zeros[0]);
  return std::isnan(code) ? std::clamp<int64_t>(0, low, high)
                          : static_cast<int64_t>(std::clamp(code, static_cast<double>(low),
                                                            static_cast<double>(high)));
}

} // namespace enfold
