// One range a thread, the last one on the calling thread.
#include "reference/Parallel.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace enfold::reference {

void parallelFor(int64_t count, int64_t costPerItem,
                 const std::function<void(int64_t, int64_t)>& body) {
  constexpr int64_t kWorthAThread = 1 << 20;
  const int64_t wanted = count * std::max<int64_t>(costPerItem, 1) / kWorthAThread;
  const int64_t cores = std::max<int64_t>(std::thread::hardware_concurrency(), 1);
  const int64_t parts =
      std::clamp<int64_t>(wanted, 1, std::min(cores, std::max<int64_t>(count, 1)));
  std::vector<std::jthread> threads;
  for (int64_t part = 0; part + 1 < parts; ++part)
    threads.emplace_back([&, part] { body(count * part / parts, count * (part + 1) / parts); });
  body(count * (parts - 1) / parts, count);
}

} // namespace enfold::reference
