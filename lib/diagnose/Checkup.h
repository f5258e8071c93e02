// What keeps this machine or a model from its full speed, found before anything runs: the processor
// and how much of it may be used, memory and other load; how the model's ops will run, and what
// that will take.
#pragma once

#include "diagnose/BatchNorms.h"
#include "diagnose/Json.h"
#include "driver/Compiler.h"
#include "driver/Model.h"

#include <optional>

namespace enfold::diagnose {

/// This machine as the process finds it. What the system does not tell is 0 or empty.
struct MachineFacts {
  codegen::Target target;     ///< that code would be generated for
  int threads = 0;            ///< of a session that is not told otherwise
  int affinityCpus = 0;       ///< that the process may run on
  int quotaCpus = 0;          ///< that the control group's quota of time amounts to; 0: no quota
  int64_t memoryBytes = 0;    ///< of the machine
  int64_t availableBytes = 0; ///< of that, without swapping
  double load = 0;            ///< processes that ran or waited to, averaged over a minute
  double megahertz = 0;       ///< of the clock at the moment, as the system tells; 0: it does not
  std::string governor;       ///< of the clock: "performance", "powersave"
  std::string cacheFolder;    ///< of compiled programs
  std::vector<std::pair<std::string, std::string>> environment; ///< variables that enfold reads
};

MachineFacts machineFacts(const codegen::Target& target);

/// What a model will take.
struct Forecast {
  std::vector<std::string> openInputs;   ///< whose sizes the model leaves open
  int64_t ops = 0;                       ///< after the passes, constants left out
  std::vector<std::string> referenceOps; ///< those without a kernel, described
  std::vector<BatchNormAccount> batchNorms;
  double flops = 0;          ///< of one run
  double milliseconds = 0;   ///< the least that one run can take here, by arithmetic and memory
  double compileSeconds = 0; ///< an estimate
  MemoryNeeds memory;
};

enum class Severity : uint8_t {
  Problem, ///< the model cannot run, or runs far slower than it could
  Advice,  ///< what would make it faster, or measurements more reliable
};

struct Finding {
  Severity severity{};
  std::string code; ///< which does not change: "reference-op"
  std::string text;
};

struct Checkup {
  MachineFacts machine;
  std::string model;                ///< as its user names it; empty: the machine alone
  std::optional<Forecast> forecast; ///< of a model that can be compiled
  std::vector<Finding> findings;    ///< the gravest first

  bool hasProblems() const;
};

/// Of the machine alone.
Result<Checkup> checkUp(const CompileOptions& options);

/// Of the machine and a model, compiled up to its memory plan. A model that cannot be compiled is a
/// finding; an option that makes no sense is an error.
Result<Checkup> checkUp(const ModelSource& model, const LoadOptions& load,
                        const CompileOptions& options);

Json toJson(const MachineFacts& machine);
Json toJson(const Checkup& checkup);

} // namespace enfold::diagnose
