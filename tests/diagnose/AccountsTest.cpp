// What explain, inspect and the support table find out about models, as values and as JSON.
#include "diagnose/Artifact.h"
#include "diagnose/Explain.h"
#include "diagnose/Inspect.h"
#include "diagnose/SupportTable.h"
#include "driver/NativeProgram.h"
#include "ir/Parser.h"
#include "lower/Lowering.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace enfold::diagnose {
namespace {

/// A normalization that folds, and one that cannot, since the convolution's result is an output.
constexpr const char* kModel = R"(
graph @small(%x: f32[1,3,6,6]) {
  %w = const f32[4,3,3,3] random(seed=1)
  %s = const f32[4] [1,2,0.5,1.5]
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[1,4,6,6]   @"/conv"
  %b = batch_norm(%a, %s, %s, %s, %s) : f32[1,4,6,6]   @"/bn"
  %c = relu(%b) : f32[1,4,6,6]   @"/relu"
  %v = const f32[4,4,1,1] random(seed=2)
  %d = conv(%c, %v) : f32[1,4,6,6]   @"/conv2"
  %e = batch_norm(%d, %s, %s, %s, %s) : f32[1,4,6,6]   @"/bn2"
  return %d, %e
}
)";

std::unique_ptr<Graph> model() { return std::move(parseGraph(kModel)).value(); }

const BatchNormAccount& accountOf(const Explanation& e, const std::string& name) {
  return *std::ranges::find(e.batchNorms, name, &BatchNormAccount::name);
}

TEST(Explain, TellsTheFateOfNormalizationsAndHowOpsRun) {
  const auto e = explain("small.eir", model(), {});
  ASSERT_TRUE(e.has_value()) << e.error().str();
  ASSERT_EQ(e->batchNorms.size(), 2u);
  EXPECT_EQ(accountOf(*e, "/bn").status, BatchNormStatus::Folded);
  EXPECT_FALSE(accountOf(*e, "/bn").refusal.has_value());
  EXPECT_NE(accountOf(*e, "/bn2").status, BatchNormStatus::Folded);
  ASSERT_TRUE(accountOf(*e, "/bn2").refusal.has_value());
  EXPECT_EQ(info(accountOf(*e, "/bn2").refusal->reason).code, "graph-output");
  ASSERT_FALSE(e->ops.empty());
  const auto conv = std::ranges::find(e->ops, "conv", &OpAccount::op);
  ASSERT_NE(conv, e->ops.end());
  EXPECT_EQ(conv->epilogue, std::vector<std::string>{"relu"});
  EXPECT_EQ(conv->nodes, (std::vector<std::string>{"/conv", "/bn", "/relu"}));
  EXPECT_TRUE(conv->runsAs.starts_with("conv_")) << conv->runsAs;
  EXPECT_FALSE(e->folds.has_value()) << "not asked for";
}

TEST(Explain, GatesNameWhatTheyMiss) {
  const auto e = explain("small.eir", model(), {});
  ASSERT_TRUE(e.has_value()) << e.error().str();
  const std::vector<Remark> missed = missedBy(*e, "fold-batchnorm");
  ASSERT_EQ(missed.size(), 1u);
  EXPECT_EQ(missed[0].ops.front(), "/bn2");
  EXPECT_TRUE(missedBy(*e, "fold-pad").empty());
}

TEST(Explain, MeasuresFoldsOnDemand) {
  const auto e = explain("small.eir", model(), {}, {.measureFolds = true});
  ASSERT_TRUE(e.has_value()) << e.error().str();
  ASSERT_TRUE(e->folds.has_value());
  ASSERT_EQ(e->folds->size(), 1u);
  EXPECT_GT(e->folds->front().bound, 0);
  EXPECT_LE(e->folds->front().maxAbs, e->folds->front().bound);
  const Json json = toJson(*e);
  EXPECT_EQ(json.at("folds").at(0).at("bound"), e->folds->front().bound);
}

TEST(Explain, IsJsonWithTheSameFacts) {
  const auto e = explain("small.eir", model(), {});
  ASSERT_TRUE(e.has_value()) << e.error().str();
  const Json json = toJson(*e);
  EXPECT_EQ(json.at("model"), "small.eir");
  EXPECT_EQ(json.at("batch_norms").at("total"), 2);
  EXPECT_EQ(json.at("batch_norms").at("folded"), 1);
  EXPECT_EQ(json.at("batch_norms").at("kept"), 0);
  EXPECT_EQ(json.at("batch_norms").at("nodes").at(0).at("refused"), nullptr);
  EXPECT_EQ(json.at("batch_norms").at("nodes").at(1).at("refused"), "graph-output");
  EXPECT_EQ(json.at("remarks").size(), e->remarks.size());
  EXPECT_EQ(json.at("ops").size(), e->ops.size());
  EXPECT_FALSE(json.contains("folds"));
}

TEST(Inspect, CountsOpsParametersAndArithmetic) {
  const auto facts = inspect("small.eir", model(), {});
  ASSERT_TRUE(facts.has_value()) << facts.error().str();
  EXPECT_EQ(facts->ops,
            (std::map<std::string, int64_t>{{"batch_norm", 2}, {"conv", 2}, {"relu", 1}}));
  EXPECT_FALSE(facts->opsAfterPasses.contains("relu"));
  EXPECT_EQ(facts->parameters, 4 * 3 * 3 * 3 + 4 * 4 + 4);
  EXPECT_EQ(facts->parameterBytes, 4 * facts->parameters);
  // The products alone are 2 * 36 pixels * (4 * 27 + 4 * 4).
  EXPECT_GE(facts->flops, 2 * 36 * (4 * 27 + 4 * 4));
  EXPECT_LT(facts->flops, 2 * 2 * 36 * (4 * 27 + 4 * 4));
  EXPECT_GT(facts->calls, 1);
  EXPECT_LE(facts->kernels, facts->calls);
  EXPECT_TRUE(facts->referenceOps.empty());
  EXPECT_EQ(countStatuses(facts->batchNorms).at(BatchNormStatus::Folded), 1);
  ASSERT_EQ(facts->certificates.size(), 1u);
  EXPECT_GT(facts->certificates[0].boundPerInput(), 0);
  ASSERT_EQ(facts->inputs.size(), 1u);
  EXPECT_EQ(facts->inputs[0].type, (Type{ElemType::F32, {1, 3, 6, 6}, {}}));
  const Json json = toJson(*facts);
  EXPECT_EQ(json.at("parameters"), facts->parameters);
  EXPECT_EQ(json.at("ops").at("conv"), 2);
  EXPECT_EQ(json.at("outputs").size(), 2u);
  EXPECT_EQ(json.at("batch_norms").at("folded"), 1);
}

TEST(Certificates, SurviveJson) {
  const std::vector<Certificate> certificates = {
      {.pass = "fold-batchnorm",
       .reason = "folded",
       .nodes = {"/bn", "/conv"},
       .tensor = "b",
       .numbers = {{"bound_per_input", 1e-7}, {"bound_constant", 3e-9}, {"channels", 4}}},
      {.pass = "fold-forward",
       .reason = "folded-forward",
       .nodes = {},
       .tensor = "\xff",
       .numbers = {{"bound_per_input", 0}, {"bound_constant", 0}}}};
  const std::vector<Certificate> again = certificatesFrom(toJson(certificates));
  ASSERT_EQ(again.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again[i].pass, certificates[i].pass);
    EXPECT_EQ(again[i].reason, certificates[i].reason);
    EXPECT_EQ(again[i].nodes, certificates[i].nodes);
    EXPECT_EQ(again[i].tensor, certificates[i].tensor);
    EXPECT_EQ(again[i].numbers, certificates[i].numbers);
  }
  EXPECT_THROW(certificatesFrom(Json::parse(R"([{"pass": "p", "reason": "r", "nodes": []}])")),
               Json::exception);
  EXPECT_THROW(certificatesFrom(Json::parse(R"([{"pass": 1}])")), Json::exception);
}

TEST(Artifacts, SayWhatWasCompiled) {
  auto graph = model();
  const codegen::Target target = codegen::targetFor("native").value();
  const auto report = optimize(*graph, {}, target);
  ASSERT_TRUE(report.has_value()) << report.error().str();
  lower::Plan plan = lower::lowerGraph(*graph, target).value();
  const auto program = nativeProgram(plan);
  ASSERT_TRUE(program.has_value()) << program.error().str();
  const Artifact artifact = artifactOf("/some/folder/small.eir", program->desc, target, *report);
  EXPECT_EQ(artifact.model, "small.eir");
  EXPECT_EQ(artifact.cpu, target.cpu);
  ASSERT_EQ(artifact.outputs.size(), 2u);
  EXPECT_EQ(artifact.outputs[1].type.shape, (Shape{1, 4, 6, 6}));
  EXPECT_EQ(artifact.certificates.size(), 1u);
  const Json json = toJson(artifact);
  EXPECT_EQ(json.at("inputs").at(0).at("elem"), "f32");
  EXPECT_EQ(json.at("calls"), artifact.calls);
}

TEST(SupportTable, HasEveryOperatorOnceAndInOrder) {
  const SupportTable table = supportTable();
  ASSERT_GT(table.operators.size(), 150u);
  std::set<std::string> names;
  for (const OperatorSupport& row : table.operators) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.opsets.empty()) << row.name;
    EXPECT_FALSE(row.elemTypes.empty()) << row.name;
    EXPECT_FALSE(row.runsAs.empty()) << row.name;
  }
  const auto conv = std::ranges::find(table.operators, "Conv", &OperatorSupport::name);
  ASSERT_NE(conv, table.operators.end());
  EXPECT_TRUE(conv->runsAs.starts_with("generated: ")) << conv->runsAs;
  EXPECT_EQ(conv->elemTypes, "float");
  for (const std::string& name : table.rewritten) EXPECT_FALSE(names.contains(name)) << name;
  const Json json = toJson(table);
  EXPECT_EQ(json.at("operators").size(), table.operators.size());
}

} // namespace
} // namespace enfold::diagnose
