// The text form of kernels, and that it shows what the index arithmetic folded to.
#include "kernel/Printer.h"

#include "kernel/Builder.h"

#include <gtest/gtest.h>

namespace enfold::kir {
namespace {

Kernel scaleKernel() {
  Builder b("scale");
  Buffer src = b.input("src", Scalar::F32, 100);
  Buffer dst = b.output("dst", Scalar::F32, 100);
  b.parallelFor("i", 13, [&](const Index& i) {
    Value zero = b.zero(f32(8));
    b.ifElse(
        i < 12, [&] { b.store(dst[i * 8], b.maxFast(zero, b.load(src[i * 8], 8) * 0.1)); },
        [&] {
          Value x = b.loadPartial(src[i * 8 + 4 - 4], 4, zero);
          b.storePartial(dst[i * 8], x * 0.1, 4);
        });
  });
  return b.finish();
}

TEST(Printer, Kernel) {
  EXPECT_EQ(print(scaleKernel()), R"(kernel @scale(src: read f32[100], dst: write f32[100]) {
  parallel %i in 0..13 {
    %0 = lt bool %i, 12
    if %0 {
      %1 = load f32x8 src[%i*8]
      %2 = mul f32x8 %1, 0.1
      %3 = max_fast f32x8 0, %2
      store f32x8 dst[%i*8], %3
    } else {
      %4 = load_partial f32x8 src[%i*8], 4, 0
      %5 = mul f32x8 %4, 0.1
      store_partial f32x8 dst[%i*8], %5, 4
    }
  }
}
)");
}

TEST(Printer, LoopsVariablesAndLocals) {
  Builder b("sum");
  Buffer src = b.input("src", Scalar::F16, 64 * 64);
  Buffer dst = b.output("dst", Scalar::F32, 64);
  Buffer tile = b.local("tile", Scalar::F32, 4);
  Buffer tmp = b.scratch("tmp", Scalar::I8, 100);
  Buffer more = b.scratch("more", Scalar::I8, 100);
  b.parallelFor("row", 64, [&](const Index& row) {
    Var sum = b.var("sum", b.zero(f32()));
    View m = View::dense(src, {64, 64});
    b.forLoop("c", 0, 64, 2, [&](const Index& c) {
      Value even = b.loadAs(Scalar::F32, m[row, c]);
      Value odd = b.loadAs(Scalar::F32, m[row, c + 1]);
      sum.set(sum + even + odd);
    });
    b.unrolledLoop("c", 0, 4, [&](const Index& c) { b.store(tile[c], sum); });
    Index half = row / 2;
    b.store(tmp[half], b.load(more[half * 3 - 1]));
    b.store(dst[row], b.load(tile[row % 4]));
  });
  EXPECT_EQ(print(b.finish()), R"(kernel @sum(src: read f16[4096], dst: write f32[64]) {
  local tile: f32[4]
  scratch tmp: i8[100] at 0
  scratch more: i8[100] at 128
  parallel %row in 0..64 {
    var %sum: f32 = 0
    for %c in 0..64 step 2 {
      %0 = load f16 src[%row*64 + %c]
      %1 = cast f32 %0
      %2 = load f16 src[%row*64 + %c + 1]
      %3 = cast f32 %2
      %4 = %sum
      %5 = add f32 %4, %1
      %6 = add f32 %5, %3
      %sum = %6
    }
    for %c.1 in 0..4 unrolled {
      %7 = %sum
      store f32 tile[%c.1], %7
    }
    %8 = floor_div index %row, 2
    %9 = load i8 more[%8*3 - 1]
    store i8 tmp[%8], %9
    %10 = load f32 tile[(%row % 4)]
    store f32 dst[%row], %10
  }
}
)");
}

} // namespace
} // namespace enfold::kir
