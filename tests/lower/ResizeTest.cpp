// Resize against the reference, on both layouts.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

struct Case {
  Shape shape;
  std::vector<float> scales;
  AttrMap attrs;
  bool blocked = false, relu = false;
};

Value* build(GraphBuilder& g, const Case& c, ElemType elem) {
  Value* x = g.input("x", {elem, c.shape, {}});
  if (c.blocked) {
    Shape weights(c.shape.size(), 1);
    weights[0] = weights[1] = c.shape[1];
    x = g.op(OpKind::Conv, "stem", {x, g.uniform("stem.weight", weights, -0.5, 0.5)});
  }
  const auto count = static_cast<int64_t>(c.scales.size());
  Value* scales = g.constant("scales", Tensor::of<float>({count}, c.scales));
  Value* y = g.op(OpKind::Resize, "resize", {x, nullptr, scales}, c.attrs);
  if (!c.relu) return y;
  y = g.op(OpKind::Add, "add", {y, g.input("r", y->type())});
  return g.op(OpKind::Relu, "relu", {y});
}

void expectResized(const Case& c, ElemType elem = ElemType::F32) {
  DifferentialOptions options;
  if (elem == ElemType::F16) options.tolerance = {.rtol = 1e-3, .atol = 2e-3};
  const auto used =
      expectCompiledAgrees([&](GraphBuilder& g) { return build(g, c, elem); }, options);
  EXPECT_TRUE(std::ranges::any_of(used, [&](const std::string& algorithm) {
    return c.blocked ? algorithm == "resize_blocked"
                     : algorithm == "resize_rows" || algorithm == "resize_columns";
  }));
}

AttrMap randomAttrs(Sizes& sizes) {
  AttrMap attrs;
  attrs["mode"] = std::string(sizes.oneOf({"nearest", "linear", "cubic"}));
  attrs["coordinate_transformation_mode"] = std::string(sizes.oneOf(
      {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"}));
  if (attrs["mode"] == AttrValue(std::string("nearest")))
    attrs["nearest_mode"] =
        std::string(sizes.oneOf({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  else if (sizes.between(0, 2) == 0)
    attrs["antialias"] = int64_t{1};
  if (sizes.between(0, 2) == 0) attrs["exclude_outside"] = int64_t{1};
  return attrs;
}

Case randomCase(Sizes& sizes, bool blocked) {
  Case c;
  const int64_t spatial = sizes.between(1, 3);
  c.shape = {sizes.between(1, 2),
             blocked ? sizes.between(17, 34) : sizes.oneOf<int64_t>({1, 3, 8, 9})};
  c.scales = {1, 1};
  for (int64_t i = 0; i < spatial; ++i) {
    c.shape.push_back(sizes.between(1, spatial == 3 ? 6 : 20));
    const float scale = sizes.oneOf({2.0F, 2.0F, 3.0F, 1.0F, 1.6F, 0.5F, 0.7F, 4.0F, 2.3F});
    // The result keeps at least a pixel.
    c.scales.push_back(std::max(scale, 1.0F / static_cast<float>(c.shape.back())));
  }
  c.attrs = randomAttrs(sizes);
  c.blocked = blocked;
  c.relu = sizes.between(0, 1) != 0;
  return c;
}

TEST(Resize, SweepsBlocked) {
  Sizes sizes(3);
  for (int round = 0; round < rounds(60); ++round) expectResized(randomCase(sizes, true));
}

TEST(Resize, SweepsPlain) {
  Sizes sizes(4);
  for (int round = 0; round < rounds(60); ++round) expectResized(randomCase(sizes, false));
}

TEST(Resize, WideRows) {
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const float scale : {2.0F, 1.37F, 0.5F})
      for (const bool blocked : {false, true})
        expectResized({{1, 24, 5, 67}, {1, 1, 2, scale}, {{"mode", std::string(mode)}}, blocked});
}

TEST(Resize, BatchAndChannels) {
  expectResized({{2, 3, 5, 6}, {2, 1.7F, 1, 2}, {{"mode", std::string("linear")}}});
  expectResized({{3, 19, 4, 5}, {1, 2, 1, 1}, {}});
  expectResized({{1, 1, 6, 7}, {1, 1, 1, 1}, {}});
  expectResized({{7}, {3}, {{"mode", std::string("linear")}}});
}

TEST(Resize, OtherTypes) {
  for (const ElemType elem : {ElemType::F64, ElemType::F16, ElemType::BF16})
    expectResized({{1, 3, 9, 10}, {1, 1, 2, 2}, {}}, elem);
  for (const ElemType elem : {ElemType::F64, ElemType::F16})
    expectResized({{1, 3, 9, 10}, {1, 1, 2, 1.5F}, {{"mode", std::string("linear")}}}, elem);
  for (const ElemType elem : {ElemType::I64, ElemType::I32, ElemType::I8, ElemType::U8})
    expectResized({{1, 3, 9, 10}, {1, 1, 2, 0.6F}, {}}, elem);
}

TEST(Resize, CropsAndExtrapolates) {
  for (const char* mode : {"nearest", "linear"})
    for (const std::vector<float>& roi :
         {std::vector<float>{0, 0, 0.2F, 0.1F, 1, 1, 0.8F, 0.9F},
          std::vector<float>{0, 0, -0.3F, 0.1F, 1, 1, 1.2F, 1.4F}}) {
      const auto used = expectCompiledAgrees([&](GraphBuilder& g) {
        const AttrMap attrs{{"mode", std::string(mode)},
                            {"extrapolation_value", 10.5F},
                            {"coordinate_transformation_mode", std::string("tf_crop_and_resize")}};
        return g.op(OpKind::Resize, "resize",
                    {g.input("x", f32({1, 2, 9, 11})),
                     g.constant("roi", Tensor::of<float>({8}, roi)), nullptr,
                     g.constant("sizes", Tensor::of<int64_t>({4}, {1, 2, 13, 19}))},
                    attrs);
      });
      // The width grows most, so it comes last.
      EXPECT_EQ(used.back(), "resize_columns");
    }
}

} // namespace
} // namespace enfold
