// Letting go of the interpreter's lock for long work.
#pragma once

namespace enfold::python {

/// A call from Python into C++. The interpreter's end waits until all are over: a thread that asks
/// for its lock after that is ended, which aborts the process if C++ has called Python there.
class Visit {
public:
  Visit();
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
};

/// Releases the interpreter's lock during a visit, while it lives. On the way back, a thread that
/// finds the interpreter ending waits for the process to end: asking for the lock then would end
/// the thread inside of C++, which aborts the process.
class GilRelease {
public:
  GilRelease();
  ~GilRelease();
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

private:
  void* state_; ///< PyThreadState*
};

/// Whether the interpreter is ending and this is not the thread that ends it.
bool isLeftBehind();

/// Has the interpreter tell when it ends. Called once, when the module is imported.
void watchForExit();

} // namespace enfold::python
