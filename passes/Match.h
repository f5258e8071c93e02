// Questions passes ask about values and ops.
#pragma once

#include "ir/Graph.h"

#include <optional>

namespace enfold {

/// True when only `op` reads the value, perhaps through several operands, and it is no output.
bool isOnlyUsedBy(const Value* value, const Op* op);

/// The one op that reads the value; null when there are several, none, or it is an output.
Op* onlyUser(const Value* value);

/// The producer if it is of that kind, else null.
Op* producedBy(const Value* value, OpKind kind);

/// The op of that kind which alone feeds `value`, read by `user` only, and has no epilogue; else
/// null.
Op* soleProducer(const Value* value, OpKind kind, const Op* user);

/// The number a constant holds when all its elements are the same; none otherwise.
std::optional<double> splatValue(const Value* value);

/// The number of a constant with a single element.
std::optional<double> scalarValue(const Value* value);

/// An op of two operands one of which is a constant of equal elements.
struct WithNumber {
  Value* x;
  double number;
};
/// Reads the op so; the number stands second, or for a commutative op on either side.
std::optional<WithNumber> withNumber(const Op& op);

/// The integers of a constant operand; none when it is absent or computed.
std::optional<std::vector<int64_t>> constantInts(const Value* value);

/// True when a constant of `elem` stands for `wanted`, a number that the type need not hold: of 32
/// bits and more within one step of the type, since it may have been computed; of 16, whose step is
/// no small part of it, only `wanted` itself, rounded.
bool isNearly(double value, double wanted, ElemType elem);

/// True when every element is NaN or not below zero (it may be -0), by what computes it last:
/// relu, sigmoid, hard_sigmoid, softplus, exp and sqrt of anything; abs, but of signed integers,
/// the least of which is its own magnitude; clip with constant bounds min >= 0 and max >= 0, for
/// where max < min the result is max.
bool isNonNegative(const Value* value);

/// Ops whose results are elements of their first operand, whatever their other operands are.
bool movesElements(OpKind kind);
/// The same of a resize.
bool isNearestResize(const Op& op);

/// Sizes of all axes behind batch and channels.
inline Shape spatialShape(const Shape& shape) { return {shape.begin() + 2, shape.end()}; }

} // namespace enfold
