// enfold fuzz: random networks through random passes, every step checked; what fails is reduced to
// a small .eir file.
#include "fuzz/Isolate.h"
#include "fuzz/Oracles.h"
#include "fuzz/RandomGraph.h"
#include "fuzz/Reduce.h"
#include "ir/Printer.h"
#include "support/Hash.h"
#include "tools/Commands.h"
#include "tools/Common.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <set>

namespace enfold::tool {
namespace {

struct FuzzOptions {
  uint64_t seed = 1;
  int64_t first = 0, count = 100;
  std::string graph, passes, folder = ".";
  bool reduce = true;
};

constexpr int kSecondsPerGraph = 60;
constexpr int64_t kChunk = 64; ///< graphs that share a process

/// One random case, known by its number.
struct FuzzCase {
  std::unique_ptr<Graph> graph;
  std::string pipeline;
  uint64_t seed;
};

FuzzCase makeCase(uint64_t seed, int64_t number) {
  const uint64_t own = hashCombine(seed, static_cast<uint64_t>(number));
  return {fuzz::randomGraph(own), fuzz::randomPipeline(hashCombine(own, 1)), own};
}

/// Examines in a process of its own; the crash is the failure if there is one.
std::optional<fuzz::Failure> examineApart(const Graph& graph, const std::string& pipeline,
                                          uint64_t seed) {
  const fuzz::Isolated result = fuzz::isolate(kSecondsPerGraph, [&](const auto& send) {
    if (const auto failure = fuzz::examine(graph, pipeline, seed))
      send(failure->oracle + '\n' + failure->message);
  });
  if (!result.crash.empty()) return fuzz::Failure{"crash", result.crash};
  if (result.text.empty()) return std::nullopt;
  const size_t end = result.text.find('\n');
  return fuzz::Failure{result.text.substr(0, end), result.text.substr(end + 1)};
}

/// Reduces the case, writes it, and tells about it.
Result<> reportFailure(const FuzzOptions& options, const std::string& name, FuzzCase found,
                       fuzz::Failure failure) {
  fuzz::Case small{std::move(found.graph), std::move(found.pipeline)};
  if (options.reduce) {
    small = fuzz::reduce(std::move(small), [&](const Graph& graph, const std::string& pipeline) {
      const auto again = examineApart(graph, pipeline, found.seed);
      return again && again->oracle == failure.oracle;
    });
    if (const auto last = examineApart(*small.graph, small.pipeline, found.seed)) failure = *last;
  }
  const auto path = std::filesystem::path(options.folder) / (name + ".eir");
  std::string message = failure.message;
  std::ranges::replace(message, '\n', ' ');
  const std::string text =
      fmt::format("# {}: {}\n# enfold fuzz --graph {} --passes '{}' --seed {}\n{}", failure.oracle,
                  message, path.filename().string(), small.pipeline, found.seed,
                  print(*small.graph, {.constants = PrintOptions::Constants::Hex}));
  ENFOLD_RETURN_IF_ERROR(writeText(path.string(), text));
  fmt::print("FAILED {}: {}: {}\n  passes {}\n  {} ops left, written to {}\n", name, failure.oracle,
             failure.message, small.pipeline, small.graph->numOps(), path.string());
  std::fflush(stdout);
  return {};
}

/// What a run over many graphs found.
struct Tally {
  int64_t graphs = 0, failures = 0, ops = 0;
  std::set<std::string> kinds;
};

void countOps(const Graph& graph, Tally& tally) {
  for (const auto& op : graph.ops()) {
    if (op->kind() == OpKind::Constant) continue;
    ++tally.ops;
    tally.kinds.insert(op->info().name);
  }
}

/// Numbers of the cases in [first, last) that fail. A process takes many cases, and the next one
/// goes on where one crashed.
std::vector<int64_t> failingCases(const FuzzOptions& options, int64_t first, int64_t last) {
  std::vector<int64_t> failing;
  while (first < last) {
    const fuzz::Isolated result = fuzz::isolate(kSecondsPerGraph * 10, [&](const auto& send) {
      for (int64_t number = first; number < last; ++number) {
        const FuzzCase c = makeCase(options.seed, number);
        send(fuzz::examine(*c.graph, c.pipeline, c.seed) ? "F" : ".");
      }
    });
    const auto done = static_cast<int64_t>(result.text.size());
    for (int64_t i = 0; i < done; ++i)
      if (result.text[static_cast<size_t>(i)] == 'F') failing.push_back(first + i);
    first += done;
    if (!result.crash.empty() && first < last) failing.push_back(first++);
  }
  return failing;
}

Result<int> fuzzMany(const FuzzOptions& options) {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  const int64_t end = options.first + options.count;
  for (int64_t first = options.first; first < end; first += kChunk) {
    const int64_t last = std::min(end, first + kChunk);
    for (int64_t number = first; number < last; ++number) {
      ++tally.graphs;
      countOps(*makeCase(options.seed, number).graph, tally);
    }
    for (int64_t number : failingCases(options, first, last)) {
      ++tally.failures;
      FuzzCase c = makeCase(options.seed, number);
      const auto failure = examineApart(*c.graph, c.pipeline, c.seed);
      ENFOLD_RETURN_IF_ERROR(
          reportFailure(options, fmt::format("fuzz-{}-{}", options.seed, number), std::move(c),
                        failure.value_or(fuzz::Failure{"unsteady", "it does not fail again"})));
    }
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  fmt::print("{} graphs, {} ops of {} kinds, {:.1f} graphs/s: {} failures\n", tally.graphs,
             tally.ops, tally.kinds.size(), static_cast<double>(tally.graphs) / time.count(),
             tally.failures);
  return tally.failures ? kWrong : kDone;
}

/// Examines a graph from a file, as a failure was reported with.
Result<int> fuzzOne(const FuzzOptions& options) {
  ENFOLD_TRY(const LoadedModel model, loadModel(options.graph));
  const std::string pipeline = options.passes.empty() ? defaultPipeline().str() : options.passes;
  ENFOLD_RETURN_IF_ERROR(parsePipeline(pipeline));
  const auto failure = examineApart(*model.graph, pipeline, options.seed);
  if (!failure) {
    fmt::print("all right\n");
    return kDone;
  }
  fmt::print("FAILED {}: {}\n", failure->oracle, failure->message);
  return kWrong;
}

} // namespace

Action addFuzz(CLI::App& app) {
  auto options = std::make_shared<FuzzOptions>();
  app.add_option("--seed", options->seed, "What the random choices start from");
  app.add_option("--count", options->count, "How many graphs")->check(CLI::NonNegativeNumber);
  app.add_option("--first", options->first, "Number of the first graph")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--graph", options->graph, "Check this graph instead of random ones");
  app.add_option("--passes", options->passes, "With --graph: the pipeline it goes through");
  app.add_option("--save", options->folder, "Folder that failing graphs are written to");
  app.add_flag("!--no-reduce", options->reduce, "Write failing graphs as they are");
  return [options] {
    const auto code = options->graph.empty() ? fuzzMany(*options) : fuzzOne(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
