// Well-formed kernels pass; each broken one is refused with its reason. Kernels are broken by
// writing what the builder lets through, or by editing a good one.
#include "kernel/Verifier.h"

#include "kernel/Builder.h"
#include "kernel/Structure.h"

#include <gtest/gtest.h>

#include <functional>

namespace enfold::kir {
namespace {

struct Parts {
  Builder b{"test"};
  Buffer src = b.input("src", Scalar::F32, 64);
  Buffer dst = b.output("dst", Scalar::F32, 64);
  Buffer ints = b.inout("ints", Scalar::I32, 64);
  Buffer half = b.input("half", Scalar::F16, 64);
};

Kernel kernelOf(const std::function<void(Parts&, const Index&)>& body) {
  Parts parts;
  parts.b.parallelFor("t", 4, [&](const Index& t) { body(parts, t); });
  return parts.b.finish();
}

void expectRefused(const Kernel& kernel, std::string_view reason) {
  auto result = verify(kernel);
  ASSERT_FALSE(result) << "accepted, but: " << reason;
  EXPECT_NE(result.error().str().find(reason), std::string::npos) << result.error().str();
}

void expectRefused(const std::function<void(Parts&, const Index&)>& body, std::string_view reason) {
  expectRefused(kernelOf(body), reason);
}

Kernel goodKernel() {
  return kernelOf([](Parts& p, const Index& t) {
    Builder& b = p.b;
    Var sum = b.var("sum", b.zero(f32(8)));
    b.forLoop("i", 0, t + 1, [&](const Index& i) {
      sum.set(b.fma(b.broadcast(p.src[i], 8), b.load(p.src[t * 8], 8), sum));
    });
    b.ifThen(t < 3, [&] { b.store(p.dst[t * 8], b.exp(sum)); });
    b.storePartial(p.ints[t], b.castSat(sum.get(), Scalar::I32), t);
  });
}

TEST(Verifier, AcceptsGoodKernel) {
  auto result = verify(goodKernel());
  EXPECT_TRUE(result) << result.error().str();
}

TEST(Verifier, RefusesWrongTypes) {
  expectRefused([](Parts& p, const Index& t) { p.b.load(p.src[t], 4) + p.b.load(p.src[t], 8); },
                "operand 1 is f32x8, not f32x4");
  expectRefused([](Parts& p, const Index& t) { p.b.load(p.half[t], 4) * 2.0; },
                "only stored or moved");
  expectRefused([](Parts& p, const Index& t) { p.b.sqrt(p.b.load(p.ints[t])); },
                "needs f32 or f64");
  expectRefused([](Parts& p, const Index& t) { p.b.load(p.src[t]) & p.b.load(p.src[t]); },
                "needs integers or bool");
  expectRefused([](Parts& p, const Index& t) { p.b.load(p.src[t]) << 1; }, "needs integers");
  expectRefused([](Parts& p, const Index& t) { p.b.store(p.dst[t], p.b.load(p.ints[t])); },
                "another type than the buffer's");
  expectRefused([](Parts& p, const Index& t) { p.b.bitcast(p.b.load(p.src[t]), Scalar::F64); },
                "as many bytes");
  expectRefused([](Parts& p, const Index& t) { p.b.castSat(p.b.load(p.half[t]), Scalar::I8); },
                "saturates only from");
  expectRefused(
      [](Parts& p, const Index& t) {
        const Value x = p.b.load(p.ints[t], 4);
        p.b.dot(x, x, x);
      },
      "8-bit integers, i16 or bf16");
  expectRefused(
      [](Parts& p, const Index& t) {
        const Value x = p.b.load(p.ints[t], 4), half = p.b.bitcast(p.b.slice(x, 0, 2), Scalar::I16);
        p.b.dot(x, half, half);
      },
      "a word for each sum");
  expectRefused(
      [](Parts& p, const Index& t) {
        const Value x = p.b.load(p.src[t], 4), pairs = p.b.bitcast(x, Scalar::I16);
        p.b.dot(x, pairs, pairs);
      },
      "sums of i32");
  expectRefused(
      [](Parts& p, const Index& t) {
        Value x = p.b.load(p.src[t], 4);
        p.b.select(p.b.load(p.src[t], 2) < 0.0, x, x);
      },
      "bool condition");
  expectRefused([](Parts& p, const Index& t) { p.b.gather(p.src[t], p.b.load(p.src[t], 4)); },
                "integer offset");
}

TEST(Verifier, RefusesWrongLanes) {
  expectRefused([](Parts& p, const Index& t) { p.b.extract(p.b.load(p.src[t], 4), 4); },
                "lane out of range");
  expectRefused(
      [](Parts& p, const Index& t) {
        Value x = p.b.load(p.src[t], 4);
        p.b.shuffle(x, x, {0, 8});
      },
      "lane out of range");
  expectRefused(
      [](Parts& p, const Index& t) {
        Value x = p.b.load(p.src[t], 4);
        p.b.insert(x, x, 0);
      },
      "something else than one lane");
}

TEST(Verifier, RefusesWrongMemory) {
  expectRefused([](Parts& p, const Index&) { p.b.load(p.src[60], 8); },
                "elements 60..67 are outside buffer src of 64");
  expectRefused([](Parts& p, const Index&) { p.b.load(p.src[-1]); }, "outside buffer");
  expectRefused(
      [](Parts& p, const Index& t) {
        p.b.forLoop("i", 0, t + 1, [&](const Index&) { p.b.load(p.src[64]); });
      },
      "outside buffer");
  expectRefused([](Parts& p, const Index&) { p.b.loadStrided(p.src[1], 21, 4); }, "outside buffer");
  expectRefused([](Parts& p, const Index& t) { p.b.store(p.src[t], p.b.load(p.src[t])); },
                "writes a buffer declared as read");
  expectRefused([](Parts& p, const Index& t) { p.b.load(p.dst[t]); },
                "reads a buffer declared as write");
  expectRefused([](Parts& p, const Index&) { p.b.loadStrided(p.src[8], -3, 4); },
                "elements -1..8 are outside buffer");
  expectRefused([](Parts& p, const Index& t) { p.b.loadStrided(p.src[t], 0, 4); },
                "needs a stride");
  expectRefused([](Parts& p, const Index&) { p.b.broadcastWord(p.src[63], 2, 4); },
                "elements 63..64 are outside buffer");
  Parts p;
  p.b.store(p.dst[0], p.b.zero(f32()));
  p.b.parallelFor("t", 4, [](const Index&) {});
  expectRefused(p.b.finish(), "outside the parallel loop");
}

TEST(Verifier, DoesNotJudgeWhatNeverRuns) {
  Parts p;
  p.b.parallelFor("t", 1, [&](const Index& t) {
    p.b.forLoop("i", 0, t, [&](const Index& i) { p.b.load(p.src[i + 60], 8); });
  });
  EXPECT_TRUE(verify(p.b.finish()));
}

TEST(Verifier, RefusesWrongScopes) {
  expectRefused(
      [](Parts& p, const Index& t) {
        std::optional<Value> inner;
        p.b.forLoop("i", 0, 4, [&](const Index& i) { inner = p.b.load(p.src[i]); });
        p.b.store(p.dst[t], *inner);
      },
      "not defined here");
  expectRefused(
      [](Parts& p, const Index& t) {
        std::optional<Var> inner;
        p.b.forLoop("i", 0, 4, [&](const Index&) { inner = p.b.var("v", p.b.zero(f32())); });
        p.b.store(p.dst[t], inner->get());
      },
      "not declared here");
  expectRefused(
      [](Parts& p, const Index& t) {
        p.b.ifElse(t < 2, [&] { p.b.value(t * 3); }, [] {});
        p.b.parallelFor("u", 4, [](const Index&) {});
      },
      "parallel loop inside");
}

TEST(Verifier, RefusesWrongStructure) {
  expectRefused(Builder("empty").finish(), "must end in its one parallel loop");
  Kernel kernel = goodKernel();
  kernel.iterations = 5;
  expectRefused(kernel, "number of iterations");
  kernel = goodKernel();
  kernel.body.back().blocks[0][1].operands.clear();
  expectRefused(kernel, "wrong number of operands");
  kernel = goodKernel();
  kernel.buffers[0].space = Space::Scratch;
  expectRefused(kernel, "not inside the scratch");
}

TEST(Structure, IgnoresNamesOnly) {
  auto make = [](std::string name, std::string buffer, double factor, int lanes) {
    Builder b(std::move(name));
    Buffer x = b.inout(std::move(buffer), Scalar::F32, 64);
    b.parallelFor("t", 4,
                  [&](const Index& t) { b.store(x[t * 16], b.load(x[t * 16], lanes) * factor); });
    return b.finish();
  };
  Kernel kernel = make("a", "x", 2, 8);
  EXPECT_EQ(structure(kernel), structure(make("b", "y", 2, 8)));
  EXPECT_NE(structure(kernel), structure(make("a", "x", 3, 8)));
  EXPECT_NE(structure(kernel), structure(make("a", "x", 2, 16)));
}

} // namespace
} // namespace enfold::kir
