// Running the enfold command, as tests of it do: through a shell, in a folder of their own.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <sys/wait.h>

namespace enfold::test {

struct Outcome {
  int exit = -1;    ///< 128 and the signal for one that crashed
  std::string text; ///< printed to either stream
};

inline Outcome enfold(const std::filesystem::path& folder, const std::string& arguments) {
  const std::string command =
      fmt::format("cd '{}' && '{}' {} 2>&1", folder.string(), ENFOLD_COMMAND, arguments);
  Outcome outcome;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  while (const size_t size = std::fread(buffer, 1, sizeof buffer, pipe))
    outcome.text.append(buffer, size);
  const int status = ::pclose(pipe);
  // The shell passes the signal of its child on as an exit code above 128.
  outcome.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

} // namespace enfold::test
