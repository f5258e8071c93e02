// Reports: what they say of a network, and that names cannot break out of the page.
#include "diagnose/Report.h"

#include "diagnose/ReportPage.h"
#include "ir/Parser.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace enfold::diagnose {
namespace {

constexpr const char* kModel = R"(
graph @small(%x: f32[1,8,6,6]) {
  %w = const f32[8,8,3,3] random(seed=1)
  %s = const f32[8] random(seed=2)
  %v = const f32[8] splat(1.5)
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[1,8,6,6]   @"/conv"
  %b = batch_norm(%a, %s, %s, %s, %v) : f32[1,8,6,6]   @"/bn</script>"
  %c = relu(%b) : f32[1,8,6,6]   @"/relu"
  return %c
}
)";

Result<Report> reportOf(const char* model, double seconds) {
  return makeReport({.model = "small", .graph = parseGraph(model).value(), .seconds = seconds});
}

TEST(Report, FollowsTheGraphThroughThePasses) {
  const auto report = reportOf(kModel, 0);
  ASSERT_TRUE(report.has_value()) << report.error().str();
  const GraphHistory& history = *report->history;
  ASSERT_GE(history.stages().size(), 3u);
  EXPECT_EQ(history.stages()[0].pass, "");
  EXPECT_EQ(history.stages()[0].ops.size(), 3u);
  bool folded = false;
  for (const Stage& stage : history.stages()) folded |= stage.pass == "fold-batchnorm";
  EXPECT_TRUE(folded);
  const auto& last = history.stages().back().ops;
  const auto conv = std::ranges::find_if(
      last, [&](int64_t op) { return history.ops()[static_cast<size_t>(op)].op == "conv"; });
  ASSERT_NE(conv, last.end());
  const OpRecord& fused = history.ops()[static_cast<size_t>(*conv)];
  EXPECT_EQ(fused.epilogue, std::vector<std::string>{"relu"});
  EXPECT_EQ(fused.nodes, (std::vector<std::string>{"/conv", "/bn</script>", "/relu"}));
  EXPECT_FALSE(report->bench.has_value()) << "nothing was to be run";
  for (const StepRecord& step : report->steps) {
    EXPECT_GE(step.kernel, 0);
    EXPECT_LT(step.kernel, static_cast<int64_t>(report->listings.entries.size()));
  }
}

TEST(Report, OpsThatStayAreKeptOnce) {
  const auto report = reportOf(kModel, 0);
  ASSERT_TRUE(report.has_value()) << report.error().str();
  std::set<std::string> texts;
  for (const OpRecord& op : report->history->ops()) texts.insert(op.text);
  EXPECT_LT(report->history->ops().size(), texts.size() + 3);
}

TEST(Report, HasTheTimesOfBothWays) {
  const auto report = reportOf(kModel, 0.02);
  ASSERT_TRUE(report.has_value()) << report.error().str();
  const Json json = toJson(*report);
  ASSERT_EQ(json.at("arms").size(), 2u);
  EXPECT_EQ(json.at("arms")[1].at("name"), "unfused");
  EXPECT_GE(json.at("arms")[1].at("steps").size(), 2u);
  for (const Json& step : json.at("steps")) {
    EXPECT_GT(step.at("us").at("min"), 0);
    EXPECT_LE(step.at("us").at("min"), step.at("us").at("p50"));
  }
}

TEST(Report, NamesDoNotEndTheScriptElement) {
  const auto report = reportOf(kModel, 0);
  ASSERT_TRUE(report.has_value()) << report.error().str();
  const std::string page = reportPage(toJson(*report), nullptr);
  EXPECT_EQ(page.find("/bn</script>"), std::string::npos);
  EXPECT_NE(page.find("/bn\\u003c/script\\u003e"), std::string::npos);
  EXPECT_NE(page.find("Content-Security-Policy"), std::string::npos);
}

TEST(Report, IsReadBackFromItsPage) {
  const auto report = reportOf(kModel, 0);
  ASSERT_TRUE(report.has_value()) << report.error().str();
  const std::string path = testing::TempDir() + "report_test.html";
  std::ofstream(path) << reportPage(toJson(*report), nullptr);
  const auto read = readReportPage(path);
  ASSERT_TRUE(read.has_value()) << read.error().str();
  EXPECT_EQ(read->at("model"), "small");
  EXPECT_EQ(read->at("graph"), toJson(*report).at("graph"));
  const std::string both = reportPage(toJson(*report), *read);
  EXPECT_NE(both.find("id=\"against\""), std::string::npos);

  std::ofstream(path) << "<html></html>";
  EXPECT_FALSE(readReportPage(path).has_value());
  std::ofstream(path) << "<script type=\"application/json\" id=\"report\">{\"schema\":</script>";
  EXPECT_FALSE(readReportPage(path).has_value());
}

} // namespace
} // namespace enfold::diagnose
