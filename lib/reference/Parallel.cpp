// One range a thread.
#include "reference/Parallel.h"

#include "support/Parallel.h"

#include <algorithm>

namespace enfold::reference {

void parallelFor(int64_t count, int64_t costPerItem,
                 const std::function<void(int64_t, int64_t)>& body) {
  constexpr int64_t kWorthAThread = 1 << 20;
  const int64_t wanted = count * std::max<int64_t>(costPerItem, 1) / kWorthAThread;
  const int cores = hardwareThreads();
  const int64_t parts =
      std::clamp<int64_t>(wanted, 1, std::min<int64_t>(cores, std::max<int64_t>(count, 1)));
  forEachInParallel(static_cast<size_t>(parts), cores, [&](size_t i) {
    const auto part = static_cast<int64_t>(i);
    body(count * part / parts, count * (part + 1) / parts);
  });
}

} // namespace enfold::reference
