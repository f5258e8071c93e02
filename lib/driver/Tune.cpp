// Rounds of builds and profiles, one for every rank of the cost model's list.
#include "driver/Tune.h"

#include "driver/Algorithms.h"
#include "lower/Lowering.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/Separable.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace enfold {
namespace {

/// Candidates that are estimated to take this much longer than the best are not tried.
constexpr double kHopeless = 2;
constexpr size_t kMostCandidates = 10;
/// A candidate must be faster by this much to be preferred to the cost model's.
constexpr double kWorthIt = 0.98;
constexpr double kSeconds = 0.3; ///< of a round's runs
constexpr int kFewestRuns = 5;

/// Convolutions of equal kernels.
struct Case {
  std::vector<size_t> ops;             ///< their numbers in the graph
  std::vector<std::string> candidates; ///< values of `algorithm`, the cost model's first
  std::vector<double> seconds = {};    ///< the least that each took, for all ops together
  size_t best = 0;
};

class Tuner {
public:
  Tuner(Graph& graph, const codegen::Target& target, const TuneOptions& options)
      : graph_(graph), target_(target), options_(options) {}

  Result<> run();

private:
  Result<> findCases();
  Result<> measure(const std::function<size_t(const Case&)>& candidateOf);
  void show(int round) {
    if (options_.progress) options_.progress(round, rounds_);
  }

  Graph& graph_;
  const codegen::Target& target_;
  const TuneOptions& options_;
  std::vector<Case> cases_;
  int rounds_ = 0;
};

Result<> Tuner::findCases() {
  // Convolutions are alike if their calls use the same kernels.
  ENFOLD_TRY(const lower::Plan plan, lower::lowerGraph(graph_, target_));
  std::map<const Op*, std::vector<size_t>> kernels;
  for (const lower::Call& call : plan.calls) kernels[call.op].push_back(call.kernel);
  std::map<std::vector<size_t>, size_t> known;
  size_t number = 0;
  for (const auto& op : graph_.ops()) {
    const size_t at = number++;
    if (!op->info().attr("algorithm") || !kernels.contains(op.get())) continue;
    const std::string algorithm = op->string("algorithm");
    if (algorithm != "auto" && algorithm != "direct") continue;
    if (lower::depthwiseWithin(*op, target_)) continue;
    std::vector<std::string> names;
    const std::vector<lower::ConvCandidate> candidates = lower::convCandidates(*op, target_);
    for (const lower::ConvCandidate& candidate : candidates)
      if (names.size() < kMostCandidates &&
          candidate.cycles < kHopeless * candidates.front().cycles &&
          (algorithm == "auto" || candidate.kind.starts_with("direct")))
        names.push_back(candidate.name);
    if (names.size() < 2) continue;
    const auto [place, isNew] = known.try_emplace(kernels.at(op.get()), cases_.size());
    if (isNew) cases_.push_back({.ops = {}, .candidates = std::move(names)});
    cases_[place->second].ops.push_back(at);
  }
  for (Case& c : cases_)
    c.seconds.assign(c.candidates.size(), std::numeric_limits<double>::infinity());
  return {};
}

/// Builds the network with one candidate for each case, and takes the times of their kernels.
Result<> Tuner::measure(const std::function<size_t(const Case&)>& candidateOf) {
  std::unique_ptr<Graph> graph = graph_.clone();
  std::vector<Op*> ops;
  for (const auto& op : graph->ops()) ops.push_back(op.get());
  for (const Case& c : cases_)
    for (const size_t op : c.ops) setAlgorithm(*graph, *ops[op], c.candidates[candidateOf(c)]);
  std::map<const Op*, size_t> caseOf;
  for (size_t i = 0; i < cases_.size(); ++i)
    for (const size_t op : cases_[i].ops) caseOf[ops[op]] = i;
  std::vector<const Op*> opOfStep;
  ENFOLD_TRY(const lower::Plan plan, lower::lowerGraph(*graph, target_));
  for (const lower::Call& call : plan.calls) opOfStep.push_back(call.op);

  ENFOLD_TRY(const auto executable,
             Executable::build(std::move(graph), target_, {.memory = options_.memory}));
  ENFOLD_TRY(const auto session, Session::create(executable, {.threads = options_.threads}));
  std::vector<Tensor> inputs;
  for (const auto& [name, type] : executable->inputs()) inputs.emplace_back(type.elem, type.shape);
  ENFOLD_RETURN_IF_ERROR(session->run(inputs));
  enfold_start_profile(session->context());
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(kSeconds);
  for (int runs = 0; runs < kFewestRuns || Clock::now() < end; ++runs)
    ENFOLD_RETURN_IF_ERROR(session->run(inputs));
  enfold_stop_profile(session->context());

  std::vector<double> seconds(cases_.size(), 0);
  for (size_t step = 0; step < opOfStep.size(); ++step) {
    const auto found = caseOf.find(opOfStep[step]);
    if (found == caseOf.end()) continue;
    enfold_step_profile profile;
    enfold_read_profile(session->context(), static_cast<int32_t>(step), &profile);
    seconds[found->second] += profile.min_seconds;
  }
  for (size_t i = 0; i < cases_.size(); ++i) {
    double& least = cases_[i].seconds[candidateOf(cases_[i])];
    least = std::min(least, seconds[i]);
  }
  return {};
}

Result<> Tuner::run() {
  ENFOLD_RETURN_IF_ERROR(findCases());
  if (cases_.empty()) return {};
  const size_t most = std::ranges::max(cases_, {}, [](const Case& c) {
                        return c.candidates.size();
                      }).candidates.size();
  // Every candidate once, then the two that decide once more.
  rounds_ = static_cast<int>(most) + 2;
  for (size_t rank = 0; rank < most; ++rank) {
    show(static_cast<int>(rank) + 1);
    ENFOLD_RETURN_IF_ERROR(
        measure([&](const Case& c) { return rank < c.candidates.size() ? rank : 0; }));
  }
  for (Case& c : cases_)
    c.best = static_cast<size_t>(std::ranges::min_element(c.seconds) - c.seconds.begin());
  show(rounds_ - 1);
  ENFOLD_RETURN_IF_ERROR(measure([](const Case& c) { return c.best; }));
  show(rounds_);
  ENFOLD_RETURN_IF_ERROR(measure([](const Case&) { return 0; }));

  std::vector<Op*> ops;
  for (const auto& op : graph_.ops()) ops.push_back(op.get());
  TuneReport report;
  for (const Case& c : cases_) {
    const size_t chosen = c.seconds[c.best] < kWorthIt * c.seconds[0] ? c.best : 0;
    const auto count = static_cast<int64_t>(c.ops.size());
    report.convolutions += count;
    report.changed += chosen ? count : 0;
    report.estimatedSeconds += c.seconds[0];
    report.tunedSeconds += c.seconds[chosen];
    if (chosen)
      for (const size_t op : c.ops) setAlgorithm(graph_, *ops[op], c.candidates[chosen]);
  }
  if (options_.done) options_.done(report);
  return {};
}

} // namespace

std::string TuneReport::str() const {
  return fmt::format("tuning: {} of {} convolutions are faster with another algorithm than the "
                     "estimated one; their "
                     "kernels take {:.2f} ms instead of {:.2f}",
                     changed, convolutions, tunedSeconds * 1e3, estimatedSeconds * 1e3);
}

Result<> tuneAlgorithms(Graph& graph, const codegen::Target& target, const TuneOptions& options) {
  return Tuner(graph, target, options).run();
}

} // namespace enfold
