// Want of memory at the public interface: a failure with its figures, never the end of the process.
#include "driver/ConstantPool.h"

#include <enfold/enfold.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace enfold {
namespace {

constexpr int64_t kMebi = int64_t{1} << 20;

/// What `body` returns in a child process that may have `bytes` of addresses beyond those of this
/// one; negative if it died of a signal.
int withAddresses(int64_t bytes, int (*body)()) {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto limit = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE) + bytes);
    const rlimit limits{limit, limit};
    ::setrlimit(RLIMIT_AS, &limits);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// 0: it ran; 1: a failure of memory; 2: another one.
int failureOf(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.text().c_str());
  return failure.kind == Failure::Kind::NoMemory ? 1 : 2;
}

int compileAndRun() {
  auto module = Module::compile("zoo:resnet18");
  if (!module) return failureOf(module.error());
  auto context = Context::create(*module, {.threads = 2});
  if (!context) return failureOf(context.error());
  const std::vector<std::byte> image(static_cast<size_t>(module->inputs()[0].bytes));
  std::vector<std::byte> scores(static_cast<size_t>(module->outputs()[0].bytes));
  const auto done = context->run({bytesOf(image)}, {bytesOf(scores)});
  return done ? 0 : failureOf(done.error());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Memory, FewAddressesAreAFailure) {
  for (const int64_t bytes : {1, 20, 50, 70, 100, 120, 140})
    EXPECT_EQ(withAddresses(bytes * kMebi, compileAndRun), 1) << bytes;
  EXPECT_EQ(withAddresses(2000 * kMebi, compileAndRun), 0);
}

TEST(Memory, PoolsOfConstantsLeaveAddressesToOthers) {
  const auto body = [] {
    const auto pool = ConstantPool::create();
    if (!pool) return 2;
    const std::vector<std::byte> some(size_t{1} << 20);
    const std::unique_ptr<std::byte[]> others(new (std::nothrow) std::byte[20 * kMebi]);
    return (*pool)->add(some) && others ? 0 : 1;
  };
  EXPECT_EQ(withAddresses(100 * kMebi, body), 0);
}
#endif

TEST(Memory, LimitsAreStatedAndKept) {
  ModuleOptions options;
  options.memoryLimit = 90 * kMebi;
  const auto refused = Module::compile("zoo:resnet18", options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Failure::Kind::NoMemory);
  EXPECT_NE(refused.error().text().find("memory limit of 94.4 MB"), std::string::npos)
      << refused.error().text();
  EXPECT_NE(refused.error().text().find("packed constants"), std::string::npos);
  options.memoryLimit = int64_t{8} << 30;
  EXPECT_TRUE(Module::compile("zoo:cnn_batchnorm", options));
}

} // namespace
} // namespace enfold
