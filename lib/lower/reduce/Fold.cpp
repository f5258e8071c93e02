// Folds of rows and columns.
#include "lower/reduce/Fold.h"

#include "kernel/LooseRanges.h"

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
/// Of more steps, or of more than a vector of each abreast, sizes may decide how many there are.
constexpr int64_t kFewSteps = 4;

int64_t extremeInt(kir::Scalar scalar, bool largest) {
  const int bits = static_cast<int>(kir::sizeInBytes(scalar)) * 8;
  if (kir::isUnsigned(scalar)) {
    if (!largest) return 0;
    return bits == 64 ? -1 : (int64_t{1} << bits) - 1;
  }
  const int64_t least = std::numeric_limits<int64_t>::min() >> (64 - bits);
  return largest ? -(least + 1) : least;
}

/// foldSteps() for any number of steps: a last run of what is left, perhaps nothing, changes no
/// bit.
Value foldAnySteps(kir::Builder& b, const FoldOp& fold, int64_t steps, int width,
                   const std::function<Value(const Index&)>& load) {
  const auto run = [&](const Index& begin, const Index& count) {
    const kir::Var sum = b.var("sum", fold.identity(b, width));
    b.forLoop("k", begin, begin + count,
              [&](const Index& k) { sum.set(fold.combine(sum, load(k))); });
    return Value(sum);
  };
  const kir::Var total = b.var("total", fold.identity(b, width));
  b.forLoop("run", 0, kir::looseNumber(b, steps / kRun),
            [&](const Index& r) { total.set(fold.combine(total, run(r * kRun, kRun))); });
  total.set(fold.combine(
      total, run(kir::looseNumber(b, steps / kRun * kRun), kir::looseNumber(b, steps % kRun))));
  return total;
}

/// Whether code for rows of other lengths is to differ in numbers only.
bool isOfAnyLength(int64_t n, int lanes) {
  return kir::LooseRanges::areWanted() && n >= kAbreast * lanes;
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
  if (kir::LooseRanges::areWanted() && steps > kFewSteps)
    return foldAnySteps(b, fold, steps, width, load);
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
  const bool isAny = isOfAnyLength(n, lanes);
  if (n / wide) {
    const auto step = [&](const Index& k) { return load(k * wide, wide); };
    const Value sum = isAny ? foldAnySteps(b, fold, n / wide, wide, step)
                            : foldSteps(b, fold, n / wide, wide, step);
    for (int i = 0; i < kAbreast; ++i) add(b.slice(sum, i * lanes, lanes));
  }
  if (isAny) {
    const kir::Var sum = b.var("sum", *total);
    b.forLoop("i", kir::looseNumber(b, n / wide * wide), kir::looseNumber(b, n), lanes,
              [&](const Index& i) { sum.set(fold.combine(sum, load(i, lanes))); });
    return sum;
  }
  for (int64_t i = n / wide * wide; i + lanes <= n; i += lanes) add(load(i, lanes));
  return *total;
}

Value foldRow(kir::Builder& b, const FoldOp& fold, int64_t n, int lanes, const LoadVector& load) {
  const int64_t whole = n / lanes * lanes;
  const int rest = static_cast<int>(n - whole);
  if (isOfAnyLength(n, lanes)) {
    const kir::Var sum =
        b.var("sum", fold.acrossLanes(b, foldToLanes(b, fold, whole, lanes, load)));
    const Index end = kir::looseNumber(b, whole), left = kir::looseNumber(b, rest);
    for (int width = 1; width < lanes; ++width)
      b.ifThen(left == Index(width),
               [&] { sum.set(fold.combine(sum, fold.acrossLanes(b, load(end, width)))); });
    return sum;
  }
  std::optional<Value> total;
  if (whole) total = fold.acrossLanes(b, foldToLanes(b, fold, whole, lanes, load));
  if (rest) {
    const Value last = fold.acrossLanes(b, load(whole, rest));
    total = total ? fold.combine(*total, last) : last;
  }
  return *total;
}

} // namespace enfold::lower
