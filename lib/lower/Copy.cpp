// A plain copy of bytes.
#include "lower/Copy.h"

#include "kernel/Builder.h"

namespace enfold::lower {

kir::Kernel copyKernel(int64_t bytes) {
  using namespace kir;
  constexpr int kLanes = 64;
  constexpr int64_t kPiece = 4096;
  Builder b("copy");
  Buffer src = b.input("src", Scalar::U8, bytes), dst = b.output("dst", Scalar::U8, bytes);
  b.parallelFor("piece", (bytes + kPiece - 1) / kPiece, [&](const Index& piece) {
    const Index end = min(piece * kPiece + kPiece, bytes);
    const Index vectors = (end - piece * kPiece) / kLanes;
    b.forLoop("i", 0, vectors, [&](const Index& i) {
      const Index at = piece * kPiece + i * kLanes;
      b.store(dst[at], b.load(src[at], kLanes));
    });
    b.forLoop("i", piece * kPiece + vectors * kLanes, end,
              [&](const Index& i) { b.store(dst[i], b.load(src[i])); });
  });
  return b.finish();
}

} // namespace enfold::lower
