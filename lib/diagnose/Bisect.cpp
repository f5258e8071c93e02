// The binary search, and the smallest network that shows what it found.
#include "diagnose/Bisect.h"

#include "ir/Extract.h"
#include "ir/Printer.h"
#include "reference/Reference.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace enfold::diagnose {
namespace {

/// Compares the outputs that are expected; keeps the worst comparison.
bool isWrong(std::span<const Tensor> outputs, const BisectProblem& problem, Comparison& worst) {
  bool wrong = false;
  for (size_t i = 0; i < problem.expected.size(); ++i) {
    const Comparison c = compare(outputs[i], problem.expected[i], problem.tolerance);
    if (i == 0 || (!c.same() && !wrong) || !(c.maxAbs / c.scale <= worst.maxAbs / worst.scale))
      worst = c;
    wrong |= !c.same();
  }
  return wrong;
}

/// Remarks on rewrites done; the last one is about the last rewrite, if that was reported at all.
int64_t countApplied(const PipelineReport& report) {
  return std::ranges::count(report.remarks.remarks(), Outcome::Applied, &Remark::outcome);
}

std::optional<Remark> lastApplied(const PipelineReport& report) {
  std::optional<Remark> last;
  for (const Remark& remark : report.remarks.remarks())
    if (remark.outcome == Outcome::Applied) last = remark;
  return last;
}

void describe(Bisection& found) {
  found.name = found.after.report.rewrites.back();
  found.pass = found.name.substr(0, found.name.find(' '));
  if (countApplied(found.after.report) > countApplied(found.before.report))
    found.remark = lastApplied(found.after.report);
}

} // namespace

Result<BisectStep> tryRewrites(const BisectProblem& problem, int64_t rewrites) {
  BisectStep step;
  step.graph = problem.model.clone();
  PipelineOptions passes = problem.passes;
  passes.maxRewrites = rewrites;
  passes.passes.target = factsOf(problem.target);
  ENFOLD_TRY(step.report, runPipeline(*step.graph, problem.pipeline, passes));
  step.rewrites = static_cast<int64_t>(step.report.rewrites.size());
  ENFOLD_TRY(auto executable,
             Executable::build(step.graph->clone(), problem.target, {.memory = problem.memory}));
  ENFOLD_TRY(auto session, Session::create(std::move(executable), problem.session));
  ENFOLD_TRY(const std::vector<Tensor> outputs, session->run(problem.inputs));
  step.wrong = isWrong(outputs, problem, step.worst);
  return step;
}

Result<Bisection> bisect(const BisectProblem& problem) {
  Bisection found;
  const auto attempt = [&](int64_t rewrites) {
    ++found.tries;
    if (problem.progress)
      problem.progress(found.tries, found.after.rewrites - found.before.rewrites);
    return tryRewrites(problem, rewrites);
  };
  ENFOLD_TRY(found.after, attempt(problem.passes.maxRewrites));
  found.total = found.after.rewrites;
  if (!found.after.wrong) return found;
  ENFOLD_TRY(found.before, attempt(0));
  if (found.before.wrong) {
    found.status = BisectStatus::WrongAnyway;
    return found;
  }
  while (found.after.rewrites - found.before.rewrites > 1) {
    ENFOLD_TRY(BisectStep middle, attempt((found.before.rewrites + found.after.rewrites) / 2));
    (middle.wrong ? found.after : found.before) = std::move(middle);
  }
  found.status = BisectStatus::WrongRewrite;
  describe(found);
  ENFOLD_TRY(const std::vector<Tensor> outputs, reference::run(*found.after.graph, problem.inputs));
  Comparison worst;
  found.wrongByReference = isWrong(outputs, problem, worst);
  return found;
}

// ---- The part a rewrite changed ----

namespace {

/// Values of either graph, by their names, that are computed differently in the other.
class Differences {
public:
  Differences(const Graph& before, const Graph& after) : before_(before), after_(after) {}

  /// Whether both graphs have the value and compute it by the same op from the same operands.
  bool isUnchanged(const Value* value) const {
    const Value* other = after_.find(value->name());
    if (!other || other->type() != value->type()) return false;
    if (!value->producer() || !other->producer()) return value->producer() == other->producer();
    if (print(*value->producer()) != print(*other->producer())) return false;
    for (const Value* operand : value->producer()->operands())
      if (operand && operand->constant() && !isUnchanged(operand)) return false;
    return true;
  }

  /// Tensors that both have and that must come out the same.
  std::vector<const Value*> outputs() const {
    std::vector<const Value*> found;
    for (const auto& op : before_.ops()) {
      if (op->kind() == OpKind::Constant) continue;
      for (size_t i = 0; i < op->numResults(); ++i) {
        const Value* value = op->result(i);
        const Value* other = after_.find(value->name());
        if (other && other->type() == value->type() && !isUnchanged(value)) found.push_back(value);
      }
    }
    for (size_t i = 0; i < before_.outputs().size(); ++i)
      if (const Value* value = before_.outputs()[i]; value->producer() &&
                                                     after_.outputs()[i]->name() != value->name() &&
                                                     std::ranges::find(found, value) == found.end())
        found.push_back(value);
    return found;
  }

private:
  const Graph& before_;
  const Graph& after_;
};

bool isPlain(const Graph& graph) {
  for (const auto& op : graph.ops())
    for (size_t i = 0; i < op->numResults(); ++i)
      if (!op->result(i)->type().layout.isPlain()) return false;
  return true;
}

} // namespace

std::unique_ptr<Graph> changedPart(const Graph& before, const Graph& after) {
  if (!isPlain(before) || !isPlain(after)) return nullptr;
  const Differences differences(before, after);
  const std::vector<const Value*> outputs = differences.outputs();
  if (outputs.empty()) return nullptr;
  std::unordered_set<const Value*> inputs;
  for (const auto& op : before.ops())
    for (size_t i = 0; op->kind() != OpKind::Constant && i < op->numResults(); ++i)
      if (differences.isUnchanged(op->result(i))) inputs.insert(op->result(i));
  return extract(before, outputs, inputs);
}

// ---- Showing it again ----

namespace {

/// Whether the network still comes out wrong.
Result<bool> showsFailure(const Replay& replay, const BisectProblem& problem) {
  ENFOLD_TRY(Pipeline pipeline, parsePipeline(replay.passes));
  const BisectProblem smaller{.model = *replay.graph,
                              .pipeline = std::move(pipeline),
                              .passes = problem.passes,
                              .target = problem.target,
                              .inputs = replay.inputs,
                              .expected = replay.expected,
                              .tolerance = problem.tolerance,
                              .session = problem.session};
  ENFOLD_TRY(const BisectStep step, tryRewrites(smaller, replay.maxRewrites));
  return step.wrong;
}

/// The tensors that the reference computes of the graph, by name.
Result<std::map<std::string, Tensor>> tensorsOf(const Graph& graph,
                                                std::span<const Tensor> inputs) {
  std::map<std::string, Tensor> tensors;
  ENFOLD_RETURN_IF_ERROR(
      reference::run(graph, inputs, [&](const Value& value, const Tensor& tensor) {
        tensors.emplace(value.name(), tensor);
      }));
  for (size_t i = 0; i < inputs.size(); ++i)
    tensors.insert_or_assign(graph.inputs()[i]->name(), inputs[i]);
  return tensors;
}

} // namespace

Result<Replay> smallestReplay(const BisectProblem& problem, const Bisection& found) {
  Replay part{.graph = changedPart(*found.before.graph, *found.after.graph),
              .passes = found.pass,
              .inputs = {},
              .expected = {}};
  if (part.graph) {
    ENFOLD_TRY(const auto tensors, tensorsOf(*found.before.graph, problem.inputs));
    for (const auto& input : part.graph->inputs()) part.inputs.push_back(tensors.at(input->name()));
    for (const std::string& name : part.graph->outputNames())
      part.expected.push_back(tensors.at(name));
    if (auto wrong = showsFailure(part, problem); wrong && *wrong) return part;
  }
  return Replay{.graph = problem.model.clone(),
                .passes = problem.pipeline.str(),
                .maxRewrites = found.after.rewrites,
                .inputs = {problem.inputs.begin(), problem.inputs.end()},
                .expected = problem.expected};
}

Json toJson(const Bisection& found) {
  return {{"rewrite", found.after.rewrites},
          {"pass", found.pass},
          {"name", found.name},
          {"remark", found.remark ? found.remark->str() : ""},
          {"nodes", found.remark ? found.remark->ops : std::vector<std::string>()},
          {"wrong_by_reference", found.wrongByReference},
          {"max_abs_before", found.before.worst.maxAbs},
          {"max_abs_after", found.after.worst.maxAbs}};
}

} // namespace enfold::diagnose
