// Reads the text form of graphs that Printer.h writes: parse(print(g)) equals g.
#pragma once

#include "ir/Graph.h"

#include <filesystem>

namespace enfold {

struct ParseOptions {
  /// Where files named by constants are; only files inside it are read. Empty: none are.
  std::filesystem::path folder;
  /// Take elided constants as zeros, for viewing; else they are errors.
  bool allowElided = false;
  /// Largest constant accepted.
  int64_t constantBytes = int64_t{1} << 34;
};

/// Errors start with "line:column: ". Types stand as written but must agree with inference.
///
/// Beside what is printed, constants may be `random(seed=S, low=L, high=H)`: element i is uniform
/// in [L, H) (by default [-1, 1)), drawn from splitmix64 (Steele et al., OOPSLA 2014) at S and i.
Result<std::unique_ptr<Graph>> parseGraph(std::string_view text, const ParseOptions& options = {});

/// Reads a file; its folder serves for the files its constants name.
Result<std::unique_ptr<Graph>> parseGraphFile(const std::filesystem::path& path,
                                              ParseOptions options = {});

} // namespace enfold
