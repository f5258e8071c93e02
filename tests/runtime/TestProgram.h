// A program put together by hand: owns what an enfold_program points to.
#pragma once

#include <enfold/enfold.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace enfold::rt::test {

inline enfold_buffer_ref input(int32_t index, int64_t offset = 0) {
  return {ENFOLD_SPACE_INPUT, index, offset};
}
inline enfold_buffer_ref output(int32_t index, int64_t offset = 0) {
  return {ENFOLD_SPACE_OUTPUT, index, offset};
}
inline enfold_buffer_ref arena(int64_t offset) { return {ENFOLD_SPACE_ARENA, 0, offset}; }
inline enfold_buffer_ref constant(int64_t offset) { return {ENFOLD_SPACE_CONSTANT, 0, offset}; }

class TestProgram {
public:
  /// A one-dimensional f32 input or output.
  void addInput(const char* name, int64_t size) { inputs_.push_back(floats(name, size)); }
  void addOutput(const char* name, int64_t size) { outputs_.push_back(floats(name, size)); }

  enfold_step& addStep(enfold_kernel_fn kernel, std::vector<enfold_buffer_ref> buffers,
                       int64_t iterations, int64_t grain = 1, bool parallel = true) {
    buffers_.push_back(std::move(buffers));
    steps_.push_back({.kernel = kernel,
                      .buffers = nullptr,
                      .num_buffers = 0,
                      .parallel = parallel,
                      .iterations = iterations,
                      .grain = grain,
                      .name = "kernel",
                      .origin = "origin",
                      .flops = 2.0 * static_cast<double>(iterations),
                      .bytes = 8.0 * static_cast<double>(iterations)});
    return steps_.back();
  }

  /// The program as it now is; valid until the next change.
  enfold_program& get() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      steps_[i].buffers = buffers_[i].data();
      steps_[i].num_buffers = static_cast<int32_t>(buffers_[i].size());
    }
    program_.version = ENFOLD_PROGRAM_VERSION;
    program_.num_inputs = static_cast<int32_t>(inputs_.size());
    program_.num_outputs = static_cast<int32_t>(outputs_.size());
    program_.num_steps = static_cast<int32_t>(steps_.size());
    program_.name = "test";
    program_.inputs = inputs_.data();
    program_.outputs = outputs_.data();
    program_.steps = steps_.data();
    program_.constants = constants;
    program_.constants_bytes = sizeof constants;
    program_.arena_bytes = arenaBytes;
    program_.scratch_bytes = scratchBytes;
    program_.isa = "scalar";
    return program_;
  }

  std::vector<enfold_tensor_info>& inputs() { return inputs_; }
  std::vector<enfold_buffer_ref>& buffers(size_t step) { return buffers_[step]; }

  alignas(64) float constants[16] = {};
  int64_t arenaBytes = 0;
  int64_t scratchBytes = 0;

private:
  static enfold_tensor_info floats(const char* name, int64_t size) {
    return {.name = name, .elem = ENFOLD_F32, .rank = 1, .dims = {size}, .bytes = 4 * size};
  }

  std::vector<enfold_tensor_info> inputs_;
  std::vector<enfold_tensor_info> outputs_;
  std::deque<std::vector<enfold_buffer_ref>> buffers_;
  std::vector<enfold_step> steps_;
  enfold_program program_ = {};
};

struct ContextDeleter {
  void operator()(enfold_context* context) const { enfold_destroy_context(context); }
};
using ContextPointer = std::unique_ptr<enfold_context, ContextDeleter>;

/// A context for the program, or null with `status` telling why.
inline ContextPointer makeContext(TestProgram& program, enfold_options options = {},
                                  enfold_status* status = nullptr) {
  enfold_context* context = nullptr;
  const enfold_status result = enfold_create_context(&program.get(), &options, &context);
  if (status != nullptr) *status = result;
  return ContextPointer(context);
}

/// Runs a program of one input and one output.
inline enfold_status run(enfold_context* context, const void* input, void* output) {
  return enfold_run(context, &input, 1, &output, 1);
}

} // namespace enfold::rt::test
