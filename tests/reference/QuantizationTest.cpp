// Quantization: rounding to even, saturation, a scale for each slice or block, and sums of products
// brought back to the result's scale. Numbers are worked out by hand.
#include "Support.h"

namespace enfold::reference::test {
namespace {

const Tensor kAbsent;

TEST(Quantization, TiesGoToEvenAndEndsSaturate) {
  const Tensor x = floats({6}, {1, 3, -5, 300, -300, 5});
  expectTensor(evaluated(OpKind::QuantizeLinear, {x, floats({}, {2}), tensor<int8_t>({}, {1})}),
               tensor<int8_t>({6}, {1, 3, -1, 127, -128, 3}));
  expectTensor(evaluated(OpKind::QuantizeLinear, {x, floats({}, {2}), kAbsent}),
               tensor<uint8_t>({6}, {0, 2, 0, 150, 0, 2}));
}

TEST(Quantization, OneScaleForEachSliceAlongAnAxis) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expectTensor(evaluated(OpKind::QuantizeLinear,
                         {x, floats({3}, {1, 2, 0.5f}), tensor<uint8_t>({3}, {0, 10, 1})}),
               tensor<uint8_t>({2, 3}, {1, 11, 7, 4, 12, 13}));
  expectTensor(evaluated(OpKind::DequantizeLinear,
                         {tensor<int8_t>({2, 2}, {1, 2, 3, -4}), floats({2}, {1, 10}),
                          tensor<int8_t>({2}, {0, 1})},
                         {{"axis", int64_t{0}}}),
               floats({2, 2}, {1, 2, 20, -50}));
  expectRefused(evaluated(OpKind::QuantizeLinear, {x, floats({2}, {1, 2})}),
                "[2] where [3] or one number");
}

TEST(Quantization, OneScaleForEachBlock) {
  expectTensor(evaluated(OpKind::DequantizeLinear,
                         {tensor<int8_t>({1, 5}, {1, 1, 1, 1, 1}), floats({1, 3}, {1, 2, 4})},
                         {{"block_size", int64_t{2}}}),
               floats({1, 5}, {1, 1, 2, 2, 4}));
}

TEST(Quantization, DynamicRangesHoldZero) {
  expectTensor(evaluated(OpKind::DynamicQuantizeLinear, {floats({3}, {51, 102, 255})}),
               tensor<uint8_t>({3}, {51, 102, 255}));
  expectTensor(evaluated(OpKind::DynamicQuantizeLinear, {floats({2}, {0, 0})}),
               tensor<uint8_t>({2}, {0, 0}));
}

TEST(Quantization, ConvolutionScalesEachChannelBack) {
  // x - 1 = {1, 2}, w = {3} and {-1}, bias {0, 4}: sums {3, 6} and {3, 2}.
  const auto y = evaluated(OpKind::QLinearConv,
                           {tensor<uint8_t>({1, 1, 1, 2}, {2, 3}), floats({}, {0.5f}),
                            tensor<uint8_t>({}, {1}), tensor<int8_t>({2, 1, 1, 1}, {3, -1}),
                            floats({2}, {2, 1}), tensor<int8_t>({2}, {0, 0}), floats({}, {1}),
                            tensor<uint8_t>({}, {10}), tensor<int32_t>({2}, {0, 4})});
  expectTensor(y, tensor<uint8_t>({1, 2, 1, 2}, {13, 16, 12, 11}));
}

TEST(Quantization, MatrixProductWithOneScaleARow) {
  // Rows (10, 20) 0.5 and (30, 40) 0.25 by (1, 2), (3, 4): sums 70, 100 and 150, 220.
  const auto y = evaluated(OpKind::QLinearMatMul,
                           {tensor<uint8_t>({2, 2}, {10, 20, 30, 40}), floats({2}, {0.5f, 0.25f}),
                            tensor<uint8_t>({2}, {0, 0}), tensor<uint8_t>({2, 2}, {1, 2, 3, 4}),
                            floats({2}, {1, 0.5f}), tensor<uint8_t>({2}, {0, 0}),
                            floats({}, {0.5f}), tensor<uint8_t>({}, {1})});
  expectTensor(y, tensor<uint8_t>({2, 2}, {71, 51, 76, 56}));
}

TEST(Quantization, MatrixProduct) {
  // (2,3)-1 by (1,2),(3,4): 1*1+2*3 = 7, 1*2+2*4 = 10; times 0.5*1/0.25.
  const auto y =
      evaluated(OpKind::QLinearMatMul,
                {tensor<uint8_t>({1, 2}, {2, 3}), floats({}, {0.5f}), tensor<uint8_t>({}, {1}),
                 tensor<uint8_t>({2, 2}, {1, 2, 3, 4}), floats({}, {1}), tensor<uint8_t>({}, {0}),
                 floats({}, {0.25f}), tensor<uint8_t>({}, {3})});
  expectTensor(y, tensor<uint8_t>({1, 2}, {17, 23}));
}

} // namespace
} // namespace enfold::reference::test
