// Folding of index arithmetic: exact forms, and random expressions against plain integers.
#include "kernel/Builder.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

namespace enfold::kir {
namespace {

/// Runs `body` on an index with values 0..n-1.
void withIndex(int64_t n, const std::function<void(Builder&, const Index&)>& body) {
  Builder b("test");
  b.parallelFor("t", n, [&](const Index& t) { body(b, t); });
}

bool same(const Index& a, const Index& b) { return (a - b).constant() == 0; }

TEST(Index, FoldsWhatTheRangeDecides) {
  withIndex(10, [](Builder&, const Index& t) {
    EXPECT_TRUE(same((t * 8 + 3) / 8, t));
    EXPECT_EQ(((t * 8 + 3) % 8).constant(), 3);
    EXPECT_TRUE(same(t % 10, t));
    EXPECT_EQ((t / 10).constant(), 0);
    EXPECT_TRUE(same((t * 64 + t * 4) / 4, t * 17));
    EXPECT_TRUE(same((t - 10) / 10, Index(-1)));
    EXPECT_TRUE(same((t - 10) % 10, t));
    EXPECT_EQ((t - t).constant(), 0);
    EXPECT_EQ((t < 10).known(), true);
    EXPECT_EQ((t >= 10).known(), false);
    EXPECT_EQ((t - 1 >= 0).known(), std::nullopt);
    EXPECT_EQ((t == -1).known(), false);
    EXPECT_TRUE(same(min(t, 9), t));
    EXPECT_EQ(max(t, 9).constant(), 9);
    EXPECT_EQ(min(t, 5).range().hi, 5);
  });
}

TEST(Index, RangesOfLoops) {
  withIndex(10, [](Builder& b, const Index& t) {
    b.forLoop("i", 1, 12, 4, [](const Index& i) {
      EXPECT_EQ(i.range().lo, 1);
      EXPECT_EQ(i.range().hi, 9);
    });
    b.forLoop("i", t, t + 3, [](const Index& i) { EXPECT_TRUE(i.range().within(0, 11)); });
    b.forLoop("i", t, t + 1, [&](const Index& i) { EXPECT_TRUE(same(i, t)); });
  });
}

/// Evaluates the instructions that index arithmetic emits.
class Evaluator {
public:
  explicit Evaluator(const Kernel& kernel) { visit(kernel.body); }
  int64_t at(ValueId id, int64_t t) const {
    const Inst* inst = producer_.at(id);
    auto operand = [&](size_t i) { return at(inst->operands[i], t); };
    auto floorDiv = [](int64_t a, int64_t d) { return a / d - (a % d < 0); };
    switch (inst->op) {
    case Op::Parallel:
      return t;
    case Op::Const:
      return inst->imm;
    case Op::Affine: {
      int64_t sum = inst->imm;
      for (size_t i = 0; i < inst->operands.size(); ++i) sum += operand(i) * inst->ints[i];
      return sum;
    }
    case Op::FloorDiv:
      return floorDiv(operand(0), operand(1));
    case Op::FloorMod:
      return operand(0) - floorDiv(operand(0), operand(1)) * operand(1);
    case Op::Min:
      return std::min(operand(0), operand(1));
    case Op::Max:
      return std::max(operand(0), operand(1));
    case Op::Mul:
      return operand(0) * operand(1);
    default:
      ADD_FAILURE() << "unexpected instruction";
      return 0;
    }
  }

private:
  void visit(const Block& block) {
    for (const Inst& inst : block) {
      if (inst.result != kNoId) producer_[inst.result] = &inst;
      for (const Block& inner : inst.blocks) visit(inner);
    }
  }
  std::map<ValueId, const Inst*> producer_;
};

TEST(Index, RandomExpressionsKeepTheirValue) {
  std::mt19937 random(7);
  auto draw = [&](int64_t lo, int64_t hi) {
    return std::uniform_int_distribution<int64_t>(lo, hi)(random);
  };
  constexpr int64_t kRange = 30;
  for (int round = 0; round < 2000; ++round) {
    Builder b("test");
    ValueId id = 0;
    Range range;
    std::vector<int64_t> expected(kRange);
    b.parallelFor("t", kRange, [&](const Index& t) {
      Index e = t;
      for (int64_t i = 0; i < kRange; ++i) expected[i] = i;
      auto step = [&](const Index& next, auto&& on) {
        e = next;
        for (int64_t i = 0; i < kRange; ++i) expected[i] = on(expected[i], i);
      };
      for (int64_t n = draw(1, 8); n > 0; --n) {
        int64_t c = draw(-20, 20), d = draw(1, 12);
        auto floorDiv = [](int64_t a, int64_t q) { return a / q - (a % q < 0); };
        switch (draw(0, 6)) {
        case 0:
          step(e + c, [=](int64_t x, int64_t) { return x + c; });
          break;
        case 1:
          step(e * c, [=](int64_t x, int64_t) { return x * c; });
          break;
        case 2:
          step(e / d, [=](int64_t x, int64_t) { return floorDiv(x, d); });
          break;
        case 3:
          step(e % d, [=](int64_t x, int64_t) { return x - floorDiv(x, d) * d; });
          break;
        case 4:
          step(e * d + t * c, [=](int64_t x, int64_t i) { return x * d + i * c; });
          break;
        case 5:
          step(min(e, t + c), [=](int64_t x, int64_t i) { return std::min(x, i + c); });
          break;
        case 6:
          step(max(e, c - t), [=](int64_t x, int64_t i) { return std::max(x, c - i); });
          break;
        }
      }
      id = b.value(e).id();
      range = e.range();
    });
    Kernel kernel = b.finish();
    Evaluator evaluator(kernel);
    for (int64_t i = 0; i < kRange; ++i) {
      ASSERT_EQ(evaluator.at(id, i), expected[i]) << "round " << round << ", t = " << i;
      ASSERT_TRUE(range.lo <= expected[i] && expected[i] <= range.hi) << "round " << round;
    }
  }
}

} // namespace
} // namespace enfold::kir
