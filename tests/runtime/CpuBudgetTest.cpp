// The number of threads used by default: environment, affinity, and quotas read from control group
// trees made for the test.
#include "runtime/CpuBudget.h"

#include "runtime/CpuFeatures.h"

#include <enfold/enfold.h>

#include <climits>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <string>
#include <thread>
#include <unistd.h>

namespace enfold::rt::test {
namespace {

class Cgroup : public testing::Test {
protected:
  void SetUp() override {
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = std::filesystem::temp_directory_path() /
              ("enfold-cgroup-" + test + "-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = folder_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  int32_t quota() {
    const std::string root = (folder_ / "fs").string();
    const std::string membership = (folder_ / "cgroup").string();
    return quotaCpus({.root = root.c_str(), .membership = membership.c_str()});
  }

private:
  std::filesystem::path folder_;
};

TEST_F(Cgroup, NoFilesNoQuota) {
  EXPECT_EQ(quota(), INT32_MAX);
  write("cgroup", "0::/\n");
  EXPECT_EQ(quota(), INT32_MAX);
}

TEST_F(Cgroup, VersionTwoRoundsUp) {
  write("cgroup", "0::/\n");
  write("fs/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota(), 2);
  write("fs/cpu.max", "200000 100000\n");
  EXPECT_EQ(quota(), 2);
  write("fs/cpu.max", "5000 100000\n");
  EXPECT_EQ(quota(), 1);
  write("fs/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), INT32_MAX);
}

TEST_F(Cgroup, TightestAncestorCounts) {
  write("cgroup", "0::/outer/middle/inner\n");
  write("fs/outer/cpu.max", "300000 100000\n");
  write("fs/outer/middle/cpu.max", "max 100000\n");
  write("fs/outer/middle/inner/cpu.max", "800000 100000\n");
  EXPECT_EQ(quota(), 3);
  write("fs/outer/middle/inner/cpu.max", "100000 100000\n");
  EXPECT_EQ(quota(), 1);
}

TEST_F(Cgroup, PathOfTheHostIsNotSeenInside) {
  write("cgroup", "0::/docker/0123abcd\n");
  write("fs/cpu.max", "400000 100000\n");
  EXPECT_EQ(quota(), 4);
}

TEST_F(Cgroup, VersionOne) {
  write("cgroup", "3:memory:/m\n2:cpu,cpuacct:/job\n1:cpuset:/\n");
  write("fs/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  write("fs/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 3);
  write("fs/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(quota(), INT32_MAX);
}

TEST_F(Cgroup, VersionOneMountedAsCpuAlone) {
  write("cgroup", "2:cpuacct,cpu:/a\n0::/\n");
  write("fs/cpu/cpu.cfs_quota_us", "50000\n");
  write("fs/cpu/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(quota(), 1);
}

TEST_F(Cgroup, VersionTwoBesideVersionOne) {
  write("cgroup", "4:memory:/\n0::/x\n");
  write("fs/unified/x/cpu.max", "700000 100000\n");
  EXPECT_EQ(quota(), 7);
}

TEST_F(Cgroup, MalformedFilesAreNoQuota) {
  write("cgroup", "what is this\n::\n0:\n:cpu\n0::relative\n5:cpu:\n\n");
  write("fs/cpu.max", "many\n");
  EXPECT_EQ(quota(), INT32_MAX);
  write("cgroup", "0::/\n");
  for (const char* text : {"", "100000", "-5 100000", "100000 0", "x y", "\n\n"}) {
    write("fs/cpu.max", text);
    EXPECT_EQ(quota(), INT32_MAX) << text;
  }
  write("cgroup", "0::/" + std::string(7000, 'a') + "\n");
  EXPECT_EQ(quota(), INT32_MAX);
}

TEST(DefaultThreads, ParsesTheLeadingNumber) {
  EXPECT_EQ(parseThreads("4"), 4);
  EXPECT_EQ(parseThreads("6,2"), 6);
  EXPECT_EQ(parseThreads("999999999999"), ENFOLD_MAX_THREADS);
  for (const char* none : {"", "0", "-3", "many"}) EXPECT_EQ(parseThreads(none), 0) << none;
  EXPECT_EQ(parseThreads(nullptr), 0);
}

/// Sets an environment variable for the length of a test.
class Environment {
public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    if (value != nullptr)
      setenv(name, value, 1);
    else
      unsetenv(name);
  }
  ~Environment() {
    if (before_.empty())
      unsetenv(name_);
    else
      setenv(name_, before_.c_str(), 1);
  }

private:
  const char* name_;
  std::string before_;
};

TEST(DefaultThreads, EnvironmentComesBeforeTheMachine) {
  const Environment openMp("OMP_NUM_THREADS", "5");
  {
    const Environment own("ENFOLD_NUM_THREADS", "3");
    EXPECT_EQ(enfold_default_threads(), 3);
  }
  {
    const Environment own("ENFOLD_NUM_THREADS", "nonsense");
    EXPECT_EQ(enfold_default_threads(), 5);
  }
  const Environment own("ENFOLD_NUM_THREADS", nullptr);
  const Environment none("OMP_NUM_THREADS", nullptr);
  EXPECT_EQ(enfold_default_threads(), availableCpus());
}

TEST(DefaultThreads, AffinityLimits) {
  const Environment own("ENFOLD_NUM_THREADS", nullptr);
  const Environment openMp("OMP_NUM_THREADS", nullptr);
  int32_t threads = 0;
  std::thread([&] {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    EXPECT_EQ(affinityCpus(), CPU_COUNT(&allowed));
    int first = 0;
    while (!CPU_ISSET(first, &allowed)) ++first;
    CPU_ZERO(&allowed);
    CPU_SET(first, &allowed);
    ASSERT_EQ(sched_setaffinity(0, sizeof allowed, &allowed), 0);
    threads = enfold_default_threads();
  }).join();
  EXPECT_EQ(threads, 1);
}

TEST(CpuFeatures, ListsAreCheckedNameByName) {
  EXPECT_EQ(firstMissingFeature(""), nullptr);
  EXPECT_EQ(firstMissingFeature("scalar"), nullptr);
  EXPECT_EQ(firstMissingFeature("scalar,scalar"), nullptr);
  EXPECT_STREQ(firstMissingFeature("scalar,quantum,scalar"), "quantum,scalar");
  EXPECT_STREQ(firstMissingFeature("scalars"), "scalars");
  EXPECT_STREQ(firstMissingFeature("scal"), "scal");
#if defined(__x86_64__)
  EXPECT_EQ(firstMissingFeature("avx2") == nullptr,
            __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
#endif
}

} // namespace
} // namespace enfold::rt::test
