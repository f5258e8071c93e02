// Running allocates nothing: every allocation function of the C library is counted.
#include "TestProgram.h"

#include <enfold/enfold.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENFOLD_COUNTS_ALLOCATIONS 0 // a sanitizer needs the allocation functions for itself
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ENFOLD_COUNTS_ALLOCATIONS 0
#endif
#endif
#if !defined(ENFOLD_COUNTS_ALLOCATIONS) && defined(__GLIBC__)
#define ENFOLD_COUNTS_ALLOCATIONS 1
#endif

#if ENFOLD_COUNTS_ALLOCATIONS
namespace {
std::atomic<int> allocations{0};
}

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  ++allocations;
  return __libc_realloc(block, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}

namespace enfold::rt::test {
namespace {

void negate(void* const* buffers, int64_t begin, int64_t end, void*) {
  for (int64_t i = begin; i < end; ++i)
    static_cast<float*>(buffers[1])[i] = -static_cast<const float*>(buffers[0])[i];
}

TEST(Allocation, NoneWhileRunning) {
  constexpr int64_t kSize = 1000;
  TestProgram program;
  program.addInput("x", kSize);
  program.addOutput("y", kSize);
  program.arenaBytes = 4 * kSize;
  program.scratchBytes = 4096;
  program.addStep(negate, {input(0), arena(0)}, kSize);
  program.addStep(negate, {arena(0), output(0)}, kSize, 1, false);
  const int beforeContext = allocations;
  for (const int threads : {1, 2, 4}) {
    const ContextPointer context = makeContext(program, {.threads = threads, .spin_us = 1});
    ASSERT_GT(allocations, beforeContext) << "the counter counts";
    std::vector<float> x(kSize, 1.0F);
    std::vector<float> ys[2] = {std::vector<float>(kSize), std::vector<float>(kSize)};
    ASSERT_EQ(run(context.get(), x.data(), ys[0].data()), ENFOLD_OK);
    ASSERT_EQ(enfold_start_profile(context.get()), ENFOLD_OK);
    const int before = allocations;
    for (int i = 0; i < 100; ++i) {
      if (i == 50) enfold_stop_profile(context.get());
      run(context.get(), x.data(), ys[i % 2].data());
    }
    EXPECT_EQ(allocations, before) << "with " << threads << " threads";
    EXPECT_EQ(ys[1], x);
  }
}

} // namespace
} // namespace enfold::rt::test
#endif
