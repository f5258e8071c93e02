// Folding of index arithmetic. Ranges saturate at the ends of int64.
#include "kernel/Index.h"

#include "kernel/Builder.h"
#include "support/Result.h"

#include <algorithm>
#include <numeric>

namespace enfold::kir {
namespace {

int64_t saturate(__int128 x) {
  constexpr auto kMin = std::numeric_limits<int64_t>::min();
  constexpr auto kMax = std::numeric_limits<int64_t>::max();
  return x < kMin ? kMin : x > kMax ? kMax : static_cast<int64_t>(x);
}

bool unbounded(int64_t x) {
  return x == std::numeric_limits<int64_t>::min() || x == std::numeric_limits<int64_t>::max();
}

/// An unbounded end stays so whatever is done to it.
int64_t times(int64_t end, int64_t factor) { return saturate(__int128(end) * factor); }
int64_t plus(int64_t end, int64_t x) { return unbounded(end) ? end : saturate(__int128(end) + x); }

int64_t floorDiv(int64_t a, int64_t d) { return a / d - (a % d < 0); }
int64_t floorMod(int64_t a, int64_t d) { return a - floorDiv(a, d) * d; }

} // namespace

Index& Index::operator+=(const Index& b) { return *this = *this + b; }

std::optional<int64_t> Index::constant() const {
  if (terms_.empty()) return offset_;
  return std::nullopt;
}

Range Index::range() const {
  Range sum{offset_, offset_};
  for (const Term& term : terms_) {
    Range r = builder_->rangeOf(term.value);
    int64_t a = times(r.lo, term.coeff), b = times(r.hi, term.coeff);
    if (a > b) std::swap(a, b);
    sum.lo = unbounded(a) ? Range{}.lo : plus(sum.lo, a);
    sum.hi = unbounded(b) ? Range{}.hi : plus(sum.hi, b);
  }
  return sum;
}

Index Index::scaledPlus(int64_t factor, const Index& b) const {
  Terms sum;
  sum.reserve(terms_.size() + b.terms_.size());
  auto x = terms_.begin();
  auto y = b.terms_.begin();
  while (x != terms_.end() || y != b.terms_.end()) {
    Term term;
    if (y == b.terms_.end() || (x != terms_.end() && x->value < y->value)) {
      term = {x->value, x->coeff * factor};
      ++x;
    } else if (x == terms_.end() || y->value < x->value) {
      term = *y++;
    } else {
      term = {x->value, x->coeff * factor + y->coeff};
      ++x, ++y;
    }
    if (term.coeff != 0) sum.push_back(term);
  }
  return {builder_ ? builder_ : b.builder_, offset_ * factor + b.offset_, std::move(sum)};
}

std::pair<Index, Index> Index::splitBy(int64_t d) const {
  Terms divisible, rest;
  for (const Term& term : terms_) (term.coeff % d == 0 ? divisible : rest).push_back(term);
  int64_t remainder = floorMod(offset_, d);
  return {Index(builder_, offset_ - remainder, std::move(divisible)),
          Index(builder_, remainder, std::move(rest))};
}

Index operator+(const Index& a, const Index& b) {
  if (a.terms_.empty() && !b.terms_.empty()) return b + a;
  if (!b.terms_.empty()) return a.scaledPlus(1, b);
  Index sum = a;
  sum.offset_ += b.offset_;
  return sum;
}

Index operator-(const Index& a, const Index& b) {
  if (b.terms_.empty()) return a + -b.offset_;
  return b.scaledPlus(-1, a);
}

Index operator*(const Index& a, const Index& b) {
  if (auto c = b.constant()) return a.scaledPlus(*c, 0);
  if (auto c = a.constant()) return b.scaledPlus(*c, 0);
  return a.builder_->indexOp(Op::Mul, a, b, {});
}

Index operator/(const Index& a, const Index& b) {
  auto d = b.constant();
  ENFOLD_CHECK(!d || *d > 0, "index division needs a positive divisor");
  if (!d) return b.builder_->indexOp(Op::FloorDiv, a, b, {});
  auto [divisible, rest] = a.splitBy(*d);
  Index quotient = divisible;
  quotient.offset_ /= *d;
  for (Index::Term& term : quotient.terms_) term.coeff /= *d;
  Range r = rest.range();
  if (int64_t q = floorDiv(r.lo, *d); q == floorDiv(r.hi, *d)) return quotient + q;
  int64_t common = *d;
  for (const Index::Term& term : rest.terms_) common = std::gcd(common, term.coeff);
  rest.offset_ = floorDiv(rest.offset_, common);
  for (Index::Term& term : rest.terms_) term.coeff /= common;
  r = rest.range();
  int64_t divisor = *d / common;
  return quotient + a.builder_->indexOp(Op::FloorDiv, rest, divisor,
                                        {floorDiv(r.lo, divisor), floorDiv(r.hi, divisor)});
}

Index operator%(const Index& a, const Index& b) {
  auto d = b.constant();
  ENFOLD_CHECK(!d || *d > 0, "index remainder needs a positive divisor");
  if (!d) return b.builder_->indexOp(Op::FloorMod, a, b, {});
  Index rest = a.splitBy(*d).second;
  Range r = rest.range();
  if (int64_t q = floorDiv(r.lo, *d); q == floorDiv(r.hi, *d)) return rest - q * *d;
  int64_t common = *d;
  for (const Index::Term& term : rest.terms_) common = std::gcd(common, term.coeff);
  int64_t below = rest.offset_ % common;
  rest.offset_ /= common;
  for (Index::Term& term : rest.terms_) term.coeff /= common;
  int64_t divisor = *d / common;
  return a.builder_->indexOp(Op::FloorMod, rest, divisor, {0, divisor - 1}) * common + below;
}

Index min(const Index& a, const Index& b) {
  Range d = (a - b).range();
  if (d.hi <= 0) return a;
  if (d.lo >= 0) return b;
  Range x = a.range(), y = b.range();
  Builder* builder = a.builder_ ? a.builder_ : b.builder_;
  return builder->indexOp(Op::Min, a, b, {std::min(x.lo, y.lo), std::min(x.hi, y.hi)});
}

Index max(const Index& a, const Index& b) {
  Range d = (a - b).range();
  if (d.lo >= 0) return a;
  if (d.hi <= 0) return b;
  Range x = a.range(), y = b.range();
  Builder* builder = a.builder_ ? a.builder_ : b.builder_;
  return builder->indexOp(Op::Max, a, b, {std::max(x.lo, y.lo), std::max(x.hi, y.hi)});
}

} // namespace enfold::kir
