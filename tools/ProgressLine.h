// A progress line for long work, shown only if stderr is a terminal.
#pragma once

#include <string>
#include <string_view>

namespace enfold::tool {

class ProgressLine {
public:
  ProgressLine() = default;
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  /// Puts the text in place of what the line said.
  void show(std::string_view text);
  /// Removes the line, for other messages and at the end.
  void clear();

private:
  bool shown_ = false;
};

/// How far a measurement is: "measuring: 1.5 of 4.0 s".
std::string measuringText(double seconds, double total);

} // namespace enfold::tool
