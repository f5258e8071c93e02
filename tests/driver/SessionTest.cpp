// Sessions: what they refuse, that runs neither leak nor disturb each other, and recover.
#include "driver/Compiler.h"
#include "driver/SessionPool.h"
#include "ir/Builder.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>

#include <thread>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace enfold {
namespace {

std::shared_ptr<const Executable> compiledZoo(const char* name) {
  auto graph = zoo::build(name);
  EXPECT_TRUE(graph) << graph.error().str();
  auto compilation = compile(*std::move(graph));
  EXPECT_TRUE(compilation) << compilation.error().str();
  return compilation->executable;
}

Tensor randomInput(const Executable& executable, uint64_t seed) {
  Tensor tensor(ElemType::F32, executable.inputs()[0].type.shape);
  fillRandom(tensor, seed, 0, 1);
  return tensor;
}

std::unique_ptr<Session> sessionOf(std::shared_ptr<const Executable> executable, int threads) {
  auto session = Session::create(std::move(executable), {.threads = threads});
  EXPECT_TRUE(session) << session.error().str();
  return *std::move(session);
}

void expectRefused(Session& session, const std::vector<Tensor>& inputs,
                   std::initializer_list<std::string_view> words) {
  const auto outputs = session.run(inputs);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().kind, ErrorKind::Usage);
  for (const std::string_view word : words)
    EXPECT_NE(outputs.error().str().find(word), std::string::npos) << outputs.error().str();
}

int threadsOf(const SessionPool::Lease& lease) { return enfold_get_threads(lease->context()); }

TEST(SessionPool, FurtherCallsHaveOneThread) {
  const auto pool = SessionPool::create(compiledZoo("cnn_batchnorm"), {.threads = 3});
  ASSERT_TRUE(pool) << pool.error().str();
  const auto first = (*pool)->lend(), second = (*pool)->lend();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(threadsOf(*first), 3);
  EXPECT_EQ(threadsOf(*second), 1);
}

TEST(SessionPool, StreamsHaveAllThreadsEach) {
  const auto pool = SessionPool::create(compiledZoo("cnn_batchnorm"), {.threads = 3}, 2);
  ASSERT_TRUE(pool) << pool.error().str();
  for (int round = 0; round < 2; ++round) {
    const auto first = (*pool)->lend(), second = (*pool)->lend(), third = (*pool)->lend();
    ASSERT_TRUE(first && second && third);
    EXPECT_EQ(threadsOf(*first), 3) << round;
    EXPECT_EQ(threadsOf(*second), 3) << round;
    EXPECT_EQ(threadsOf(*third), 1) << round;
  }
}

TEST(SessionPool, StreamsDivideTheThreadsOfTheProcess) {
  for (const int streams : {1, 2, 1000}) {
    const auto pool = SessionPool::create(compiledZoo("cnn_batchnorm"), {}, streams);
    ASSERT_TRUE(pool) << pool.error().str();
    const auto lease = (*pool)->lend();
    ASSERT_TRUE(lease);
    EXPECT_EQ(threadsOf(*lease), std::max(enfold_default_threads() / streams, 1));
  }
}

TEST(SessionPool, RunsInTheMemoryThatAnotherLeavesIdle) {
  const Session::Options options{.threads = 2};
  const auto one = SessionPool::create(compiledZoo("cnn_batchnorm"), options);
  ASSERT_TRUE(one);
  const auto contextOf = [](SessionPool& pool) { return (*pool.lend())->context(); };
  const enfold_context* const context = contextOf(**one);
  const auto other = SessionPool::create(compiledZoo("cnn_groupnorm"), options, 1, one->get());
  ASSERT_TRUE(other);
  EXPECT_EQ(contextOf(**other), context);
  for (int round = 0; round < 2; ++round)
    for (SessionPool* pool : {one->get(), other->get()}) {
      pool->takeOver(pool == one->get() ? **other : **one);
      EXPECT_EQ(contextOf(*pool), context);
      const std::vector<Tensor> inputs = {randomInput(*pool->executable(), 1)};
      const auto outputs = pool->run(inputs);
      ASSERT_TRUE(outputs);
      EXPECT_EQ(*outputs, *sessionOf(pool->executable(), 1)->run(inputs));
    }
  {
    const auto lent = (*other)->lend();
    (*one)->takeOver(**other);
    EXPECT_NE(contextOf(**one), context) << "it is in use";
  }
  ASSERT_TRUE((*other)->reserve(1));
  (*one)->takeOver(**other);
  EXPECT_EQ(contextOf(**other), context) << "it is reserved";
}

TEST(Session, RefusesInputsThatAreNotTheNetworks) {
  const auto executable = compiledZoo("cnn_batchnorm");
  const auto session = sessionOf(executable, 1);
  const Tensor right = randomInput(*executable, 1);
  Shape larger = right.shape();
  larger[0] += 1;
  expectRefused(*session, {}, {"1 inputs, not 0"});
  expectRefused(*session, {right, right}, {"1 inputs, not 2"});
  expectRefused(*session, {Tensor(ElemType::F32, larger)}, {"input", right.type().str()});
  expectRefused(*session, {Tensor(ElemType::F64, right.shape())}, {"f64"});
  expectRefused(*session, {right.reshaped({right.numElements()})}, {right.type().str()});
  EXPECT_TRUE(session->run(std::span(&right, 1)));
}

TEST(Session, OfTooManyThreadsIsRefused) {
  const auto session =
      Session::create(compiledZoo("cnn_batchnorm"), {.threads = ENFOLD_MAX_THREADS + 1});
  EXPECT_FALSE(session);
}

TEST(Session, LaterRunsDoNotSeeEarlierOnes) {
  const auto executable = compiledZoo("resnet20_cifar");
  const auto session = sessionOf(executable, 2);
  const Tensor a = randomInput(*executable, 1), b = randomInput(*executable, 2);
  const auto first = session->run(std::span(&a, 1));
  const auto other = session->run(std::span(&b, 1));
  const auto again = session->run(std::span(&a, 1));
  ASSERT_TRUE(first && other && again);
  EXPECT_TRUE(first->front() == again->front());
  EXPECT_FALSE(first->front() == other->front());
}

TEST(Session, SeveralRunOneExecutableAtOnce) {
  const auto executable = compiledZoo("resnet20_cifar");
  const Tensor input = randomInput(*executable, 1);
  const auto expected = sessionOf(executable, 1)->run(std::span(&input, 1));
  ASSERT_TRUE(expected);
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      const auto session = sessionOf(executable, 1 + i % 2);
      for (int round = 0; round < 5; ++round)
        if (const auto outputs = session->run(std::span(&input, 1)))
          right += outputs->front() == expected->front();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 15);
}

TEST(Session, OutlivesItsCompilation) {
  auto session = sessionOf(compiledZoo("cnn_1d"), 1); // the only owner of the executable
  const Tensor input = randomInput(session->executable(), 1);
  EXPECT_TRUE(session->run(std::span(&input, 1)));
}

TEST(Session, RecoversFromAnIndexOutOfRange) {
  GraphBuilder g("test");
  Value* x = g.input("x", {ElemType::F32, {3}, {}});
  Value* picked = g.op(OpKind::GatherND, "pick", {x, g.input("at", {ElemType::I64, {2, 1}, {}})});
  auto graph = g.finish(picked, "y");
  ASSERT_TRUE(graph) << graph.error().str();
  auto compilation = compile(*std::move(graph));
  ASSERT_TRUE(compilation) << compilation.error().str();
  const auto session = sessionOf(compilation->executable, 2);
  const Tensor data = Tensor::of<float>({3}, {1, 2, 3});
  const auto at = [&](int64_t a, int64_t b) {
    const Tensor inputs[] = {data, Tensor::of<int64_t>({2, 1}, {a, b})};
    return session->run(inputs);
  };
  const auto wrong = at(0, 7);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().str().find("pick"), std::string::npos) << wrong.error().str();
  const auto right = at(2, 0);
  ASSERT_TRUE(right) << right.error().str();
  EXPECT_TRUE(right->front() == Tensor::of<float>({2}, {3, 1}));
}

/// A network with an op that has no kernel, whose data can be wrong: a range of three numbers.
std::shared_ptr<const Executable> compiledRange() {
  auto graph = parseGraph("graph @g(%limit: i64[]) {\n"
                          "  %start = const i64[] [0]\n"
                          "  %step = const i64[] [1]\n"
                          "  %y = range(%start, %limit, %step) : i64[3]\n"
                          "  return %y\n"
                          "}\n");
  EXPECT_TRUE(graph) << graph.error().str();
  auto compilation = compile(*std::move(graph));
  EXPECT_TRUE(compilation) << compilation.error().str();
  EXPECT_EQ(compilation->executable->referenceOps().size(), 1u);
  return compilation->executable;
}

TEST(Session, ReferenceFunctionsEndTheRunOfTheirContext) {
  const auto executable = compiledRange();
  const auto wrong = sessionOf(executable, 1), right = sessionOf(executable, 1);
  const int64_t four = 4, three = 3;
  std::vector<int64_t> y(3);
  const void* in[] = {&four};
  void* out[] = {y.data()};
  EXPECT_EQ(enfold_run(wrong->context(), in, 1, out, 1), ENFOLD_INVALID_DATA);
  const std::string error = enfold_last_error();
  EXPECT_NE(error.find("i64[4]"), std::string::npos) << error;
  in[0] = &three;
  EXPECT_EQ(enfold_run(right->context(), in, 1, out, 1), ENFOLD_OK);
  EXPECT_EQ(y, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(enfold_run(wrong->context(), in, 1, out, 1), ENFOLD_OK) << "the error is over";
}

TEST(Session, StatedEmptinessIsCheckedToo) {
  auto graph = parseGraph("graph @g(%limit: i64[]) {\n"
                          "  %start = const i64[] [0]\n"
                          "  %step = const i64[] [1]\n"
                          "  %r = range(%start, %limit, %step) : i64[0]\n"
                          "  %y = neg(%r) : i64[0]\n"
                          "  return %y\n"
                          "}\n");
  ASSERT_TRUE(graph) << graph.error().str();
  auto compilation = compile(*std::move(graph));
  ASSERT_TRUE(compilation) << compilation.error().str();
  const auto session = sessionOf(compilation->executable, 1);
  const Tensor zero = Tensor::of<int64_t>({}, {0}), two = Tensor::of<int64_t>({}, {2});
  EXPECT_TRUE(session->run(std::span(&zero, 1)));
  const auto wrong = session->run(std::span(&two, 1));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().str().find("i64[2]"), std::string::npos) << wrong.error().str();
}

TEST(Session, ErrorsBelongToTheRunAlsoWhenSeveralRunAtOnce) {
  const auto executable = compiledRange();
  std::vector<std::thread> threads;
  std::atomic<int> asExpected = 0;
  for (int64_t limit : {3, 4, 3, 5})
    threads.emplace_back([&, limit] {
      const auto session = sessionOf(executable, 1);
      const Tensor input = Tensor::of<int64_t>({}, {limit});
      for (int round = 0; round < 200; ++round) {
        const auto outputs = session->run(std::span(&input, 1));
        if (limit == 3)
          asExpected += outputs && outputs->front() == Tensor::of<int64_t>({3}, {0, 1, 2});
        else
          asExpected +=
              !outputs && outputs.error().str().find(std::to_string(limit)) != std::string::npos;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(asExpected, 4 * 200);
}

#if defined(__GLIBC__)
TEST(Session, RunsDoNotMakeTheHeapGrow) {
  const auto executable = compiledZoo("cnn_batchnorm");
  const auto session = sessionOf(executable, 2);
  const Tensor input = randomInput(*executable, 1);
  const Type output = executable->outputs()[0].type;
  Tensor result(output.elem, output.shape);
  const void* from[] = {input.bytes()};
  void* to[] = {result.mutableBytes()};
  ASSERT_TRUE(session->runRaw(from, to));
  const size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(session->runRaw(from, to));
  EXPECT_EQ(::mallinfo2().uordblks, before);
}
#endif

} // namespace
} // namespace enfold
