// Compiling programs in memory: tables, errors, equal kernels, and calls over subranges.
#include "tests/codegen/Harness.h"

#include <numeric>

namespace enfold::codegen {
namespace {

using namespace kir;

constexpr int64_t kSize = 103;

/// dst = src * factor, eight elements an iteration, the last one partial.
Kernel scale(const std::string& name, double factor) {
  Builder b(name);
  Buffer src = b.input("src", Scalar::F32, kSize);
  Buffer dst = b.output("dst", Scalar::F32, kSize);
  b.parallelFor("i", (kSize + 7) / 8, [&](const Index& i) {
    Value x = b.loadPartial(src[i * 8], kSize - i * 8, b.zero(f32(8)));
    b.storePartial(dst[i * 8], x * factor, kSize - i * 8);
  });
  return b.finish();
}

std::vector<float> ramp() {
  std::vector<float> x(kSize);
  std::iota(x.begin(), x.end(), -50.0f);
  return x;
}

TEST(Jit, RunsSubrangesOnEveryIsa) {
  for (const Target& target : targets()) {
    auto module = compileAll({scale("scale", 3)}, target);
    ASSERT_TRUE(module);
    const enfold_step& step = module->program()->steps[0];
    EXPECT_EQ(step.iterations, 13);
    EXPECT_EQ(module->program()->isa, target.needs);
    EXPECT_TRUE(target.needs.starts_with(name(target.isa))) << target.needs;
    Guarded src(ramp()), dst(kSize * sizeof(float));
    void* buffers[] = {src.data(), dst.data()};
    step.kernel(buffers, 12, 13, nullptr);
    step.kernel(buffers, 2, 2, nullptr);
    step.kernel(buffers, 0, 2, nullptr);
    auto result = dst.as<float>();
    for (int64_t i = 0; i < kSize; ++i)
      EXPECT_EQ(result[i], i < 16 || i >= 96 ? (static_cast<float>(i) - 50) * 3 : 0) << i;
    EXPECT_TRUE(dst.intact());
  }
}

TEST(Jit, EqualKernelsAreCompiledOnce) {
  auto module = compileAll({scale("a", 3), scale("b", 4), scale("c", 3)}, targets().back());
  ASSERT_TRUE(module);
  const enfold_step* steps = module->program()->steps;
  EXPECT_EQ(steps[0].kernel, steps[2].kernel);
  EXPECT_NE(steps[0].kernel, steps[1].kernel);
  EXPECT_STREQ(steps[2].name, "c");
}

TEST(Jit, FillsTheTables) {
  static constexpr float kConstants[16] = {1, 2, 3};
  ProgramDesc desc = programOf({scale("scale", 2)});
  desc.name = "net";
  desc.inputs = {{"x", ENFOLD_F32, {1, kSize}, kSize * 4}};
  desc.outputs = {{"y", ENFOLD_F32, {kSize}, kSize * 4}};
  desc.steps[0].buffers = {{ENFOLD_SPACE_INPUT, 0, 0}, {ENFOLD_SPACE_ARENA, 0, 128}};
  desc.steps[0].parallel = true;
  desc.steps[0].grain = 4;
  desc.steps[0].origin = "/mul/Mul";
  desc.steps.push_back({.function = [](void* const*, int64_t, int64_t, void*) {},
                        .buffers = {},
                        .iterations = 7,
                        .name = "call"});
  desc.constants = std::as_bytes(std::span(kConstants));
  desc.arenaBytes = 4096;
  desc.scratchBytes = 192;
  auto module = jit(desc, targets().back());
  ASSERT_TRUE(module) << module.error().str();
  const enfold_program& program = *(*module)->program();
  EXPECT_EQ(program.version, ENFOLD_PROGRAM_VERSION);
  EXPECT_STREQ(program.name, "net");
  ASSERT_EQ(program.num_inputs, 1);
  EXPECT_STREQ(program.inputs[0].name, "x");
  EXPECT_EQ(program.inputs[0].rank, 2);
  EXPECT_EQ(program.inputs[0].dims[1], kSize);
  EXPECT_STREQ(program.outputs[0].name, "y");
  ASSERT_EQ(program.num_steps, 2);
  EXPECT_EQ(program.steps[0].num_buffers, 2);
  EXPECT_EQ(program.steps[0].buffers[1].offset, 128);
  EXPECT_EQ(program.steps[0].grain, 4);
  EXPECT_NE(program.steps[0].parallel, 0);
  EXPECT_STREQ(program.steps[0].origin, "/mul/Mul");
  EXPECT_EQ(program.steps[1].iterations, 7);
  EXPECT_EQ(program.steps[1].kernel, desc.steps[1].function);
  EXPECT_EQ(program.constants, kConstants);
  EXPECT_EQ(program.constants_bytes, 64);
  EXPECT_EQ(program.arena_bytes, 4096);
  EXPECT_EQ(program.scratch_bytes, 192);
}

TEST(Jit, RefusesBadPrograms) {
  auto refused = [](const ProgramDesc& desc, std::string_view reason) {
    auto module = jit(desc, targets().back());
    ASSERT_FALSE(module);
    EXPECT_NE(module.error().str().find(reason), std::string::npos) << module.error().str();
  };
  ProgramDesc desc = programOf({scale("scale", 2)});
  desc.kernels[0].iterations = 5;
  refused(desc, "number of iterations");
  desc = programOf({scale("scale", 2)});
  desc.steps[0].buffers.pop_back();
  refused(desc, "passes 1 buffers to a kernel with 2");
  desc = programOf({scale("scale", 2)});
  desc.steps[0].kernel = 3;
  refused(desc, "unknown kernel");
  desc.steps[0].kernel = -1;
  refused(desc, "needs either");
}

} // namespace
} // namespace enfold::codegen
