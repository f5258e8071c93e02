// Kernels that serve several sizes give the bits of those that are compiled for one.
#include "codegen/KernelStore.h"

#include "driver/Compiler.h"
#include "driver/SharedPlan.h"
#include "driver/TemplateFile.h"
#include "ir/Builder.h"
#include "ir/ConstantText.h"
#include "kernel/Skeleton.h"
#include "lower/Lowering.h"
#include "lower/conv/AnyWidth.h"
#include "lower/conv/Candidates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <set>
#include <unistd.h>

namespace enfold {
namespace {

/// A network of one op behind a convolution, for an image of any size.
struct Family {
  const char* name;
  int64_t channels;
  std::function<Value*(GraphBuilder& g, Value* x, int64_t height, int64_t width)> op;
  bool isBlocked = true; ///< whether a convolution comes first
};

using Ints = std::vector<int64_t>;

Value* ints(GraphBuilder& g, std::string_view name, Ints values) {
  const Shape shape = {static_cast<int64_t>(values.size())};
  return g.constant(name, Tensor::of<int64_t>(shape, std::span<const int64_t>(values)));
}

Value* conv(GraphBuilder& g, Value* x, int64_t cin, int64_t cout, int64_t side, int64_t stride = 1,
            int64_t group = 1) {
  const int64_t pad = side / 2;
  return g.op(
      OpKind::Conv, "conv", {x, g.uniform("w", {cout, cin / group, side, side}, -1, 1)},
      {{"pads", Ints{pad, pad, pad, pad}}, {"strides", Ints{stride, stride}}, {"group", group}});
}

/// A window of three rows, which lie along the width where images are one pixel wide.
Value* tall(GraphBuilder& g, OpKind kind, Value* x, int64_t channels, int64_t group = 1) {
  Value* w = g.uniform("w", {channels, channels / group, 3, 1}, -1, 1);
  return g.op(kind, "tall", {x, w}, {{"pads", Ints{1, 0, 1, 0}}, {"group", group}});
}

Value* pool(GraphBuilder& g, OpKind kind, Value* x, int64_t side, int64_t stride) {
  const int64_t pad = side / 2;
  return g.op(kind, "pool", {x},
              {{"kernel_shape", Ints{side, side}},
               {"pads", Ints{pad, pad, pad, pad}},
               {"strides", Ints{stride, stride}}});
}

Value* resize(GraphBuilder& g, Value* x, const char* mode) {
  const float scales[] = {1, 1, 2, 2};
  return g.op(OpKind::Resize, "resize",
              {x, nullptr, g.constant("scales", Tensor::of<float>({4}, std::span(scales)))},
              {{"mode", std::string(mode)}});
}

const std::vector<Family>& families() {
  using G = GraphBuilder;
  static const std::vector<Family> all = {
      {"direct 3x3", 5, [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 5, 20, 3); }},
      {"direct 3x3, stride 2", 16,
       [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 16, 24, 3, 2); }},
      {"direct 1x1", 24, [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 24, 40, 1); }},
      {"direct 5x5, relu and residual", 16,
       [](G& g, Value* x, int64_t, int64_t) {
         Value* y = g.op(OpKind::Add, "add", {conv(g, x, 16, 16, 5), x});
         return g.op(OpKind::Relu, "relu", {y});
       }},
      {"winograd", 32, [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 32, 64, 3); }},
      {"depthwise", 24,
       [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 24, 24, 3, 1, 24); }},
      {"depthwise, stride 2", 16,
       [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 16, 16, 5, 2, 16); }},
      {"grouped", 32, [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 32, 32, 3, 1, 8); }},
      {"transposed", 16,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::ConvTranspose, "up", {x, g.uniform("w", {16, 8, 4, 4}, -1, 1)},
                     {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}});
       }},
      {"tall", 16, [](G& g, Value* x, int64_t, int64_t) { return tall(g, OpKind::Conv, x, 16); }},
      {"tall, grouped", 16,
       [](G& g, Value* x, int64_t, int64_t) { return tall(g, OpKind::Conv, x, 16, 16); }},
      {"tall, transposed", 16,
       [](G& g, Value* x, int64_t, int64_t) { return tall(g, OpKind::ConvTranspose, x, 16); }},
      {"plain result", 8, [](G& g, Value* x, int64_t, int64_t) { return conv(g, x, 8, 3, 5); }},
      {"max pool", 16,
       [](G& g, Value* x, int64_t, int64_t) { return pool(g, OpKind::MaxPool, x, 3, 2); }},
      {"average pool", 9,
       [](G& g, Value* x, int64_t, int64_t) { return pool(g, OpKind::AveragePool, x, 3, 1); }},
      {"global average", 24,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::GlobalAveragePool, "pool", {x});
       }},
      {"squeeze and excite", 16,
       [](G& g, Value* x, int64_t, int64_t) {
         Value* y = g.op(OpKind::GlobalAveragePool, "pool", {x});
         y = g.op(OpKind::Sigmoid, "gate", {conv(g, y, 16, 16, 1)});
         return g.op(OpKind::Mul, "mul", {x, y});
       }},
      {"nearest", 8, [](G& g, Value* x, int64_t, int64_t) { return resize(g, x, "nearest"); }},
      {"linear", 8, [](G& g, Value* x, int64_t, int64_t) { return resize(g, x, "linear"); }},
      {"concat of pyramids", 16,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.concat({conv(g, x, 16, 8, 1), pool(g, OpKind::MaxPool, x, 5, 1)});
       }},
      {"heads", 16,
       [](G& g, Value* x, int64_t height, int64_t width) {
         Value* y = g.transpose(conv(g, x, 16, 6, 1), {0, 2, 3, 1});
         return g.op(OpKind::Softmax, "softmax",
                     {g.reshape(y, {x->shape()[0], height * width * 2, 3})});
       }},
      {"instance norm", 8,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::InstanceNormalization, "norm",
                     {x, g.uniform("scale", {8}, 0, 1), g.uniform("b", {8}, -1, 1)});
       }},
      {"softmax over the width", 4,
       [](G& g, Value* x, int64_t, int64_t) { return g.op(OpKind::Softmax, "softmax", {x}); },
       false},
      {"attention over pixels", 24,
       [](G& g, Value* x, int64_t height, int64_t width) {
         Value* rows = g.transpose(g.reshape(x, {x->shape()[0], 24, height * width}), {0, 2, 1});
         Value* y = g.op(OpKind::MatMul, "scores", {rows, g.transpose(rows, {0, 2, 1})});
         return g.op(OpKind::MatMul, "mix", {g.op(OpKind::Softmax, "softmax", {y}), rows});
       },
       false},
      {"mean over the height", 6,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::ReduceMean, "mean", {x, ints(g, "axes", {2})});
       },
       false},
      {"largest channel", 6,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::ArgMax, "argmax", {x}, {{"axis", int64_t{1}}});
       },
       false},
      {"pointwise", 3,
       [](G& g, Value* x, int64_t, int64_t) {
         Value* y = g.op(OpKind::Sigmoid, "gate", {g.op(OpKind::Exp, "exp", {x})});
         return g.op(OpKind::Mul, "mul", {x, y});
       },
       false},
      {"broadcast", 3,
       [](G& g, Value* x, int64_t height, int64_t) {
         return g.op(OpKind::Add, "add", {x, g.uniform("rows", {3, height, 1}, -1, 1)});
       },
       false},
      {"pad", 3,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::Pad, "pad", {x, ints(g, "pads", {0, 0, 1, 2, 0, 0, 3, 1})});
       },
       false},
      {"depth to space", 8,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::DepthToSpace, "shuffle", {x}, {{"blocksize", int64_t{2}}});
       },
       false},
      {"flipped rows", 3,
       [](G& g, Value* x, int64_t, int64_t) {
         return g.op(OpKind::Slice, "slice",
                     {x, ints(g, "starts", {-1}), ints(g, "ends", {-1000000}), ints(g, "axes", {2}),
                      ints(g, "steps", {-1})});
       },
       false},
      {"running sums", 2,
       [](G& g, Value* x, int64_t, int64_t) {
         const int64_t axis[] = {3};
         return g.op(OpKind::CumSum, "sums",
                     {x, g.constant("axis", Tensor::of<int64_t>({}, std::span(axis)))});
       },
       false},
  };
  return all;
}

std::unique_ptr<Graph> graphOf(const Family& family, int64_t height, int64_t width,
                               int64_t images = 1) {
  GraphBuilder g("g");
  const int64_t channels = family.isBlocked ? 3 : family.channels;
  Value* x = g.input("x", {ElemType::F32, {images, channels, height, width}, {}});
  if (family.isBlocked)
    x = g.op(OpKind::Conv, "stem", {x, g.uniform("stem", {family.channels, 3, 1, 1}, -1, 1)});
  auto graph = g.finish(family.op(g, x, height, width), "y");
  EXPECT_TRUE(graph) << family.name << ": " << graph.error().str();
  return *std::move(graph);
}

/// `size`: height, width, and images if there are several.
std::shared_ptr<const Executable> compiled(const Family& family, const Shape& size,
                                           const CompileOptions& options) {
  const int64_t images = size.size() > 2 ? size[2] : 1;
  auto compilation = compile(graphOf(family, size[0], size[1], images), options);
  EXPECT_TRUE(compilation) << family.name << ": " << compilation.error().str();
  return compilation->executable;
}

std::vector<Tensor> run(const std::shared_ptr<const Executable>& executable, int threads) {
  auto session = Session::create(executable, {.threads = threads});
  EXPECT_TRUE(session);
  Tensor input(ElemType::F32, executable->inputs()[0].type.shape);
  fillRandom(input, 7, -1, 1);
  auto outputs = (*session)->run(std::span(&input, 1));
  EXPECT_TRUE(outputs);
  return *std::move(outputs);
}

CompileOptions sharing() {
  CompileOptions options;
  auto pool = ConstantPool::create(int64_t{1} << 30);
  EXPECT_TRUE(pool);
  options.constants = *std::move(pool);
  options.kernels = std::make_shared<codegen::KernelStore>();
  options.pins = std::make_shared<AlgorithmPins>();
  return options;
}

/// The same algorithms, and kernels of its own.
CompileOptions forOneSize(const CompileOptions& shared) {
  CompileOptions options;
  options.pins = shared.pins;
  return options;
}

TEST(KernelStore, EveryFamilyGivesTheBitsOfKernelsForOneSize) {
  std::mt19937 engine(5);
  std::uniform_int_distribution<int64_t> any(1, 40);
  for (const Family& family : families()) {
    const CompileOptions shared = sharing();
    std::vector<Shape> sizes = {{24, 31}, {16, 16}, {24, 37}, {33, 31}, {1, 1},
                                {1, 7},   {3, 2},   {2, 40},  {17, 1},  {24, 31}};
    for (int i = 0; i < 5; ++i) sizes.push_back({any(engine), any(engine)});
    for (const Shape& size : sizes) {
      const auto general = compiled(family, size, shared);
      const std::vector<Tensor> expected = run(compiled(family, size, forOneSize(shared)), 1);
      for (const int threads : {1, 2})
        ASSERT_EQ(run(general, threads), expected)
            << family.name << " at " << str(size) << " with " << threads << " threads";
    }
    // Whatever has been met is known.
    const int64_t compilations = shared.kernels->compilations();
    for (const Shape& size : sizes) compiled(family, size, shared);
    EXPECT_EQ(shared.kernels->compilations(), compilations) << family.name;
  }
}

TEST(KernelStore, SeveralImagesTakeKernelsOfOne) {
  for (const Family& family : families()) {
    const CompileOptions shared = sharing();
    const auto compilationsAfter = [&](const std::vector<Shape>& sizes) {
      for (const Shape& size : sizes)
        EXPECT_EQ(run(compiled(family, size, shared), 2),
                  run(compiled(family, size, forOneSize(shared)), 1))
            << family.name << " at " << str(size);
      return shared.kernels->compilations();
    };
    const int64_t one = compilationsAfter({{24, 31}, {32, 47}, {40, 63}});
    // Strides of what Winograd puts between two kernels follow from the number of all tiles.
    const int64_t two = compilationsAfter({{24, 31, 2}, {32, 47, 3}, {40, 63, 5}});
    EXPECT_LE(2 * (two - one), one) << family.name;
    EXPECT_EQ(compilationsAfter({{40, 63, 3}, {24, 31, 4}, {32, 47, 0}}), two) << family.name;
  }
}

TEST(KernelStore, TemplatesFromAFileAreThoseThatWereCompiled) {
  const auto path =
      std::filesystem::temp_directory_path() / ("enfold-templates-" + std::to_string(getpid()));
  const std::vector<Shape> sizes = {{24, 31}, {16, 37}, {33, 40}, {2, 40}};
  for (const Family& family : families()) {
    const CompileOptions shared = sharing();
    std::vector<std::vector<Tensor>> expected;
    for (const Shape& size : sizes) expected.push_back(run(compiled(family, size, shared), 1));
    ASSERT_TRUE(writeTemplates(
        path, {family.name, "network", *shared.pins->choice(), shared.kernels->contents()}));
    auto read = readTemplates(path);
    ASSERT_TRUE(read) << read.error().str();
    EXPECT_EQ(read->key, family.name);
    EXPECT_EQ(read->algorithms, *shared.pins->choice());
    const CompileOptions other = sharing();
    other.pins->adopt(read->algorithms);
    other.kernels->add(std::move(read->kernels));
    EXPECT_EQ(other.kernels->size(), shared.kernels->size());
    for (size_t i = 0; i < sizes.size(); ++i)
      EXPECT_EQ(run(compiled(family, sizes[i], other), 1), expected[i])
          << family.name << " at " << str(sizes[i]);
    EXPECT_EQ(other.kernels->compilations(), 0) << family.name;
    // What is there stays.
    const size_t bytes = other.kernels->bytes();
    other.kernels->add(shared.kernels->contents());
    EXPECT_EQ(other.kernels->size(), shared.kernels->size());
    EXPECT_EQ(other.kernels->bytes(), bytes);
  }
  std::filesystem::remove(path);
}

TEST(KernelStore, OutlinesAreWhatKernelsAreTakenApartInto) {
  const auto target = targetOf({});
  ASSERT_TRUE(target);
  for (const Family& family : families()) {
    CompileOptions options;
    options.pins = std::make_shared<AlgorithmPins>();
    for (const Shape& size : {Shape{24, 31}, {16, 17}, {5, 40}, {3, 2}, {1, 1}}) {
      const auto graph = graphOf(family, size[0], size[1]);
      ASSERT_TRUE(optimize(*graph, options, *target));
      const auto lowered = [&](lower::Kernels kernels) {
        auto plan = lower::lowerGraph(*graph, *target, lower::ForSizes::Any, kernels);
        EXPECT_TRUE(plan) << plan.error().str();
        return *std::move(plan);
      };
      const lower::Plan whole = lowered(lower::Kernels::Whole);
      const lower::Plan outlined = lowered(lower::Kernels::Outlined);
      ASSERT_EQ(whole.kernels.size(), outlined.kernels.size()) << family.name;
      EXPECT_EQ(whole.arenaBytes, outlined.arenaBytes);
      for (size_t i = 0; i < whole.kernels.size(); ++i) {
        const kir::Kernel &kernel = whole.kernels[i], &outline = outlined.kernels[i];
        const kir::Skeleton skeleton = kir::skeletonOf(kernel);
        EXPECT_EQ(kernel.skeleton, nullptr);
        ASSERT_NE(outline.skeleton, nullptr);
        EXPECT_TRUE(outline.body.empty());
        ASSERT_EQ(outline.skeleton->shape, skeleton.shape) << kernel.name << " at " << str(size);
        ASSERT_EQ(outline.skeleton->numbers, skeleton.numbers) << kernel.name;
        ASSERT_EQ(outline.skeleton->groups, skeleton.groups) << kernel.name;
        EXPECT_EQ(outline.iterations, kernel.iterations);
        EXPECT_EQ(outline.scratchBytes, kernel.scratchBytes);
      }
    }
  }
}

TEST(KernelStore, KernelsOfSomeOpsAreWrittenOutAmongOutlines) {
  const auto target = targetOf({});
  ASSERT_TRUE(target);
  for (const Family& family : families()) {
    CompileOptions options;
    options.pins = std::make_shared<AlgorithmPins>();
    const auto graph = graphOf(family, 24, 31);
    ASSERT_TRUE(optimize(*graph, options, *target));
    for (const auto& wanted : graph->ops()) {
      const auto plan = lower::lowerGraph(*graph, *target, lower::ForSizes::Any,
                                          lower::Kernels::Outlined, {wanted.get()});
      ASSERT_TRUE(plan) << plan.error().str();
      std::set<size_t> own;
      for (const lower::Call& call : plan->calls)
        if (call.op == wanted.get() && !call.reference) own.insert(call.kernel);
      for (size_t i = 0; i < plan->kernels.size(); ++i) {
        EXPECT_EQ(plan->kernels[i].skeleton == nullptr, own.contains(i)) << family.name;
        EXPECT_EQ(plan->kernels[i].body.empty(), !own.contains(i)) << family.name;
      }
    }
  }
}

TEST(KernelStore, OutlinesWithoutCodeAreMissing) {
  const auto target = targetOf({});
  ASSERT_TRUE(target);
  const Family& family = families().front();
  const auto graph = graphOf(family, 24, 31);
  ASSERT_TRUE(optimize(*graph, {}, *target));
  const auto outlined = lowerShared(*graph, *target);
  ASSERT_TRUE(outlined);
  codegen::KernelStore store;
  const auto before = store.bind(outlined->wanted, *target);
  ASSERT_TRUE(before);
  ASSERT_EQ(before->missing.size(), outlined->wanted.size());
  EXPECT_EQ(store.compilations(), 0);
  std::set<const Op*> last;
  for (const lower::Call& call : outlined->plan.calls)
    if (call.kernel == before->missing.back()) last.insert(call.op);
  const auto partly = lowerShared(*graph, *target, last);
  ASSERT_TRUE(partly);
  const auto after = store.bind(partly->wanted, *target);
  ASSERT_TRUE(after);
  EXPECT_LT(after->missing.size(), before->missing.size());
  EXPECT_EQ(store.compilations(),
            static_cast<int64_t>(before->missing.size() - after->missing.size()));
  const auto bound = bindShared(*graph, *target, store);
  ASSERT_TRUE(bound);
  EXPECT_EQ(store.compilations(), static_cast<int64_t>(before->missing.size()));
}

/// Divisions of indices inside loops, which are done again and again.
int64_t divisionsInLoops(const kir::Block& block, bool isInLoop) {
  int64_t count = 0;
  for (const kir::Inst& inst : block) {
    const bool divides = inst.op == kir::Op::FloorDiv || inst.op == kir::Op::FloorMod;
    count += isInLoop && divides && inst.type == kir::index();
    for (const kir::Block& inner : inst.blocks)
      count += divisionsInLoops(inner, isInLoop || inst.op == kir::Op::For);
  }
  return count;
}

TEST(KernelStore, OperandsOfEpiloguesTakeNoDivisions) {
  auto target = targetOf({});
  ASSERT_TRUE(target);
  target->disabledKernels = {"conv_winograd"}; // which looks for its tiles
  for (const char* name : {"direct 5x5, relu and residual", "squeeze and excite"}) {
    const Family& family = *std::ranges::find_if(
        families(), [&](const Family& one) { return std::string_view(one.name) == name; });
    CompileOptions options;
    options.pins = std::make_shared<AlgorithmPins>();
    const auto graph = graphOf(family, 24, 31);
    ASSERT_TRUE(optimize(*graph, options, *target));
    const auto plan = lower::lowerGraph(*graph, *target, lower::ForSizes::Any);
    ASSERT_TRUE(plan) << plan.error().str();
    for (const kir::Kernel& kernel : plan->kernels)
      EXPECT_EQ(divisionsInLoops(kernel.body, false), 0) << name << ": " << kernel.name;
  }
}

TEST(KernelStore, AlgorithmsForAnyWidthExist) {
  const auto target = targetOf({});
  ASSERT_TRUE(target);
  for (const Family& family : families())
    for (const Shape& size : {Shape{24, 31}, {5, 40}, {1, 1}})
      for (const char* algorithm : {"auto", "direct"}) {
        const auto graph = graphOf(family, size[0], size[1]);
        ASSERT_TRUE(optimize(*graph, {}, *target));
        for (const auto& op : graph->ops()) {
          if (op->kind() != OpKind::Conv || !lower::refuseConv(*op, *target).empty()) continue;
          setAlgorithm(*graph, *op, algorithm);
          const std::string best = lower::bestForAnyWidth(*op, *target);
          EXPECT_TRUE(lower::hasAlgorithm(*op, best, *target)) << family.name << ": " << best;
          EXPECT_FALSE(std::string_view(algorithm) == "direct" && best.starts_with("winograd"))
              << family.name << ": " << best;
        }
      }
}

TEST(KernelStore, TilesOfAnyWidthGiveTheAnswer) {
  for (const Family& family : families())
    for (const Shape& size : {Shape{24, 31}, {16, 16}, {5, 40}, {3, 2}}) {
      CompileOptions pinned;
      pinned.pins = std::make_shared<AlgorithmPins>();
      const Tensor any = run(compiled(family, size, pinned), 2)[0];
      const Tensor own = run(compiled(family, size, {}), 2)[0];
      ASSERT_EQ(any.type(), own.type());
      double largest = 1;
      for (int64_t i = 0; i < own.numElements(); ++i)
        largest = std::max(largest, std::abs(own.asDouble(i)));
      for (int64_t i = 0; i < own.numElements(); ++i)
        ASSERT_NEAR(any.asDouble(i), own.asDouble(i),
                    1e-5 * largest + 1e-4 * std::abs(own.asDouble(i)))
            << family.name << " at " << str(size) << ", element " << i;
    }
}

TEST(KernelStore, SizesThatTileAlikeShareMostKernels) {
  for (const char* name : {"pointwise", "nearest", "direct 1x1"}) {
    const Family& family = *std::ranges::find_if(
        families(), [&](const Family& one) { return std::string_view(one.name) == name; });
    const CompileOptions shared = sharing();
    int64_t alone = 0;
    for (const Shape& size : {Shape{64, 64},
                              {96, 64},
                              {64, 128},
                              {160, 192},
                              {128, 96},
                              {96, 160},
                              {192, 64},
                              {288, 192}}) {
      const auto general = compiled(family, size, shared);
      EXPECT_EQ(run(general, 1), run(compiled(family, size, forOneSize(shared)), 1)) << name;
      const CompileOptions own = sharing();
      compiled(family, size, own);
      alone += own.kernels->compilations();
    }
    EXPECT_LE(2 * shared.kernels->compilations(), alone) << name;
  }
}

TEST(KernelStore, ForgetsWhatWasUsedLongestAgo) {
  CompileOptions shared = sharing();
  shared.kernels = std::make_shared<codegen::KernelStore>(100'000);
  const auto first = compiled(families()[0], {24, 31}, shared);
  const std::vector<Tensor> expected = run(first, 1);
  for (const Family& family : families()) {
    compiled(family, {24, 31}, shared);
    EXPECT_TRUE(shared.kernels->bytes() <= 100'000 || shared.kernels->size() == 1);
  }
  EXPECT_EQ(run(first, 1), expected);
  EXPECT_EQ(run(compiled(families()[0], {24, 31}, shared), 1), expected);
}

} // namespace
} // namespace enfold
