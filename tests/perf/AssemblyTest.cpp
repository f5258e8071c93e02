// What the generated code of hot loops must not have: calls, many registers spilled to the stack,
// and vectors narrower than the processor's. Loops that move to or from the stack once for ten
// products still run at the peak of the processors measured: the moves fill idle slots.
#include "Problem.h"
#include "codegen/NativeFile.h"
#include "driver/Compiler.h"
#include "driver/NativeProgram.h"
#include "lower/Lowering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace enfold {
namespace {

using Lines = std::vector<std::string>;

Result<Lines> assemblyOf(std::string_view problem, std::string_view cpu) {
  ENFOLD_TRY(const codegen::Target target, codegen::targetFor(cpu));
  ENFOLD_TRY(auto graph, perf::graphOf(problem));
  ENFOLD_RETURN_IF_ERROR(optimize(*graph, {.cpu = std::string(cpu), .passes = {}}, target));
  ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*graph, target));
  ENFOLD_TRY(const ProgramParts program, nativeProgram(plan));
  ENFOLD_TRY(const std::string text,
             codegen::nativeFile({&program.desc, 1}, target, codegen::NativeForm::Assembly, "net"));
  std::istringstream stream(text);
  Lines lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool has(const std::string& line, std::string_view what) {
  return line.find(what) != std::string::npos;
}

int64_t count(const Lines& lines, auto&& predicate) {
  return std::ranges::count_if(lines, predicate);
}

bool isProduct(const std::string& line) { return has(line, "\tvfmadd"); }

/// Vector registers moved to or from the stack.
bool isSpill(const std::string& line) {
  return has(line, "(%rsp)") && (has(line, "%xmm") || has(line, "%ymm") || has(line, "%zmm"));
}

/// Products an instruction; that of transforms around the products is low.
double density(const Lines& body) {
  return static_cast<double>(count(body, isProduct)) /
         static_cast<double>(std::max<size_t>(1, body.size()));
}

/// Bodies of loops that hold no other loop.
std::vector<Lines> innermostLoops(const Lines& lines) {
  std::map<std::string, size_t> labels;
  std::vector<std::pair<size_t, size_t>> loops;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line.starts_with(".LBB")) labels[line.substr(0, line.find(':'))] = i;
    const size_t target = line.find(".LBB");
    if (!line.starts_with("\tj") || target == std::string::npos) continue;
    const auto label = labels.find(line.substr(target));
    if (label != labels.end()) loops.emplace_back(label->second, i);
  }
  std::vector<Lines> bodies;
  for (const auto& [begin, end] : loops) {
    const bool inner = std::ranges::none_of(loops, [&](const auto& other) {
      return other.first >= begin && other.second <= end &&
             (other.first != begin || other.second != end);
    });
    if (inner)
      bodies.emplace_back(lines.begin() + static_cast<int64_t>(begin),
                          lines.begin() + static_cast<int64_t>(end) + 1);
  }
  return bodies;
}

struct Case {
  const char* name;
  const char* problem;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.problem; }

const Case kCases[] = {
    {"Stem", "conv c3 h224 o64 k7 s2 p3 bias relu"},
    {"Strided", "conv c128 h56 o128 k3 s2 p1 bias relu"},
    {"Winograd", "conv c128 h28 o128 k3 p1 bias relu"},
    {"Pointwise", "conv c256 h14 o1024 k1 bias"},
    {"PointwiseOfSmallImages", "conv c512 h7 o512 k1 bias relu"},
    {"Grouped", "conv c128 h56 o128 k3 p1 g32 bias relu"},
    {"Depthwise", "conv c96 h56 o96 k3 p1 g96 bias relu"},
    {"DepthwiseOfFive", "conv c120 h28 o120 k5 p2 g120 bias relu"},
    {"Gemm", "gemm m64 k512 n512 bias"},
};

class Assembly : public ::testing::TestWithParam<std::tuple<Case, const char*>> {};

TEST_P(Assembly, OfHotLoops) {
  const auto& [c, cpu] = GetParam();
  const auto lines = assemblyOf(c.problem, cpu);
  ASSERT_TRUE(lines) << lines.error().str();
  const std::string_view widest = std::string_view(cpu) == "x86-64-v4" ? "%zmm" : "%ymm";
  Lines hottest;
  for (const Lines& body : innermostLoops(*lines))
    if (count(body, isProduct) >= 8 && density(body) > density(hottest)) hottest = body;
  const int64_t products = count(hottest, isProduct);
  ASSERT_GE(products, 8) << "no hot loop";
  EXPECT_EQ(count(hottest, [](const auto& line) { return has(line, "\tcall"); }), 0);
  EXPECT_EQ(count(hottest, [&](const auto& l) { return isProduct(l) && !has(l, widest); }), 0);
  EXPECT_LE(count(hottest, isSpill) * 5, products) << products << " products";
}

INSTANTIATE_TEST_SUITE_P(Kernels, Assembly,
                         ::testing::Combine(::testing::ValuesIn(kCases),
                                            ::testing::Values("x86-64-v3", "x86-64-v4")),
                         [](const auto& info) {
                           const bool wide = std::get<1>(info.param)[8] == '4';
                           return std::string(std::get<0>(info.param).name) +
                                  (wide ? "Avx512" : "Avx2");
                         });

TEST(Problem, SaysWhatIsWrong) {
  for (const char* text : {"", "pool c3", "conv x3", "conv c", "conv c3x", "conv c-3", "gemm h3"})
    EXPECT_FALSE(perf::graphOf(text)) << text;
}

} // namespace
} // namespace enfold
