// Loops over the elements of a plain tensor: dimensions that all operands walk alike are merged,
// the innermost one is the vector, an outer part is the parallel loop, and what lies between are
// plain loops.
#pragma once

#include "kernel/Builder.h"
#include "kernel/LooseRanges.h"

#include <algorithm>
#include <bit>
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
  bool mayRepeat = true; ///< elements may be computed twice
};

/// Calls body(element, width) for consecutive vectors of one width that cover the elements of which
/// there are at least that many; the last vector overlaps the one before it.
template <typename F>
void forOverlapping(kir::Builder& b, const kir::Index& begin, const kir::Index& count, int width,
                    F&& body) {
  b.forLoop("i", 0, count / width, [&](const kir::Index& i) { body(begin + i * width, width); });
  if (width > 1) body(begin + count - width, width);
}

/// Rows of fewer elements hold what detectors say of a place, rather than what sizes decide.
inline constexpr int64_t kShortest = 5;

/// Calls body(element, width) for consecutive vectors that cover [begin, begin + count).
template <typename F>
void forVectors(kir::Builder& b, const kir::Index& begin, int64_t count, Widths widths, F&& body) {
  // A few whole vectors are often a block of channels, whatever the size, and so is a short power
  // of two. Other rows shorter than a vector take shorter ones.
  const auto size = static_cast<uint64_t>(count);
  const bool isShort = count < widths.lanes;
  const bool isFew = isShort ? count < kShortest || std::has_single_bit(size)
                             : count <= widths.wide && count % widths.lanes == 0;
  if (kir::LooseRanges::areWanted() && widths.mayRepeat && !isFew) {
    const int width = count >= widths.wide ? widths.wide
                      : isShort            ? static_cast<int>(std::bit_floor(size))
                                           : widths.lanes;
    forOverlapping(b, begin, kir::looseNumber(b, count), width, body);
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

/// Walks a nest of one dimension of any extent: all pieces are alike, but the last one takes what
/// is left as well.
template <typename F>
void walkAnyRow(kir::Builder& b, int64_t count, int64_t piece, int width, F&& body) {
  const int64_t iterations = std::max<int64_t>(1, count / piece);
  b.parallelFor("p", iterations, [&](const kir::Index& p) {
    const kir::Index begin = p * kir::looseNumber(b, piece);
    const kir::Index size = b.index(b.select(b.value(p < kir::looseNumber(b, iterations - 1)),
                                             b.value(kir::looseNumber(b, piece)),
                                             b.value(kir::looseNumber(b, count) - begin)));
    forOverlapping(b, begin, size, width, body);
  });
}

/// Walks the nest in a parallel loop, calling body(coordinates, width) once a vector.
template <typename F> void walkNest(kir::Builder& b, const Nest& nest, Widths widths, F&& body) {
  using kir::Index;
  std::vector<Index> at(nest.extents.size(), 0);
  const auto take = [&](const Index& element, int width) {
    at.back() = element;
    body(at, width);
  };
  if (kir::LooseRanges::areWanted() && widths.mayRepeat && nest.extents.size() == 1 &&
      nest.extents[0] >= widths.wide && nest.extents[0] > 1) {
    walkAnyRow(b, nest.extents[0], std::max<int64_t>(nest.piece, widths.wide), widths.wide, take);
    return;
  }
  const auto vectors = [&](const Index& begin, int64_t count) {
    forVectors(b, begin, count, widths, take);
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
    for (size_t i = nest.parallel; i-- > 1; rest = rest / nest.extents[i])
      at[i] = rest % nest.extents[i];
    if (nest.parallel > 0) at[0] = rest;
    forVectorsIn(b, nest.extents, nest.parallel, at, widths, [&](int width) { body(at, width); });
  });
}

/// Element of a buffer at these coordinates.
kir::Index elementAt(std::span<const kir::Index> coordinates, std::span<const int64_t> strides);

} // namespace enfold::lower
