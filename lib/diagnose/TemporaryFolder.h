// A folder that goes when its user does.
#pragma once

#include <filesystem>

namespace enfold::diagnose {

class TemporaryFolder {
public:
  /// The path is empty if no folder can be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

/// The interpreter that ENFOLD_PYTHON names, or python3.
const char* pythonInterpreter();

} // namespace enfold::diagnose
