// A forked child that reports through a pipe.
#include "fuzz/Isolate.h"

#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace enfold::fuzz {
namespace {

[[noreturn]] void
runChild(int pipe, int seconds,
         const std::function<void(const std::function<void(std::string)>&)>& work) {
  alarm(static_cast<unsigned>(seconds));
  work([&](const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = write(pipe, text.data() + sent, text.size() - sent);
      if (n <= 0) _exit(1);
      sent += static_cast<size_t>(n);
    }
  });
  _exit(0);
}

std::string readAll(int pipe) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(pipe, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(n));
  return text;
}

} // namespace

Isolated isolate(int seconds,
                 const std::function<void(const std::function<void(std::string)>&)>& work) {
  int ends[2];
  if (pipe(ends) != 0) return {"", "no pipe"};
  const pid_t child = fork();
  if (child < 0) return {"", "no process"};
  if (child == 0) {
    close(ends[0]);
    runChild(ends[1], seconds, work);
  }
  close(ends[1]);
  Isolated result{readAll(ends[0]), ""};
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    result.crash = signal == SIGALRM ? "no end within " + std::to_string(seconds) + " s"
                                     : std::string("crash: ") + strsignal(signal);
  } else if (WEXITSTATUS(status) != 0) {
    result.crash = "exit status " + std::to_string(WEXITSTATUS(status));
  }
  return result;
}

} // namespace enfold::fuzz
