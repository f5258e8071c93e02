// Epilogues that change the element type, behind every kernel that takes one. Hosts give whole
// numbers, so that answers are known to the bit: a step that rounds otherwise than its op alone
// would, or saturates otherwise, shows.
#include "Window.h"
#include "codegen/TargetInfo.h"
#include "ir/ConstantText.h"
#include "support/Hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// Whole numbers in [low, high] of that type.
Value* whole(GraphBuilder& g, const char* name, ElemType elem, Shape shape, double low,
             double high) {
  Tensor real(ElemType::F64, shape), tensor(elem, std::move(shape));
  fillRandom(real, hashString(name), low, high);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setDouble(i, std::round(real.asDouble(i)));
  return g.constant(name, std::move(tensor));
}

Value* number(GraphBuilder& g, const char* name, ElemType elem, double value) {
  return whole(g, name, elem, {}, value, value);
}

/// The shape of one number a channel that broadcasts to `y`.
Shape perChannel(const Value* y) {
  const Shape& shape = y->shape();
  if (shape.size() < 3) return {shape.back()};
  Shape result(shape.size() - 1, 1);
  result[0] = shape[1];
  return result;
}

Value* cast(GraphBuilder& g, Value* x, ElemType to) {
  return g.op(OpKind::Cast, "cast", {x}, {{"to", to}});
}

Value* f32Of(GraphBuilder& g, Value* y) {
  return y->elem() == ElemType::F32 ? y : cast(g, y, ElemType::F32);
}

/// By a factor of few bits, since it may be folded into the weights in front.
Value* scaled(GraphBuilder& g, Value* y, float by) {
  return g.op(OpKind::Mul, "scaled", {y, g.constant("factor", Tensor::scalar(by))});
}

/// round(y / scale) + zero, saturated.
Value* quantize(GraphBuilder& g, Value* y, ElemType to, const Shape& shape = {}) {
  Value* scale = g.uniform("scale", shape, 0.2, 0.7);
  Value* zero = whole(g, "zero", to, shape, isUnsigned(to) ? 100 : -20, isUnsigned(to) ? 140 : 20);
  AttrMap attrs;
  if (!shape.empty()) attrs["axis"] = y->type().rank() < 3 ? y->type().rank() - 1 : 1;
  return g.op(OpKind::QuantizeLinear, "quantized", {f32Of(g, y), scale, zero}, std::move(attrs));
}

struct Tail {
  const char* name;
  Value* (*build)(GraphBuilder& g, Value* y);
};

const Tail kTails[] = {
    {"quantized to u8", [](GraphBuilder& g, Value* y) { return quantize(g, y, ElemType::U8); }},
    {"quantized per channel to i8",
     [](GraphBuilder& g, Value* y) {
       return quantize(g, y, ElemType::I8, {numElements(perChannel(y))});
     }},
    {"quantized to i16 and back",
     [](GraphBuilder& g, Value* y) {
       Value* q = quantize(g, y, ElemType::I16);
       const Op* op = q->producer();
       return g.op(OpKind::DequantizeLinear, "back", {q, op->own(1), op->own(2)});
     }},
    {"sums of i32 with a bias, scaled, added to, clamped, rounded, as u8",
     [](GraphBuilder& g, Value* y) {
       Value* sums = cast(g, y, ElemType::I32);
       sums = g.op(OpKind::Add, "bias", {sums, whole(g, "b", ElemType::I32, perChannel(y), -9, 9)});
       Value* real =
           g.op(OpKind::Mul, "mul", {f32Of(g, sums), g.uniform("factor", perChannel(y), 0.3, 3)});
       real = g.op(OpKind::Add, "add", {real, g.input("residual", f32(y->shape()))});
       return cast(g, g.op(OpKind::Round, "round", {g.clip("clip", real, 0, 200)}), ElemType::U8);
     }},
    {"added to a dequantized residual, quantized",
     [](GraphBuilder& g, Value* y) {
       Value* r = g.op(OpKind::DequantizeLinear, "real",
                       {g.input("residual", {ElemType::U8, y->shape(), {}}),
                        g.constant("scale", Tensor::scalar(0.375f)),
                        number(g, "zero", ElemType::U8, 117)});
       return quantize(g, g.op(OpKind::Add, "add", {f32Of(g, y), r}), ElemType::U8);
     }},
    {"less a residual of i8, of bf16 on the way",
     [](GraphBuilder& g, Value* y) {
       Value* r = cast(g, g.input("residual", {ElemType::I8, y->shape(), {}}), ElemType::BF16);
       r = g.op(OpKind::Mul, "mul", {r, number(g, "k", ElemType::BF16, 1.1)});
       return g.op(OpKind::Sub, "sub", {r, cast(g, y, ElemType::BF16)});
     }},
    {"saturating at both ends",
     [](GraphBuilder& g, Value* y) {
       return cast(g, scaled(g, f32Of(g, y), 0x1p30f), ElemType::I8);
     }},
    {"wrapping integers",
     [](GraphBuilder& g, Value* y) {
       Value* i = cast(g, f32Of(g, y), ElemType::I16);
       i = g.op(OpKind::Mul, "mul", {i, whole(g, "k", ElemType::I16, perChannel(y), 90, 900)});
       return cast(g, i, ElemType::I8);
     }},
    {"bits",
     [](GraphBuilder& g, Value* y) {
       Value* i = cast(g, f32Of(g, y), ElemType::U8);
       i = g.op(OpKind::BitwiseXor, "xor", {i, number(g, "mask", ElemType::U8, 85)});
       return g.op(OpKind::BitShift, "shift", {i, number(g, "by", ElemType::U8, 1)},
                   {{"direction", std::string("RIGHT")}});
     }},
    {"as bf16 from here on",
     [](GraphBuilder& g, Value* y) {
       Value* half = cast(g, scaled(g, f32Of(g, y), 1.125f), ElemType::BF16);
       half = g.op(OpKind::Add, "add", {half, g.input("h", {ElemType::BF16, y->shape(), {}})});
       half = g.op(OpKind::Mul, "mul", {half, number(g, "three", ElemType::BF16, 3)});
       return g.op(OpKind::Relu, "relu", {half});
     }},
    {"through f16",
     [](GraphBuilder& g, Value* y) {
       Value* half = cast(g, scaled(g, f32Of(g, y), 0.6875f), ElemType::F16);
       half = g.op(OpKind::Mul, "mul", {half, half});
       return scaled(g, f32Of(g, half), 1.3f);
     }},
    {"through f64",
     [](GraphBuilder& g, Value* y) {
       Value* wide = cast(g, y, ElemType::F64);
       wide = g.op(OpKind::Div, "div", {wide, number(g, "sixteen", ElemType::F64, 16)});
       return cast(g, wide, ElemType::BF16);
     }},
    {"to i64",
     [](GraphBuilder& g, Value* y) {
       Value* wide = cast(g, y, ElemType::I64);
       return g.op(OpKind::Mul, "mul", {wide, number(g, "large", ElemType::I64, 1e12)});
     }},
    {"compared",
     [](GraphBuilder& g, Value* y) {
       return g.op(OpKind::Greater, "greater", {whole(g, "k", y->elem(), perChannel(y), 0, 9), y});
     }},
    {"compared, chosen by and counted",
     [](GraphBuilder& g, Value* y) {
       Value* mask = g.op(OpKind::LessOrEqual, "less", {y, number(g, "two", y->elem(), 2)});
       mask = g.op(OpKind::Or, "or", {mask, g.input("other", {ElemType::Bool, y->shape(), {}})});
       Value* chosen = g.op(OpKind::Where, "where",
                            {mask, g.input("a", {ElemType::I32, y->shape(), {}}),
                             whole(g, "b", ElemType::I32, perChannel(y), -9, 9)});
       return cast(g, chosen, ElemType::F32);
     }},
    {"chosen by a mask",
     [](GraphBuilder& g, Value* y) {
       return g.op(
           OpKind::Where, "where",
           {g.input("mask", {ElemType::Bool, perChannel(y), {}}), y, g.input("other", y->type())});
     }},
    {"not equal, as numbers",
     [](GraphBuilder& g, Value* y) {
       Value* same = g.op(OpKind::Equal, "equal", {y, number(g, "one", y->elem(), 1)});
       return cast(g, g.op(OpKind::Not, "not", {same}), ElemType::U8);
     }},
    {"a power with an integer exponent",
     [](GraphBuilder& g, Value* y) {
       Value* small = g.clip("clip", f32Of(g, y), -9, 9);
       Value* square = g.op(OpKind::Pow, "pow", {small, number(g, "two", ElemType::I64, 2)});
       return cast(g, g.op(OpKind::Round, "round", {square}), ElemType::U8);
     }},
    {"as bool", [](GraphBuilder& g, Value* y) { return cast(g, y, ElemType::Bool); }},
};

struct Host {
  const char* algorithm;
  std::function<Value*(GraphBuilder& g)> build;
  bool constant = false; ///< all inputs are 1
  int64_t pointwise = 0; ///< kernels that convert its operands, or are the host
};

void PrintTo(const Host& host, std::ostream* out) { *out << host.algorithm; }

Value* convOf(GraphBuilder& g, OpKind kind, Value* x, const Shape& weight, AttrMap attrs) {
  attrs["pads"] = std::vector<int64_t>{1, 1, 1, 1};
  const int64_t group = attrs.contains("group") ? std::get<int64_t>(attrs.at("group")) : 1;
  const int64_t channels = kind == OpKind::Conv ? weight[0] : group * weight[1];
  return g.op(kind, "conv",
              {x, whole(g, "weight", x->elem(), weight, -2, 2),
               whole(g, "bias", x->elem(), {channels}, -9, 9)},
              std::move(attrs));
}

/// A blocked tensor of whole numbers.
Value* blocked(GraphBuilder& g) {
  return g.op(OpKind::Conv, "stem",
              {g.input("x", f32({2, 3, 6, 5})),
               whole(g, "stem.weight", ElemType::F32, {19, 3, 1, 1}, -2, 2)});
}

std::vector<Host> hosts() {
  const auto input = [](GraphBuilder& g, ElemType elem, Shape shape) {
    return g.input("x", {elem, std::move(shape), {}});
  };
  const AttrMap direct = {{"algorithm", std::string("direct")}};
  const AttrMap window = {{"kernel_shape", std::vector<int64_t>{2, 2}}};
  const AttrMap nearest = {{"coordinate_transformation_mode", std::string("asymmetric")}};
  const auto resized = [=](GraphBuilder& g, Value* x) {
    return g.op(OpKind::Resize, "resize",
                {x, nullptr, g.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 3}))}, nearest);
  };
  const auto ofOnes = [](GraphBuilder& g, const char* name, const Shape& shape) {
    return g.constant(name, [&] {
      Tensor ones(ElemType::F32, shape);
      for (int64_t i = 0; i < ones.numElements(); ++i) ones.setDouble(i, 1);
      return ones;
    }());
  };
  return {
      {"conv_direct",
       [=](GraphBuilder& g) {
         return convOf(g, OpKind::Conv, input(g, ElemType::F32, {2, 5, 4, 9}), {19, 5, 3, 3},
                       direct);
       }},
      {"conv_grouped",
       [=](GraphBuilder& g) {
         return convOf(g, OpKind::Conv, input(g, ElemType::F32, {2, 32, 4, 9}), {32, 2, 3, 3},
                       {{"group", int64_t{16}}});
       }},
      {"conv_depthwise",
       [=](GraphBuilder& g) {
         return convOf(g, OpKind::Conv, input(g, ElemType::F32, {2, 19, 4, 9}), {19, 1, 3, 3},
                       {{"group", int64_t{19}}});
       }},
      {"conv_transposed",
       [=](GraphBuilder& g) {
         return convOf(g, OpKind::ConvTranspose, input(g, ElemType::F32, {2, 5, 4, 9}),
                       {5, 19, 3, 3}, {{"strides", std::vector<int64_t>{2, 1}}});
       }},
      {"conv_plain",
       [=](GraphBuilder& g) {
         return convOf(g, OpKind::Conv, input(g, ElemType::F64, {2, 5, 4, 9}), {7, 5, 3, 3}, {});
       }},
      {"pool_blocked",
       [=](GraphBuilder& g) { return g.op(OpKind::MaxPool, "pool", {blocked(g)}, window); }},
      {"pool_blocked",
       [=](GraphBuilder& g) { return g.op(OpKind::AveragePool, "pool", {blocked(g)}, window); }},
      {"pool_plain",
       [=](GraphBuilder& g) {
         return g.op(OpKind::MaxPool, "pool", {input(g, ElemType::I8, {2, 3, 5, 19})}, window);
       }},
      {"pool_plain",
       [=](GraphBuilder& g) {
         return g.op(OpKind::AveragePool, "pool", {input(g, ElemType::F32, {2, 3, 5, 19})}, window);
       }},
      {"global_pool_blocked",
       [=](GraphBuilder& g) { return g.op(OpKind::GlobalMaxPool, "pool", {blocked(g)}); }},
      {"resize_blocked", [=](GraphBuilder& g) { return resized(g, blocked(g)); }},
      {"resize_columns",
       [=](GraphBuilder& g) { return resized(g, input(g, ElemType::F32, {2, 3, 5, 19})); }},
      {"gemm",
       [=](GraphBuilder& g) {
         return g.op(OpKind::Gemm, "gemm",
                     {input(g, ElemType::F32, {3, 7}),
                      whole(g, "weight", ElemType::F32, {7, 21}, -3, 3),
                      whole(g, "bias", ElemType::F32, {21}, -9, 9)});
       }},
      {"gemm",
       [=](GraphBuilder& g) {
         return g.op(
             OpKind::MatMul, "matmul",
             {input(g, ElemType::I32, {2, 3, 7}), g.input("w", {ElemType::I32, {7, 21}, {}})});
       }},
      {"gemm",
       [=](GraphBuilder& g) {
         return g.op(OpKind::MatMulInteger, "matmul",
                     {g.input("x", {ElemType::I8, {2, 3, 7}, {}}),
                      whole(g, "weight", ElemType::I8, {7, 21}, -99, 99)});
       }},
      {"conv_direct",
       [=](GraphBuilder& g) {
         return g.op(OpKind::ConvInteger, "conv",
                     {input(g, ElemType::I8, {2, 5, 4, 9}),
                      whole(g, "weight", ElemType::I8, {19, 5, 3, 3}, -99, 99)});
       }},
      {"reduce_rows",
       [=](GraphBuilder& g) {
         return g.op(OpKind::ReduceSum, "sum",
                     {input(g, ElemType::F32, {2, 5, 19}),
                      g.constant("axes", Tensor::of<int64_t>({1}, {2}))});
       }},
      {"reduce_columns",
       [=](GraphBuilder& g) {
         return g.op(OpKind::ReduceMax, "max",
                     {input(g, ElemType::I32, {2, 5, 19}),
                      g.constant("axes", Tensor::of<int64_t>({1}, {1}))});
       }},
      {"softmax_rows",
       [=](GraphBuilder& g) {
         return g.op(OpKind::Softmax, "softmax", {input(g, ElemType::F32, {2, 5, 32})});
       },
       true},
      {"softmax_columns",
       [=](GraphBuilder& g) {
         return g.op(OpKind::Softmax, "softmax", {input(g, ElemType::F32, {2, 8, 19})},
                     {{"axis", int64_t{1}}});
       },
       true},
      {"norm_rows",
       [=](GraphBuilder& g) {
         return g.op(OpKind::LayerNormalization, "norm",
                     {input(g, ElemType::F32, {2, 5, 19}), ofOnes(g, "scale", {19}),
                      whole(g, "shift", ElemType::F32, {19}, -9, 9)});
       },
       true},
      {"norm_channels",
       [=](GraphBuilder& g) {
         return g.op(OpKind::InstanceNormalization, "norm",
                     {input(g, ElemType::F32, {2, 5, 19}), ofOnes(g, "scale", {5}),
                      whole(g, "shift", ElemType::F32, {5}, -9, 9)});
       },
       true},
      {"norm_channels_blocked",
       [=](GraphBuilder& g) {
         Value* pooled = g.op(OpKind::GlobalMaxPool, "pool", {blocked(g)});
         return g.op(
             OpKind::InstanceNormalization, "norm",
             {pooled, ofOnes(g, "scale", {19}), whole(g, "shift", ElemType::F32, {19}, -9, 9)});
       },
       true},
      {"pointwise",
       [=](GraphBuilder& g) {
         return g.op(OpKind::Neg, "neg", {input(g, ElemType::F32, {3, 5, 37})});
       },
       false, 1},
      {"pointwise",
       [=](GraphBuilder& g) {
         return g.op(OpKind::Max, "max",
                     {input(g, ElemType::I8, {3, 37}), g.input("z", {ElemType::I8, {37}, {}})});
       },
       false, 1},
  };
}

class TypedEpilogue : public testing::TestWithParam<Host> {};

TEST_P(TypedEpilogue, TakesEveryTail) {
  const Host& host = GetParam();
  for (const Tail& tail : kTails) {
    SCOPED_TRACE(tail.name);
    DifferentialOptions options{.tolerance = {0, 0}, .low = -6, .high = 6, .whole = true};
    if (host.constant) options.low = options.high = 1;
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) { return tail.build(g, host.build(g)); }, options);
    EXPECT_TRUE(uses(algorithms, host.algorithm)) << testing::PrintToString(algorithms);
    EXPECT_EQ(std::ranges::count(algorithms, "pointwise"), host.pointwise) << "it is not fused";
  }
}

INSTANTIATE_TEST_SUITE_P(Hosts, TypedEpilogue, testing::ValuesIn(hosts()), [](const auto& info) {
  return std::string(info.param.algorithm) + "_" + std::to_string(info.index);
});

/// Transforms round: numbers are a quarter away from where a tail would jump.
TEST(TypedEpilogues, BehindWinograd) {
  const auto conv = [](GraphBuilder& g) {
    Value* x = g.op(OpKind::Conv, "stem",
                    {g.input("x", f32({1, 3, 28, 27})),
                     whole(g, "stem.weight", ElemType::F32, {64, 3, 1, 1}, -1, 1)});
    Value* y =
        g.op(OpKind::Conv, "conv", {x, whole(g, "weight", ElemType::F32, {64, 64, 3, 3}, -1, 1)},
             {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    return g.op(OpKind::Add, "quarter", {y, g.constant("quarter", Tensor::scalar(0.25f))});
  };
  const DifferentialOptions options{.tolerance = {0, 0}, .low = -2, .high = 2, .whole = true};
  const auto target = codegen::targetFor("native");
  ASSERT_TRUE(target);
  const auto expectFused = [&](const BuildGraph& build) {
    const auto algorithms = expectCompiledAgrees(build, options);
    const bool isFast = target->isa >= kir::Isa::Avx2;
    EXPECT_TRUE(!isFast || uses(algorithms, "winograd")) << testing::PrintToString(algorithms);
    EXPECT_FALSE(uses(algorithms, "pointwise"));
  };
  expectFused([&](GraphBuilder& g) { return cast(g, conv(g), ElemType::U8); });
  expectFused([&](GraphBuilder& g) {
    Value* i = cast(g, conv(g), ElemType::I32);
    i = g.op(OpKind::Add, "add", {i, g.input("r", {ElemType::I32, i->shape(), {}})});
    return cast(g, scaled(g, f32Of(g, i), 0.37f), ElemType::BF16);
  });
  expectFused([&](GraphBuilder& g) {
    return g.op(OpKind::Less, "less", {conv(g), number(g, "zero", ElemType::F32, 0)});
  });
}

} // namespace
} // namespace enfold
