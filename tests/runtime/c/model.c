/* A model as the compiler writes one, in C: y = max(0, w * x + b) over 1000 floats. */
#include "model.h"

#include <stddef.h>

static void scaleShiftRelu(void* const* buffers, int64_t begin, int64_t end, void* scratch) {
  const float* x = (const float*)buffers[0];
  const float* constants = (const float*)buffers[1];
  float* y = (float*)buffers[2];
  int64_t i;
  (void)scratch;
  for (i = begin; i < end; ++i) {
    const float value = constants[0] * x[i] + constants[1];
    y[i] = value > 0 ? value : 0;
  }
}

static const enfold_tensor_info inputs[] = {{"x", ENFOLD_F32, 2, {10, 100}, 4000}};
static const enfold_tensor_info outputs[] = {{"y", ENFOLD_F32, 2, {10, 100}, 4000}};
static const enfold_buffer_ref buffers[] = {
    {ENFOLD_SPACE_INPUT, 0, 0}, {ENFOLD_SPACE_CONSTANT, 0, 64}, {ENFOLD_SPACE_OUTPUT, 0, 0}};
static const enfold_step steps[] = {{scaleShiftRelu, buffers, 3, 1, 1000, 8, "scale_shift_relu",
                                     "Mul_0,Add_1,Relu_2", 2000, 8000, NULL, 0}};
static const float constants[32] __attribute__((aligned(64))) = {[16] = 2, [17] = -3};

const enfold_program test_model = {
    ENFOLD_PROGRAM_VERSION, 1, 1, 1, "test_model", inputs, outputs, steps, constants,
    sizeof constants,       0, 0, ""};
