// Counts ops, parameters, arithmetic and memory.
#include "diagnose/Inspect.h"

#include "diagnose/Explain.h"
#include "ir/Products.h"
#include "lower/Lowering.h"
#include "lower/Words.h"

#include <nlohmann/json.hpp>

namespace enfold::diagnose {
namespace {

std::map<std::string, int64_t> countOps(const Graph& graph) {
  std::map<std::string, int64_t> counts;
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant) ++counts[op->info().name];
  return counts;
}

void countParameters(const Graph& graph, Inspection& inspection) {
  for (const auto& op : graph.ops())
    if (op->kind() == OpKind::Constant) {
      inspection.parameters += op->tensor("value").numElements();
      inspection.parameterBytes += static_cast<int64_t>(op->tensor("value").numBytes());
    }
}

/// What the call multiplies, or else computes in. bf16 that are multiplied as f32 count as that.
ElemType typeOf(const lower::Call& call, const codegen::Target& target) {
  const Op& op = *call.op;
  if (!sumsProducts(op.kind())) return op.ownElem();
  const bool isWord = call.multiplies == lower::kHalves.pixel;
  if (sumsHalvesInF32(op) && !(isWord && lower::hasDot(target.machine, lower::kHalves)))
    return ElemType::F32;
  return op.own(0)->elem();
}

void countByType(const Graph& graph, const lower::Plan& plan, const codegen::Target& target,
                 Inspection& inspection) {
  for (const lower::Call& call : plan.calls)
    if (call.op && call.flops > 0)
      inspection.flopsByType[std::string(name(typeOf(call, target)))] += call.flops;
  for (const auto& op : graph.ops())
    for (size_t i = 0; i < op->numResults() && op->kind() != OpKind::Constant; ++i)
      inspection.tensorBytesByType[std::string(name(op->result(i)->elem()))] +=
          op->result(i)->type().numBytes();
}

} // namespace

Result<Inspection> inspect(const std::string& model, std::unique_ptr<Graph> graph,
                           const CompileOptions& options, std::vector<int> threads) {
  Inspection inspection{.model = model, .ops = countOps(*graph)};
  countParameters(*graph, inspection);
  const std::vector<std::string> batchNorms = batchNormsOf(*graph);
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  ENFOLD_TRY(const PipelineReport report, optimize(*graph, options, target));
  ENFOLD_TRY(const lower::Plan plan, lower::lowerGraph(*graph, target));
  inspection.inputs = inputsOf(*graph);
  inspection.outputs = outputsOf(*graph);
  inspection.opsAfterPasses = countOps(*graph);
  inspection.referenceOps = plan.referenceOps();
  for (const auto& [op, count] : inspection.opsAfterPasses) inspection.generatedOps += count;
  inspection.generatedOps -= static_cast<int64_t>(inspection.referenceOps.size());
  for (const lower::Call& call : plan.calls) inspection.flops += call.flops;
  countByType(*graph, plan, target, inspection);
  inspection.arenaBytes = plan.arenaBytes;
  inspection.constantBytes = plan.constantBytes;
  inspection.calls = static_cast<int64_t>(plan.calls.size());
  inspection.kernels = static_cast<int64_t>(plan.kernels.size());
  inspection.batchNorms = accountOf(batchNorms, *graph, report);
  inspection.certificates = certificatesOf(report);
  if (!threads.empty())
    inspection.scaling = predictScaling(plan, target.machine, std::move(threads));
  inspection.plan = print(plan);
  return inspection;
}

Json toJson(const Inspection& inspection) {
  Json batchNorms = Json::object();
  for (const auto& [status, count] : countStatuses(inspection.batchNorms))
    batchNorms[name(status)] = count;
  Json json = {{"version", 1},
               {"model", inspection.model},
               {"inputs", tensorsJson(inspection.inputs)},
               {"outputs", tensorsJson(inspection.outputs)},
               {"parameters", inspection.parameters},
               {"parameter_bytes", inspection.parameterBytes},
               {"flops", inspection.flops},
               {"flops_by_type", inspection.flopsByType},
               {"tensor_bytes_by_type", inspection.tensorBytesByType},
               {"ops", inspection.ops},
               {"ops_after_passes", inspection.opsAfterPasses},
               {"arena_bytes", inspection.arenaBytes},
               {"constant_bytes", inspection.constantBytes},
               {"calls", inspection.calls},
               {"kernels", inspection.kernels},
               {"reference_ops", inspection.referenceOps},
               {"batch_norms", std::move(batchNorms)},
               {"certificates", toJson(inspection.certificates)},
               {"decided_by_data", toJson(inspection.decided)}};
  if (inspection.scaling) json["scaling"] = toJson(*inspection.scaling);
  return json;
}

} // namespace enfold::diagnose
