// Loops over the elements of a plain tensor: dimensions that all operands walk alike are merged,
// the innermost one is the vector, an outer part is the parallel loop, and what lies between are
// plain loops.
#pragma once

#include "kernel/Builder.h"
#include "kernel/LooseRanges.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace enfold::lower {

/// The loops over a result: merged extents, the leading `parallel` of them in the parallel loop.
struct Nest {
  std::vector<int64_t> extents;
  size_t parallel = 0;
  int64_t piece = 0; ///< elements of the innermost dimension an iteration takes, when rank is 1

  int64_t iterations() const;
};

/// The nest over `extents` (at least one), with about `grain` elements an iteration.
Nest makeNest(std::vector<int64_t> extents, int64_t grain);

/// The vectors that innermost loops take: `wide` elements as long as they last, then `lanes`, then
/// what is left in one.
struct Widths {
  int wide, lanes;
  bool mayRepeat = false; ///< elements may be computed twice
};

/// Calls body(element, width) for consecutive vectors that cover [begin, begin + count).
template <typename F>
void forVectors(kir::Builder& b, const kir::Index& begin, int64_t count, Widths widths, F&& body) {
  if (kir::LooseRanges::areWanted() && widths.mayRepeat && count > widths.wide) {
    // A last vector overlaps the one before it.
    b.forLoop("i", 0, kir::looseNumber(b, count / widths.wide),
              [&](const kir::Index& i) { body(begin + i * widths.wide, widths.wide); });
    body(begin + (count - widths.wide), widths.wide);
    return;
  }
  b.forLoop("i", 0, count / widths.wide,
            [&](const kir::Index& i) { body(begin + i * widths.wide, widths.wide); });
  for (int64_t done = count / widths.wide * widths.wide; done < count;) {
    const int width = static_cast<int>(std::min<int64_t>(widths.lanes, count - done));
    body(begin + done, width);
    done += width;
  }
}

/// Loops over the axes from `first` on, over vectors along the last, with `at` as coordinates, and
/// calls body(width).
template <typename F>
void forVectorsIn(kir::Builder& b, std::span<const int64_t> extents, size_t first,
                  std::vector<kir::Index>& at, Widths widths, F&& body) {
  if (first + 1 < extents.size()) {
    b.forLoop("d", 0, extents[first], [&](const kir::Index& i) {
      at[first] = i;
      forVectorsIn(b, extents, first + 1, at, widths, body);
    });
    return;
  }
  forVectors(b, 0, extents.back(), widths, [&](const kir::Index& element, int width) {
    at.back() = element;
    body(width);
  });
}

/// Walks the nest in a parallel loop, calling body(coordinates, width) once a vector.
template <typename F> void walkNest(kir::Builder& b, const Nest& nest, Widths widths, F&& body) {
  using kir::Index;
  std::vector<Index> at(nest.extents.size(), 0);
  const auto vectors = [&](const Index& begin, int64_t count) {
    forVectors(b, begin, count, widths, [&](const Index& element, int width) {
      at.back() = element;
      body(at, width);
    });
  };
  const int64_t iterations = nest.iterations();
  b.parallelFor("p", iterations, [&](const Index& p) {
    if (nest.piece != nest.extents.back()) {
      const int64_t rest = nest.extents.back() % nest.piece;
      const Index begin = p * nest.piece;
      if (rest == 0) {
        vectors(begin, nest.piece);
      } else {
        b.ifElse(
            p < iterations - 1, [&] { vectors(begin, nest.piece); }, [&] { vectors(begin, rest); });
      }
      return;
    }
    Index rest = p;
    for (size_t i = nest.parallel; i-- > 0; rest = rest / nest.extents[i])
      at[i] = i == 0 ? rest : rest % nest.extents[i];
    forVectorsIn(b, nest.extents, nest.parallel, at, widths, [&](int width) { body(at, width); });
  });
}

/// Element of a buffer at these coordinates.
kir::Index elementAt(std::span<const kir::Index> coordinates, std::span<const int64_t> strides);

} // namespace enfold::lower
