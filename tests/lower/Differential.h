// Compiled code against the reference: the harness of all tests of kernel families.
#pragma once

#include "diagnose/Compare.h"
#include "ir/Builder.h"

#include <cstdlib>
#include <functional>
#include <random>

namespace enfold {

using diagnose::compare;
using diagnose::Comparison;
using diagnose::Tolerance;

/// Writes a graph of inputs and ops and gives its output.
using BuildGraph = std::function<Value*(GraphBuilder& g)>;

struct DifferentialOptions {
  Tolerance tolerance;
  double low = -2, high = 2; ///< of the inputs, which are uniform; integers are rounded
  bool whole = false;        ///< inputs are whole numbers
  bool nonzero = false;      ///< zeros among the inputs become ones
  /// Once more on each of these: numbers the inputs are filled with, in turn.
  std::vector<std::vector<double>> fills = {};
  /// Once more with each of these in place of one number of each input in turn: results that do not
  /// depend on it, by the reference, agree as if it were not there.
  std::vector<double> odd = {};
  uint64_t seed = 1;
  bool generated = true; ///< no op may run as its reference function
  /// Kernels of tiles are used where they are best, whether or not the processor has tiles, and in
  /// other tests not at all.
  bool tiles = false;
};

/// The graph, compiled with all passes, gives the reference's answer, and the same bits on one
/// thread, on two, and in a second run. Gives the algorithms of its kernels ("conv_direct 6x2").
std::vector<std::string> expectCompiledAgrees(const BuildGraph& build,
                                              const DifferentialOptions& options = {});

/// Whether one of the algorithms is `kind`, "conv_direct" say.
bool uses(const std::vector<std::string>& algorithms, std::string_view kind);

/// A graph input of integers, which are brought into [low, high]: indices.
Value* indices(GraphBuilder& g, ElemType elem, Shape shape, int64_t low, int64_t high);

/// Random sizes for a sweep; the same ones in every run.
class Sizes {
public:
  explicit Sizes(uint64_t seed) : engine_(seed) {}
  int64_t between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  template <typename T> T oneOf(std::initializer_list<T> values) {
    return values.begin()[between(0, static_cast<int64_t>(values.size()) - 1)];
  }

private:
  std::mt19937_64 engine_;
};

/// How often a test repeats itself at random that should do so `all` times, or a third of
/// that where ENFOLD_FEWER_ROUNDS is set, as for instruction sets other than this processor's.
template <typename T = int> T rounds(T all) {
  return std::getenv("ENFOLD_FEWER_ROUNDS") ? (all + 2) / 3 : all;
}

/// Numbers that are not finite, or huge.
std::vector<double> oddNumbers();

/// The tolerance for results computed in f32 and rounded to the type; integers must be equal.
Tolerance toleranceOf(ElemType elem);

inline bool isUnsigned(ElemType elem) { return info(elem).cls == ElemClass::Unsigned; }

inline Type f32(Shape shape) { return {ElemType::F32, std::move(shape), {}}; }

} // namespace enfold
