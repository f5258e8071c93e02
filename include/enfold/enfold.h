/* The C interface of the runtime: everything an application needs to run a compiled network.
 *
 * Link with -lenfold_runtime -lpthread -lm; nothing else is needed, no C++ library included.
 *
 *   #include "net.h" // written by `enfold compile net.onnx -o net.o --header net.h`
 *   enfold_context* context = NULL;
 *   if (enfold_create_context(net_program(), NULL, &context) != ENFOLD_OK)
 *     fprintf(stderr, "%s\n", enfold_last_error());
 *   const void* inputs[] = {image};
 *   void* outputs[] = {scores};
 *   enfold_run(context, inputs, 1, outputs, 1);
 *   enfold_destroy_context(context);
 *
 * Tensors are dense and row-major, of the element type and shape that their enfold_tensor_info
 * states; `bytes` is their size. Pointers must be aligned to the element size; 64 bytes is best.
 * An output may overlap neither an input nor another output.
 *
 * Threads: a program is immutable, and any number of contexts, in any threads, may share it. A
 * context serves one call at a time; a call that finds it in use returns ENFOLD_BUSY and changes
 * nothing. The bits of the results do not depend on the number of threads.
 *
 * Memory: everything is allocated when a context is created, or its thread count or program
 * changes; running allocates nothing.
 *
 * Errors: functions return a status, and enfold_last_error() returns the message of the calling
 * thread's latest failed call. No function aborts or throws. */
#ifndef ENFOLD_ENFOLD_H
#define ENFOLD_ENFOLD_H

#include <enfold/program.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ENFOLD_MAX_THREADS 1024

typedef enum enfold_status {
  ENFOLD_OK = 0,
  ENFOLD_INVALID_ARGUMENT = 1, /* a pointer or a number that cannot be used */
  ENFOLD_INVALID_PROGRAM = 2,  /* the program is inconsistent */
  ENFOLD_WRONG_VERSION = 3,    /* the program was compiled for another version of the runtime */
  ENFOLD_WRONG_CPU = 4,        /* this CPU lacks instructions that the program uses */
  ENFOLD_NO_MEMORY = 5,
  ENFOLD_NO_THREADS = 6,   /* the system refuses to start as many threads */
  ENFOLD_BUSY = 7,         /* another thread is using the context */
  ENFOLD_INVALID_DATA = 8, /* what the inputs hold cannot be computed with: an index out of range */
  ENFOLD_STOPPED = 9       /* a limit of the run was met */
} enfold_status;

/* The status's name, e.g. "invalid argument". */
const char* enfold_status_text(enfold_status status);

/* The message of this thread's latest failed call, or "". Valid until its next failed call. */
const char* enfold_last_error(void);

/* Threads used unless a caller says otherwise: ENFOLD_NUM_THREADS, else OMP_NUM_THREADS, else the
 * CPUs this process may run on, limited by its control group's CPU quota (rounded up). */
int32_t enfold_default_threads(void);

/* Bytes of one element in a tensor: at least 1, as elements of fewer than 8 bits take a byte each;
 * 0 if there is no such type. */
int64_t enfold_elem_bytes(int32_t elem);

/* ---- What a program takes and gives -------------------------------------------------------- */

/* The input or output at `index`, or NULL if there is none. */
const enfold_tensor_info* enfold_input_info(const enfold_program* program, int32_t index);
const enfold_tensor_info* enfold_output_info(const enfold_program* program, int32_t index);

/* The index of the input or output of that name, or -1. */
int32_t enfold_find_input(const enfold_program* program, const char* name);
int32_t enfold_find_output(const enfold_program* program, const char* name);

/* ---- Contexts -------------------------------------------------------------------------------*/

/* What it takes to run a program: memory for intermediate results, and worker threads. */
typedef struct enfold_context enfold_context;

/* All zero is the default. */
typedef struct enfold_options {
  int32_t threads;        /* the caller included; 0: enfold_default_threads() */
  int32_t spin_us;        /* how long idle workers stay awake; 0: 100 us, negative: not at all */
  int32_t keep_denormals; /* nonzero: subnormal numbers are computed with, not flushed to zero */
} enfold_options;

/* Checks the program and makes a context for it; the program must outlive the context.
 * `options` may be NULL. On failure *context is NULL. */
enfold_status enfold_create_context(const enfold_program* program, const enfold_options* options,
                                    enfold_context** context);

/* Frees the context, which no call may be using. NULL is fine. */
void enfold_destroy_context(enfold_context* context);

const enfold_program* enfold_context_program(const enfold_context* context);

/* Has the context run another program from now on, which must outlive it too: the same network at
 * another size, say. Only what the program needs beyond those before it is allocated, and nothing
 * is given back, so a context that begins with the program that needs most never grows. A profile
 * ends. On failure the context keeps its program. */
enfold_status enfold_set_program(enfold_context* context, const enfold_program* program);

/* Changes the number of threads; 0: enfold_default_threads(). On failure the old number stays. */
enfold_status enfold_set_threads(enfold_context* context, int32_t threads);
int32_t enfold_get_threads(const enfold_context* context);

/* Bytes the context allocated for intermediate results and scratch. */
int64_t enfold_context_bytes(const enfold_context* context);

/* Runs the program. Pointers are in the program's order, and only for empty tensors may they be
 * NULL. Passing the same pointers again costs nothing. The caller's floating-point state (rounding,
 * flushing, exception flags) is set aside during the call and restored after it. */
enfold_status enfold_run(enfold_context* context, const void* const* inputs, int32_t num_inputs,
                         void* const* outputs, int32_t num_outputs);

/* Limits of one run. All zero: none. */
typedef struct enfold_run_limits {
  const volatile int32_t* stop; /* the run ends before its next step when *stop is not 0 */
  double seconds;               /* the run ends before its next step after so long */
} enfold_run_limits;

/* enfold_run() within limits, which may be NULL. A run that meets one returns ENFOLD_STOPPED; its
 * outputs then hold anything, and the context can be used again. */
enfold_status enfold_run_within(enfold_context* context, const void* const* inputs,
                                int32_t num_inputs, void* const* outputs, int32_t num_outputs,
                                const enfold_run_limits* limits);

/* ---- Profiles ------------------------------------------------------------------------------ */

/* One step's times over all profiled runs, in seconds. */
typedef struct enfold_step_profile {
  const char* name; /* as in the program */
  const char* origin;
  double flops;
  double bytes;
  int64_t runs;
  double total_seconds;
  double min_seconds;
  double busy_seconds; /* total time inside the kernel, summed over threads */
} enfold_step_profile;

/* Starts (from zero) or stops measuring every step; it is off at first, and then costs nothing. */
enfold_status enfold_start_profile(enfold_context* context);
enfold_status enfold_stop_profile(enfold_context* context);

/* Reads the profile of the step at `index`, 0 <= index < program->num_steps. */
enfold_status enfold_read_profile(enfold_context* context, int32_t index,
                                  enfold_step_profile* profile);

/* What one thread did of a step in the latest profiled run, in seconds since that run began. All
 * zero if it took no part in the step. */
typedef struct enfold_thread_profile {
  double begin_seconds; /* of its first call of the kernel */
  double end_seconds;   /* of its last */
  double busy_seconds;  /* inside the kernel, between the two */
} enfold_thread_profile;

/* Reads it for the step at `step` and the thread at `thread`, 0 <= thread < the context's threads.
 * Thread 0 is the caller of enfold_run(). */
enfold_status enfold_read_thread_profile(enfold_context* context, int32_t step, int32_t thread,
                                         enfold_thread_profile* profile);

#ifdef __cplusplus
}
#endif
#endif
