// Compiles the network step by step and keeps what each step makes.
#include "diagnose/Report.h"

#include "diagnose/Diff.h"
#include "ir/ConstantText.h"
#include "lower/Lowering.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::diagnose {
namespace {

void countParameters(const Graph& graph, Report& report) {
  for (const auto& op : graph.ops())
    if (op->kind() == OpKind::Constant) {
      report.parameters += op->tensor("value").numElements();
      report.parameterBytes += static_cast<int64_t>(op->tensor("value").numBytes());
    }
}

/// Of the pipeline, in its order, each once.
std::vector<std::string> idlePasses(const Pipeline& pipeline, const PipelineReport& report) {
  std::vector<std::string> idle;
  for (const PipelineStep& step : pipeline.steps)
    for (const PassInfo* pass : step.passes) {
      const bool changed = std::ranges::any_of(
          report.runs, [&](const PassRun& run) { return run.pass == pass && run.rewrites > 0; });
      const bool known = std::ranges::find(idle, pass->name) != idle.end();
      if (!changed && !known) idle.emplace_back(pass->name);
    }
  return idle;
}

void recordOps(const Graph& graph, const codegen::Target& target, Report& report) {
  const auto records = report.history->latestOps();
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant)
      report.ops.emplace_back(records.at(op->result()->name()), accountOf(*op, target));
}

std::string name(lower::Space space) {
  constexpr std::string_view kNames[] = {"input", "output", "constant", "arena"};
  return std::string(kNames[static_cast<size_t>(space)]);
}

void recordPlan(const lower::Plan& plan, Report& report) {
  for (const lower::PlanBuffer& buffer : plan.buffers)
    report.buffers.push_back({.space = name(buffer.space),
                              .bytes = buffer.bytes,
                              .offset = buffer.offset,
                              .firstStep = buffer.firstCall,
                              .lastStep = buffer.lastCall});
  const auto records = report.history->latestOps();
  for (const lower::Call& call : plan.calls) {
    StepRecord step{.algorithm = call.algorithm,
                    .secondChoice = call.secondChoice,
                    .nodes = call.origin,
                    .flops = call.flops,
                    .bytes = call.bytes};
    const auto record = call.op ? records.find(call.op->result()->name()) : records.end();
    if (record != records.end()) step.op = record->second;
    if (!call.reference) step.kernel = static_cast<int64_t>(report.listings.entryOf[call.kernel]);
    for (const lower::BufferRef& ref : call.buffers)
      step.buffers.push_back(static_cast<int64_t>(ref.buffer));
    report.steps.push_back(std::move(step));
  }
  report.arenaBytes = plan.arenaBytes;
  report.constantBytes = plan.constantBytes;
  report.scratchBytes = plan.scratchBytes;
}

Result<> measure(const ReportProblem& problem, std::shared_ptr<const Graph> imported,
                 std::unique_ptr<Graph> optimized, const codegen::Target& target,
                 double passMilliseconds, Report& report) {
  ENFOLD_TRY(const auto executable, Executable::build(std::move(optimized), target,
                                                      {.passMilliseconds = passMilliseconds,
                                                       .memory = problem.compile.memory}));
  CompileOptions others = problem.compile;
  others.tune.reset(); // which concerns the network itself
  ENFOLD_TRY(report.bench,
             bench({.model = problem.model,
                    .executable = executable,
                    .name = problem.compile.fuse ? "fused" : "unfused",
                    .others = problem.compile.fuse ? std::vector<std::string>{"unfused"}
                                                   : std::vector<std::string>{},
                    .load = [&]() -> Result<std::unique_ptr<Graph>> { return imported->clone(); },
                    .compile = others,
                    .session = problem.session,
                    .seconds = problem.seconds,
                    .profile = true,
                    .progress = problem.progress}));
  return {};
}

Result<> compareTensors(const ReportProblem& problem, const Graph& imported, Report& report) {
  std::vector<Tensor> inputs;
  for (const auto& input : imported.inputs())
    inputs.push_back(randomTensor(input->type(), inputs.size() + 1));
  ENFOLD_TRY(const Tensors expected, referenceTensors(imported, inputs));
  CompileOptions compile = problem.compile;
  compile.passes.observers.clear();
  ENFOLD_TRY(const Diff found, diff({.name = problem.model,
                                     .model = imported,
                                     .inputs = inputs,
                                     .against = "reference",
                                     .expected = expected,
                                     .compile = compile,
                                     .session = problem.session}));
  for (const auto* tensors : {&found.different, &found.same})
    for (const TensorDiff& tensor : *tensors)
      report.errors.push_back({.value = tensor.name,
                               .maxAbs = tensor.comparison.maxAbs,
                               .scale = tensor.comparison.scale});
  return {};
}

} // namespace

Result<Report> makeReport(ReportProblem problem) {
  Report report{.model = problem.model};
  ENFOLD_TRY(const codegen::Target target, targetOf(problem.compile));
  report.target = target.cpu;
  report.isa = target.architecture == codegen::Architecture::X86_64
                   ? kir::name(target.isa)
                   : kir::name(target.architecture);
  ENFOLD_TRY(const Pipeline pipeline, pipelineOf(problem.compile));
  report.pipeline = pipeline.str();
  countParameters(*problem.graph, report);
  const std::shared_ptr<const Graph> imported = problem.graph->clone();
  const std::vector<std::string> batchNorms = batchNormsOf(*problem.graph);

  const auto history = std::make_shared<GraphHistory>(*problem.graph);
  report.history = history;
  CompileOptions compile = problem.compile;
  compile.passes.observers.push_back(history.get());
  ENFOLD_TRY(const PipelineReport passes, optimize(*problem.graph, compile, target));
  double seconds = 0;
  for (const PassRun& run : passes.runs) seconds += run.seconds;
  if (compile.tune) history->add("tune", 0, 0, *problem.graph);
  report.inputs = inputsOf(*problem.graph);
  report.outputs = outputsOf(*problem.graph);
  report.idlePasses = idlePasses(pipeline, passes);
  report.batchNorms = diagnose::accountOf(batchNorms, *problem.graph, passes);
  report.remarks.assign(passes.remarks.remarks().begin(), passes.remarks.remarks().end());
  recordOps(*problem.graph, target, report);
  {
    ENFOLD_TRY(const lower::Plan plan, lower::lowerGraph(*problem.graph, target));
    ENFOLD_TRY(report.listings, codegen::listings(plan.kernels, target));
    recordPlan(plan, report);
  }
  const bool runs = problem.compile.machine.empty() && problem.compile.cpu == "native";
  if (!runs)
    report.notes.emplace_back("Nothing was measured: the network is compiled for another processor "
                              "than this one.");
  else if (problem.seconds > 0)
    ENFOLD_RETURN_IF_ERROR(
        measure(problem, imported, std::move(problem.graph), target, seconds * 1e3, report));
  if (problem.errors && runs) ENFOLD_RETURN_IF_ERROR(compareTensors(problem, *imported, report));
  return report;
}

} // namespace enfold::diagnose
