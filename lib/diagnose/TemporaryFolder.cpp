// Made by mkdtemp.
#include "diagnose/TemporaryFolder.h"

#include <cstdlib>
#include <string>

namespace enfold::diagnose {

TemporaryFolder::TemporaryFolder() {
  std::string name =
      (std::filesystem::temp_directory_path() / "enfold-").string() + std::string(6, 'X');
  if (::mkdtemp(name.data())) path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  if (!path_.empty()) std::filesystem::remove_all(path_, error);
}

const char* pythonInterpreter() {
  const char* python = std::getenv("ENFOLD_PYTHON");
  return python ? python : "python3";
}

} // namespace enfold::diagnose
