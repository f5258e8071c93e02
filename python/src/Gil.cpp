// Leaving and entering the interpreter, and its end.
#include "Gil.h"

#include <atomic>
#include <chrono>
#include <nanobind/nanobind.h>
#include <pthread.h>
#include <thread>
#include <unistd.h>

namespace enfold::python {
namespace {

namespace nb = nanobind;

/// How long the end waits for threads that compile or run.
constexpr std::chrono::seconds kPatience{10};

std::atomic<bool> isEnding = false;
std::atomic<std::thread::id> endingThread;
std::atomic<int> numAway = 0; ///< threads without the lock

/// Waits until all threads have come back: then none is in code whose data end with the process.
void end() {
  endingThread = std::this_thread::get_id();
  isEnding = true;
  PyThreadState* const state = PyEval_SaveThread();
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (numAway > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  PyEval_RestoreThread(state);
}

[[noreturn]] void stayBehind() {
  --numAway;
  for (;;) pause();
}

} // namespace

bool isLeftBehind() { return isEnding && endingThread.load() != std::this_thread::get_id(); }

GilRelease::GilRelease() {
  ++numAway;
  state_ = PyEval_SaveThread();
  if (isLeftBehind()) stayBehind();
}

GilRelease::~GilRelease() {
  if (isLeftBehind()) stayBehind();
  PyEval_RestoreThread(static_cast<PyThreadState*>(state_));
  --numAway;
}

void watchForExit() {
  isEnding = false; // also of an interpreter that follows another
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&end));
  pthread_atfork(nullptr, nullptr, [] { numAway = 0; });
}

} // namespace enfold::python
