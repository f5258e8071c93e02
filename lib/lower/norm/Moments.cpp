// Moments from sums.
#include "lower/norm/Moments.h"

namespace enfold::lower {
namespace {

using kir::Value;

Value inverseRoot(kir::Builder& b, const Value& variance, double epsilon) {
  return kir::constantLike(variance, 1.0) / b.sqrt(variance + epsilon);
}

} // namespace

SumOver sumOfRow(kir::Builder& b, kir::Scalar scalar, int64_t count, int lanes, LoadVector load) {
  return [=, &b, load = std::move(load)](const std::function<Value(const Value&)>& map) {
    return foldRow(b, {kir::Op::Add, scalar}, count, lanes,
                   [&](const kir::Index& i, int width) { return map(load(i, width)); });
  };
}

Value widened(kir::Builder& b, const Value& value, int width) {
  if (value.lanes() == width) return value;
  if (value.lanes() == 1) return b.splat(value, width);
  std::vector<int> mask;
  for (int i = 0; i < width; ++i) mask.push_back(i % value.lanes());
  return b.shuffle(value, value, mask);
}

Value Normalizer::apply(kir::Builder& b, const Value& x) const {
  const Value shifted = x - widened(b, shift, x.lanes());
  return (shifted - widened(b, mean, x.lanes())) * widened(b, inverse, x.lanes());
}

Normalizer momentsOf(kir::Builder& b, const SumOver& sum, const Value& first, int64_t count,
                     double epsilon) {
  const auto n = static_cast<double>(count);
  const auto shifted = [&](const Value& x) { return x - widened(b, first, x.lanes()); };
  const Value mean = sum(shifted) / n;
  const Value variance = sum([&](const Value& x) {
                           const Value distance = shifted(x) - widened(b, mean, x.lanes());
                           return distance * distance;
                         }) /
                         n;
  return {first, mean, inverseRoot(b, variance, epsilon)};
}

Normalizer rootMeanSquare(kir::Builder& b, const SumOver& sum, int64_t count, double epsilon) {
  const Value squares = sum([](const Value& x) { return x * x; }) / static_cast<double>(count);
  const Value zero = b.zero(squares.type());
  return {zero, zero, inverseRoot(b, squares, epsilon)};
}

} // namespace enfold::lower
