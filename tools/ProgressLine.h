// A progress line for long work, shown only if stderr is a terminal.
#pragma once

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

} // namespace enfold::tool
