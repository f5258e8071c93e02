// A counter that all threads draw from.
#include "support/Parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace enfold {

int hardwareThreads() {
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

void forEachInParallel(size_t count, int threads, const std::function<void(size_t)>& body) {
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i; (i = next++) < count;) body(i);
  };
  std::vector<std::jthread> helpers;
  for (size_t i = 1; i < std::min(count, static_cast<size_t>(std::max(threads, 1))); ++i)
    helpers.emplace_back(work);
  work();
}

} // namespace enfold
