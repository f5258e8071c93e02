// Ops that read images between their pixels, and the choice among boxes.
#include "Support.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace enfold::reference::test {
namespace {

const Tensor kImage = floats({1, 1, 2, 2}, {1, 2, 3, 4});

/// One row of places (x, y).
Result<Tensor> sampled(const Tensor& image, std::vector<float> places, const std::string& mode,
                       const std::string& padding, int64_t align) {
  const auto count = static_cast<int64_t>(places.size()) / 2;
  return evaluated(OpKind::GridSample, {image, floats({1, 1, count, 2}, std::move(places))},
                   {{"mode", mode}, {"padding_mode", padding}, {"align_corners", align}});
}

TEST(GridSample, PlacesReachFromCornerToCornerOrFromEdgeToEdge) {
  expectTensor(sampled(kImage, {-1, -1, 1, -1, 0, 0}, "linear", "zeros", 1),
               floats({1, 1, 1, 3}, {1, 2, 2.5f}));
  // An edge is half a pixel from the center: half of everything there is outside.
  expectTensor(sampled(kImage, {-0.5f, -0.5f, -1, -0.5f, 0, 0}, "linear", "zeros", 0),
               floats({1, 1, 1, 3}, {1, 0.5f, 2.5f}));
}

TEST(GridSample, Padding) {
  expectTensor(sampled(kImage, {-3, -1}, "nearest", "zeros", 1), floats({1, 1, 1, 1}, {0}));
  expectTensor(sampled(kImage, {-3, -1}, "nearest", "border", 1), floats({1, 1, 1, 1}, {1}));
  expectTensor(sampled(kImage, {-3, -1}, "nearest", "reflection", 1), floats({1, 1, 1, 1}, {2}));
  expectTensor(sampled(kImage, {NAN, -1}, "linear", "border", 1), floats({1, 1, 1, 1}, {1}));
}

TEST(GridSample, CubicKeepsPixels) {
  const Tensor row = floats({1, 1, 1, 5}, {1, 7, 3, 5, 2});
  expectTensor(sampled(row, {0, 0, 0.5f, 0}, "cubic", "border", 1), floats({1, 1, 1, 2}, {3, 5}));
}

/// The padding is repeated pixel by pixel: a kernel next to the border sees what lies behind it.
TEST(GridSample, CubicRepeatsTheBorder) {
  const std::vector<float> row = {1, 7, 3, 5, 2};
  const auto size = static_cast<double>(row.size());
  const auto weight = [](double x) { // Keys' kernel, a = -0.75
    x = std::fabs(x);
    if (x <= 1) return (1.25 * x - 2.25) * x * x + 1;
    return x < 2 ? ((-0.75 * x + 3.75) * x - 6) * x + 3 : 0.0;
  };
  for (const std::string padding : {"zeros", "border", "reflection"})
    for (const int64_t align : {0, 1})
      for (float place = -2.6f; place < 2.7f; place += 0.1f) {
        const double x =
            align ? (double{place} + 1) / 2 * (size - 1) : ((double{place} + 1) * size - 1) / 2;
        double wanted = 0;
        for (double at = std::floor(x) - 1; at <= std::floor(x) + 2; ++at) {
          double pixel = at;
          const double low = align ? 0 : -0.5, high = align ? size - 1 : size - 0.5;
          while (padding == "reflection" && (pixel < low || pixel > high))
            pixel = pixel < low ? 2 * low - pixel : 2 * high - pixel;
          if (padding == "border") pixel = std::clamp(pixel, 0.0, size - 1);
          if (pixel < 0 || pixel >= size) continue;
          wanted += weight(x - at) * row[static_cast<size_t>(pixel)];
        }
        // The image is a row, so that only the kernel along x counts.
        const auto y = sampled(floats({1, 1, 5, 5},
                                      [&] {
                                        std::vector<float> rows;
                                        for (int i = 0; i < 5; ++i)
                                          rows.insert(rows.end(), row.begin(), row.end());
                                        return rows;
                                      }()),
                               {place, 0}, "cubic", padding, align);
        ASSERT_TRUE(y);
        EXPECT_NEAR(y->asDouble(0), wanted, 1e-5) << padding << " " << align << " at " << place;
      }
}

/// What ONNX Runtime 1.32 gives, bit for bit: half a unit in the last place decides between pixels.
TEST(GridSample, RoundsAsOnnxRuntimeDoes) {
  struct Case {
    const char *mode, *padding;
    int64_t align;
    std::vector<float> values;
  };
  const std::vector<Case> cases = {
      {"linear", "zeros", 0, {0x1.ec8b42p-2f, 0x1.e44fap-2f, 0x1.84b5e2p-3f, 0x1.5374c8p-3f}},
      {"linear", "zeros", 1, {0x1.30e55ep-1f, 0x1.f79fa8p-2f, 0x1.27381ep-2f, 0x1.989378p-2f}},
      {"linear", "border", 0, {0x1.7ae144p-1f, 0x1.e44fap-2f, 0x1.0a3d74p-2f, 0x1.8f5c2ap-2f}},
      {"linear", "border", 1, {0x1.30e55ep-1f, 0x1.f79fa8p-2f, 0x1.27381ep-2f, 0x1.ae147cp-2f}},
      {"linear", "reflection", 0, {0x1.7ae144p-1f, 0x1.e44fap-2f, 0x1.0a3d74p-2f, 0x1.8f5c2ap-2f}},
      {"linear", "reflection", 1, {0x1.30e55ep-1f, 0x1.f79fa8p-2f, 0x1.27381ep-2f, 0x1.b22d1p-2f}},
      {"cubic", "zeros", 0, {0x1.3f60ap-1f, 0x1.28d0bp-1f, 0x1.94835ep-4f, 0x1.5adbbep-3f}},
      {"cubic", "zeros", 1, {0x1.841622p-1f, 0x1.4541c8p-1f, 0x1.0cbb78p-2f, 0x1.e065e4p-2f}},
      {"cubic", "border", 0, {0x1.9f779p-1f, 0x1.06c13cp-1f, 0x1.1e66p-3f, 0x1.7ace7cp-2f}},
      {"cubic", "border", 1, {0x1.38bfeap-1f, 0x1.0d36eap-1f, 0x1.e9feeap-3f, 0x1.a749bep-2f}},
      {"cubic", "reflection", 0, {0x1.addfdep-1f, 0x1.06c13cp-1f, 0x1.ea7b1cp-4f, 0x1.67ba1ep-2f}},
      {"cubic", "reflection", 1, {0x1.552934p-1f, 0x1.1149e6p-1f, 0x1.b152fap-3f, 0x1.a041c2p-2f}},
  };
  const Tensor image = floats({1, 1, 2, 3}, {0.1f, 0.7f, 0.3f, 0.9f, 0.2f, 0.6f});
  const std::vector<float> places = {-0.9f, 0.3f, 0.37f, -0.41f, 0.1f, 0.77f, 1.05f, -0.2f};
  for (const Case& c : cases) {
    const auto y = sampled(image, places, c.mode, c.padding, c.align);
    ASSERT_TRUE(y);
    for (int64_t i = 0; i < y->numElements(); ++i)
      EXPECT_EQ(y->data<float>()[i], c.values[static_cast<size_t>(i)])
          << c.mode << " " << c.padding << " " << c.align << " " << i;
  }
}

TEST(AffineGrid, IdentityIsThePixelCenters) {
  const Tensor theta = floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  expectTensor(evaluated(OpKind::AffineGrid, {theta, ints({4}, {1, 1, 1, 2})}),
               floats({1, 1, 2, 2}, {-0.5f, 0, 0.5f, 0}));
  expectTensor(evaluated(OpKind::AffineGrid, {theta, ints({4}, {1, 1, 1, 2})},
                         {{"align_corners", int64_t{1}}}),
               floats({1, 1, 2, 2}, {-1, 0, 1, 0}));
}

TEST(DeformConv, OffsetsMoveTaps) {
  const Tensor weight = floats({1, 1, 1, 1}, {2});
  const Tensor right = floats({1, 2, 2, 2}, {0, 0, 0, 0, 1, 1, 0.5f, 1});
  expectTensor(evaluated(OpKind::DeformConv, {kImage, weight, right}),
               floats({1, 1, 2, 2}, {4, 0, 7, 0}));
  const Tensor mask = floats({1, 1, 2, 2}, {0.5f, 1, 0, 1}), bias = floats({1}, {10});
  expectTensor(evaluated(OpKind::DeformConv, {kImage, weight, right, bias, mask}),
               floats({1, 1, 2, 2}, {12, 10, 10, 10}));
}

TEST(RoiAlign, MeanOfSamplesOfABox) {
  const Tensor box = floats({1, 4}, {0, 0, 2, 2}), first = ints({1}, {0});
  const auto aligned = [&](const char* transform, const Tensor& image) {
    return evaluated(OpKind::RoiAlign, {kImage, box, image},
                     {{"sampling_ratio", int64_t{2}},
                      {"coordinate_transformation_mode", std::string(transform)}});
  };
  expectTensor(aligned("half_pixel", first), floats({1, 1, 1, 1}, {2.5f}));
  // Half a pixel further, samples behind the last pixel take its value.
  expectTensor(aligned("output_half_pixel", first), floats({1, 1, 1, 1}, {3.25f}));
  expectRefused(aligned("half_pixel", ints({1}, {1})), "out of range");
}

TEST(RoiAlign, WhatNoSampleReadsDoesNotMatter) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const Tensor image = floats({1, 1, 3, 3}, {kInf, 0, 0, 0, 0, 0, 0, 0, 8});
  const auto pooled = [&](std::vector<float> box, const char* mode) {
    return evaluated(OpKind::RoiAlign, {image, floats({1, 4}, std::move(box)), ints({1}, {0})},
                     {{"coordinate_transformation_mode", std::string("output_half_pixel")},
                      {"mode", std::string(mode)}});
  };
  // Of the 2x2 samples of a box of two pixels, three are outside.
  expectTensor(pooled({2, 2, 4, 4}, "avg"), floats({1, 1, 1, 1}, {2}));
  expectTensor(pooled({2, 2, 4, 4}, "max"), floats({1, 1, 1, 1}, {8}));
  expectTensor(pooled({5, 5, 9, 9}, "avg"), floats({1, 1, 1, 1}, {0}));
  // A box of 10^12 samples, of which few are inside.
  const auto huge =
      evaluated(OpKind::RoiAlign, {floats({1, 1, 2, 2}, {1, 1, 1, 1}),
                                   floats({1, 4}, {0, 0, 1e6f, 1e6f}), ints({1}, {0})});
  expectTensor(huge, floats({1, 1, 1, 1}, {9e-12f}));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expectTensor(pooled({nan, nan, nan, nan}, "avg"), floats({1, 1, 1, 1}, {0}));
}

TEST(NonMaxSuppression, TheBestOfBoxesThatOverlap) {
  const Tensor boxes = floats({1, 4, 4}, {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 0, 5, 1, 6, 0, 9, 1, 10});
  const Tensor scores = floats({1, 1, 4}, {0.8f, 0.9f, 0.7f, 0.1f});
  const Type unknown{ElemType::I64, {0, 3}, {}};
  const auto chosen = [&](int64_t most, float overlap, float least) {
    const Tensor count = ints({}, {most}), iou = floats({}, {overlap}), score = floats({}, {least});
    const std::vector<const Tensor*> operands = {&boxes, &scores, &count, &iou, &score};
    return evaluate(OpKind::NonMaxSuppression, operands, {}, std::span(&unknown, 1))->at(0);
  };
  EXPECT_TRUE(chosen(10, 0.5f, 0.5f) == ints({2, 3}, {0, 0, 1, 0, 0, 2}));
  EXPECT_TRUE(chosen(10, 0.95f, 0) == ints({4, 3}, {0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 3}));
  EXPECT_TRUE(chosen(1, 0.5f, 0) == ints({1, 3}, {0, 0, 1}));
  EXPECT_TRUE(chosen(0, 0.5f, 0) == ints({0, 3}, {}));
}

} // namespace
} // namespace enfold::reference::test
