// Formulas of the elementwise ops. Where ONNX propagates NaN, so do these: max_fast and min_fast
// return their second operand on NaN, so the running value always stands second.
#include "lower/Elementwise.h"

#include "lower/Scalars.h"

#include <cmath>
#include <limits>

namespace enfold::lower {
namespace {

using kir::Builder;
using kir::Op;
using kir::Value;
using Args = std::span<const std::optional<Value>>;

/// What a formula may look at.
struct Context {
  Builder& b;
  const OpInfo& info;
  const AttrMap& attrs;
  Args args;
  ElemType to;

  const Value& x() const { return *args[0]; }
  const Value& y() const { return *args[1]; }
  double real(std::string_view name) const { return attrOr<float>(info, attrs, name); }
  bool isFloating() const { return kir::isFloat(x().type().scalar); }
  Value number(double value) const { return kir::constantLike(x(), value); }
};

using Formula = Value (*)(const Context&);

/// Which element types a formula is right for.
enum class Domain : uint8_t { Float, Number, Integer, Bool, Any };

struct Row {
  OpKind kind;
  Domain domain;
  Formula formula;
};

template <Op op> Value unary(const Context& c) { return c.b.unary(op, c.x()); }
template <Op op> Value binary(const Context& c) { return c.b.binary(op, c.x(), c.y()); }

/// Folds a variadic op over its operands.
template <Op op> Value fold(const Context& c) {
  Value result = c.x();
  for (size_t i = 1; i < c.args.size(); ++i) result = c.b.binary(op, result, *c.args[i]);
  return result;
}

Value relu(const Context& c) { return c.b.maxFast(c.number(0), c.x()); }

Value clip(const Context& c) {
  Value result = c.x();
  // Integers have no NaN, and a later bound wins over an earlier one, as in min(max(x, lo), hi).
  if (c.args.size() > 1 && c.args[1]) result = c.b.maxFast(*c.args[1], result);
  if (c.args.size() > 2 && c.args[2]) result = c.b.minFast(*c.args[2], result);
  return result;
}

Value leakyRelu(const Context& c) { return c.b.select(c.x() < 0, c.x() * c.real("alpha"), c.x()); }

Value prelu(const Context& c) { return c.b.select(c.x() < 0, c.x() * c.y(), c.x()); }

/// x for what is positive, else factor (exp(x / scale) - 1).
Value scaledElu(const Context& c, double factor, double scale = 1) {
  const Value e = c.b.elu(scale == 1 ? c.x() : c.x() / scale);
  return factor == 1 && scale == 1 ? e : c.b.select(c.x() > 0, c.x(), e * factor);
}

Value elu(const Context& c) { return scaledElu(c, c.real("alpha")); }

/// x for what is positive, else alpha (exp(x / alpha) - 1). With a negative alpha the powers are
/// above 1: exp(t) - 1 is then (1 - exp(-t)) exp(t), which does not cancel.
Value celu(const Context& c) {
  const double alpha = c.real("alpha");
  if (alpha >= 0) return scaledElu(c, alpha, alpha);
  const Value t = c.x() / alpha;
  return c.b.select(c.x() > 0, c.x(), c.b.elu(-t) * c.b.exp(t) * -alpha);
}

Value selu(const Context& c) { return scaledElu(c, c.real("alpha")) * c.real("gamma"); }

Value clamped01(const Context& c, const Value& v) {
  return c.b.minFast(c.number(1), c.b.maxFast(c.number(0), v));
}

Value hardSigmoid(const Context& c) {
  return clamped01(c, c.b.fma(c.x(), c.number(c.real("alpha")), c.number(c.real("beta"))));
}

Value hardSwish(const Context& c) {
  return c.x() * clamped01(c, c.b.fma(c.x(), c.number(1.0 / 6), c.number(0.5)));
}

/// log(1 + exp(x)) as max(x, 0) + log1p(exp(-|x|)), which neither overflows nor cancels.
Value softplusOf(Builder& b, const Value& x) {
  return b.max(x, kir::constantLike(x, 0.0)) + b.unary(Op::Log1p, b.exp(-b.abs(x)));
}

Value swish(const Context& c) { return c.x() * c.b.sigmoid(c.x() * c.real("alpha")); }

Value gelu(const Context& c) {
  const Value& x = c.x();
  if (attrOr<std::string>(c.info, c.attrs, "approximate") == "tanh") {
    const Value inner = (x + x * x * x * 0.044715) * std::sqrt(2 / M_PI);
    return x * 0.5 * (c.b.tanh(inner) + 1.0);
  }
  return x * c.b.normalCdf(x);
}

Value sign(const Context& c) {
  const Value zero = c.number(0);
  const Value negative =
      kir::isUnsigned(c.x().type().scalar) ? zero : c.b.select(c.x() < zero, c.number(-1), c.x());
  return c.b.select(c.x() > zero, c.number(1), negative);
}

Value shrink(const Context& c) {
  const double lambda = c.real("lambd"), bias = c.real("bias");
  const Value inner = c.b.select(c.x() > lambda, c.x() - bias, c.number(0));
  return c.b.select(c.x() < -lambda, c.x() + bias, inner);
}

/// base^exponent, wrapping, by squaring; for a negative exponent the reciprocal, cut to an integer.
Value integerPower(Builder& b, const Value& base, const Value& exponent) {
  const Value one = kir::constantLike(base, 1);
  const kir::Var power = b.var("power", one), square = b.var("square", base);
  const kir::Var rest = b.var("rest", exponent);
  const int bits = 8 * static_cast<int>(kir::sizeInBytes(exponent.type().scalar));
  b.forLoop("bit", 0, bits, [&](const kir::Index&) {
    power.set(b.select((rest & 1) != 0, power * square, power));
    square.set(square * square);
    rest.set(rest >> 1);
  });
  if (kir::isUnsigned(exponent.type().scalar)) return power;
  const Value zero = kir::constantLike(base, 0);
  Value reciprocal = b.select(base == one, one, zero);
  if (!kir::isUnsigned(base.type().scalar)) {
    const Value sign = b.select((exponent & 1) != 0, -one, one);
    reciprocal = b.select(base == -one, sign, reciprocal);
  }
  return b.select(exponent < 0, reciprocal, power);
}

Value power(const Context& c) {
  if (!c.isFloating()) return integerPower(c.b, c.x(), c.y());
  return c.b.pow(c.x(), c.b.cast(c.y(), c.x().type().scalar));
}

Value swiGlu(const Context& c) { return c.x() * c.b.sigmoid(c.x() * c.real("alpha")) * c.y(); }

Value modulo(const Context& c) {
  const bool truncated = attrOr<int64_t>(c.info, c.attrs, "fmod") != 0;
  return truncated ? c.x() % c.y() : c.b.floorMod(c.x(), c.y());
}

Value isInf(const Context& c) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Value above = c.x() == c.number(infinity), below = c.x() == c.number(-infinity);
  const Value none = c.b.zero(kir::boolean(c.x().lanes()));
  const bool positive = attrOr<int64_t>(c.info, c.attrs, "detect_positive") != 0;
  const bool negative = attrOr<int64_t>(c.info, c.attrs, "detect_negative") != 0;
  return (positive ? above : none) | (negative ? below : none);
}

Value shift(const Context& c) {
  return attrOr<std::string>(c.info, c.attrs, "direction") == "LEFT" ? c.x() << c.y()
                                                                     : c.x() >> c.y();
}

/// True when f32 holds every number of the type.
bool fitsF32(kir::Scalar scalar) {
  return kir::sizeInBytes(scalar) < 4 || scalar == kir::Scalar::F32;
}

/// Floats beyond an integer's range saturate, and NaN becomes 0. What is stored as halves is
/// rounded to them at once: by way of f32 it could be rounded twice.
Value castTo(const Context& c) {
  const kir::Scalar stored = *scalarOf(c.to), to = computeScalar(stored);
  if (c.isFloating() && kir::isInteger(to)) return c.b.castSat(c.x(), to);
  const bool twice = stored != to && !fitsF32(c.x().type().scalar);
  return c.b.cast(twice ? c.b.cast(c.x(), stored) : c.x(), to);
}

Value mean(const Context& c) { return fold<Op::Add>(c) / static_cast<double>(c.args.size()); }

const Row kRows[] = {
    {OpKind::Identity, Domain::Any, [](const Context& c) { return c.x(); }},
    {OpKind::Cast, Domain::Any, castTo},
    {OpKind::Abs, Domain::Number,
     [](const Context& c) {
       return kir::isUnsigned(c.x().type().scalar) ? c.x() : c.b.abs(c.x());
     }},
    {OpKind::Acos, Domain::Float, unary<Op::Acos>},
    {OpKind::Acosh, Domain::Float, unary<Op::Acosh>},
    {OpKind::Asin, Domain::Float, unary<Op::Asin>},
    {OpKind::Asinh, Domain::Float, unary<Op::Asinh>},
    {OpKind::Atan, Domain::Float, unary<Op::Atan>},
    {OpKind::Atanh, Domain::Float, unary<Op::Atanh>},
    {OpKind::Ceil, Domain::Float, unary<Op::Ceil>},
    {OpKind::Celu, Domain::Float, celu},
    {OpKind::Cos, Domain::Float, unary<Op::Cos>},
    {OpKind::Cosh, Domain::Float, unary<Op::Cosh>},
    {OpKind::Elu, Domain::Float, elu},
    {OpKind::Erf, Domain::Float, unary<Op::Erf>},
    {OpKind::Exp, Domain::Float, unary<Op::Exp>},
    {OpKind::Floor, Domain::Float, unary<Op::Floor>},
    {OpKind::Gelu, Domain::Float, gelu},
    {OpKind::HardSigmoid, Domain::Float, hardSigmoid},
    {OpKind::HardSwish, Domain::Float, hardSwish},
    {OpKind::IsInf, Domain::Float, isInf},
    {OpKind::IsNaN, Domain::Float, [](const Context& c) { return c.x() != c.x(); }},
    {OpKind::LeakyRelu, Domain::Float, leakyRelu},
    {OpKind::Log, Domain::Float, unary<Op::Log>},
    {OpKind::Mish, Domain::Float,
     [](const Context& c) { return c.x() * c.b.tanh(softplusOf(c.b, c.x())); }},
    {OpKind::Neg, Domain::Number, unary<Op::Neg>},
    {OpKind::Not, Domain::Bool, unary<Op::Not>},
    {OpKind::Reciprocal, Domain::Float, [](const Context& c) { return 1.0 / c.x(); }},
    {OpKind::Relu, Domain::Number, relu},
    {OpKind::Round, Domain::Float, unary<Op::Round>},
    {OpKind::Selu, Domain::Float, selu},
    {OpKind::Shrink, Domain::Float, shrink},
    {OpKind::Sigmoid, Domain::Float, unary<Op::Sigmoid>},
    {OpKind::Sign, Domain::Number, sign},
    {OpKind::Sin, Domain::Float, unary<Op::Sin>},
    {OpKind::Sinh, Domain::Float, unary<Op::Sinh>},
    {OpKind::Softplus, Domain::Float, [](const Context& c) { return softplusOf(c.b, c.x()); }},
    {OpKind::Softsign, Domain::Float,
     [](const Context& c) { return c.x() / (c.b.abs(c.x()) + 1.0); }},
    {OpKind::Sqrt, Domain::Float, unary<Op::Sqrt>},
    {OpKind::Swish, Domain::Float, swish},
    {OpKind::Tan, Domain::Float, unary<Op::Tan>},
    {OpKind::Tanh, Domain::Float, unary<Op::Tanh>},
    {OpKind::ThresholdedRelu, Domain::Float,
     [](const Context& c) { return c.b.select(c.x() > c.real("alpha"), c.x(), c.number(0)); }},
    {OpKind::BitwiseNot, Domain::Integer, unary<Op::Not>},
    {OpKind::Add, Domain::Number, binary<Op::Add>},
    {OpKind::Sub, Domain::Number, binary<Op::Sub>},
    {OpKind::Mul, Domain::Number, binary<Op::Mul>},
    {OpKind::Div, Domain::Number, binary<Op::Div>},
    {OpKind::Pow, Domain::Number, power},
    {OpKind::SwiGLU, Domain::Float, swiGlu},
    {OpKind::Mod, Domain::Number, modulo},
    {OpKind::Max, Domain::Number, fold<Op::Max>},
    {OpKind::Min, Domain::Number, fold<Op::Min>},
    {OpKind::Mean, Domain::Float, mean},
    {OpKind::Sum, Domain::Float, fold<Op::Add>},
    {OpKind::PRelu, Domain::Number, prelu},
    {OpKind::Clip, Domain::Number, clip},
    {OpKind::Where, Domain::Any,
     [](const Context& c) { return c.b.select(c.x(), c.y(), *c.args[2]); }},
    {OpKind::And, Domain::Bool, binary<Op::And>},
    {OpKind::Or, Domain::Bool, binary<Op::Or>},
    {OpKind::Xor, Domain::Bool, binary<Op::Xor>},
    {OpKind::BitwiseAnd, Domain::Integer, binary<Op::And>},
    {OpKind::BitwiseOr, Domain::Integer, binary<Op::Or>},
    {OpKind::BitwiseXor, Domain::Integer, binary<Op::Xor>},
    {OpKind::BitShift, Domain::Integer, shift},
    {OpKind::Equal, Domain::Any, binary<Op::Eq>},
    {OpKind::Greater, Domain::Number, binary<Op::Gt>},
    {OpKind::GreaterOrEqual, Domain::Number, binary<Op::Ge>},
    {OpKind::Less, Domain::Number, binary<Op::Lt>},
    {OpKind::LessOrEqual, Domain::Number, binary<Op::Le>},
};

const Row* rowOf(OpKind kind) {
  for (const Row& row : kRows)
    if (row.kind == kind) return &row;
  return nullptr;
}

bool inDomain(Domain domain, ElemType elem) {
  switch (domain) {
  case Domain::Float:
    return isFloat(elem);
  case Domain::Number:
    return isFloat(elem) || isInteger(elem);
  case Domain::Integer:
    return isInteger(elem);
  case Domain::Bool:
    return elem == ElemType::Bool;
  case Domain::Any:
    return true;
  }
  return false;
}

} // namespace

std::string elementwiseRefusal(OpKind kind, const AttrMap& attrs,
                               std::span<const ElemType> operands) {
  const Row* row = rowOf(kind);
  if (!row) return "no formula";
  for (const ElemType elem : operands)
    if (elem != ElemType::Undefined && !scalarOf(elem)) return "element type without arithmetic";
  const ElemType elem = operands[kind == OpKind::Where ? 1 : 0];
  if (!inDomain(row->domain, elem)) return "formula is for other element types";
  if (kind == OpKind::Cast && !scalarOf(attrOr<ElemType>(info(kind), attrs, "to")))
    return "conversion to an element type without arithmetic";
  if (kind != OpKind::Pow || operands[1] == elem) return "";
  if (!isFloat(elem) && !isInteger(operands[1])) return "an integer to the power of a float";
  return operands[1] == ElemType::Bool ? "a bool as exponent" : "";
}

Value emitElementwise(Builder& b, OpKind kind, const AttrMap& attrs, Args args, ElemType to) {
  const Row* row = rowOf(kind);
  ENFOLD_CHECK(row != nullptr, "elementwise op without a formula");
  return row->formula({b, info(kind), attrs, args, to});
}

} // namespace enfold::lower
