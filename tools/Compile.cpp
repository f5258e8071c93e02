// enfold compile: native code, or an earlier form of the program, in a file.
#include "tools/Commands.h"
#include "tools/Common.h"

namespace enfold::tool {

Action addCompile(CLI::App& app) {
  auto options = std::make_shared<ModelOptions>();
  options->add(app);
  return [options] { return report(Error(ErrorKind::Unsupported, "compile is not written yet")); };
}

} // namespace enfold::tool
