// The order of CPUs: one of each core first.
#include "runtime/CpuTopology.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <thread>
#include <vector>

namespace enfold::rt {
namespace {

/// A folder that describes CPUs as the kernel does.
class Described : public testing::Test {
protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "enfold-cpus-").string() + std::string(6, 'X');
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void add(int cpu, const std::string& siblings, int package) {
    const auto place = folder_ / ("cpu" + std::to_string(cpu)) / "topology";
    std::filesystem::create_directories(place);
    std::ofstream(place / "thread_siblings_list") << siblings << '\n';
    std::ofstream(place / "physical_package_id") << package << '\n';
  }

  std::vector<int32_t> sorted(std::vector<int32_t> cpus) {
    sortByTopology(cpus.data(), static_cast<int32_t>(cpus.size()), folder_.c_str());
    return cpus;
  }

  std::filesystem::path folder_;
};

using Cpus = std::vector<int32_t>;

TEST_F(Described, SiblingsComeLast) {
  for (int core = 0; core < 4; ++core) // siblings next to each other
    for (int thread = 0; thread < 2; ++thread)
      add(2 * core + thread, std::to_string(2 * core) + "-" + std::to_string(2 * core + 1),
          core / 2);
  EXPECT_EQ(sorted({0, 1, 2, 3, 4, 5, 6, 7}), (Cpus{0, 2, 4, 6, 1, 3, 5, 7}));
  // A sibling whose core is not ours is a core of its own.
  EXPECT_EQ(sorted({1, 2, 3}), (Cpus{1, 2, 3}));
  EXPECT_EQ(sorted({7}), Cpus{7});
  EXPECT_EQ(sorted({}), Cpus{});
}

TEST_F(Described, PackagesStayTogether) {
  for (int cpu = 0; cpu < 4; ++cpu) {
    add(cpu, std::to_string(cpu) + "," + std::to_string(cpu + 64), cpu % 2);
    add(cpu + 64, std::to_string(cpu) + "," + std::to_string(cpu + 64), cpu % 2);
  }
  EXPECT_EQ(sorted({0, 1, 2, 3, 64, 65, 66, 67}), (Cpus{0, 2, 1, 3, 64, 66, 65, 67}));
}

TEST_F(Described, WhatIsMissingOrOddMakesCores) {
  EXPECT_EQ(sorted({3, 1, 2}), (Cpus{1, 2, 3}));
  add(0, "nonsense", 0);
  add(1, "", 0);
  add(2, "2-", 0);
  EXPECT_EQ(sorted({2, 1, 0}), (Cpus{0, 1, 2}));
}

TEST(CpuTopology, NamesTheCpusOfTheMask) {
  Cpus cpus(kMostCpus);
  cpus.resize(static_cast<size_t>(cpusByTopology(cpus.data(), kMostCpus)));
  ASSERT_FALSE(cpus.empty());
  std::ranges::sort(cpus);
  EXPECT_EQ(std::ranges::adjacent_find(cpus), cpus.end());
  int32_t one = -1;
  EXPECT_EQ(cpusByTopology(&one, 1), 1);
  EXPECT_TRUE(std::ranges::binary_search(cpus, one));
}

TEST(CpuTopology, ConfinesAThreadAndThoseItStarts) {
  int32_t cpu = -1;
  ASSERT_EQ(cpusByTopology(&cpu, 1), 1);
  int32_t seen = -1, seenByChild = -1;
  std::thread([&] {
    ASSERT_TRUE(confineTo(&cpu, 1));
    seen = sched_getcpu();
    std::thread([&] { seenByChild = sched_getcpu(); }).join();
  }).join();
  EXPECT_EQ(seen, cpu);
  EXPECT_EQ(seenByChild, cpu);
}

} // namespace
} // namespace enfold::rt
