// What is reserved is allocated once. This counts what the runtime allocates.
#include "driver/Compiler.h"
#include "driver/SessionPool.h"
#include "ir/Parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

static std::atomic<int64_t> allocations;

/// In place of the C library's.
extern "C" void* aligned_alloc(size_t alignment, size_t size) noexcept {
  ++allocations;
  void* block = nullptr;
  return posix_memalign(&block, std::max(alignment, sizeof(void*)), size) == 0 ? block : nullptr;
}

namespace enfold {
namespace {

std::unique_ptr<SessionPool> pool(int streams) {
  auto graph = parseGraph("graph @g(%x: f32[64,64]) {\n  %y = softmax(%x) : f32[64,64]\n"
                          "  %z = tanh(%y) : f32[64,64]\n  return %z\n}\n");
  EXPECT_TRUE(graph) << graph.error().str();
  auto compiled = compile(*std::move(graph));
  EXPECT_TRUE(compiled) << compiled.error().str();
  auto made = SessionPool::create(compiled->executable, {.threads = 2}, streams);
  EXPECT_TRUE(made) << made.error().str();
  return *std::move(made);
}

/// What so many runs at the same time allocate, once idle sessions have been dropped.
int64_t allocationsOf(SessionPool& pool, int runs) {
  pool.dropIdle();
  const int64_t before = allocations;
  std::vector<SessionPool::Lease> leases;
  for (int i = 0; i < runs; ++i) {
    auto lease = pool.lend();
    EXPECT_TRUE(lease);
    leases.push_back(*std::move(lease));
  }
  std::vector<float> x(64 * 64, 1), y(64 * 64);
  for (const auto& lease : leases) {
    const void* from[] = {x.data()};
    void* to[] = {y.data()};
    EXPECT_TRUE(lease->runRaw(from, to));
  }
  return allocations - before;
}

TEST(SessionPool, RunsAllocateNothingWhereRoomIsReserved) {
  for (const int streams : {1, 2}) {
    const auto sessions = pool(streams);
    EXPECT_GT(allocationsOf(*sessions, 1), 0) << "without it, they do";
    ASSERT_TRUE(sessions->reserve(2));
    EXPECT_EQ(allocationsOf(*sessions, 1), 0);
    EXPECT_EQ(allocationsOf(*sessions, 2), 0);
    EXPECT_GT(allocationsOf(*sessions, 3), 0);
    EXPECT_EQ(allocationsOf(*sessions, 2), 0) << "the third one has been dropped";
    ASSERT_TRUE(sessions->reserve(1));
    EXPECT_EQ(allocationsOf(*sessions, 2), 0) << "less than is reserved changes nothing";
  }
}

} // namespace
} // namespace enfold
