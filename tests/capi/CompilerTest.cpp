// The compiler's C interface, as a program sees it that links the shared library and nothing else.
#include "../onnx/ModelBytes.h"

#include <enfold/enfold_compiler.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace enfold {
namespace {

using namespace onnx::test;

struct CloseNetwork {
  void operator()(enfold_network* network) const { enfold_close(network); }
};
struct ReleaseCompiled {
  void operator()(enfold_compiled* compiled) const { enfold_release_compiled(compiled); }
};
struct FreeSettings {
  void operator()(enfold_settings* settings) const { enfold_free_settings(settings); }
};
using NetworkPtr = std::unique_ptr<enfold_network, CloseNetwork>;
using CompiledPtr = std::unique_ptr<enfold_compiled, ReleaseCompiled>;
using SettingsPtr = std::unique_ptr<enfold_settings, FreeSettings>;

SettingsPtr settings(const std::vector<std::pair<const char*, std::string>>& pairs) {
  SettingsPtr made(enfold_new_settings());
  for (const auto& [name, value] : pairs)
    EXPECT_EQ(enfold_set(made.get(), name, value.c_str()), ENFOLD_OK) << enfold_compiler_error();
  return made;
}

/// y = relu(x + b) over [n, 4].
std::string relu() {
  return model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {"n", int64_t{4}})},
                          .outputs = {valueInfo("y", ElemType::F32, {"n", int64_t{4}})},
                          .initializers = {floats("b", {4}, {1, 2, 3, 4})},
                          .nodes = {{"Add", {"x", "b"}, {"s"}}, {"Relu", {"s"}, {"y"}}}}});
}

NetworkPtr open(const std::string& bytes, const enfold_settings* how = nullptr) {
  enfold_network* network = nullptr;
  const enfold_status status =
      enfold_open_bytes(bytes.data(), static_cast<int64_t>(bytes.size()), how, &network);
  EXPECT_EQ(status, ENFOLD_OK) << enfold_compiler_error();
  return NetworkPtr(network);
}

CompiledPtr compile(const NetworkPtr& network, int64_t rows) {
  const std::array<int64_t, 2> dims = {rows, 4};
  const enfold_tensor x = {"x", ENFOLD_F32, 2, dims.data(), nullptr};
  enfold_compiled* compiled = nullptr;
  EXPECT_EQ(enfold_compile(network.get(), &x, 1, &compiled), ENFOLD_OK) << enfold_compiler_error();
  return CompiledPtr(compiled);
}

std::vector<float> run(const enfold_compiled* compiled, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  const void* inputs[] = {x.data()};
  void* outputs[] = {y.data()};
  EXPECT_EQ(enfold_run_compiled(compiled, inputs, 1, outputs, 1, nullptr), ENFOLD_OK)
      << enfold_compiler_error();
  return y;
}

TEST(Compiler, Version) {
  EXPECT_EQ(enfold_compiler_version(), ENFOLD_COMPILER_VERSION);
  EXPECT_STRNE(enfold_version(), "");
}

TEST(Compiler, AnswersForEverySize) {
  const NetworkPtr network = open(relu());
  for (const int64_t rows : {1, 3, 1}) {
    const CompiledPtr compiled = compile(network, rows);
    const enfold_program* program = enfold_compiled_program(compiled.get());
    ASSERT_EQ(program->num_outputs, 1);
    EXPECT_EQ(program->outputs[0].dims[0], rows);
    std::vector<float> x(static_cast<size_t>(rows * 4), -2.5F);
    const std::vector<float> y = run(compiled.get(), x);
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(y[i], std::max(0.0F, x[i] + static_cast<float>(i % 4 + 1)));
  }
  EXPECT_EQ(enfold_num_compilations(network.get()), 2);
}

TEST(Compiler, Declarations) {
  const NetworkPtr network = open(relu());
  ASSERT_EQ(enfold_num_inputs(network.get()), 1);
  const enfold_declaration* x = enfold_declared_input(network.get(), 0);
  EXPECT_STREQ(x->name, "x");
  EXPECT_EQ(x->elem, ENFOLD_F32);
  ASSERT_EQ(x->rank, 2);
  EXPECT_EQ(x->dims[0], -1);
  EXPECT_STREQ(x->symbols[0], "n");
  EXPECT_EQ(x->dims[1], 4);
  EXPECT_EQ(enfold_declared_input(network.get(), 1), nullptr);
  EXPECT_EQ(enfold_declared_input(network.get(), -1), nullptr);
  EXPECT_EQ(enfold_num_overridable(network.get()), 0);
  EXPECT_NE(enfold_model_property(network.get(), "opset"), nullptr);
  EXPECT_EQ(enfold_model_property(network.get(), "colour"), nullptr);
  EXPECT_EQ(enfold_metadata_key(network.get(), 0), nullptr);
}

TEST(Compiler, OutlivesItsNetwork) {
  NetworkPtr network = open(relu());
  const CompiledPtr compiled = compile(network, 2);
  network.reset();
  EXPECT_EQ(run(compiled.get(), std::vector<float>(8, 1))[0], 2);
}

TEST(Compiler, ThreadsShareANetwork) {
  const NetworkPtr network = open(relu());
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int turn = 0; turn < 50; ++turn) {
        const int64_t rows = 1 + (t + turn) % 3;
        const CompiledPtr compiled = compile(network, rows);
        const auto value = static_cast<float>(t);
        for (const float y : run(compiled.get(), std::vector<float>(size_t(rows) * 4, value)))
          if (y < value + 1 || y > value + 4) ++wrong;
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(enfold_num_compilations(network.get()), 3);
}

TEST(Compiler, ReservedProgramsRunWhateverComesBetween) {
  const NetworkPtr network = open(relu());
  const CompiledPtr kept = compile(network, 5);
  EXPECT_EQ(enfold_reserve(kept.get(), 2), ENFOLD_OK) << enfold_compiler_error();
  const std::vector<float> x(20, 0.5F), expected = run(kept.get(), x);
  for (int64_t rows = 6; rows < 20; ++rows)
    run(compile(network, rows).get(), std::vector<float>(static_cast<size_t>(rows * 4)));
  EXPECT_EQ(run(kept.get(), x), expected);
  for (const int32_t runs : {0, -1, ENFOLD_MAX_THREADS + 1})
    EXPECT_EQ(enfold_reserve(kept.get(), runs), ENFOLD_INVALID_ARGUMENT) << runs;
  EXPECT_EQ(enfold_reserve(nullptr, 1), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(run(kept.get(), x), expected);
}

TEST(Compiler, LimitsOfARun) {
  const NetworkPtr network = open(relu());
  const CompiledPtr compiled = compile(network, 1);
  const std::vector<float> x(4);
  std::vector<float> y(4);
  const void* inputs[] = {x.data()};
  void* outputs[] = {y.data()};
  const volatile int32_t stop = 1;
  const enfold_run_limits stopped = {&stop, 0}, late = {nullptr, 1e-9}, none = {nullptr, 60};
  const auto run = [&](const enfold_run_limits& limits) {
    return enfold_run_compiled(compiled.get(), inputs, 1, outputs, 1, &limits);
  };
  EXPECT_EQ(run(stopped), ENFOLD_STOPPED);
  EXPECT_STREQ(enfold_compiler_error_codes(), "stopped");
  EXPECT_EQ(run(late), ENFOLD_STOPPED);
  EXPECT_STREQ(enfold_compiler_error_codes(), "time-limit");
  EXPECT_EQ(run(none), ENFOLD_OK);
  const enfold_run_limits wrong = {nullptr, NAN};
  EXPECT_NE(enfold_run_compiled(compiled.get(), inputs, 1, outputs, 1, &wrong), ENFOLD_OK);
}

TEST(Compiler, InterruptedCompilation) {
  SettingsPtr how(enfold_new_settings());
  int calls = 0;
  enfold_set_interrupt(
      how.get(), [](void* data) { return ++*static_cast<int*>(data) > 3 ? 1 : 0; }, &calls);
  enfold_network* network = nullptr;
  EXPECT_EQ(enfold_open("zoo:cnn_batchnorm", how.get(), &network), ENFOLD_STOPPED);
  EXPECT_EQ(network, nullptr);
  EXPECT_EQ(calls, 4);
}

TEST(Compiler, Cache) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("enfold-capi-" + std::to_string(getpid()));
  const SettingsPtr how = settings({{"cache", "1"}, {"cache-folder", folder.string()}});
  const std::string bytes = relu();
  std::vector<std::vector<float>> answers;
  for (int turn = 0; turn < 2; ++turn)
    answers.push_back(run(compile(open(bytes, how.get()), 2).get(), {1, -5, 2, 3, -1, -2, -3, -4}));
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_FALSE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST(Compiler, EverySettingIsListed) {
  const std::string list = enfold_list_settings();
  const SettingsPtr how(enfold_new_settings());
  size_t rows = 0;
  for (size_t begin = 0; begin < list.size(); ++rows) {
    const size_t end = list.find('\n', begin);
    const std::string name = list.substr(begin, list.find('\t', begin) - begin);
    enfold_set(how.get(), name.c_str(), "\x01");
    EXPECT_EQ(std::string(enfold_compiler_error()).find("no setting"), std::string::npos) << name;
    begin = end + 1;
  }
  EXPECT_GT(rows, 15U);
}

TEST(Compiler, RefusedSettings) {
  const SettingsPtr how(enfold_new_settings());
  for (const auto& [name, value] :
       std::vector<std::pair<const char*, const char*>>{{"threads", "-1"},
                                                        {"threads", "2x"},
                                                        {"threads", "99999"},
                                                        {"shape", "x"},
                                                        {"shape", "=3"},
                                                        {"shape", "x=1x"},
                                                        {"accuracy", "sloppy"},
                                                        {"precision", "fp16"},
                                                        {"tolerance", "nan"},
                                                        {"tolerance", "-1"},
                                                        {"cache", "yes"},
                                                        {"cache-bytes", "1Q"},
                                                        {"capacity", "0"},
                                                        {"disable-pass", "none-such"},
                                                        {"passes", "none-such"},
                                                        {"max-rewrites", "-1"},
                                                        {"limit-memory", "much"},
                                                        {"speed", "11"}}) {
    EXPECT_EQ(enfold_set(how.get(), name, value), ENFOLD_INVALID_ARGUMENT) << name << value;
    EXPECT_NE(std::string(enfold_compiler_error()).find(name), std::string::npos);
  }
  EXPECT_EQ(enfold_set(nullptr, "threads", "1"), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_set(how.get(), nullptr, "1"), ENFOLD_INVALID_ARGUMENT);
}

TEST(Compiler, RefusedModels) {
  enfold_network* network = nullptr;
  EXPECT_EQ(enfold_open("/none/such.onnx", nullptr, &network), ENFOLD_NO_SUCH_FILE);
  EXPECT_STREQ(enfold_compiler_error_codes(), "no-such-file");
  EXPECT_EQ(enfold_open(nullptr, nullptr, &network), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_open("zoo:resnet18", nullptr, nullptr), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_open("zoo:none", nullptr, &network), ENFOLD_INVALID_ARGUMENT);
  EXPECT_STREQ(enfold_compiler_error_codes(), "unknown-name");
  EXPECT_EQ(enfold_open_bytes("garbage", 7, nullptr, &network), ENFOLD_INVALID_MODEL);
  EXPECT_STREQ(enfold_compiler_error_codes(), "not-onnx");
  EXPECT_EQ(enfold_open_bytes(nullptr, 0, nullptr, &network), ENFOLD_INVALID_MODEL);
  EXPECT_EQ(enfold_open_bytes("x", -1, nullptr, &network), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(network, nullptr);
}

TEST(Compiler, RefusedInputs) {
  const NetworkPtr network = open(relu());
  const std::array<int64_t, 2> right = {1, 4}, wrong = {1, 5}, negative = {-1, 4};
  enfold_compiled* compiled = nullptr;
  for (const enfold_tensor& x : {enfold_tensor{"x", ENFOLD_F32, 2, wrong.data(), nullptr},
                                 enfold_tensor{"x", ENFOLD_F32, 2, negative.data(), nullptr},
                                 enfold_tensor{"x", ENFOLD_F32, -1, right.data(), nullptr},
                                 enfold_tensor{"x", 99, 2, right.data(), nullptr},
                                 enfold_tensor{"z", ENFOLD_F32, 2, right.data(), nullptr}}) {
    EXPECT_NE(enfold_compile(network.get(), &x, 1, &compiled), ENFOLD_OK);
    EXPECT_EQ(compiled, nullptr);
    EXPECT_STRNE(enfold_compiler_error(), "");
  }
  const CompiledPtr good = compile(network, 1);
  const void* inputs[] = {nullptr};
  void* outputs[] = {nullptr};
  EXPECT_NE(enfold_run_compiled(good.get(), inputs, 1, outputs, 1, nullptr), ENFOLD_OK);
  EXPECT_NE(enfold_run_compiled(good.get(), inputs, 0, outputs, 1, nullptr), ENFOLD_OK);
  EXPECT_NE(enfold_run_compiled(nullptr, inputs, 1, outputs, 1, nullptr), ENFOLD_OK);
}

/// Contents that decide shapes are kept as they were, wherever the caller writes next.
TEST(Compiler, ContentsThatDecideShapes) {
  const NetworkPtr network =
      open(model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {int64_t{12}}),
                                       valueInfo("s", ElemType::I64, {int64_t{2}})},
                            .outputs = {valueInfo("y", ElemType::F32, {"a", "b"})},
                            .nodes = {{"Reshape", {"x", "s"}, {"r"}}, {"Relu", {"r"}, {"y"}}}}}));
  const int64_t twelve = 12, two = 2;
  std::array<int64_t, 2> shape = {2, 6};
  const enfold_tensor inputs[] = {{"x", ENFOLD_F32, 1, &twelve, nullptr},
                                  {"s", ENFOLD_I64, 1, &two, shape.data()}};
  for (const std::array<int64_t, 2> wanted : {std::array<int64_t, 2>{2, 6}, {3, 4}, {2, 6}}) {
    shape = wanted;
    enfold_compiled* compiled = nullptr;
    ASSERT_EQ(enfold_compile(network.get(), inputs, 2, &compiled), ENFOLD_OK)
        << enfold_compiler_error();
    const CompiledPtr program(compiled);
    EXPECT_EQ(enfold_compiled_for_contents(compiled, "s"), 1);
    EXPECT_EQ(enfold_compiled_program(compiled)->outputs[0].dims[0], wanted[0]);
  }
  EXPECT_EQ(enfold_num_compilations(network.get()), 2);
}

TEST(Compiler, Reports) {
  const NetworkPtr network = open(relu());
  const std::array<int64_t, 2> dims = {3, 4};
  const std::vector<float> ones(12, 1);
  const enfold_tensor x = {"x", ENFOLD_F32, 2, dims.data(), ones.data()};
  char* json = nullptr;
  const auto expectHolds = [&](enfold_status status, const char* text) {
    ASSERT_EQ(status, ENFOLD_OK) << enfold_compiler_error();
    EXPECT_NE(std::string(json).find(text), std::string::npos) << json;
    enfold_free_text(json);
  };
  expectHolds(enfold_explain(network.get(), &x, 1, 1, &json), "\"remarks\"");
  expectHolds(enfold_inspect(network.get(), &x, 1, &json), "\"shape\":[3,4]");
  expectHolds(enfold_profile(network.get(), &x, 1, 0.01, &json), "\"latency_ms\"");
  enfold_diff_options how = {.against = "reference", .rtol = -1, .atol = -1};
  expectHolds(enfold_diff(network.get(), &x, 1, &how, &json), "\"different\":0");
  const enfold_tensor wrong = {"y", ENFOLD_F32, 2, dims.data(), ones.data()};
  how = {.expected = &wrong, .num_expected = 1, .rtol = -1, .atol = -1};
  expectHolds(enfold_diff(network.get(), &x, 1, &how, &json), "\"different\":1");
}

TEST(Compiler, RefusedReports) {
  const NetworkPtr network = open(relu());
  const std::array<int64_t, 2> dims = {1, 4};
  const enfold_tensor x = {"x", ENFOLD_F32, 2, dims.data(), nullptr};
  const enfold_diff_options truth = {.against = "truth"};
  char* json = nullptr;
  EXPECT_EQ(enfold_explain(nullptr, &x, 1, 0, &json), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_inspect(network.get(), &x, 1, nullptr), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_inspect(network.get(), nullptr, 1, &json), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_profile(network.get(), &x, 1, -1, &json), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_diff(network.get(), &x, 1, nullptr, &json), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_diff(network.get(), &x, 1, &truth, &json), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(json, nullptr);
  enfold_free_text(nullptr);
}

/// y = x * w over [n, 4], by a matrix of 4 times 3.
std::string product() {
  return model(
      {.graph = {.inputs = {valueInfo("x", ElemType::F32, {"n", int64_t{4}})},
                 .outputs = {valueInfo("y", ElemType::F32, {"n", int64_t{3}})},
                 .initializers = {floats("w", {4, 3}, {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6})},
                 .nodes = {{"MatMul", {"x", "w"}, {"y"}}}}});
}

TEST(Compiler, QuantizesAndWritesPages) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("enfold-codes-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "codes.onnx", page = folder / "page.html";
  const NetworkPtr network = open(product());
  const std::array<int64_t, 2> dims = {1, 4};
  const std::vector<float> numbers = {1, -2, 3, -4, 0, 1, 0, 2};
  const enfold_tensor samples[] = {{"x", ENFOLD_F32, 2, dims.data(), numbers.data()},
                                   {"x", ENFOLD_F32, 2, dims.data(), numbers.data() + 4}};
  char* json = nullptr;
  ASSERT_EQ(enfold_quantize(network.get(), samples, 1, 2, path.c_str(), nullptr, &json), ENFOLD_OK)
      << enfold_compiler_error();
  EXPECT_NE(std::string(json).find("\"samples\":2"), std::string::npos) << json;
  enfold_free_text(json);
  enfold_network* opened = nullptr;
  ASSERT_EQ(enfold_open(path.c_str(), nullptr, &opened), ENFOLD_OK) << enfold_compiler_error();
  const NetworkPtr codes(opened);
  EXPECT_EQ(enfold_declared_input(codes.get(), 0)->dims[0], -1) << "the batch stays open";

  const enfold_report_options how = {.seconds = 0};
  ASSERT_EQ(enfold_report(codes.get(), samples, 1, page.c_str(), &how), ENFOLD_OK)
      << enfold_compiler_error();
  EXPECT_GT(std::filesystem::file_size(page), 100'000u);

  const enfold_quantize_options best = {.method = "best"};
  const enfold_quantize_options labelled = {.num_labels = 3};
  const auto refused = [&](const enfold_quantize_options* options, int64_t count) {
    EXPECT_EQ(enfold_quantize(network.get(), samples, 1, count, path.c_str(), options, &json),
              ENFOLD_INVALID_ARGUMENT);
    EXPECT_EQ(json, nullptr);
  };
  refused(&best, 2);
  refused(&labelled, 2);
  refused(nullptr, 0);
  const enfold_report_options endless = {.seconds = -1};
  EXPECT_EQ(enfold_report(network.get(), samples, 1, page.c_str(), &endless),
            ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_report(nullptr, samples, 1, page.c_str(), nullptr), ENFOLD_INVALID_ARGUMENT);
  std::filesystem::remove_all(folder);
}

TEST(Compiler, SavedAndLoaded) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("enfold-save-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "net.so", header = folder / "net.h";
  const NetworkPtr network = open(relu());
  const std::array<int64_t, 2> dims = {2, 4};
  const enfold_tensor x = {"x", ENFOLD_F32, 2, dims.data(), nullptr};
  const enfold_save_options options = {.header = header.c_str(), .name = "two_rows"};
  ASSERT_EQ(enfold_save(network.get(), &x, 1, path.c_str(), &options), ENFOLD_OK)
      << enfold_compiler_error();
  EXPECT_TRUE(std::filesystem::exists(header));
  enfold_network* opened = nullptr;
  ASSERT_EQ(enfold_load(path.c_str(), nullptr, &opened), ENFOLD_OK) << enfold_compiler_error();
  const NetworkPtr loaded(opened);
  EXPECT_EQ(run(compile(loaded, 2).get(), {-9, 1, 1, 1, 2, 2, 2, 2}),
            (std::vector<float>{0, 3, 4, 5, 3, 4, 5, 6}));
  const std::string wrong = folder / "net.dll", garbage = folder / "garbage.so";
  EXPECT_EQ(enfold_save(network.get(), &x, 1, wrong.c_str(), nullptr), ENFOLD_INVALID_ARGUMENT);
  EXPECT_EQ(enfold_load(garbage.c_str(), nullptr, &opened), ENFOLD_NO_SUCH_FILE);
  EXPECT_EQ(enfold_load(header.c_str(), nullptr, &opened), ENFOLD_INVALID_MODEL);
  EXPECT_EQ(opened, nullptr);
  std::filesystem::remove_all(folder);
}

} // namespace
} // namespace enfold
