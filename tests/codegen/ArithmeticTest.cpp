// Arithmetic, bits, comparison and choice, against C++ with the semantics of kernel/Op.h.
#include "tests/codegen/Elementwise.h"

#include <bit>

namespace enfold::codegen {
namespace {

using kir::Builder;
using kir::Op;
using kir::Value;
using Values = std::vector<Value>;

Body binaryBody(Op op) {
  return [op](Builder& b, const Values& v) { return b.binary(op, v[0], v[1]); };
}

template <typename T> T wrapped(auto x) { return static_cast<T>(x); }

template <typename T> T divided(Op op, T a, T b) {
  if (b == 0) return 0;
  if (std::is_signed_v<T> && b == T(-1))
    return op == Op::Div || op == Op::FloorDiv ? wrapped<T>(0 - std::make_unsigned_t<T>(a)) : 0;
  T quotient = wrapped<T>(a / b), remainder = wrapped<T>(a % b);
  bool adjust =
      (op == Op::FloorDiv || op == Op::FloorMod) && remainder != 0 && (remainder < 0) != (b < 0);
  if (op == Op::Div || op == Op::FloorDiv) return wrapped<T>(quotient - adjust);
  return wrapped<T>(adjust ? remainder + b : remainder);
}

template <typename T> T shifted(Op op, T a, T amount) {
  using Unsigned = std::make_unsigned_t<T>;
  constexpr auto kBits = sizeof(T) * 8;
  bool inside = static_cast<Unsigned>(amount) < kBits;
  if (op == Op::Shl) return inside ? wrapped<T>(Unsigned(a) << amount) : 0;
  if constexpr (std::is_signed_v<T>)
    return wrapped<T>(a >> (inside ? amount : T(kBits - 1)));
  else
    return inside ? wrapped<T>(a >> amount) : 0;
}

template <typename T> std::vector<Expression<T, T>> integerExpressions() {
  using U = std::make_unsigned_t<T>;
  std::vector<Expression<T, T>> list = {
      {"add", 2, binaryBody(Op::Add), [](const T* x) { return wrapped<T>(U(x[0]) + U(x[1])); }, {}},
      {"sub", 2, binaryBody(Op::Sub), [](const T* x) { return wrapped<T>(U(x[0]) - U(x[1])); }, {}},
      {"mul",
       2,
       binaryBody(Op::Mul),
       [](const T* x) { return wrapped<T>(uint64_t(x[0]) * uint64_t(x[1])); },
       {}},
      {"min", 2, binaryBody(Op::Min), [](const T* x) { return std::min(x[0], x[1]); }, {}},
      {"max", 2, binaryBody(Op::Max), [](const T* x) { return std::max(x[0], x[1]); }, {}},
      {"min_fast", 2, binaryBody(Op::MinFast), [](const T* x) { return std::min(x[0], x[1]); }, {}},
      {"max_fast", 2, binaryBody(Op::MaxFast), [](const T* x) { return std::max(x[0], x[1]); }, {}},
      {"neg",
       1,
       [](Builder&, const Values& v) { return -v[0]; },
       [](const T* x) { return wrapped<T>(0 - U(x[0])); },
       {}},
      {"abs",
       1,
       [](Builder& b, const Values& v) { return b.abs(v[0]); },
       [](const T* x) { return x[0] < 0 ? wrapped<T>(0 - U(x[0])) : x[0]; },
       {}},
      {"and", 2, binaryBody(Op::And), [](const T* x) { return wrapped<T>(x[0] & x[1]); }, {}},
      {"or", 2, binaryBody(Op::Or), [](const T* x) { return wrapped<T>(x[0] | x[1]); }, {}},
      {"xor", 2, binaryBody(Op::Xor), [](const T* x) { return wrapped<T>(x[0] ^ x[1]); }, {}},
      {"not",
       1,
       [](Builder&, const Values& v) { return ~v[0]; },
       [](const T* x) { return wrapped<T>(~x[0]); },
       {}},
      {"div_const",
       1,
       [](Builder&, const Values& v) { return v[0] / 7; },
       [](const T* x) { return wrapped<T>(x[0] / 7); },
       {}},
      {"iota",
       1,
       [](Builder& b, const Values& v) { return v[0] - b.iota(v[0].type()) + b.iota(v[0].type()); },
       [](const T* x) { return x[0]; },
       {}},
  };
  for (Op op : {Op::Div, Op::Rem, Op::FloorDiv, Op::FloorMod})
    list.push_back({std::string(info(op).text),
                    2,
                    binaryBody(op),
                    [op](const T* x) { return divided(op, x[0], x[1]); },
                    {}});
  for (Op op : {Op::Shl, Op::Shr})
    list.push_back({std::string(info(op).text),
                    2,
                    binaryBody(op),
                    [op](const T* x) { return shifted(op, x[0], x[1]); },
                    {}});
  return list;
}

template <typename T> class Integers : public testing::Test {};
using IntegerTypes =
    testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;
TYPED_TEST_SUITE(Integers, IntegerTypes);
TYPED_TEST(Integers, Arithmetic) { checkExpressions(integerExpressions<TypeParam>()); }

template <typename T> std::vector<Expression<T, bool>> comparisons() {
  auto compare = [](std::string name, Op op, auto expected) {
    return Expression<T, bool>{std::move(name),
                               2,
                               binaryBody(op),
                               [expected](const T* x) { return expected(x[0], x[1]); },
                               {}};
  };
  return {compare("eq", Op::Eq, [](T a, T b) { return a == b; }),
          compare("ne", Op::Ne, [](T a, T b) { return a != b; }),
          compare("lt", Op::Lt, [](T a, T b) { return a < b; }),
          compare("le", Op::Le, [](T a, T b) { return a <= b; }),
          compare("gt", Op::Gt, [](T a, T b) { return a > b; }),
          compare("ge", Op::Ge, [](T a, T b) { return a >= b; })};
}

template <typename T> std::vector<Expression<T, T>> choices() {
  return {{"select",
           3,
           [](Builder& b, const Values& v) { return b.select(v[0] < v[1], v[1], v[2]); },
           [](const T* x) { return x[0] < x[1] ? x[1] : x[2]; },
           {}},
          {"select_all", 3,
           [](Builder& b, const Values& v) {
             return b.select(b.extract(v[0], 0) == b.extract(v[0], 0), v[1], v[2]);
           },
           [](const T* x) { return x[1]; }, [](const T*) { return std::integral<T>; }}};
}

template <typename T> class Ordered : public testing::Test {};
using OrderedTypes = testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t,
                                    uint64_t, float, double>;
TYPED_TEST_SUITE(Ordered, OrderedTypes);
TYPED_TEST(Ordered, Comparisons) { checkExpressions(comparisons<TypeParam>()); }
TYPED_TEST(Ordered, Choices) { checkExpressions(choices<TypeParam>()); }

TEST(Bools, Logic) {
  checkExpressions<bool, bool>(
      {{"and", 2, binaryBody(Op::And), [](const bool* x) { return x[0] && x[1]; }, {}},
       {"or", 2, binaryBody(Op::Or), [](const bool* x) { return x[0] || x[1]; }, {}},
       {"xor", 2, binaryBody(Op::Xor), [](const bool* x) { return x[0] != x[1]; }, {}},
       {"not",
        1,
        [](Builder&, const Values& v) { return ~v[0]; },
        [](const bool* x) { return !x[0]; },
        {}},
       {"select",
        3,
        [](Builder& b, const Values& v) { return b.select(v[0], v[1], v[2]); },
        [](const bool* x) { return x[0] ? x[1] : x[2]; },
        {}}});
}

template <typename T> T floorMod(T a, T b) {
  T remainder = std::fmod(a, b);
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

template <typename T> std::vector<Expression<T, T>> floatExpressions() {
  auto unary = [](Op op, T (*expected)(T)) {
    return Expression<T, T>{std::string(info(op).text),
                            1,
                            [op](Builder& b, const Values& v) { return b.unary(op, v[0]); },
                            [expected](const T* x) { return expected(x[0]); },
                            {}};
  };
  auto binary = [](Op op, T (*expected)(T, T)) {
    return Expression<T, T>{std::string(info(op).text),
                            2,
                            binaryBody(op),
                            [expected](const T* x) { return expected(x[0], x[1]); },
                            {}};
  };
  return {
      binary(Op::Add, [](T a, T b) { return a + b; }),
      binary(Op::Sub, [](T a, T b) { return a - b; }),
      binary(Op::Mul, [](T a, T b) { return a * b; }),
      binary(Op::Div, [](T a, T b) { return a / b; }),
      binary(Op::Rem, [](T a, T b) { return std::fmod(a, b); }),
      binary(Op::FloorDiv, [](T a, T b) { return std::floor(a / b); }),
      binary(Op::FloorMod, [](T a, T b) { return floorMod(a, b); }),
      binary(Op::Min, [](T a, T b) { return std::isnan(a) ? a
                                            : a < b       ? a
                                                          : b; }),
      binary(Op::Max, [](T a, T b) { return std::isnan(a) ? a
                                            : a > b       ? a
                                                          : b; }),
      binary(Op::MinFast, [](T a, T b) { return a < b ? a : b; }),
      binary(Op::MaxFast, [](T a, T b) { return a > b ? a : b; }),
      unary(Op::Neg, [](T a) { return -a; }),
      unary(Op::Abs, [](T a) { return std::fabs(a); }),
      unary(Op::Sqrt, [](T a) { return std::sqrt(a); }),
      unary(Op::Rsqrt, [](T a) { return T(1) / std::sqrt(a); }),
      unary(Op::Floor, [](T a) { return std::floor(a); }),
      unary(Op::Ceil, [](T a) { return std::ceil(a); }),
      unary(Op::Round, [](T a) { return std::nearbyint(a); }),
      unary(Op::Trunc, [](T a) { return std::trunc(a); }),
      {"constants",
       1,
       [](Builder&, const Values& v) { return (v[0] * 0.1 + 1) - 3 * v[0]; },
       [](const T* x) { return (x[0] * T(0.1) + T(1)) - T(3) * x[0]; },
       {}},
  };
}

template <typename T> void checkFma() {
  for (const Target& target : targets()) {
    bool fused = target.hasFma;
    checkExpressions<T, T>(
        {{"fma",
          3,
          [](Builder& b, const Values& v) { return b.fma(v[0], v[1], v[2]); },
          [fused](const T* x) { return fused ? std::fma(x[0], x[1], x[2]) : x[0] * x[1] + x[2]; },
          {}}},
        {target});
  }
}

TEST(Floats, F32) { checkExpressions(floatExpressions<float>()); }
TEST(Floats, F64) { checkExpressions(floatExpressions<double>()); }
TEST(Floats, Fma) {
  checkFma<float>();
  checkFma<double>();
}

} // namespace
} // namespace enfold::codegen
