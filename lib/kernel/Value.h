// The handles a kernel author works with. A Value is the result of an instruction and carries its
// builder, so arithmetic is written with operators; numbers on either side become constants of the
// value's type. A Var is a mutable register: reading it is implicit, set() writes it. A Place is an
// element of a buffer, where loads and stores start; a View computes places from coordinates.
#pragma once

#include "kernel/Index.h"

#include <concepts>
#include <span>

namespace enfold::kir {

template <typename T>
concept Number = std::integral<T> || std::floating_point<T>;

class Value {
public:
  Value(Builder* builder, ValueId id, Type type) : builder_(builder), id_(id), type_(type) {}

  Builder& builder() const { return *builder_; }
  ValueId id() const { return id_; }
  Type type() const { return type_; }
  int lanes() const { return type_.lanes; }

private:
  Builder* builder_;
  ValueId id_;
  Type type_;
};

/// The instruction `op` on values of one type.
Value apply(Op op, const Value& a);
Value apply(Op op, const Value& a, const Value& b);
/// A constant of the type of `like`.
Value constantLike(const Value& like, double number);
Value constantLike(const Value& like, int64_t number);
template <Number T> Value constantLike(const Value& like, T number) {
  if constexpr (std::integral<T>)
    return constantLike(like, static_cast<int64_t>(number));
  else
    return constantLike(like, static_cast<double>(number));
}

#define ENFOLD_KIR_OPERATOR(symbol, op)                                                            \
  inline Value operator symbol(const Value& a, const Value& b) { return apply(Op::op, a, b); }     \
  template <Number T> Value operator symbol(const Value& a, T b) {                                 \
    return apply(Op::op, a, constantLike(a, b));                                                   \
  }                                                                                                \
  template <Number T> Value operator symbol(T a, const Value& b) {                                 \
    return apply(Op::op, constantLike(b, a), b);                                                   \
  }
ENFOLD_KIR_OPERATOR(+, Add)
ENFOLD_KIR_OPERATOR(-, Sub)
ENFOLD_KIR_OPERATOR(*, Mul)
ENFOLD_KIR_OPERATOR(/, Div)
ENFOLD_KIR_OPERATOR(%, Rem)
ENFOLD_KIR_OPERATOR(&, And)
ENFOLD_KIR_OPERATOR(|, Or)
ENFOLD_KIR_OPERATOR(^, Xor)
ENFOLD_KIR_OPERATOR(<<, Shl)
ENFOLD_KIR_OPERATOR(>>, Shr)
ENFOLD_KIR_OPERATOR(==, Eq)
ENFOLD_KIR_OPERATOR(!=, Ne)
ENFOLD_KIR_OPERATOR(<, Lt)
ENFOLD_KIR_OPERATOR(<=, Le)
ENFOLD_KIR_OPERATOR(>, Gt)
ENFOLD_KIR_OPERATOR(>=, Ge)
#undef ENFOLD_KIR_OPERATOR
inline Value operator-(const Value& a) { return apply(Op::Neg, a); }
inline Value operator~(const Value& a) { return apply(Op::Not, a); }

/// A condition on indices: known while the kernel is written, or a bool value.
class Condition {
public:
  Condition(bool known) : known_(known) {}
  Condition(const Value& value) : value_(value) {}

  std::optional<bool> known() const { return value_ ? std::nullopt : std::optional(known_); }
  const Value& value() const { return *value_; }

  friend Condition operator&(const Condition& a, const Condition& b);
  friend Condition operator|(const Condition& a, const Condition& b);
  friend Condition operator~(const Condition& a);

private:
  bool known_ = false;
  std::optional<Value> value_;
};

Condition operator&(const Condition& a, const Condition& b);
Condition operator|(const Condition& a, const Condition& b);
Condition operator~(const Condition& a);

Condition operator==(const Index& a, const Index& b);
Condition operator!=(const Index& a, const Index& b);
Condition operator<(const Index& a, const Index& b);
Condition operator<=(const Index& a, const Index& b);
Condition operator>(const Index& a, const Index& b);
Condition operator>=(const Index& a, const Index& b);

class Var {
public:
  Var(Builder* builder, VarId id, Type type) : builder_(builder), id_(id), type_(type) {}

  Value get() const;
  operator Value() const { return get(); }
  void set(const Value& value) const;
  Type type() const { return type_; }

private:
  Builder* builder_;
  VarId id_;
  Type type_;
};

struct Place;

class Buffer {
public:
  Buffer(Builder* builder, BufferId id) : builder_(builder), id_(id) {}

  Place operator[](const Index& element) const;
  Builder& builder() const { return *builder_; }
  BufferId id() const { return id_; }
  const BufferInfo& info() const;
  Scalar elem() const { return info().elem; }

private:
  Builder* builder_;
  BufferId id_;
};

struct Place {
  Buffer buffer;
  Index element;

  Place operator+(const Index& distance) const { return {buffer, element + distance}; }
};

/// A buffer seen as an array of some rank: element offset + sum of coordinate times stride.
class View {
public:
  View(Buffer buffer, std::vector<int64_t> strides, Index offset = 0)
      : buffer_(buffer), strides_(std::move(strides)), offset_(std::move(offset)) {}
  /// Row-major over these extents.
  static View dense(Buffer buffer, std::span<const int64_t> extents);
  static View dense(Buffer buffer, std::initializer_list<int64_t> extents) {
    return dense(buffer, std::span(extents.begin(), extents.size()));
  }

  /// Coordinates left out at the end are 0.
  template <typename... I>
    requires(std::convertible_to<I, Index> && ...)
  Place operator[](const I&... coordinates) const {
    return at(std::initializer_list<Index>{Index(coordinates)...});
  }
  Place at(std::span<const Index> coordinates) const;
  int64_t stride(size_t axis) const { return strides_[axis]; }

private:
  Place at(std::initializer_list<Index> coordinates) const {
    return at(std::span(coordinates.begin(), coordinates.size()));
  }

  Buffer buffer_;
  std::vector<int64_t> strides_;
  Index offset_;
};

} // namespace enfold::kir
