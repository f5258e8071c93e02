// enfold fuzz: sends random networks through random passes and checks every step; failures are
// reduced to small .eir files.
#include "fuzz/Isolate.h"
#include "fuzz/Oracles.h"
#include "fuzz/RandomGraph.h"
#include "fuzz/Reduce.h"
#include "ir/Printer.h"
#include "runtime/CpuBudget.h"
#include "support/ErrorCodes.h"
#include "support/Hash.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/ProgressLine.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <poll.h>

namespace enfold::tool {
namespace {

struct FuzzOptions {
  uint64_t seed = 1;
  int64_t first = 0, count = 100;
  int jobs = 0;
  std::string graph, passes, written, folder = ".", json;
  bool reduce = true, listOps = false;
  std::string only;

  fuzz::Depth depth() const {
    return only == "sizes"     ? fuzz::Depth::Sizes
           : only == "control" ? fuzz::Depth::Control
                               : fuzz::Depth::Everything;
  }

  bool printsText() const { return json != "-"; }
};

constexpr int kSecondsPerGraph = 300; ///< on a machine that has other work as well
constexpr int64_t kChunk = 32;        ///< graphs that share a process

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
                                          uint64_t seed, fuzz::Depth depth) {
  const fuzz::Isolated result = fuzz::isolate(kSecondsPerGraph, [&](const fuzz::Send& send) {
    if (const auto failure = fuzz::examine(graph, pipeline, seed, depth))
      send(failure->oracle + '\n' + failure->message);
  });
  if (!result.crash.empty()) return fuzz::Failure{"crash", result.crash};
  if (result.text.empty()) return std::nullopt;
  const size_t end = result.text.find('\n');
  return fuzz::Failure{result.text.substr(0, end), result.text.substr(end + 1)};
}

/// What shows now and then only is tried this often.
constexpr int kAttempts = 8;

bool isUnsteady(const std::string& oracle) {
  return oracle == "repeat" || oracle == "threads" || oracle == "unsteady";
}

/// Examines until there is a failure, or often enough to believe that there is none.
std::optional<fuzz::Failure> examineOften(const Graph& graph, const std::string& pipeline,
                                          uint64_t seed, fuzz::Depth depth) {
  std::optional<fuzz::Failure> failure;
  for (int i = 0; !failure && i < kAttempts; ++i)
    failure = examineApart(graph, pipeline, seed, depth);
  return failure;
}

/// The option that a failure of that oracle is found with.
const char* onlyOf(const std::string& oracle) {
  switch (fuzz::depthOf(oracle)) {
  case fuzz::Depth::Sizes:
    return " --only sizes";
  case fuzz::Depth::Control:
    return " --only control";
  default:
    return "";
  }
}

/// Reduces the case, writes it, and tells about it.
Result<diagnose::Json> reportFailure(const FuzzOptions& options, const std::string& name,
                                     FuzzCase found, fuzz::Failure failure) {
  fuzz::Case small{std::move(found.graph), std::move(found.pipeline)};
  if (options.reduce && failure.oracle != "unsteady") {
    const fuzz::Depth depth = fuzz::depthOf(failure.oracle);
    small = fuzz::reduce(std::move(small), [&](const Graph& graph, const std::string& pipeline) {
      const bool unsteady = isUnsteady(failure.oracle);
      const auto again = unsteady ? examineOften(graph, pipeline, found.seed, options.depth())
                                  : examineApart(graph, pipeline, found.seed, depth);
      return again && (again->oracle == failure.oracle || (unsteady && isUnsteady(again->oracle)));
    });
    if (const auto last = examineOften(*small.graph, small.pipeline, found.seed, depth))
      failure = *last;
  }
  const auto path = std::filesystem::path(options.folder) / (name + ".eir");
  std::string message = failure.message;
  std::ranges::replace(message, '\n', ' ');
  const std::string text = fmt::format(
      "# {}: {}\n# enfold fuzz --graph {} --passes '{}' --seed {}{}\n{}", failure.oracle, message,
      path.filename().string(), small.pipeline, found.seed, onlyOf(failure.oracle),
      print(*small.graph, {.constants = PrintOptions::Constants::Hex}));
  ENFOLD_RETURN_IF_ERROR(writeText(path.string(), text));
  if (options.printsText()) {
    fmt::print("FAILED {}: {}: {}\n  passes {}\n  {} ops left, written to {}\n", name,
               failure.oracle, failure.message, small.pipeline, small.graph->numOps(),
               path.string());
    std::fflush(stdout);
  }
  return diagnose::Json{{"name", name},
                        {"oracle", failure.oracle},
                        {"message", failure.message},
                        {"passes", small.pipeline},
                        {"file", path.string()}};
}

/// What a run over many graphs looked at and found.
struct Tally {
  int64_t graphs = 0;
  diagnose::Json failures = diagnose::Json::array();
  std::map<std::string, int64_t> ops; ///< how many of each kind

  void count(const Graph& graph) {
    ++graphs;
    for (const auto& op : graph.ops())
      if (op->kind() != OpKind::Constant) ++ops[op->info().name];
  }
};

/// Looks for failing cases by several processes, each of which takes many, and tells them in the
/// order of their numbers.
class Search {
public:
  explicit Search(const FuzzOptions& options)
      : options_(options), next_(options.first), end_(options.first + options.count) {
    const int jobs = options.jobs ? options.jobs : rt::defaultThreads();
    for (int job = 0; job < jobs; ++job) start();
  }

  /// Waits a moment for reports. False when there is nothing left to do.
  bool advance() {
    std::vector<pollfd> files;
    for (const Worker& worker : workers_)
      files.push_back({.fd = worker.child.descriptor(), .events = POLLIN, .revents = 0});
    if (poll(files.data(), files.size(), 200) > 0)
      for (size_t i = files.size(); i-- > 0;)
        if (files[i].revents) listen(static_cast<ptrdiff_t>(i));
    return !workers_.empty();
  }

  int64_t done() const { return done_; }
  /// Failing cases before which every case has been looked at.
  std::map<int64_t, std::string> take() {
    int64_t sure = next_;
    for (const Worker& worker : workers_) sure = std::min(sure, worker.at);
    std::map<int64_t, std::string> taken(failing_.begin(), failing_.lower_bound(sure));
    failing_.erase(failing_.begin(), failing_.lower_bound(sure));
    return taken;
  }

private:
  struct Worker {
    int64_t at, last; ///< the case it is looking at, and the end of its chunk
    fuzz::Child child;
  };

  void start() {
    if (next_ == end_) return;
    const int64_t last = std::min(end_, next_ + kChunk);
    workers_.push_back({next_, last, look(next_, last)});
    next_ = last;
  }

  fuzz::Child look(int64_t first, int64_t last) const {
    return {kSecondsPerGraph, [this, first, last](const fuzz::Send& send) {
              for (int64_t number = first; number < last; ++number) {
                const FuzzCase c = makeCase(options_.seed, number);
                send(fuzz::examine(*c.graph, c.pipeline, c.seed, options_.depth()) ? "F" : ".");
              }
            }};
  }

  void listen(ptrdiff_t index) {
    Worker& worker = workers_[static_cast<size_t>(index)];
    std::string text;
    const bool more = worker.child.receive(text);
    for (char mark : text) {
      if (mark == 'F') failing_[worker.at] = "a failure";
      pass(worker);
    }
    if (more) return;
    // A crash is the failure of the case it was at; another process goes on behind it.
    if (std::string crash = worker.child.finish(); !crash.empty() && worker.at < worker.last) {
      failing_[worker.at] = std::move(crash);
      pass(worker);
    }
    const int64_t at = worker.at, last = worker.last;
    workers_.erase(workers_.begin() + index);
    if (at < last)
      workers_.push_back({at, last, look(at, last)});
    else
      start();
  }

  void pass(Worker& worker) {
    ++worker.at;
    ++done_;
  }

  const FuzzOptions& options_;
  int64_t next_, end_, done_ = 0;
  std::vector<Worker> workers_;
  std::map<int64_t, std::string> failing_; ///< with how the process ended, if it crashed
};

void printTally(const FuzzOptions& options, const Tally& tally, double seconds) {
  int64_t ops = 0;
  for (const auto& [name, count] : tally.ops) ops += count;
  if (options.listOps)
    for (const auto& [name, count] : tally.ops) fmt::print("{:8} {}\n", count, name);
  fmt::print("{} graphs, {} ops of {} kinds, {:.1f} graphs/s: {} failures\n", tally.graphs, ops,
             tally.ops.size(), static_cast<double>(tally.graphs) / seconds, tally.failures.size());
}

diagnose::Json toJson(const FuzzOptions& options, const Tally& tally, double seconds) {
  return {{"version", 1},
          {"seed", options.seed},
          {"first", options.first},
          {"graphs", tally.graphs},
          {"seconds", seconds},
          {"ops", tally.ops},
          {"failures", tally.failures}};
}

Result<int> fuzzMany(const FuzzOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error)
    return failure(ErrorCode::CannotWrite,
                   fmt::format("--save {}: {}", options.folder, error.message()));
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  ProgressLine progress;
  for (int64_t number = options.first; number < options.first + options.count; ++number)
    tally.count(*makeCase(options.seed, number).graph);
  Search search(options);
  for (bool more = true; more;) {
    more = search.advance();
    progress.show(fmt::format("{} of {} graphs, {:.1f}/s, {} failures", search.done(),
                              options.count, static_cast<double>(search.done()) / seconds(),
                              tally.failures.size()));
    for (const auto& [number, crash] : search.take()) {
      progress.clear();
      FuzzCase c = makeCase(options.seed, number);
      const auto failure = examineOften(*c.graph, c.pipeline, c.seed, options.depth());
      ENFOLD_TRY(
          diagnose::Json row,
          reportFailure(
              options, fmt::format("fuzz-{}-{}", options.seed, number), std::move(c),
              failure.value_or(fuzz::Failure{"unsteady", crash + ", and none when tried again"})));
      tally.failures.push_back(std::move(row));
    }
  }
  progress.clear();
  if (options.printsText()) printTally(options, tally, seconds());
  if (!options.json.empty())
    ENFOLD_RETURN_IF_ERROR(writeJson(options.json, toJson(options, tally, seconds())));
  return tally.failures.empty() ? kDone : kWrong;
}

/// Writes the graphs, for others to look at.
Result<int> writeMany(const FuzzOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.written, error);
  if (error)
    return failure(ErrorCode::CannotWrite,
                   fmt::format("--write {}: {}", options.written, error.message()));
  for (int64_t number = options.first; number < options.first + options.count; ++number) {
    const auto path = std::filesystem::path(options.written) /
                      fmt::format("fuzz-{}-{}.eir", options.seed, number);
    const FuzzCase c = makeCase(options.seed, number);
    ENFOLD_RETURN_IF_ERROR(
        writeText(path.string(), print(*c.graph, {.constants = PrintOptions::Constants::Hex})));
  }
  return kDone;
}

/// Examines a graph from a file, as a failure was reported with.
Result<int> fuzzOne(const FuzzOptions& options) {
  ENFOLD_TRY(const LoadedModel model, loadModel(options.graph));
  const std::string pipeline = options.passes.empty() ? defaultPipeline().str() : options.passes;
  ENFOLD_RETURN_IF_ERROR(parsePipeline(pipeline));
  const auto failure = examineApart(*model.graph, pipeline, options.seed, options.depth());
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
  app.add_option("--seed", options->seed, "Seed of the random choices");
  app.add_option("--count", options->count, "Number of graphs")->check(CLI::NonNegativeNumber);
  app.add_option("--first", options->first, "Number of the first graph")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--jobs", options->jobs, "Number of processes; 0: one per processor")
      ->check(CLI::Range(0, 256));
  app.add_option("--only", options->only,
                 "Check only this: sizes that are open, or control, which is branches and loops")
      ->check(CLI::IsMember({"sizes", "control"}));
  app.add_flag("--list-ops", options->listOps, "Print how often each op was drawn");
  app.add_option("--graph", options->graph, "Check this graph instead of random ones")
      ->type_name("FILE");
  app.add_option("--passes", options->passes, "With --graph: the passes to run")->type_name("LIST");
  app.add_option("--write", options->written,
                 "Write the graphs to this folder instead of checking them")
      ->type_name("DIR");
  app.add_option("--save", options->folder,
                 "Folder for failing graphs; created if it does not exist")
      ->type_name("DIR");
  app.add_flag("!--no-reduce", options->reduce, "Do not reduce failing graphs");
  addJson(app, options->json);
  return [options] {
    if (!options->json.empty() && !(options->written.empty() && options->graph.empty()))
      return report(Error(ErrorKind::Usage, "--json goes with neither --write nor --graph"));
    const auto code = !options->written.empty() ? writeMany(*options)
                      : options->graph.empty()  ? fuzzMany(*options)
                                                : fuzzOne(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
