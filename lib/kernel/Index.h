// Index: the number kernels address with, written as ordinary arithmetic. It is kept as a sum of
// values times constants plus a constant, and knows its range, so that most of what a kernel
// author writes folds away while it is written: `(t * 8 + 3) / 8` is `t`, `t % n` is `t` where t is
// known to be below n, and a comparison that the ranges decide is a constant.
//
// Division and remainder round down and need a positive divisor.
#pragma once

#include "kernel/Kernel.h"

#include <concepts>
#include <optional>

namespace enfold::kir {

class Builder;
class Value;

class Index {
public:
  struct Term {
    ValueId value;
    int64_t coeff; ///< never 0
    bool operator==(const Term&) const = default;
  };

  using Terms = SmallVector<Term, 8>;

  template <std::integral T> Index(T constant) : offset_(static_cast<int64_t>(constant)) {}

  /// The number, where it is a constant.
  std::optional<int64_t> constant() const;
  Range range() const;

  /// Terms in order of definition: outer loops first.
  const Terms& terms() const { return terms_; }
  int64_t offset() const { return offset_; }
  /// The builder of the terms; there must be one.
  Builder& builder() const { return *builder_; }

  friend Index operator+(const Index& a, const Index& b);
  friend Index operator-(const Index& a, const Index& b);
  friend Index operator*(const Index& a, const Index& b);
  friend Index operator/(const Index& a, const Index& b);
  friend Index operator%(const Index& a, const Index& b);
  Index& operator+=(const Index& b);
  friend Index min(const Index& a, const Index& b);
  friend Index max(const Index& a, const Index& b);

private:
  friend class Builder;
  Index(Builder* builder, int64_t offset, Terms terms)
      : builder_(terms.empty() ? nullptr : builder), offset_(offset), terms_(std::move(terms)) {}

  /// this * factor + b.
  Index scaledPlus(int64_t factor, const Index& b) const;
  /// The terms whose coefficients divide by d, and the rest, which keeps the constant's remainder.
  std::pair<Index, Index> splitBy(int64_t d) const;

  Builder* builder_ = nullptr; ///< set if there are terms
  int64_t offset_ = 0;
  Terms terms_;
};

Index operator+(const Index& a, const Index& b);
Index operator-(const Index& a, const Index& b);
Index operator*(const Index& a, const Index& b);
Index operator/(const Index& a, const Index& b);
Index operator%(const Index& a, const Index& b);
Index min(const Index& a, const Index& b);
Index max(const Index& a, const Index& b);

} // namespace enfold::kir
