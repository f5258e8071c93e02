// Folds of rows and columns.
#include "lower/reduce/Fold.h"

#include <limits>
#include <optional>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Elements added up one after the other before their sum is added to the total.
constexpr int64_t kRun = 64;
/// Vectors folded side by side, to hide the latency of one operation behind others.
constexpr int kAbreast = 4;

int64_t extremeInt(kir::Scalar scalar, bool largest) {
  const int bits = static_cast<int>(kir::sizeInBytes(scalar)) * 8;
  if (kir::isUnsigned(scalar)) {
    if (!largest) return 0;
    return bits == 64 ? -1 : (int64_t{1} << bits) - 1;
  }
  const int64_t least = std::numeric_limits<int64_t>::min() >> (64 - bits);
  return largest ? -(least + 1) : least;
}

} // namespace

Value FoldOp::identity(kir::Builder& b, int lanes) const {
  const kir::Type type{scalar, lanes};
  if (op == kir::Op::Add) return b.zero(type);
  if (op == kir::Op::Mul) return b.constantInt(type, 1);
  const bool largest = op == kir::Op::Min;
  if (!kir::isFloat(scalar)) return b.constantInt(type, extremeInt(scalar, largest));
  const double infinity = std::numeric_limits<double>::infinity();
  return b.constant(type, largest ? infinity : -infinity);
}

Value FoldOp::acrossLanes(kir::Builder& b, const Value& vector) const {
  return b.reduce(op == kir::Op::Add   ? kir::Op::ReduceAdd
                  : op == kir::Op::Mul ? kir::Op::ReduceMul
                  : op == kir::Op::Min ? kir::Op::ReduceMin
                                       : kir::Op::ReduceMax,
                  vector);
}

Value foldSteps(kir::Builder& b, const FoldOp& fold, int64_t steps, int width,
                const std::function<Value(const Index&)>& load) {
  const auto run = [&](const Index& begin, int64_t count) {
    const kir::Var sum = b.var("sum", fold.identity(b, width));
    b.forLoop("k", begin, begin + count,
              [&](const Index& k) { sum.set(fold.combine(sum, load(k))); });
    return Value(sum);
  };
  if (steps <= kRun) return run(0, steps);
  const kir::Var total = b.var("total", fold.identity(b, width));
  b.forLoop("run", 0, steps / kRun,
            [&](const Index& r) { total.set(fold.combine(total, run(r * kRun, kRun))); });
  if (steps % kRun) total.set(fold.combine(total, run(steps / kRun * kRun, steps % kRun)));
  return total;
}

Value foldToLanes(kir::Builder& b, const FoldOp& fold, int64_t n, int lanes,
                  const LoadVector& load) {
  const int wide = kAbreast * lanes;
  std::optional<Value> total;
  const auto add = [&](const Value& part) { total = total ? fold.combine(*total, part) : part; };
  if (n / wide) {
    const Value sum =
        foldSteps(b, fold, n / wide, wide, [&](const Index& k) { return load(k * wide, wide); });
    for (int i = 0; i < kAbreast; ++i) add(b.slice(sum, i * lanes, lanes));
  }
  for (int64_t i = n / wide * wide; i + lanes <= n; i += lanes) add(load(i, lanes));
  return *total;
}

Value foldRow(kir::Builder& b, const FoldOp& fold, int64_t n, int lanes, const LoadVector& load) {
  const int64_t whole = n / lanes * lanes;
  const int rest = static_cast<int>(n - whole);
  std::optional<Value> total;
  if (whole) total = fold.acrossLanes(b, foldToLanes(b, fold, whole, lanes, load));
  if (rest) {
    const Value last = fold.acrossLanes(b, load(whole, rest));
    total = total ? fold.combine(*total, last) : last;
  }
  return *total;
}

} // namespace enfold::lower
