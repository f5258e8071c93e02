// Accuracy of the float functions, in units of the last place against the C library in double, over
// a dense sample of all floats and over special values.
#include "tests/codegen/Elementwise.h"

#include <bit>

namespace enfold::codegen {
namespace {

using kir::Builder;
using kir::Op;
using kir::Scalar;
using kir::Value;
using Values = std::vector<Value>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Distance in units of the last place of the exact result as a float; 0 for equal specials.
double ulps(float result, double exact) {
  if (std::isnan(exact)) return std::isnan(result) ? 0 : 1e9;
  auto rounded = static_cast<float>(exact);
  if (std::isinf(rounded) || std::isinf(result) || std::isnan(result))
    return rounded == result ? 0 : 1e9;
  if (exact == 0) return result == 0 ? 0 : 1e9;
  int exponent = std::max(std::ilogb(rounded == 0 ? exact : rounded), -126);
  return std::fabs(result - exact) / std::ldexp(1.0, exponent - 23);
}

struct Function {
  Op op;
  double (*exact)(double);
};

void PrintTo(const Function& function, std::ostream* out) { *out << kir::info(function.op).text; }

double exactSigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

const Function kInLine[] = {
    {Op::Exp, [](double x) { return std::exp(x); }},
    {Op::Log, [](double x) { return std::log(x); }},
    {Op::Sigmoid, exactSigmoid},
    {Op::Tanh, [](double x) { return std::tanh(x); }},
    {Op::Erf, [](double x) { return std::erf(x); }},
    {Op::Elu, [](double x) { return x > 0 ? x : std::expm1(x); }},
    {Op::Sin, [](double x) { return std::sin(x); }},
    {Op::Cos, [](double x) { return std::cos(x); }},
};
const Function kFromLibrary[] = {
    {Op::Log1p, [](double x) { return std::log1p(x); }},
    {Op::Tan, [](double x) { return std::tan(x); }},
    {Op::Asin, [](double x) { return std::asin(x); }},
    {Op::Acos, [](double x) { return std::acos(x); }},
    {Op::Atan, [](double x) { return std::atan(x); }},
    {Op::Sinh, [](double x) { return std::sinh(x); }},
    {Op::Cosh, [](double x) { return std::cosh(x); }},
    {Op::Asinh, [](double x) { return std::asinh(x); }},
    {Op::Acosh, [](double x) { return std::acosh(x); }},
    {Op::Atanh, [](double x) { return std::atanh(x); }},
};

/// Every 4999th float of all bit patterns, special values, and a fine grid where the functions
/// turn.
std::vector<float> sample() {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 4999)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (float f : edgeValues<float>()) x.push_back(f);
  for (float f : {88.72283f, 88.72284f, -87.33654f, -103.97207f, -103.97208f, -104.5f, 9.01f, 9.02f,
                  3.92f, 3.93f, 0.625f, 1048576.0f, 1048577.0f, 1e10f, 0.99999994f, 1.0000001f})
    x.insert(x.end(), {f, -f, std::nextafter(f, 0.0f), std::nextafter(f, 2 * f)});
  for (int i = -200000; i < 200000; ++i) x.push_back(static_cast<float>(i) * 5.1e-4f);
  while (x.size() % 16) x.push_back(0);
  return x;
}

kir::Kernel unaryKernel(Op op, Scalar scalar, int lanes, size_t size) {
  return elementwise(std::string(info(op).text), {scalar}, scalar, lanes,
                     static_cast<int64_t>(size),
                     [op](Builder& b, const Values& v) { return b.unary(op, v[0]); });
}

void checkAccuracy(const Function& function, const Target& target, int lanes, double limit) {
  static const std::vector<float> x = sample();
  auto module = compileAll({unaryKernel(function.op, Scalar::F32, lanes, x.size())}, target);
  ASSERT_TRUE(module);
  Guarded in(x), out(x.size() * sizeof(float));
  runStep(*module, 0, {in.data(), out.data()});
  auto y = out.as<float>();
  double worst = 0;
  float worstAt = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double error = ulps(y[i], function.exact(x[i]));
    if (error > worst) worst = error, worstAt = x[i];
  }
  EXPECT_LE(worst, limit) << info(function.op).text << "(" << worstAt << ") x" << lanes << " on "
                          << name(target.isa);
}

class InLine : public testing::TestWithParam<Function> {};
TEST_P(InLine, IsAccurate) {
  double limit = GetParam().op == Op::Sigmoid ? 3 : 2;
  for (const Target& target : targets())
    checkAccuracy(GetParam(), target, target.lanes(Scalar::F32), target.hasFma ? limit : 4);
}
INSTANTIATE_TEST_SUITE_P(Math, InLine, testing::ValuesIn(kInLine), [](const auto& test) {
  return std::string(kir::info(test.param.op).text);
});

/// Its error is absolute.
TEST(Math, NormalDistribution) {
  static const std::vector<float> x = sample();
  for (const Target& target : targets()) {
    const int lanes = target.lanes(Scalar::F32);
    auto module = compileAll({unaryKernel(Op::NormalCdf, Scalar::F32, lanes, x.size())}, target);
    ASSERT_TRUE(module);
    Guarded in(x), out(x.size() * sizeof(float));
    runStep(*module, 0, {in.data(), out.data()});
    auto y = out.as<float>();
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        EXPECT_TRUE(std::isnan(y[i]));
        continue;
      }
      ASSERT_NEAR(y[i], 0.5 * std::erfc(-M_SQRT1_2 * double(x[i])), 2.5e-7) << x[i];
      ASSERT_GE(y[i], 0) << x[i];
      ASSERT_TRUE(x[i] >= -6 || y[i] == 0) << x[i];
    }
  }
}

TEST(Math, LibraryFunctions) {
  for (const Function& function : kFromLibrary) checkAccuracy(function, targets().back(), 8, 4);
}

TEST(Math, OddLaneCountsAgreeWithWholeVectors) {
  const Target& target = targets().back();
  constexpr size_t kSize = 2 * 3 * 5 * 16;
  std::vector<float> x(kSize);
  std::mt19937_64 random(3);
  for (float& f : x) f = randomValue<float>(random) / 10;
  // exp's results from infinity down to denormal numbers and zero.
  for (size_t i = 0; i < kSize; i += 2)
    x[i] = std::uniform_real_distribution<float>(i % 4 ? -110 : -104, i % 4 ? 95 : -87)(random);
  for (const Function& function : kInLine) {
    std::vector<float> whole;
    for (int lanes : {8, 1, 3, 5, 16}) {
      auto module = compileAll({unaryKernel(function.op, Scalar::F32, lanes, kSize)}, target);
      Guarded in(x), out(kSize * sizeof(float));
      runStep(*module, 0, {in.data(), out.data()});
      EXPECT_TRUE(out.intact());
      auto y = out.as<float>();
      if (whole.empty()) whole = y;
      for (size_t i = 0; i < kSize; ++i)
        ASSERT_TRUE(sameBits(whole[i], y[i])) << info(function.op).text << " x" << lanes;
    }
  }
}

/// A vector may hold anything beside the numbers that matter.
TEST(Math, LanesDoNotDependOnTheirNeighbours) {
  constexpr size_t kSize = 16 * 64;
  std::vector<float> tame(kSize), mixed(kSize);
  std::mt19937_64 random(7);
  for (float& f : tame) f = randomValue<float>(random) / 10;
  const std::vector<float> edges = edgeValues<float>();
  for (size_t i = 0; i < kSize; ++i) mixed[i] = i % 4 == 3 ? edges[i / 4 % edges.size()] : tame[i];
  for (const Target& target : targets())
    for (const Function& function : kInLine) {
      auto module = compileAll(
          {unaryKernel(function.op, Scalar::F32, target.lanes(Scalar::F32), kSize)}, target);
      ASSERT_TRUE(module);
      std::vector<std::vector<float>> results;
      for (const auto& x : {tame, mixed}) {
        Guarded in(x), out(kSize * sizeof(float));
        runStep(*module, 0, {in.data(), out.data()});
        results.push_back(out.as<float>());
      }
      for (size_t i = 0; i < kSize; ++i)
        if (i % 4 != 3) {
          ASSERT_TRUE(sameBits(results[0][i], results[1][i]))
              << info(function.op).text << "(" << tame[i] << ") on " << name(target.isa);
        }
    }
}

TEST(Math, F64ComesFromTheLibrary) {
  std::vector<double> x = {0.0, -0.0,  0.3,   -0.7,   1.0,    -1.0,
                           2.5, -30.0, 700.0, -745.0, 1e-300, 1e300};
  for (const Target& target : targets())
    for (const Function& function : kInLine) {
      auto module = compileAll({unaryKernel(function.op, Scalar::F64, 4, x.size())}, target);
      Guarded in(x), out(x.size() * sizeof(double));
      runStep(*module, 0, {in.data(), out.data()});
      auto y = out.as<double>();
      for (size_t i = 0; i < x.size(); ++i) {
        double exact = function.exact(x[i]);
        if (std::isfinite(exact))
          EXPECT_NEAR(y[i], exact, std::fabs(exact) * 1e-15) << info(function.op).text << x[i];
        else
          EXPECT_TRUE(sameBits(y[i], exact)) << info(function.op).text << x[i];
      }
    }
}

std::vector<std::pair<float, float>> powArguments() {
  std::vector<std::pair<float, float>> list;
  std::vector<float> values = edgeValues<float>();
  for (float f :
       {4.0f, -4.0f, 0.1f, 1e-40f, -1e-40f, 16777215.0f, 16777216.0f, -3.0f, 1e20f, 0.9999999f})
    values.push_back(f);
  for (float x : values)
    for (float y : values) list.emplace_back(x, y);
  std::mt19937_64 random(5);
  std::uniform_real_distribution<float> exponent(-40, 40), base(-3, 3);
  while (list.size() < 400000) {
    float x = std::exp2(base(random) * 10);
    list.emplace_back(x, exponent(random));
    list.emplace_back(-x, std::round(exponent(random)));
  }
  while (list.size() % 16) list.emplace_back(1.0f, 1.0f);
  return list;
}

TEST(Math, Pow) {
  auto arguments = powArguments();
  std::vector<float> x, y;
  for (auto [a, b] : arguments) x.push_back(a), y.push_back(b);
  for (const Target& target : targets())
    for (int lanes : {target.lanes(Scalar::F32), 1}) {
      auto module =
          compileAll({elementwise("pow", {Scalar::F32, Scalar::F32}, Scalar::F32, lanes,
                                  static_cast<int64_t>(x.size()),
                                  [](Builder& b, const Values& v) { return b.pow(v[0], v[1]); })},
                     target);
      ASSERT_TRUE(module);
      Guarded base(x), exponent(y), out(x.size() * sizeof(float));
      runStep(*module, 0, {base.data(), exponent.data(), out.data()});
      auto result = out.as<float>();
      for (size_t i = 0; i < x.size(); ++i) {
        double exact = std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]));
        ASSERT_LE(ulps(result[i], exact), 1)
            << x[i] << " to " << y[i] << " gives " << result[i] << " on " << name(target.isa);
        ASSERT_TRUE(exact != 0 || std::signbit(result[i]) == std::signbit(exact))
            << x[i] << " to " << y[i] << " gives " << result[i];
      }
    }
}

TEST(Math, SpecialValues) {
  struct Special {
    Op op;
    float x, y;
  };
  const Special kSpecials[] = {
      {Op::Exp, kInfinity, kInfinity},
      {Op::Exp, -kInfinity, 0},
      {Op::Exp, kNan, kNan},
      {Op::Exp, 0, 1},
      {Op::Exp, -0.0f, 1},
      {Op::Log, 0, -kInfinity},
      {Op::Log, -0.0f, -kInfinity},
      {Op::Log, -1, kNan},
      {Op::Log, kInfinity, kInfinity},
      {Op::Log, kNan, kNan},
      {Op::Log, 1, 0},
      {Op::Sigmoid, kInfinity, 1},
      {Op::Sigmoid, -kInfinity, 0},
      {Op::Sigmoid, kNan, kNan},
      {Op::Sigmoid, 0, 0.5f},
      {Op::Tanh, kInfinity, 1},
      {Op::Tanh, -kInfinity, -1},
      {Op::Tanh, -0.0f, -0.0f},
      {Op::Tanh, kNan, kNan},
      {Op::Erf, kInfinity, 1},
      {Op::Erf, -kInfinity, -1},
      {Op::Erf, -0.0f, -0.0f},
      {Op::Erf, kNan, kNan},
      {Op::Sin, kInfinity, kNan},
      {Op::Sin, -0.0f, -0.0f},
      {Op::Cos, -kInfinity, kNan},
      {Op::Cos, 0, 1},
  };
  for (const Target& target : targets())
    for (const Special& special : kSpecials) {
      auto module = compileAll({unaryKernel(special.op, Scalar::F32, 4, 4)}, target);
      Guarded in(std::vector<float>(4, special.x)), out(4 * sizeof(float));
      runStep(*module, 0, {in.data(), out.data()});
      EXPECT_TRUE(sameBits(out.as<float>()[2], special.y))
          << info(special.op).text << "(" << special.x << ") gives " << out.as<float>()[2];
    }
}

} // namespace
} // namespace enfold::codegen
