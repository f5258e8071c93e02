// The other rewrites with guards: padding into windows, sums into convolutions, movement that does
// nothing, arithmetic on integers.
#include "tests/hazards/Harness.h"

#include <fmt/format.h>

namespace enfold::hazards {
namespace {

Value* ints(Net& net, const std::vector<int64_t>& values) {
  return net.constant(
      Tensor::of({static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
}

TEST(Rewrite, PadInFrontOfPools) {
  for (OpKind kind : {OpKind::AveragePool, OpKind::MaxPool})
    for (int64_t counted : {0, 1})
      for (int64_t ceil : {0, 1})
        for (const std::vector<int64_t>& own : {std::vector<int64_t>{}, {1, 1, 1, 1}, {0, 1, 0, 0}})
          for (const double value : {0.0, double{-INFINITY}, 0.5})
            for (int64_t pad : {1, 2, 3}) {
              SCOPED_TRACE(fmt::format("{} counted {} ceil {} own {} value {} pad {}", name(kind),
                                       counted, ceil, str(own), value, pad));
              if (kind == OpKind::AveragePool && std::isinf(value)) continue;
              Net net;
              Value* x = net.input({1, 3, 7, 6});
              Value* padded = net.op(OpKind::Pad, "pad",
                                     {x, ints(net, {0, 0, pad, 1, 0, 0, 0, pad}),
                                      net.constant(numbers(ElemType::F32, {}, {value}))});
              AttrMap attrs = {{"kernel_shape", std::vector<int64_t>{3, 3}},
                               {"strides", std::vector<int64_t>{2, 2}}};
              if (!own.empty()) attrs["pads"] = own;
              if (ceil) attrs["ceil_mode"] = ceil;
              if (counted && kind == OpKind::AveragePool) attrs["count_include_pad"] = counted;
              net.output(net.op(kind, "pool", {padded}, std::move(attrs)));
              check(net.finish());
            }
}

TEST(Rewrite, PadInFrontOfConvolutions) {
  for (int64_t group : {1, 2, 4, 8})
    for (const double value : {0.0, 1.0}) {
      Net net;
      Value* x = net.input({2, 8, 6, 5});
      Value* padded = net.op(OpKind::Pad, "pad",
                             {x, ints(net, {0, 0, 2, 0, 0, 0, 1, 3}),
                              net.constant(numbers(ElemType::F32, {}, {value}))});
      Value* y = net.op(OpKind::Conv, "conv", {padded, net.random({8, 8 / group, 3, 3})},
                        {{"group", group}, {"pads", std::vector<int64_t>{0, 1, 1, 0}}});
      net.output(net.batchNorm("bn", y));
      const Outcome outcome = check(net.finish());
      EXPECT_EQ(outcome.statusOf("fold-pad", "pad"),
                value == 0 ? "applied folded" : "refused pad-value");
    }
}

TEST(Rewrite, SumsOfConvolutions) {
  for (int64_t group : {1, 2, 4, 8})
    for (bool same : {false, true}) {
      Net net;
      Value* x = net.input({2, 8, 6, 6});
      const auto conv = [&](const std::string& name) {
        return net.op(OpKind::Conv, name, {x, net.random({8, 8 / group, 1, 1})},
                      {{"group", group}});
      };
      Value* a = conv("a");
      Value* b = same ? a : net.batchNorm("bn", conv("b"));
      net.output(net.op(OpKind::Relu, "relu", {net.op(OpKind::Add, "sum", {a, b})}));
      check(net.finish());
    }
}

TEST(Rewrite, IntegersAreNotFloats) {
  for (OpKind kind : {OpKind::Div, OpKind::Mul}) {
    Net net(ElemType::I32);
    const auto number = [&](double v) { return net.constant(numbers(ElemType::I32, {}, {v})); };
    Value* x = net.input({50});
    Value* clipped = net.op(OpKind::Clip, "clip",
                            {net.op(OpKind::Add, "add", {x, number(3)}), number(0), number(6)});
    Value* y = net.op(OpKind::Mul, "mul", {x, clipped});
    net.output(net.op(kind, "last", {y, number(6)}));
    check(net.finish());
  }
}

TEST(Rewrite, SlicesThatDoSomething) {
  const struct {
    std::vector<int64_t> starts, ends, steps;
  } cases[] = {{{0, 0}, {100, 100}, {1, 1}},    // nothing
               {{0, 0}, {-1, 100}, {1, 1}},     // all but the last
               {{-1, 0}, {-100, 100}, {-1, 1}}, // reversed, of the same shape
               {{0, 0}, {100, 100}, {2, 1}}};
  for (const auto& [starts, ends, steps] : cases) {
    Net net;
    Value* x = net.input({2, 3, 6, 5});
    net.output(
        net.op(OpKind::Slice, "slice",
               {x, ints(net, starts), ints(net, ends), ints(net, {2, 3}), ints(net, steps)}));
    check(net.finish());
  }
}

TEST(Rewrite, AnEpilogueThatReadsItsOperandAgain) {
  Net net;
  Value* x = net.op(OpKind::Sigmoid, "sigmoid", {net.input({2, 6, 5, 5})});
  Value* e = net.op(OpKind::Exp, "exp", {x});
  net.output(net.op(OpKind::Mul, "mul", {e, x}));
  CompileOptions options;
  options.pipeline = "(fuse-epilogue)*,(fuse-epilogue)*,assign-layout";
  check(net.finish(), options);
}

} // namespace
} // namespace enfold::hazards
