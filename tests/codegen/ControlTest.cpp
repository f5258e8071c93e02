// Loops, branches, variables, scratch and local arrays, and instructions on lanes.
#include "tests/codegen/Elementwise.h"

namespace enfold::codegen {
namespace {

using kir::Buffer;
using kir::Builder;
using kir::Index;
using kir::Op;
using kir::Scalar;
using kir::Value;
using kir::Var;
using Values = std::vector<Value>;

/// Runs a kernel that writes i64 results, one for each iteration.
std::vector<int64_t> results(const Target& target, int64_t n,
                             const std::function<Value(Builder&, const Index&)>& body) {
  Builder b("control");
  Buffer dst = b.output("dst", Scalar::I64, n);
  b.parallelFor("t", n, [&](const Index& t) {
    Value x = body(b, t);
    b.store(dst[t], b.cast(x, Scalar::I64));
  });
  auto module = compileAll({b.finish()}, target);
  Guarded out(static_cast<size_t>(n) * 8);
  if (module) runStep(*module, 0, {out.data()});
  EXPECT_TRUE(out.intact());
  return out.as<int64_t>();
}

TEST(Control, LoopsWithRunTimeBounds) {
  for (const Target& target : targets())
    for (int64_t step : {1, 3}) {
      auto sums = results(target, 12, [&](Builder& b, const Index& t) {
        Var sum = b.var("sum", b.zero(kir::i64()));
        b.forLoop("i", t - 5, t * 2 - 4, step,
                  [&](const Index& i) { sum.set(sum + b.cast(b.value(i * 10 + 1), Scalar::I64)); });
        return sum.get();
      });
      for (int64_t t = 0; t < 12; ++t) {
        int64_t expected = 0;
        for (int64_t i = t - 5; i < t * 2 - 4; i += step) expected += i * 10 + 1;
        EXPECT_EQ(sums[static_cast<size_t>(t)], expected) << t;
      }
    }
}

TEST(Control, EmptyAndUnrolledLoops) {
  auto sums = results(targets().back(), 3, [&](Builder& b, const Index& t) {
    Var sum = b.var("sum", b.zero(kir::i64()));
    auto add = [&](const Index& i) { sum.set(sum + b.cast(b.value(i + t), Scalar::I64)); };
    b.forLoop("none", 5, 5, add);
    b.forLoop("none", 5, 2, add);
    b.unrolledLoop("none", 2, 2, add);
    b.unrolledLoop("i", 10, 13, [&](const Index& i) {
      Var inner = b.var("inner", b.zero(kir::i64()));
      b.unrolledLoop("j", 0, 2, [&](const Index& j) {
        inner.set(inner + b.cast(b.value(i * j), Scalar::I64));
      });
      sum.set(sum + inner);
    });
    return sum.get();
  });
  EXPECT_EQ(sums, (std::vector<int64_t>{33, 33, 33}));
}

TEST(Control, Branches) {
  auto values = results(targets().back(), 10, [&](Builder& b, const Index& t) {
    Var x = b.var("x", b.constantInt(kir::i64(), -1));
    b.ifElse((t >= 2) & (t < 7),
             [&] { b.ifThen(t != 4, [&] { x.set(b.constantInt(kir::i64(), 1)); }); },
             [&] { b.ifElse((t == 0) | (t == 9), [&] { x.set(x - 1); }, [&] { x.set(x * 10); }); });
    return x.get();
  });
  EXPECT_EQ(values, (std::vector<int64_t>{-2, -10, 1, 1, -1, 1, 1, -10, -10, -2}));
}

TEST(Control, IndexArithmetic) {
  auto values = results(targets().back(), 200, [&](Builder& b, const Index& t) {
    Index x = t - 100;
    return b.value((x / 7) * 1000 + x % 7 + (x * 3) % 8 * 100000 + max(x, 3) - min(x, t / 2) +
                   x / (t + 1));
  });
  auto floorDiv = [](int64_t a, int64_t d) { return a / d - (a % d < 0); };
  auto floorMod = [&](int64_t a, int64_t d) { return a - floorDiv(a, d) * d; };
  for (int64_t t = 0; t < 200; ++t) {
    int64_t x = t - 100;
    EXPECT_EQ(values[static_cast<size_t>(t)],
              floorDiv(x, 7) * 1000 + floorMod(x, 7) + floorMod(x * 3, 8) * 100000 +
                  std::max<int64_t>(x, 3) - std::min(x, t / 2) + floorDiv(x, t + 1))
        << t;
  }
}

TEST(Control, ScratchAndLocals) {
  for (const Target& target : targets()) {
    Builder b("transpose");
    Buffer src = b.input("src", Scalar::I32, 64), dst = b.output("dst", Scalar::I32, 64);
    Buffer tile = b.local("tile", Scalar::I32, 8);
    Buffer unused = b.scratch("unused", Scalar::I8, 1);
    Buffer rows = b.scratch("rows", Scalar::I32, 64);
    b.parallelFor("t", 1, [&](const Index&) {
      b.store(unused[0], b.constantInt({Scalar::I8, 1}, 1));
      b.forLoop("i", 0, 64, 8, [&](const Index& i) { b.store(rows[i], b.load(src[i], 8)); });
      b.forLoop("i", 0, 8, [&](const Index& i) {
        b.forLoop("j", 0, 8, [&](const Index& j) { b.store(tile[j], b.load(rows[j * 8 + i])); });
        b.store(dst[i * 8], b.load(tile[0], 8));
      });
    });
    kir::Kernel kernel = b.finish();
    EXPECT_EQ(kernel.scratchBytes, 64 + 256);
    auto module = compileAll({kernel}, target);
    ASSERT_TRUE(module);
    EXPECT_EQ(module->program()->scratch_bytes, 64 + 256);
    std::vector<int32_t> x(64), expected(64);
    for (int i = 0; i < 64; ++i) x[static_cast<size_t>(i)] = i;
    for (int i = 0; i < 64; ++i) expected[static_cast<size_t>(i)] = i % 8 * 8 + i / 8;
    Guarded in(x), out(256);
    runStep(*module, 0, {in.data(), out.data()});
    EXPECT_EQ(out.as<int32_t>(), expected);
  }
}

TEST(Control, CodeBeforeTheParallelLoop) {
  Builder b("prologue");
  Buffer src = b.input("src", Scalar::F32, 8), dst = b.output("dst", Scalar::F32, 32);
  Value x = b.load(src[0], 8) * 2;
  b.parallelFor("t", 4, [&](const Index& t) {
    b.store(dst[t * 8], x + b.splat(b.cast(b.value(t), Scalar::F32), 8));
  });
  auto module = compileAll({b.finish()}, targets().back());
  Guarded in(std::vector<float>(8, 1.5f)), out(32 * 4);
  runStep(*module, 0, {in.data(), out.data()});
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(out.as<float>()[i], 3 + static_cast<float>(i / 8));
}

/// dst of `outLanes` from one vector of `lanes` numbers 1, 2, 3 …, on all targets.
std::vector<float> onLanes(const Target& target, int lanes, int outLanes,
                           const std::function<Value(Builder&, const Value&)>& body) {
  Builder b("lanes");
  Buffer src = b.input("src", Scalar::F32, lanes), dst = b.output("dst", Scalar::F32, outLanes);
  b.parallelFor("t", 1, [&](const Index& t) { b.store(dst[t], body(b, b.load(src[t], lanes))); });
  auto module = compileAll({b.finish()}, target);
  std::vector<float> x(static_cast<size_t>(lanes));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  Guarded in(x), out(static_cast<size_t>(outLanes) * 4);
  if (module) runStep(*module, 0, {in.data(), out.data()});
  EXPECT_TRUE(out.intact());
  return out.as<float>();
}

using Floats = std::vector<float>;

TEST(Lanes, Moves) {
  for (const Target& target : targets()) {
    auto run = [&](int lanes, int outLanes, const std::function<Value(Builder&, const Value&)>& f) {
      return onLanes(target, lanes, outLanes, f);
    };
    EXPECT_EQ(run(4, 4, [](Builder& b, auto& x) { return b.splat(b.extract(x, 2), 4); }),
              (Floats{3, 3, 3, 3}));
    EXPECT_EQ(run(3, 3, [](Builder& b, auto& x) { return b.insert(x, b.extract(x, 0), 2); }),
              (Floats{1, 2, 1}));
    EXPECT_EQ(run(4, 3, [](Builder& b, auto& x) { return b.shuffle(x, x * 10, {7, 0, 4}); }),
              (Floats{40, 1, 10}));
    EXPECT_EQ(run(4, 2, [](Builder& b, auto& x) { return b.slice(x, 1, 2); }), (Floats{2, 3}));
    EXPECT_EQ(run(2, 4, [](Builder& b, auto& x) { return b.concat(x, x * 10); }),
              (Floats{1, 2, 10, 20}));
    EXPECT_EQ(run(2, 4, [](Builder& b, auto& x) { return b.interleave(x, x * 10); }),
              (Floats{1, 10, 2, 20}));
    EXPECT_EQ(run(8, 3, [](Builder& b, auto& x) { return b.everyLane(x, 1, 3); }),
              (Floats{2, 5, 8}));
    EXPECT_EQ(run(1, 2, [](Builder& b, auto& x) { return b.shuffle(x, x + 5, {1, 0}); }),
              (Floats{6, 1}));
    EXPECT_EQ(run(4, 1, [](Builder& b, auto& x) { return b.shuffle(x, x, {3}); }), (Floats{4}));
  }
}

/// The order of kernel/Op.h, so that rounding shows a different one.
template <typename F> float folded(std::vector<float> x, F&& f) {
  size_t whole = std::bit_floor(x.size());
  for (size_t i = whole; i < x.size(); ++i) x[i - whole] = f(x[i - whole], x[i]);
  for (size_t n = whole / 2; n > 0; n /= 2)
    for (size_t i = 0; i < n; ++i) x[i] = f(x[i], x[i + n]);
  return x[0];
}

TEST(Lanes, Reductions) {
  std::mt19937_64 random(9);
  for (const Target& target : targets())
    for (int lanes : {1, 2, 3, 4, 5, 7, 8, 16, 24}) {
      auto size = static_cast<size_t>(lanes);
      std::vector<kir::Kernel> kernels;
      for (Op op : {Op::ReduceAdd, Op::ReduceMul, Op::ReduceMin, Op::ReduceMax}) {
        Builder b("reduce");
        Buffer src = b.input("src", Scalar::F32, lanes), dst = b.output("dst", Scalar::F32, 1);
        b.parallelFor(
            "t", 1, [&](const Index& t) { b.store(dst[t], b.reduce(op, b.load(src[t], lanes))); });
        kernels.push_back(b.finish());
      }
      auto module = compileAll(std::move(kernels), target);
      ASSERT_TRUE(module);
      for (bool withNan : {false, true}) {
        std::vector<float> x(size);
        for (float& f : x) f = randomValue<float>(random);
        if (withNan) x[random() % size] = std::numeric_limits<float>::quiet_NaN();
        auto check = [&](int step, auto f) {
          Guarded in(x), out(4);
          runStep(*module, step, {in.data(), out.data()});
          EXPECT_TRUE(sameBits(out.as<float>()[0], folded(x, f))) << "x" << lanes << " " << step;
        };
        check(0, [](float a, float b) { return a + b; });
        check(1, [](float a, float b) { return a * b; });
        check(2, [](float a, float b) { return std::isnan(a) ? a : a < b ? a : b; });
        check(3, [](float a, float b) { return std::isnan(a) ? a : a > b ? a : b; });
      }
    }
}

} // namespace
} // namespace enfold::codegen
