// Loads and stores of every kind. Buffers end at a page that faults, so that touching one element
// too many crashes the test; canaries catch writes before and after.
#include "tests/codegen/Elementwise.h"

#include <sys/mman.h>

namespace enfold::codegen {
namespace {

using kir::Buffer;
using kir::Builder;
using kir::Index;
using kir::Scalar;
using kir::Value;

/// `bytes` of memory that end where an inaccessible page begins.
class AtPageEnd {
public:
  explicit AtPageEnd(size_t bytes) : mapped_((bytes + kPage - 1) / kPage * kPage + kPage) {
    base_ = static_cast<char*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + mapped_ - kPage, kPage, PROT_NONE);
    data_ = base_ + mapped_ - kPage - bytes;
  }
  ~AtPageEnd() { munmap(base_, mapped_); }
  AtPageEnd(const AtPageEnd&) = delete;
  AtPageEnd& operator=(const AtPageEnd&) = delete;
  template <typename T> T* as() { return reinterpret_cast<T*>(data_); }

private:
  static constexpr size_t kPage = 4096;
  size_t mapped_;
  char* base_;
  char* data_;
};

template <typename T> T element(int64_t i) { return static_cast<T>(i * 7 + 1); }

template <typename T> class Memory : public testing::Test {};
using ElementTypes = testing::Types<int8_t, uint16_t, int32_t, float, double, int64_t>;
TYPED_TEST_SUITE(Memory, ElementTypes);

/// Run-time counts from -1 to lanes + 1, and the same counts as constants.
template <typename T> kir::Kernel partialKernel(int lanes, bool constantCount, int64_t count) {
  Builder b("partial");
  Scalar s = scalarOf<T>();
  Buffer counts = b.input("counts", Scalar::I64, 1);
  int64_t size = std::clamp<int64_t>(count, 0, lanes);
  Buffer src = b.input("src", s, size), dst = b.output("dst", s, size);
  Buffer whole = b.output("whole", s, lanes);
  b.parallelFor("i", 1, [&](const Index& i) {
    Index n = constantCount ? Index(count) : b.index(b.load(counts[i]));
    Value x = b.loadPartial(src[i], n, b.constantInt({s, lanes}, 99));
    b.store(whole[i], x);
    b.storePartial(dst[i], x, n);
  });
  return b.finish();
}

TYPED_TEST(Memory, PartialLoadsAndStores) {
  using T = TypeParam;
  for (const Target& target : targets())
    for (int lanes : {1, 3, 8, 16}) {
      std::vector<kir::Kernel> kernels;
      for (bool constant : {false, true})
        for (int64_t count = -1; count <= lanes + 1; ++count)
          kernels.push_back(partialKernel<T>(lanes, constant, count));
      auto module = compileAll(std::move(kernels), target);
      ASSERT_TRUE(module);
      int step = 0;
      for (int constant = 0; constant < 2; ++constant)
        for (int64_t count = -1; count <= lanes + 1; ++count, ++step) {
          int64_t size = std::clamp<int64_t>(count, 0, lanes);
          auto bytes = static_cast<size_t>(size) * sizeof(T);
          AtPageEnd src(bytes), dst(bytes + 8);
          T* out = reinterpret_cast<T*>(dst.as<char>() + 8); // eight bytes of canary before it
          std::memset(dst.as<char>(), 0x5a, 8);
          for (int64_t i = 0; i < size; ++i) src.as<T>()[i] = element<T>(i);
          Guarded whole(static_cast<size_t>(lanes) * sizeof(T));
          runStep(*module, step, {&count, src.as<T>(), out, whole.data()});
          auto loaded = whole.as<T>();
          for (int64_t i = 0; i < lanes; ++i)
            ASSERT_EQ(loaded[static_cast<size_t>(i)], i < size ? element<T>(i) : T(99))
                << "x" << lanes << " count " << count << " on " << name(target.isa);
          for (int64_t i = 0; i < size; ++i) ASSERT_EQ(out[i], element<T>(i));
          ASSERT_EQ(dst.as<char>()[7], 0x5a);
        }
    }
}

TYPED_TEST(Memory, StridedLoads) {
  using T = TypeParam;
  for (const Target& target : targets())
    for (int lanes : {1, 3, 4, 8, 16})
      for (int64_t stride : {1, 2, 3, 4, 5, 8, -1, -2, -3}) {
        int64_t size = std::abs(stride) * (lanes - 1) + 1, first = stride > 0 ? 0 : size - 1;
        Builder b("strided");
        Buffer src = b.input("src", scalarOf<T>(), size);
        Buffer dst = b.output("dst", scalarOf<T>(), lanes);
        b.parallelFor("i", 1, [&](const Index& i) {
          b.store(dst[i], b.loadStrided(src[i + first], stride, lanes));
        });
        auto module = compileAll({b.finish()}, target);
        ASSERT_TRUE(module);
        AtPageEnd from(static_cast<size_t>(size) * sizeof(T));
        for (int64_t i = 0; i < size; ++i) from.as<T>()[i] = element<T>(i);
        Guarded to(static_cast<size_t>(lanes) * sizeof(T));
        runStep(*module, 0, {from.as<T>(), to.data()});
        for (int64_t i = 0; i < lanes; ++i)
          ASSERT_EQ(to.as<T>()[static_cast<size_t>(i)], element<T>(first + i * stride))
              << "stride " << stride << " x" << lanes << " on " << name(target.isa);
      }
}

TYPED_TEST(Memory, GatherScatterBroadcast) {
  using T = TypeParam;
  constexpr int64_t kSize = 50;
  for (const Target& target : targets())
    for (int lanes : {1, 3, 4, 8, 16}) {
      Builder b("gather");
      Buffer src = b.input("src", scalarOf<T>(), kSize);
      Buffer offsets = b.input("offsets", Scalar::I32, lanes);
      Buffer gathered = b.output("gathered", scalarOf<T>(), lanes);
      Buffer scattered = b.output("scattered", scalarOf<T>(), kSize);
      Buffer spread = b.output("spread", scalarOf<T>(), lanes);
      b.parallelFor("i", 1, [&](const Index& i) {
        Value at = b.load(offsets[i], lanes);
        Value x = b.gather(src[20], at);
        b.store(gathered[i], x);
        b.scatter(scattered[20], at, x);
        b.store(spread[i], b.broadcast(src[30], lanes));
      });
      auto module = compileAll({b.finish()}, target);
      ASSERT_TRUE(module);
      std::vector<T> from(kSize);
      for (int64_t i = 0; i < kSize; ++i) from[static_cast<size_t>(i)] = element<T>(i);
      std::vector<int32_t> at(static_cast<size_t>(lanes));
      for (int i = 0; i < lanes; ++i) at[static_cast<size_t>(i)] = (i * 11) % 37 - 18;
      std::vector<T> expected(kSize, T(0));
      for (int32_t o : at) expected[static_cast<size_t>(20 + o)] = element<T>(20 + o);
      Guarded in(from), index(at), a(at.size() * sizeof(T)), s(kSize * sizeof(T)),
          c(at.size() * sizeof(T));
      runStep(*module, 0, {in.data(), index.data(), a.data(), s.data(), c.data()});
      for (size_t i = 0; i < at.size(); ++i) {
        ASSERT_EQ(a.as<T>()[i], element<T>(20 + at[i])) << "x" << lanes << name(target.isa);
        ASSERT_EQ(c.as<T>()[i], element<T>(30));
      }
      EXPECT_EQ(s.as<T>(), expected);
      EXPECT_TRUE(a.intact() && s.intact() && c.intact());
    }
}

/// Bytes pick from a table of 256, and from one with something in front.
TEST(Memory, TablesOfBytes) {
  for (const Target& target : targets())
    for (const Scalar elem : {Scalar::U8, Scalar::I8})
      for (const int64_t first : {0, 3})
        for (const int lanes : {1, 5, 16, 32, 64, 96}) {
          Builder b("table");
          const Buffer table = b.input("table", elem, 256 + first);
          const Buffer src = b.input("src", Scalar::U8, 256 + lanes);
          const Buffer dst = b.output("dst", elem, 256 + lanes);
          b.parallelFor("i", 1, [&](const Index&) {
            b.forLoop("at", 0, 256, lanes, [&](const Index& at) {
              const Value index = b.cast(b.load(src[at], lanes), Scalar::I32);
              b.store(dst[at], b.gather(table[first], index));
            });
          });
          auto module = compileAll({b.finish()}, target);
          ASSERT_TRUE(module);
          std::vector<uint8_t> entries(static_cast<size_t>(256 + first));
          std::vector<uint8_t> bytes(static_cast<size_t>(256 + lanes));
          for (size_t i = 0; i < entries.size(); ++i) entries[i] = static_cast<uint8_t>(i * 91 + 7);
          for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37);
          Guarded from(entries), in(bytes), to(bytes.size());
          runStep(*module, 0, {from.data(), in.data(), to.data()});
          for (size_t i = 0; i < 256; ++i)
            ASSERT_EQ(to.as<uint8_t>()[i], entries[bytes[i] + static_cast<size_t>(first)])
                << i << " x" << lanes << " on " << name(target.isa);
          EXPECT_TRUE(to.intact());
        }
}

TEST(Memory, ScatterKeepsTheHigherLane) {
  for (const Target& target : targets()) {
    Builder b("scatter");
    Buffer dst = b.output("dst", Scalar::I32, 4);
    b.parallelFor("i", 1, [&](const Index& i) {
      Value lane = b.iota(kir::i32(8));
      b.scatter(dst[i], lane % 2, lane);
    });
    auto module = compileAll({b.finish()}, target);
    Guarded out(16);
    runStep(*module, 0, {out.data()});
    EXPECT_EQ(out.as<int32_t>(), (std::vector<int32_t>{6, 7, 0, 0})) << name(target.isa);
  }
}

/// Every alignment of the destination: aligned addresses are streamed, others stored.
TYPED_TEST(Memory, StreamingStores) {
  using T = TypeParam;
  constexpr int64_t kSize = 64;
  for (const Target& target : targets())
    for (int lanes : {1, 3, 4, 8, 16}) {
      Builder b("stream");
      Buffer src = b.input("src", scalarOf<T>(), kSize);
      Buffer dst = b.output("dst", scalarOf<T>(), 2 * kSize);
      Buffer start = b.input("start", Scalar::I64, 1);
      b.parallelFor("i", kSize / lanes, [&](const Index& i) {
        b.prefetch(src[i * lanes + 64]);
        b.storeStream(dst[b.index(b.load(start[0])) + i * lanes], b.load(src[i * lanes], lanes));
      });
      auto module = compileAll({b.finish()}, target);
      ASSERT_TRUE(module);
      std::vector<T> from(kSize);
      for (int64_t i = 0; i < kSize; ++i) from[static_cast<size_t>(i)] = element<T>(i);
      for (int64_t offset = 0; offset < 33; ++offset) {
        Guarded in(from), out(2 * kSize * sizeof(T));
        runStep(*module, 0, {in.data(), out.data(), &offset});
        auto result = out.as<T>();
        for (int64_t i = 0; i < kSize / lanes * lanes; ++i)
          ASSERT_EQ(result[static_cast<size_t>(offset + i)], element<T>(i));
        EXPECT_TRUE(out.intact());
      }
    }
}

TEST(Memory, BoolIsOneByte) {
  for (const Target& target : targets())
    for (int lanes : {1, 5, 8}) {
      Builder b("bool");
      Buffer src = b.input("src", Scalar::Bool, 8), dst = b.output("dst", Scalar::Bool, 8);
      b.parallelFor("i", 1, [&](const Index& i) {
        b.store(dst[i], ~b.load(src[i], lanes));
        b.storePartial(dst[i], b.loadPartial(src[i], 1, b.zero(kir::boolean(lanes))), 1);
      });
      auto module = compileAll({b.finish()}, target);
      std::vector<uint8_t> from = {1, 0, 2, 0, 255, 1, 0, 0};
      Guarded in(from), out(8);
      runStep(*module, 0, {in.data(), out.data()});
      auto y = out.as<uint8_t>();
      for (size_t i = 0; i < 8; ++i)
        EXPECT_EQ(y[i], i >= static_cast<size_t>(lanes) ? 0 : i == 0 ? 1 : from[i] == 0) << i;
    }
}

} // namespace
} // namespace enfold::codegen
