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
std::atomic<int> numVisits = 0;
thread_local int depth = 0; ///< visits of this thread

/// Waits until all visits are over: then no thread is in code whose data end with the process, nor
/// in Python code that C++ calls.
void end() {
  endingThread = std::this_thread::get_id();
  isEnding = true;
  PyThreadState* const state = PyEval_SaveThread();
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (numVisits > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  PyEval_RestoreThread(state);
}

[[noreturn]] void stayBehind() {
  numVisits -= depth;
  for (;;) pause();
}

} // namespace

bool isLeftBehind() { return isEnding && endingThread.load() != std::this_thread::get_id(); }

Visit::Visit() {
  if (isLeftBehind()) {
    PyEval_SaveThread();
    stayBehind();
  }
  ++depth;
  ++numVisits;
}

Visit::~Visit() {
  --depth;
  --numVisits;
}

GilRelease::GilRelease() {
  state_ = PyEval_SaveThread();
  if (isLeftBehind()) stayBehind();
}

GilRelease::~GilRelease() {
  if (isLeftBehind()) stayBehind();
  PyEval_RestoreThread(static_cast<PyThreadState*>(state_));
}

void watchForExit() {
  isEnding = false; // also of an interpreter that follows another
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&end));
  pthread_atfork(nullptr, nullptr, [] { numVisits = depth; });
}

} // namespace enfold::python
