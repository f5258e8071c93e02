// Pointwise functions of one real operand without attributes.
#include "reference/Pointwise.h"

#include <cmath>

namespace enfold::reference {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// log(1 + e^x) without overflow.
double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }

} // namespace

/// eval<Kind>: every element x becomes `expression`.
#define ENFOLD_REAL_FUNCTION(Kind, expression)                                                     \
  Result<> eval##Kind(EvalContext& context) {                                                      \
    return mapElements(context, [](Real auto x) -> double { return expression; });                 \
  }
ENFOLD_REAL_FUNCTION(Acos, std::acos(x))
ENFOLD_REAL_FUNCTION(Acosh, std::acosh(x))
ENFOLD_REAL_FUNCTION(Asin, std::asin(x))
ENFOLD_REAL_FUNCTION(Asinh, std::asinh(x))
ENFOLD_REAL_FUNCTION(Atan, std::atan(x))
ENFOLD_REAL_FUNCTION(Atanh, std::atanh(x))
ENFOLD_REAL_FUNCTION(Ceil, std::ceil(x))
ENFOLD_REAL_FUNCTION(Cos, std::cos(x))
ENFOLD_REAL_FUNCTION(Cosh, std::cosh(x))
ENFOLD_REAL_FUNCTION(Erf, std::erf(x))
ENFOLD_REAL_FUNCTION(Exp, std::exp(x))
ENFOLD_REAL_FUNCTION(Floor, std::floor(x))
ENFOLD_REAL_FUNCTION(Log, std::log(x))
ENFOLD_REAL_FUNCTION(Mish, x* std::tanh(softplus(x)))
ENFOLD_REAL_FUNCTION(Reciprocal, 1 / x)
ENFOLD_REAL_FUNCTION(Round, std::nearbyint(x))
ENFOLD_REAL_FUNCTION(Sigmoid, sigmoid(x))
ENFOLD_REAL_FUNCTION(Sin, std::sin(x))
ENFOLD_REAL_FUNCTION(Sinh, std::sinh(x))
ENFOLD_REAL_FUNCTION(Softplus, std::isnan(x) ? x : softplus(x))
ENFOLD_REAL_FUNCTION(Softsign, x / (1 + std::fabs(x)))
ENFOLD_REAL_FUNCTION(Sqrt, std::sqrt(x))
ENFOLD_REAL_FUNCTION(Tan, std::tan(x))
ENFOLD_REAL_FUNCTION(Tanh, std::tanh(x))
#undef ENFOLD_REAL_FUNCTION

} // namespace enfold::reference
