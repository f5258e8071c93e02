// A forked child that reports through a pipe.
#include "fuzz/Isolate.h"

#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace enfold::fuzz {
namespace {

/// An exception of the work ends the child like a crash.
[[noreturn]] void runChild(int pipe, int seconds,
                           const std::function<void(const Send&)>& work) noexcept {
  // Pipes of other children must end with those, not with this one.
  close_range(3, static_cast<unsigned>(pipe) - 1, 0);
  close_range(static_cast<unsigned>(pipe) + 1, ~0u, 0);
  alarm(static_cast<unsigned>(seconds));
  work([&](std::string_view text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = write(pipe, text.data() + sent, text.size() - sent);
      if (n <= 0) _exit(1);
      sent += static_cast<size_t>(n);
    }
    alarm(static_cast<unsigned>(seconds));
  });
  _exit(0);
}

} // namespace

Child::Child(int seconds, const std::function<void(const Send&)>& work) : seconds_(seconds) {
  int ends[2];
  if (pipe(ends) != 0) return;
  process_ = fork();
  if (process_ == 0) runChild(ends[1], seconds, work);
  close(ends[1]);
  pipe_ = ends[0];
}

Child::Child(Child&& other) noexcept
    : seconds_(other.seconds_), pipe_(std::exchange(other.pipe_, -1)),
      process_(std::exchange(other.process_, -1)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(seconds_, other.seconds_);
  std::swap(pipe_, other.pipe_);
  std::swap(process_, other.process_);
  return *this;
}

Child::~Child() {
  if (pipe_ >= 0) close(pipe_);
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
}

bool Child::receive(std::string& text) {
  char buffer[4096];
  const ssize_t n = read(pipe_, buffer, sizeof buffer);
  if (n > 0) text.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

std::string Child::finish() {
  if (process_ < 0) return "no process";
  int status = 0;
  waitpid(std::exchange(process_, -1), &status, 0);
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return signal == SIGALRM ? "no report within " + std::to_string(seconds_) + " s"
                             : std::string("crash: ") + strsignal(signal);
  }
  return WEXITSTATUS(status) ? "exit status " + std::to_string(WEXITSTATUS(status)) : "";
}

Isolated isolate(int seconds, const std::function<void(const Send&)>& work) {
  Child child(seconds, work);
  Isolated result;
  while (child.receive(result.text)) {
  }
  result.crash = child.finish();
  return result;
}

} // namespace enfold::fuzz
