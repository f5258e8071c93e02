// Runs work in separate processes, so that a crash or a hang of the tested code is a result like
// any other. The caller must be its only thread when a child starts: locks that another one holds
// would stay locked there.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace enfold::fuzz {

using Send = std::function<void(std::string_view)>;

/// A forked process that reports text.
class Child {
public:
  /// `work` gets a function that sends text at once, and must do so every `seconds`.
  Child(int seconds, const std::function<void(const Send&)>& work);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  /// Readable, for poll(), when there is text or the end.
  int descriptor() const { return pipe_; }
  /// Waits for text and appends it; false at the end.
  bool receive(std::string& text);
  /// Behind the end: "crash: Aborted", "no report within 60 s"; empty if it ended well.
  std::string finish();

private:
  int seconds_;
  int pipe_ = -1;
  pid_t process_ = -1;
};

struct Isolated {
  std::string text;  ///< what the work reported, as far as it got
  std::string crash; ///< as of Child::finish
};

/// Runs one child to its end.
Isolated isolate(int seconds, const std::function<void(const Send&)>& work);

} // namespace enfold::fuzz
