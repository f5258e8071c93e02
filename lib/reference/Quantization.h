// Shared by the ops on quantized tensors: subtracting zero points, and bringing sums of products
// back to the result's scale.
#pragma once

#include "reference/EvalContext.h"

namespace enfold::reference {

/// Stores a rounded number in an integer tensor, saturated at the ends of its type.
void setQuantized(Tensor& tensor, int64_t i, double value);

/// Subtracts a zero point per channel along axis 0 of `values`, or one for all.
Result<> subtractZeroPoint(std::vector<int64_t>& values, const Tensor& zero, int64_t channels);

/// From the 32-bit sums of QLinearConv and QLinearMatMul to results. Both have the input's scale at
/// operand 1 (one number, or one a row), the weights' at 4 (one number, or one a channel), the
/// result's scale and zero point at 6 and 7. Factors and products are f32, as in ONNX Runtime: ties
/// are common here, and double would break them differently.
class Requantization {
public:
  static Result<Requantization> of(const EvalContext& context, size_t channels);
  void store(Tensor& tensor, int64_t i, int64_t sum, size_t channel, size_t row = 0) const;

private:
  Requantization(const Tensor& x, const Tensor& w, const Tensor& y, double zero)
      : x_(x), w_(w), y_(y), zero_(zero) {}

  const Tensor &x_, &w_, &y_; ///< scales
  double zero_;
};

} // namespace enfold::reference
