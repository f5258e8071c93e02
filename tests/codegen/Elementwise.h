// Differential tests of single instructions: a kernel that applies one expression to arrays, run on
// every instruction set and compared with plain C++ lane by lane.
#pragma once

#include "tests/codegen/Harness.h"

#include <array>
#include <cmath>
#include <concepts>
#include <functional>
#include <limits>
#include <random>
#include <type_traits>

namespace enfold::codegen {

/// Vector lengths below, at and above the hardware's, and ones that divide nothing.
inline constexpr int kLaneCounts[] = {1, 3, 4, 7, 8, 16};

template <typename T> constexpr kir::Scalar scalarOf() {
  if constexpr (std::is_same_v<T, bool>)
    return kir::Scalar::Bool;
  else if constexpr (std::is_same_v<T, float>)
    return kir::Scalar::F32;
  else if constexpr (std::is_same_v<T, double>)
    return kir::Scalar::F64;
  else {
    constexpr kir::Scalar kSigned[] = {kir::Scalar::I8, kir::Scalar::I16, kir::Scalar::I32,
                                       kir::Scalar::I64};
    constexpr kir::Scalar kUnsigned[] = {kir::Scalar::U8, kir::Scalar::U16, kir::Scalar::U32,
                                         kir::Scalar::U64};
    return (std::is_signed_v<T> ? kSigned : kUnsigned)[std::countr_zero(sizeof(T))];
  }
}

/// How an element is kept in arrays: std::vector<bool> has no elements in memory.
template <typename T> using Stored = std::conditional_t<std::is_same_v<T, bool>, char, T>;

/// Values where arithmetic tends to go wrong.
template <typename T> std::vector<Stored<T>> edgeValues() {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_same_v<T, bool>)
    return {false, true};
  else if constexpr (std::integral<T>)
    return {0,
            1,
            2,
            3,
            7,
            static_cast<T>(-1),
            static_cast<T>(-2),
            static_cast<T>(-7),
            Limits::max(),
            Limits::min(),
            static_cast<T>(Limits::max() - 1),
            static_cast<T>(Limits::min() + 1),
            T(sizeof(T) * 8),
            T(sizeof(T) * 8 - 1)};
  else
    return {T(0),
            -T(0),
            T(0.5),
            T(-0.5),
            T(1),
            T(-1),
            T(1.5),
            T(-1.5),
            T(2.5),
            T(-2.5),
            T(3),
            T(-7),
            T(1e-3),
            T(12345.678),
            T(-1e9),
            T(1e30),
            Limits::infinity(),
            -Limits::infinity(),
            Limits::quiet_NaN(),
            Limits::max(),
            Limits::lowest(),
            Limits::min(),
            Limits::denorm_min(),
            -Limits::denorm_min()};
}

template <typename T> T randomValue(std::mt19937_64& random) {
  if constexpr (std::floating_point<T>)
    return static_cast<T>(std::normal_distribution<double>(0, 100)(random));
  else
    return static_cast<T>(random());
}

/// Every combination of edge values for up to two operands, then random ones, `size` in all.
template <typename T> std::vector<std::vector<Stored<T>>> operands(int count, size_t size) {
  auto edges = edgeValues<T>();
  std::mt19937_64 random(11);
  std::vector<std::vector<Stored<T>>> lists(static_cast<size_t>(count),
                                            std::vector<Stored<T>>(size));
  for (size_t i = 0; i < size; ++i) {
    bool edge = i < edges.size() * edges.size();
    if (count > 0) lists[0][i] = edge ? edges[i % edges.size()] : randomValue<T>(random);
    if (count > 1) lists[1][i] = edge ? edges[i / edges.size()] : randomValue<T>(random);
    if (count > 2) lists[2][i] = random() % 3 ? randomValue<T>(random) : edges[i % edges.size()];
  }
  return lists;
}

template <typename T> bool sameBits(T a, T b) {
  if constexpr (std::floating_point<T>)
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

using Body = std::function<kir::Value(kir::Builder&, const std::vector<kir::Value>&)>;

/// dst[i] = body(src0[i], src1[i], …), `lanes` at a time.
kir::Kernel elementwise(std::string name, const std::vector<kir::Scalar>& sources,
                        kir::Scalar result, int lanes, int64_t size, const Body& body);

/// What a differential test runs, whatever the type.
struct Subject {
  std::string name;
  int arity;
  Body body;
};

/// Operands and results have this many elements: a multiple of each lane count.
inline constexpr size_t kElements = 2 * 3 * 7 * 16;

/// Runs each subject at all vector lengths on all instruction sets, on the first `arity` of the
/// three operands, and shows the results to check(number of the subject, results, what was run).
void runSubjects(const std::vector<Subject>& subjects, kir::Scalar from, kir::Scalar to,
                 std::vector<Guarded>& operands, const std::vector<Target>& on,
                 const std::function<void(size_t, const Guarded&, const std::string&)>& check);

/// Fails the test.
void differs(const std::string& what, const std::array<double, 3>& lanes, double result,
             double wanted);

/// One expression on operands of type T with results of type R.
template <typename T, typename R> struct Expression {
  std::string name;
  int arity;
  Body body;
  std::function<R(const T*)> expected;
  /// Operands for which the result is specified; all if empty.
  std::function<bool(const T*)> defined;
};

/// Compares all expressions at all vector lengths on all instruction sets.
template <typename T, typename R>
void checkExpressions(const std::vector<Expression<T, R>>& expressions,
                      const std::vector<Target>& on = targets()) {
  const auto data = operands<T>(3, kElements);
  std::vector<Guarded> memory;
  for (const auto& operand : data) memory.emplace_back(operand);
  std::vector<Subject> subjects;
  for (const auto& e : expressions) subjects.push_back({e.name, e.arity, e.body});
  const auto check = [&](size_t number, const Guarded& results, const std::string& what) {
    const Expression<T, R>& e = expressions[number];
    const auto result = results.as<Stored<R>>();
    for (size_t i = 0; i < kElements; ++i) {
      const T lane[3] = {T(data[0][i]), T(data[1][i]), T(data[2][i])};
      if (e.defined && !e.defined(lane)) continue;
      const R wanted = e.expected(lane);
      if (sameBits<R>(result[i], wanted)) continue;
      return differs(what, {double(lane[0]), double(lane[1]), double(lane[2])}, double(result[i]),
                     double(wanted));
    }
  };
  runSubjects(subjects, scalarOf<T>(), scalarOf<R>(), memory, on, check);
}

} // namespace enfold::codegen
