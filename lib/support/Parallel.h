// Runs independent pieces of work on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace enfold {

/// As many as the machine runs at a time.
int hardwareThreads();

/// Calls body(0) to body(count - 1), each once, on at most `threads` threads: in order of their
/// numbers, as threads become free. Returns when all are done. What a body throws ends the work,
/// and is thrown again. Fewer threads do the work where the system gives no more.
void forEachInParallel(size_t count, int threads, const std::function<void(size_t)>& body);

} // namespace enfold
