// Networks that others trained, as the command runs them: against the outputs recorded with them,
// or against the reference where there are none. They are not part of the source tree: a folder of
// them is looked for in $ENFOLD_SHARED or beside the tree, when the tests are listed.
#include "tests/common/Command.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace enfold {
namespace {

namespace fs = std::filesystem;

fs::path modelsFolder() {
  const char* shared = std::getenv("ENFOLD_SHARED");
  return (shared ? fs::path(shared) : fs::path(ENFOLD_SOURCE_DIR) / ".." / "shared") / "models";
}

std::vector<std::string> modelNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(modelsFolder(), error))
    if (fs::exists(entry.path() / "model.onnx")) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// How to run the models without data: the sizes that data would tell, and a tolerance where the
/// standard one does not apply. The fifteen instance normalizations of fns_candy, each behind the
/// other, enlarge what rounding to f32 costs to 5e-4 of the largest number, whatever the order of
/// sums.
const std::map<std::string, std::string> kFlags = {
    {"fns_candy", "--shape inputImage=1x3x720x720 --atol 1e-3"},
};

class Models : public testing::TestWithParam<std::tuple<std::string, const char*>> {};

TEST_P(Models, GiveTheRecordedOutputs) {
  const auto& [name, flags] = GetParam();
  const fs::path folder = modelsFolder() / name;
  std::string arguments = fmt::format("run model.onnx {}", flags);
  if (fs::exists(folder / "test_data_set_0"))
    arguments += " --check .";
  else
    arguments += " --random 1 --check reference";
  if (const auto more = kFlags.find(name); more != kFlags.end()) arguments += " " + more->second;
  const test::Outcome outcome = test::enfold(folder, arguments);
  EXPECT_EQ(outcome.exit, 0) << outcome.text;
}

INSTANTIATE_TEST_SUITE_P(Shared, Models,
                         testing::Combine(testing::ValuesIn(modelNames()),
                                          testing::Values("", "--no-fuse")),
                         [](const auto& info) {
                           const bool fused = *std::get<1>(info.param) == '\0';
                           return std::get<0>(info.param) + (fused ? "_fused" : "_unfused");
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Models);

TEST(SharedModels, AreThere) {
  if (modelNames().empty())
    GTEST_SKIP() << "no models in " << modelsFolder() << ": set ENFOLD_SHARED";
}

} // namespace
} // namespace enfold
