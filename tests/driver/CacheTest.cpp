// The cache of programs: what comes out is what went in, and only where it belongs.
#include "../onnx/ModelBytes.h"
#include "driver/CompileModel.h"
#include "ir/ConstantText.h"
#include "support/NewFile.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace enfold {
namespace {

namespace fs = std::filesystem;
using namespace onnx::test;

/// A folder of the test's own, gone afterwards.
class Folder {
public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("enfold-cache-" + std::to_string(getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }

private:
  fs::path path_;
};

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// conv 3 to 16, relu; batch, height and width are open.
std::string convNet(float weight = 0.25f) {
  return model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {"n", int64_t{3}, "h", "w"})},
                          .outputs = {valueInfo("y", ElemType::F32)},
                          .initializers = {floats("w1", {16, 3, 3, 3},
                                                  std::vector<float>(16 * 3 * 9, weight))},
                          .nodes = {{"Conv", {"x", "w1"}, {"a"}}, {"Relu", {"a"}, {"y"}}}}});
}

std::string reshaper() {
  return model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {int64_t{12}}),
                                     valueInfo("shape", ElemType::I64, {int64_t{2}})},
                          .outputs = {valueInfo("y", ElemType::F32)},
                          .nodes = {{"Reshape", {"x", "shape"}, {"y"}}}}});
}

NamedTensor images(const Shape& shape) {
  Tensor tensor(ElemType::F32, shape);
  fillRandom(tensor, 1, -1, 1);
  return {"x", std::move(tensor)};
}

CompiledModel compiled(const std::string& model, std::span<const NamedTensor> inputs,
                       const CompileCache& cache, const CompileOptions& options = {}) {
  auto result = compileModel(model, inputs, {}, options, &cache);
  if (!result) {
    ADD_FAILURE() << result.error().str();
    return {};
  }
  return *std::move(result);
}

std::vector<Tensor> answer(const CompiledModel& model, const Tensor& input) {
  auto session = Session::create(model.executable, {.threads = 1});
  auto outputs = (*session)->run(std::span(&input, 1));
  EXPECT_TRUE(outputs) << outputs.error().str();
  return outputs ? *std::move(outputs) : std::vector<Tensor>{};
}

TEST(Cache, GivesTheSameBits) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  write(folder / "m.onnx", convNet());
  const NamedTensor input = images({2, 3, 9, 11});
  const auto first = compiled(folder / "m.onnx", std::span(&input, 1), cache);
  const auto second = compiled(folder / "m.onnx", std::span(&input, 1), cache);
  EXPECT_FALSE(first.cached);
  EXPECT_TRUE(second.cached);
  EXPECT_EQ(answer(first, input.tensor), answer(second, input.tensor));
  ASSERT_EQ(second.executable->inputs().size(), 1u);
  EXPECT_EQ(second.executable->inputs()[0].name, "x");
  EXPECT_EQ(second.executable->outputs()[0].type.shape, (Shape{2, 16, 7, 9}));
  EXPECT_EQ(cache.entries().size(), 1u);
}

TEST(Cache, OutlivesTheEntry) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  for (int i = 0; i < 2; ++i) compiled("zoo:cnn_batchnorm", {}, cache);
  const auto model = compiled("zoo:cnn_batchnorm", {}, cache);
  ASSERT_TRUE(model.cached);
  const Tensor input = images({16, 3, 32, 32}).tensor;
  const auto before = answer(model, input);
  EXPECT_EQ(cache.prune(0).entries.size(), 1u);
  EXPECT_EQ(answer(model, input), before);
}

TEST(Cache, TellsApart) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  const std::string path = folder / "m.onnx";
  const NamedTensor input = images({2, 3, 9, 11}), larger = images({2, 3, 9, 12});
  const auto cached = [&](const NamedTensor& x, const CompileOptions& options = {}) {
    const bool first = compiled(path, std::span(&x, 1), cache, options).cached;
    EXPECT_TRUE(compiled(path, std::span(&x, 1), cache, options).cached);
    return first;
  };
  write(path, convNet());
  EXPECT_FALSE(cached(input));
  EXPECT_FALSE(cached(larger));
  EXPECT_FALSE(cached(input, {.fuse = false}));
  EXPECT_FALSE(cached(input, {.disabled = {"fuse-epilogue"}}));
  EXPECT_FALSE(cached(input, {.tolerance = 1e-3}));
  EXPECT_FALSE(cached(input, {.cpu = "x86-64"}));
  const std::string machine = folder / "machine";
  write(machine, "cpu = native\nl2_bytes = 65536\n");
  EXPECT_FALSE(cached(input, {.machine = machine}));
  write(machine, "cpu = native\nl2_bytes = 32768\n");
  EXPECT_FALSE(cached(input, {.machine = machine}));
  write(machine, "cpu = native # the same but for words\n\nl2_bytes = 32768\n");
  EXPECT_TRUE(cached(input, {.machine = machine}));
  CompileOptions strict;
  strict.passes.passes.accuracy = Accuracy::Strict;
  EXPECT_FALSE(cached(input, strict));
  write(path, convNet(0.5f));
  EXPECT_FALSE(cached(input));
  write(path, convNet());
  EXPECT_TRUE(cached(input));
}

TEST(Cache, FilesBesideTheModel) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  const std::string path = folder / "m.onnx";
  write(path, model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {int64_t{2000}})},
                               .outputs = {valueInfo("y", ElemType::F32)},
                               .initializers = {externalTensor("w", {2000}, "w.bin")},
                               .nodes = {{"Mul", {"x", "w"}, {"y"}}}}}));
  const Tensor x = images({2000}).tensor;
  for (const float weight : {1.5f, 2.5f}) {
    const std::vector<float> weights(2000, weight);
    write(folder / "w.bin", {reinterpret_cast<const char*>(weights.data()), 8000});
    for (const bool cached : {false, true}) {
      const auto model = compiled(path, {}, cache);
      EXPECT_EQ(model.cached, cached);
      EXPECT_EQ(answer(model, x).at(0).data<float>()[7], x.data<float>()[7] * weight);
    }
  }
}

TEST(Cache, InputsThatAreCompiledIn) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  const std::string path = folder / "m.onnx";
  write(path, reshaper());
  const auto run = [&](int64_t rows) {
    const NamedTensor inputs[] = {images({12}),
                                  {"shape", Tensor::of<int64_t>({2}, {{rows, 12 / rows}})}};
    const auto model = compiled(path, inputs, cache);
    EXPECT_EQ(model.executable->outputs()[0].type.shape, (Shape{rows, 12 / rows}));
    EXPECT_TRUE(model.boundInputs.contains("shape"));
    EXPECT_EQ(model.notes.size(), 1u);
    return model.cached;
  };
  EXPECT_FALSE(run(3));
  EXPECT_TRUE(run(3));
  EXPECT_FALSE(run(4));
  EXPECT_TRUE(run(4));
  EXPECT_FALSE(run(3));
}

TEST(Cache, DamagedEntriesAreRemoved) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  write(folder / "m.onnx", convNet());
  const NamedTensor input = images({1, 3, 8, 8});
  const auto compileIt = [&] { return compiled(folder / "m.onnx", std::span(&input, 1), cache); };
  const auto expected = answer(compileIt(), input.tensor);
  const fs::path entry = cache.entries().at(0).path;
  const std::string whole = read(entry);
  std::vector<std::string> damaged = {"", "enfold", whole.substr(0, 64),
                                      whole.substr(0, whole.size() / 2), std::string(5000, 'x')};
  for (size_t at = 0; at < 32; at += 5) { // in the header
    damaged.push_back(whole);
    damaged.back()[at] ^= 4;
  }
  uint64_t description;
  std::memcpy(&description, whole.data() + 16, sizeof description);
  const size_t code = (64 + description + 63) / 64 * 64; // the first part
  for (const size_t at : {size_t{64}, 64 + description / 2, 63 + description, code, code + 1000}) {
    damaged.push_back(whole);
    damaged.back()[at] ^= 1;
  }
  for (const std::string& bytes : damaged) {
    write(entry, bytes);
    const auto model = compileIt();
    EXPECT_FALSE(model.cached);
    ASSERT_EQ(model.notes.size(), 1u);
    EXPECT_NE(model.notes[0].find("it was removed"), std::string::npos) << model.notes[0];
    EXPECT_EQ(answer(model, input.tensor), expected);
    EXPECT_TRUE(compileIt().cached);
  }
}

TEST(Cache, ForgetsThoseUsedLongestAgo) {
  const Folder folder;
  CompileCache cache(folder / "cache");
  const auto use = [&](int64_t height) {
    const NamedTensor input = images({1, 3, height, 8});
    return compiled(folder / "m.onnx", std::span(&input, 1), cache).cached;
  };
  write(folder / "m.onnx", convNet());
  for (int64_t height : {8, 9, 10}) EXPECT_FALSE(use(height));
  EXPECT_TRUE(use(8));
  const auto entries = cache.entries();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(cache.prune(entries[0].bytes + entries[1].bytes).entries.size(), 1u);
  EXPECT_TRUE(use(8));
  EXPECT_TRUE(use(10));
  EXPECT_FALSE(use(9));
  const int64_t bytes = cache.entries()[0].bytes;
  cache = CompileCache(folder / "cache", bytes + bytes / 2);
  EXPECT_FALSE(use(11)); // storing makes room
  EXPECT_EQ(cache.entries().size(), 1u);
  EXPECT_TRUE(use(11));
}

TEST(Cache, ManyWriters) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  write(folder / "m.onnx", convNet());
  const NamedTensor input = images({1, 3, 8, 8});
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int k = 0; k < 5; ++k) {
          EXPECT_TRUE(compiled(folder / "m.onnx", std::span(&input, 1), cache).notes.empty());
          if (k == 2) cache.prune(0);
        }
      });
  }
  EXPECT_EQ(cache.entries().size(), 1u);
  const auto rest = std::distance(fs::directory_iterator(cache.folder()), {});
  EXPECT_EQ(rest, 1) << "files are left over";
}

TEST(Cache, CleansUpAfterKilledWriters) {
  const Folder folder;
  const CompileCache cache(folder / "cache");
  fs::create_directories(cache.folder());
  const auto left = cache.folder() / "0123456789abcdef.enfold";
  const pid_t child = ::fork();
  if (child == 0) { // writes half of an entry, and is killed
    auto file = NewFile::create(left);
    if (file && file->append(std::string(5000, 'x'))) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(cache.entries().empty());
  ASSERT_EQ(cache.unfinished().size(), 1u);
  EXPECT_EQ(cache.unfinished()[0].bytes, 5000);

  auto alive = NewFile::create(left);
  ASSERT_TRUE(alive);
  ASSERT_TRUE(alive->append(std::string(300, 'y')));
  EXPECT_EQ(cache.unfinished().size(), 2u);
  const auto removed = cache.prune(CompileCache::kCapacity);
  ASSERT_EQ(removed.unfinished.size(), 1u);
  EXPECT_EQ(removed.unfinished[0].bytes, 5000);
  ASSERT_EQ(cache.unfinished().size(), 1u) << "one that is being written stays";
  EXPECT_TRUE(alive->commit());
  EXPECT_TRUE(cache.unfinished().empty());
  EXPECT_EQ(read(left), std::string(300, 'y'));
}

TEST(Cache, StoringMakesRoomForWhatIsUnfinished) {
  const Folder folder;
  write(folder / "m.onnx", convNet());
  const auto store = [&](const CompileCache& cache, int64_t height) {
    const NamedTensor input = images({1, 3, height, 8});
    return compiled(folder / "m.onnx", std::span(&input, 1), cache).cached;
  };
  CompileCache cache(folder / "cache");
  EXPECT_FALSE(store(cache, 8));
  const int64_t bytes = cache.entries()[0].bytes;
  write(cache.folder() / "feed.enfold.tmp4242.0", std::string(1000, 'x'));
  auto alive = NewFile::create(cache.folder() / "fade.enfold");
  ASSERT_TRUE(alive);
  ASSERT_TRUE(alive->append(std::string(static_cast<size_t>(bytes), 'y')));
  cache = CompileCache(folder / "cache", 2 * bytes + bytes / 2);
  EXPECT_FALSE(store(cache, 9));
  EXPECT_EQ(cache.entries().size(), 1u) << "room for two, of which one is being written";
  EXPECT_EQ(cache.unfinished().size(), 1u);
}

TEST(Cache, FoldersThatCannotBe) {
  const Folder folder;
  write(folder / "file", "");
  write(folder / "m.onnx", convNet());
  const CompileCache cache((folder / "file") / "cache");
  const NamedTensor input = images({1, 3, 8, 8});
  const auto model = compiled(folder / "m.onnx", std::span(&input, 1), cache);
  ASSERT_EQ(model.notes.size(), 1u);
  EXPECT_NE(model.notes[0].find("not put into the cache"), std::string::npos);
  EXPECT_TRUE(cache.entries().empty());
}

} // namespace
} // namespace enfold
