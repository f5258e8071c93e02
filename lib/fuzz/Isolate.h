// Runs work in a process of its own, so that a crash or a hang of what is tested is a result like
// any other.
#pragma once

#include <functional>
#include <string>

namespace enfold::fuzz {

struct Isolated {
  std::string text;  ///< what the work reported, as far as it got
  std::string crash; ///< "signal 6 (Aborted)", "no end within 60 s"; empty if it ended well
};

/// `work` gets a function that sends text to the caller at once. It must not count on threads that
/// the caller has running.
Isolated isolate(int seconds,
                 const std::function<void(const std::function<void(std::string)>&)>& work);

} // namespace enfold::fuzz
