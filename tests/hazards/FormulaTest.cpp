// Formulas spelled out, with constants that are not quite those of the formula, and constants that
// broadcast the operand to a larger shape: one op takes their place only where it is the same.
#include "tests/hazards/Harness.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace enfold::hazards {
namespace {

/// The constant nearest to `wanted`, so many steps of the type above it, all over `shape`.
Tensor stepped(ElemType elem, Shape shape, double wanted, int steps) {
  Tensor tensor(elem, std::move(shape));
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    tensor.setDouble(i, wanted);
    if (elem == ElemType::F32)
      tensor.mutableData<float>()[i] =
          std::bit_cast<float>(std::bit_cast<int32_t>(tensor.data<float>()[i]) + steps);
    else if (elem == ElemType::F64)
      tensor.mutableData<double>()[i] =
          std::bit_cast<double>(std::bit_cast<int64_t>(tensor.data<double>()[i]) + steps);
    else
      reinterpret_cast<uint16_t*>(tensor.mutableBytes())[i] += static_cast<uint16_t>(steps);
  }
  return tensor;
}

/// One way in which the constants of a formula are changed.
struct Change {
  int which = -1; ///< the constant that is changed; -1: none
  int steps = 0;
  Shape shape = {};
};

/// What a formula is written with.
class Terms {
public:
  Terms(Net& net, ElemType elem, Change change)
      : net_(net), elem_(elem), change_(std::move(change)) {}

  Value* op(OpKind kind, std::vector<Value*> operands, AttrMap attrs = {}) {
    return net_.op(kind, fmt::format("op{}", count_++), std::move(operands), std::move(attrs));
  }
  /// The next constant.
  Value* k(double wanted) {
    const bool changed = constants_++ == change_.which;
    return net_.constant(changed ? stepped(elem_, change_.shape, wanted, change_.steps)
                                 : stepped(elem_, {}, wanted, 0));
  }
  /// A sum or product, its operands in either order.
  Value* commuted(OpKind kind, Value* a, Value* b) {
    return count_ % 2 ? op(kind, {a, b}) : op(kind, {b, a});
  }
  ElemType elem() const { return elem_; }

private:
  Net& net_;
  ElemType elem_;
  Change change_;
  int count_ = 0, constants_ = 0;
};

struct Formula {
  const char* name;
  OpKind meaning;
  std::vector<bool> exact; ///< of each constant: whether the types hold it
  std::vector<bool> bound; ///< of each: whether it is a bound of clip, which is one number
  Value* (*write)(Terms& t, Value* x);
  bool inF64 = true;
};

Value* erfPlusOne(Terms& t, Value* scaled) {
  return t.commuted(OpKind::Add, t.op(OpKind::Erf, {scaled}), t.k(1));
}

Value* clipped(Terms& t, Value* x) {
  Value* sum = t.commuted(OpKind::Add, x, t.k(3));
  Value *low = t.k(0), *high = t.k(6);
  return t.op(OpKind::Clip, {sum, low, high});
}

const Formula kFormulas[] = {
    {"(x * (1 + erf(x / root 2))) * 1/2",
     OpKind::Gelu,
     {false, true, true},
     {},
     [](Terms& t, Value* x) {
       Value* grown = erfPlusOne(t, t.op(OpKind::Div, {x, t.k(std::sqrt(2.0))}));
       return t.commuted(OpKind::Mul, t.commuted(OpKind::Mul, x, grown), t.k(0.5));
     }},
    {"(x * 1/2) * (1 + erf(x * root 1/2))",
     OpKind::Gelu,
     {false, true, true},
     {},
     [](Terms& t, Value* x) {
       Value* grown = erfPlusOne(t, t.commuted(OpKind::Mul, x, t.k(std::sqrt(0.5))));
       return t.commuted(OpKind::Mul, t.commuted(OpKind::Mul, x, t.k(0.5)), grown);
     }},
    {"(x * clip(x + 3, 0, 6)) / 6",
     OpKind::HardSwish,
     {true, true, true, true},
     {false, true, true},
     [](Terms& t, Value* x) {
       return t.op(OpKind::Div, {t.commuted(OpKind::Mul, x, clipped(t, x)), t.k(6)});
     }},
    {"x * (clip(x + 3, 0, 6) / 6)",
     OpKind::HardSwish,
     {true, true, true, true},
     {false, true, true},
     [](Terms& t, Value* x) {
       return t.commuted(OpKind::Mul, x, t.op(OpKind::Div, {clipped(t, x), t.k(6)}));
     }},
    {"x * clip(x + 3, 0, 6) * 1/6",
     OpKind::HardSwish,
     {true, true, true, false},
     {false, true, true},
     [](Terms& t, Value* x) {
       Value* product = t.commuted(OpKind::Mul, x, clipped(t, x));
       return t.commuted(OpKind::Mul, product, t.k(1.0 / 6));
     }},
    {"clip(x + 3, 0, 6) * 1/6",
     OpKind::HardSigmoid,
     {true, true, true, false},
     {false, true, true},
     [](Terms& t, Value* x) {
       Value* whole = clipped(t, x);
       return t.commuted(OpKind::Mul, whole, t.k(1.0 / 6));
     },
     false},
    {"clip(x + 3, 0, 6) / 6",
     OpKind::HardSigmoid,
     {true, true, true, true},
     {false, true, true},
     [](Terms& t, Value* x) { return t.op(OpKind::Div, {clipped(t, x), t.k(6)}); },
     false},
};

constexpr ElemType kElems[] = {ElemType::F32, ElemType::F64, ElemType::F16, ElemType::BF16};

Outcome checkFormula(const Formula& formula, ElemType elem, const Change& change) {
  Net net(elem);
  Terms terms(net, elem, change);
  net.output(formula.write(terms, net.input({1, 5})));
  return check(net.finish());
}

TEST(Formulas, AreRecognized) {
  for (const Formula& formula : kFormulas)
    for (const ElemType elem : kElems) {
      SCOPED_TRACE(fmt::format("{} in {}", formula.name, name(elem)));
      const bool wanted = elem != ElemType::F64 || formula.inF64;
      EXPECT_EQ(checkFormula(formula, elem, {}).count(formula.meaning), wanted);
    }
}

TEST(Formulas, ConstantsThatAreOthers) {
  for (const Formula& formula : kFormulas)
    for (const ElemType elem : kElems)
      for (size_t i = 0; i < formula.exact.size(); ++i)
        for (const int steps : {1, 3}) {
          SCOPED_TRACE(fmt::format("{} in {}, constant {}, {} steps off", formula.name, name(elem),
                                   i, steps));
          const Outcome outcome =
              checkFormula(formula, elem, {.which = static_cast<int>(i), .steps = steps});
          // A number of f32 or f64 that none of them holds may be one step off.
          const bool mayBe = byteSize(elem) > 2 && !formula.exact[i] && steps == 1;
          if (!mayBe) {
            EXPECT_EQ(outcome.count(formula.meaning), 0);
          }
        }
}

TEST(Formulas, ConstantsThatBroadcastToALargerShape) {
  for (const Formula& formula : kFormulas)
    for (const ElemType elem : {ElemType::F32, ElemType::BF16})
      for (size_t i = 0; i < formula.exact.size(); ++i) {
        if (i < formula.bound.size() && formula.bound[i]) continue;
        for (const Shape& shape : {Shape{3, 5}, Shape{3, 1}, Shape{1, 1, 1}, Shape{2, 1, 5}}) {
          SCOPED_TRACE(fmt::format("{} in {}, constant {} of shape {}", formula.name, name(elem), i,
                                   str(shape)));
          EXPECT_EQ(
              checkFormula(formula, elem, {static_cast<int>(i), 0, shape}).count(formula.meaning),
              0);
        }
        // These do not.
        for (const Shape& shape : {Shape{1}, Shape{5}, Shape{1, 1}, Shape{1, 5}}) {
          SCOPED_TRACE(fmt::format("{}, constant {} of shape {}", formula.name, i, str(shape)));
          EXPECT_EQ(
              checkFormula(formula, elem, {static_cast<int>(i), 0, shape}).count(formula.meaning),
              1);
        }
      }
}

TEST(Formulas, HardSigmoidsOfOtherSlopes) {
  for (const ElemType elem : {ElemType::F32, ElemType::F64})
    for (const float alpha : {1.0f / 6, 1.0f / 6 + 0x1p-24f, 0.1667f, 0.2f})
      for (const float beta : {0.5f, std::nextafter(0.5f, 1.0f)}) {
        SCOPED_TRACE(fmt::format("{} alpha {} beta {}", name(elem), alpha, beta));
        Net net(elem);
        Value* x = net.input({4, 50});
        Value* gate = net.op(OpKind::HardSigmoid, "gate", {x}, {{"alpha", alpha}, {"beta", beta}});
        net.output(net.op(OpKind::Mul, "y", {x, gate}));
        const Outcome outcome = check(net.finish());
        const bool same = elem == ElemType::F32 && alpha == 1.0f / 6 && beta == 0.5f;
        EXPECT_EQ(outcome.count(OpKind::HardSwish), same);
        if (elem == ElemType::F64) {
          EXPECT_LT(outcome.maxAbs, 1e-13);
        }
      }
}

// ---- Layer normalization
// ----------------------------------------------------------------------------

struct Norm1 {
  ElemType elem = ElemType::F32;
  double epsilon = 1e-5;
  Shape shape = {}; ///< of epsilon
  bool power = false;
};

Outcome checkNorm(const Norm1& n, const Tensor& x) {
  Net net(n.elem);
  auto op = [&, count = 0](OpKind kind, std::vector<Value*> operands) mutable {
    return net.op(kind, fmt::format("op{}", count++), std::move(operands));
  };
  Value* axes = net.constant(Tensor::of<int64_t>({1}, {-1}));
  Value* in = net.input(x.shape());
  Value* deviation = op(OpKind::Sub, {in, op(OpKind::ReduceMean, {in, axes})});
  Value* square = n.power ? op(OpKind::Pow, {deviation, net.constant(numbers(n.elem, {}, {2}))})
                          : op(OpKind::Mul, {deviation, deviation});
  Tensor epsilon(n.elem, n.shape);
  for (int64_t i = 0; i < epsilon.numElements(); ++i) epsilon.setDouble(i, n.epsilon);
  Value* sum = op(OpKind::Add, {op(OpKind::ReduceMean, {square, axes}), net.constant(epsilon)});
  net.output(op(OpKind::Div, {deviation, op(OpKind::Sqrt, {sum})}));
  return check(net.finish(), {}, {x});
}

TEST(Formulas, EpsilonsThatNoAttributeHolds) {
  for (const ElemType elem : {ElemType::F32, ElemType::F64})
    for (const bool power : {false, true})
      for (const double epsilon :
           {0.0, 1e-5, double{1e-5f}, 1e-12, 1e-50, 0.25, -1e-9, double{NAN}}) {
        SCOPED_TRACE(fmt::format("{} epsilon {}", name(elem), epsilon));
        // Variances of the size of the epsilons, so that they count.
        for (const double spread : {1.0, 1e-3, 1e-6}) {
          const Tensor x = randomTensor(elem, {6, 17}, -spread, spread);
          const Outcome outcome = checkNorm({elem, epsilon, {}, power}, x);
          const bool held =
              epsilon >= 0 && (elem == ElemType::F32 ||
                               static_cast<double>(static_cast<float>(epsilon)) == epsilon);
          EXPECT_EQ(outcome.count(OpKind::LayerNormalization), held);
          if (elem == ElemType::F64) {
            EXPECT_LT(outcome.maxAbs, 1e-9);
          }
        }
      }
}

TEST(Formulas, NormalizationsWithEpsilonsOfMoreDimensions) {
  for (const Shape& shape : {Shape{}, Shape{1, 1}, Shape{1, 7}, Shape{4, 1}, Shape{2, 1, 1}}) {
    SCOPED_TRACE(str(shape));
    const Outcome outcome =
        checkNorm({.epsilon = 0.5, .shape = shape}, randomTensor(ElemType::F32, {1, 7}));
    EXPECT_EQ(outcome.count(OpKind::LayerNormalization),
              shape.size() < 3 && (shape.empty() || shape[0] == 1));
  }
}

} // namespace
} // namespace enfold::hazards
