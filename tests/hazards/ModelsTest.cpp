// Real networks: what became of their normalizations, and a network that another tool has folded.
// They are looked for in the folder that ENFOLD_SHARED names, or beside the source tree.
#include "diagnose/BatchNorms.h"
#include "diagnose/Compare.h"
#include "driver/Compiler.h"
#include "driver/Model.h"
#include "onnx/TensorFile.h"
#include "passes/FoldError.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace enfold {
namespace {

using diagnose::accountOf;
using diagnose::BatchNormAccount;
using diagnose::batchNormsOf;
using diagnose::BatchNormStatus;
using diagnose::compare;
using diagnose::Comparison;

std::filesystem::path modelsFolder() {
  const char* shared = std::getenv("ENFOLD_SHARED");
  return (shared ? std::filesystem::path(shared)
                 : std::filesystem::path(ENFOLD_SOURCE_DIR) / ".." / "shared") /
         "models";
}

bool haveModels() {
  std::error_code error;
  return std::filesystem::is_directory(modelsFolder(), error);
}

TEST(Models, EveryBatchNormIsFoldedFusedOrRefusedWithAReason) {
  if (!haveModels()) GTEST_SKIP() << "no networks in " << modelsFolder();
  const auto target = codegen::targetFor("native");
  int networks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(modelsFolder())) {
    const auto file = entry.path() / "model.onnx";
    if (!std::filesystem::exists(file)) continue;
    SCOPED_TRACE(entry.path().filename().string());
    const auto sets = onnx::readDataSets(entry.path());
    if (!sets) continue; // its sizes may be open, and nothing settles them
    auto model = loadModelFor(file.string(), sets->front().inputs, {});
    ASSERT_TRUE(model.has_value()) << model.error().str();
    const auto names = batchNormsOf(*model->graph);
    if (names.empty()) continue;
    ++networks;
    const auto report = optimize(*model->graph, {}, *target);
    ASSERT_TRUE(report.has_value()) << report.error().str();
    EXPECT_TRUE(batchNormsOf(*model->graph).empty());
    const auto accounts = accountOf(names, *model->graph, *report);
    EXPECT_EQ(accounts.size(), names.size());
    for (const BatchNormAccount& account : accounts) {
      EXPECT_NE(account.status, BatchNormStatus::Kept) << account.name;
      EXPECT_FALSE(account.detail.empty()) << account.name;
      // One with a pass over memory of its own says why.
      if (account.status == BatchNormStatus::Alone) {
        EXPECT_NE(account.detail.find('['), std::string::npos)
            << account.name << ": " << account.detail;
      }
    }
  }
  EXPECT_GE(networks, 10);
}

std::vector<Tensor> outputsOf(const std::string& network, std::vector<Tensor>& inputs) {
  const auto file = modelsFolder() / network / "model.onnx";
  auto model = loadModel(file.string(), {.freezeInitializers = true});
  EXPECT_TRUE(model.has_value()) << model.error().str();
  if (!model) return {};
  if (inputs.empty()) inputs = sampleInputs(*model->graph);
  const auto compiled = compile(std::move(model->graph));
  EXPECT_TRUE(compiled.has_value()) << compiled.error().str();
  if (!compiled) return {};
  const auto session = Session::create(compiled->executable, {});
  EXPECT_TRUE(session.has_value());
  const auto outputs = (*session)->run(inputs);
  EXPECT_TRUE(outputs.has_value()) << outputs.error().str();
  return outputs ? *outputs : std::vector<Tensor>();
}

TEST(Models, FoldedHereAndByAnotherToolAreTheSame) {
  if (!haveModels()) GTEST_SKIP() << "no networks in " << modelsFolder();
  std::vector<Tensor> inputs;
  const std::vector<Tensor> ours = outputsOf("ultraface_rfb320_nopost", inputs);
  const std::vector<Tensor> theirs = outputsOf("ultraface_rfb320_simpl", inputs);
  ASSERT_EQ(ours.size(), theirs.size());
  ASSERT_FALSE(ours.empty());
  for (size_t i = 0; i < ours.size(); ++i) {
    const Comparison c = compare(ours[i], theirs[i]);
    EXPECT_EQ(c.problem, "");
    EXPECT_LE(c.maxAbs, 2e-5) << "output " << i;
  }
}

} // namespace
} // namespace enfold
