/* The contract between generated code and the runtime, plain C so that an ahead-of-time object can
 * hold it as constant data and a just-in-time module can build it in memory.
 *
 * A program is a list of steps over buffers. Each step calls one kernel over an iteration range;
 * the runtime may split the range over threads, since iterations write disjoint outputs. A step may
 * skip some that follow it: branches are made of that. */
#ifndef ENFOLD_PROGRAM_H
#define ENFOLD_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ENFOLD_PROGRAM_VERSION 3
#define ENFOLD_MAX_RANK 8

/* Runs iterations [begin, end). `buffers` is the step's own pointer table, `scratch` is private to
 * the calling thread, 64-byte aligned, of the program's scratch_bytes. Arena and constants start at
 * 64-byte boundaries; inputs and outputs are only sure to be aligned to their element size. */
typedef void (*enfold_kernel_fn)(void* const* buffers, int64_t begin, int64_t end, void* scratch);

/* Element types; the numbers are those of ONNX TensorProto.DataType. Of types narrower than a byte
 * each element takes a byte of its own, in its low bits. */
typedef enum enfold_elem {
  ENFOLD_F32 = 1,
  ENFOLD_U8 = 2,
  ENFOLD_I8 = 3,
  ENFOLD_U16 = 4,
  ENFOLD_I16 = 5,
  ENFOLD_I32 = 6,
  ENFOLD_I64 = 7,
  ENFOLD_BOOL = 9,
  ENFOLD_F16 = 10,
  ENFOLD_F64 = 11,
  ENFOLD_U32 = 12,
  ENFOLD_U64 = 13,
  ENFOLD_C64 = 14,
  ENFOLD_C128 = 15,
  ENFOLD_BF16 = 16,
  ENFOLD_F8E4M3FN = 17,
  ENFOLD_F8E4M3FNUZ = 18,
  ENFOLD_F8E5M2 = 19,
  ENFOLD_F8E5M2FNUZ = 20,
  ENFOLD_U4 = 21,
  ENFOLD_I4 = 22,
  ENFOLD_F4E2M1 = 23,
  ENFOLD_F8E8M0 = 24,
  ENFOLD_U2 = 25,
  ENFOLD_I2 = 26
} enfold_elem;

/* An input or output tensor: dense, row-major. */
typedef struct enfold_tensor_info {
  const char* name;
  int32_t elem; /* enfold_elem */
  int32_t rank;
  int64_t dims[ENFOLD_MAX_RANK];
  int64_t bytes;
} enfold_tensor_info;

/* Where a step's buffer lives. */
typedef enum enfold_space {
  ENFOLD_SPACE_INPUT,   /* index: input number; offset in bytes */
  ENFOLD_SPACE_OUTPUT,  /* index: output number; offset in bytes */
  ENFOLD_SPACE_ARENA,   /* offset in the context's arena */
  ENFOLD_SPACE_CONSTANT /* offset in the program's constants */
} enfold_space;

typedef struct enfold_buffer_ref {
  int32_t space; /* enfold_space */
  int32_t index;
  int64_t offset;
} enfold_buffer_ref;

/* The result of a check, which a step with messages of its own leaves in the arena. */
typedef struct enfold_check {
  int32_t failed; /* nonzero: the run ends with `message` */
  char message[508];
} enfold_check;

typedef struct enfold_step {
  enfold_kernel_fn kernel;
  const enfold_buffer_ref* buffers;
  int32_t num_buffers;
  int32_t parallel;   /* nonzero: worth splitting over threads */
  int64_t iterations; /* the kernel's range is [0, iterations) */
  int64_t grain;      /* smallest number of iterations worth giving to a thread, at least 1; a call
                       * begins at a multiple of it, and ends at one or at `iterations` */
  const char* name;   /* kernel name, for profiles */
  const char* origin; /* the ONNX nodes it computes, for profiles */
  double flops;       /* arithmetic of the whole step */
  double bytes;       /* least memory traffic of the whole step */
  const char* check;  /* NULL for most. Else the step checks data: when it leaves a number other
                       * than 0 in its last buffer, an int32_t that must lie in the arena, the run
                       * ends there with this message. If the message is empty, the buffer is an
                       * enfold_check, and the message is the one that the step writes there */
  int64_t skip; /* 0 for most. Else so many steps behind this one are left out when it leaves a
                 * number other than 0 in its last buffer, an int32_t that must lie in the
                 * arena; such a step checks no data */
} enfold_step;

typedef struct enfold_program {
  int32_t version; /* ENFOLD_PROGRAM_VERSION */
  int32_t num_inputs;
  int32_t num_outputs;
  int32_t num_steps;
  const char* name;
  const enfold_tensor_info* inputs;
  const enfold_tensor_info* outputs;
  const enfold_step* steps;
  const void* constants; /* packed weights, 64-byte aligned */
  int64_t constants_bytes;
  int64_t arena_bytes;
  int64_t scratch_bytes; /* per thread */
  const char* isa;       /* what the kernels need of the CPU: comma-separated names of the table in
                          * runtime/CpuFeatures.cpp, e.g. "avx2" or "avx512,avx512_bf16" */
} enfold_program;

#ifdef __cplusplus
}
#endif
#endif
