// The subcommands of the `enfold` command. Each adds itself to the parser and is run through a
// function that returns the exit code: 0 done, 1 the answer is wrong, 2 usage, 3 the model is
// invalid or needs something unsupported.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace enfold::tool {

using Action = std::function<int()>;

struct Command {
  const char* name;
  const char* summary;
  const char* examples; ///< two command lines
  /// Adds options to the subcommand; the action runs after parsing.
  Action (*add)(CLI::App& app);
};

Action addRun(CLI::App& app);
Action addBench(CLI::App& app);
Action addCompile(CLI::App& app);
Action addOpt(CLI::App& app);
Action addExplain(CLI::App& app);
Action addInspect(CLI::App& app);
Action addBisect(CLI::App& app);
Action addReport(CLI::App& app);
Action addDoctor(CLI::App& app);
Action addDiff(CLI::App& app);
Action addQuantize(CLI::App& app);
Action addReduce(CLI::App& app);
Action addFuzz(CLI::App& app);
Action addCache(CLI::App& app);
Action addMachine(CLI::App& app);
Action addZoo(CLI::App& app);
Action addPasses(CLI::App& app);
Action addOps(CLI::App& app);
Action addErrors(CLI::App& app);
Action addCompletion(CLI::App& app);
Action addMan(CLI::App& app);

} // namespace enfold::tool
