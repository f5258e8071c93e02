// Reads the names of schedules.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace enfold::lower {

/// Takes words and numbers from the front of a text.
class NameReader {
public:
  explicit NameReader(std::string_view text) : rest_(text) {}

  bool word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  /// A number that a register tile or a chunk may have.
  std::optional<int64_t> number() {
    constexpr int64_t kMost = 1000;
    int64_t number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (error != std::errc() || number < 1 || number > kMost) return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return number;
  }

  bool isAtEnd() const { return rest_.empty(); }

private:
  std::string_view rest_;
};

} // namespace enfold::lower
