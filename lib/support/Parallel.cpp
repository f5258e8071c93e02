// A counter that all threads draw from.
#include "support/Parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace enfold {

int hardwareThreads() {
  static const int threads =
      static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); // reads a file
  return threads;
}

void forEachInParallel(size_t count, int threads, const std::function<void(size_t)>& body) {
  std::atomic<size_t> next = 0;
  std::exception_ptr failure;
  std::once_flag failed;
  const auto work = [&] {
    try {
      for (size_t i; (i = next++) < count;) body(i);
    } catch (...) {
      next = count;
      std::call_once(failed, [&] { failure = std::current_exception(); });
    }
  };
  {
    std::vector<std::jthread> helpers;
    try {
      for (size_t i = 1; i < std::min(count, static_cast<size_t>(std::max(threads, 1))); ++i)
        helpers.emplace_back(work);
    } catch (const std::system_error&) {
      // Without memory for another thread, those that there are do its share.
    } catch (const std::bad_alloc&) {
    }
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

} // namespace enfold
