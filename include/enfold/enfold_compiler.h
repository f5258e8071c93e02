/* The C interface of the compiler: compile and run models within one program, in any language.
 *
 *   enfold_network* network = NULL;
 *   if (enfold_open("resnet18.onnx", NULL, &network)) puts(enfold_compiler_error());
 *   int64_t dims[] = {1, 3, 224, 224};
 *   enfold_tensor image = {"data", ENFOLD_F32, 4, dims, pixels};
 *   enfold_compiled* compiled = NULL;
 *   if (enfold_compile(network, &image, 1, &compiled)) puts(enfold_compiler_error());
 *   const void* inputs[] = {pixels};
 *   void* outputs[] = {scores};
 *   if (enfold_run_compiled(compiled, inputs, 1, outputs, 1, NULL)) puts(enfold_compiler_error());
 *   enfold_release_compiled(compiled);
 *   enfold_close(network);
 *
 * Link with -lenfold. The library contains everything it needs and exports only the functions of
 * this header and of enfold.h, so it works beside any other LLVM, protobuf or C++ library in the
 * process.
 *
 * Threads: every function may be called from any thread at any time. Networks and programs compiled
 * from them may be shared: concurrent calls share the weights, and each has its own memory for
 * intermediate results. Objects that are destroyed must not be in use.
 *
 * Errors: functions return a status, and enfold_compiler_error() returns the message of the calling
 * thread's latest failed call. No function aborts or throws. */
#ifndef ENFOLD_ENFOLD_COMPILER_H
#define ENFOLD_ENFOLD_COMPILER_H

#include <enfold/enfold.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a function is added; functions are never removed or changed within libenfold.so.0. */
#define ENFOLD_COMPILER_VERSION 7

/* ENFOLD_COMPILER_VERSION of the library in use, and the version of enfold: "0.1.0". */
int32_t enfold_compiler_version(void);
const char* enfold_version(void);

/* Statuses of this header beside those of enfold_status. */
typedef enum enfold_compiler_status {
  ENFOLD_NO_SUCH_FILE = 100,
  ENFOLD_INVALID_MODEL = 101,     /* the model is broken, or met data it does not allow */
  ENFOLD_UNSUPPORTED_MODEL = 102, /* the model, the CPU or the system lacks something */
  ENFOLD_INTERNAL = 103           /* a bug of the library */
} enfold_compiler_status;

/* The message of this thread's latest failed call of this header: all problems of a model, one per
 * line; "" before the first. Valid until its next call. */
const char* enfold_compiler_error(void);

/* The codes of its problems, each once, with spaces between, such as "unknown-operator", which
 * `enfold errors CODE` explains; "" for a bug of the library. Since version 7. */
const char* enfold_compiler_error_codes(void);

/* ---- Settings ------------------------------------------------------------------------------- */

/* How to read, compile and run a model: names with values, as the options of the command. */
typedef struct enfold_settings enfold_settings;

enfold_settings* enfold_new_settings(void); /* NULL: no memory */
void enfold_free_settings(enfold_settings* settings);

/* Sets one. Settings that can hold several values, such as "shape", add to those already given.
 * Flags take "1" and "0". Fails with ENFOLD_INVALID_ARGUMENT and a message that says what is valid.
 */
enfold_status enfold_set(enfold_settings* settings, const char* name, const char* value);

/* All settings, one per line: name, values and meaning, separated by tabs. */
const char* enfold_list_settings(void);

/* A caller's tensor: dense and row-major. */
typedef struct enfold_tensor {
  const char* name;
  int32_t elem; /* enfold_elem */
  int32_t rank;
  const int64_t* dims;
  const void* data; /* may be NULL where only the type matters */
} enfold_tensor;

/* Gives the model's initializer `tensor->name` this value, which is copied, in place of the one
 * that the file has or refers to. A model without that initializer is not affected. */
enfold_status enfold_set_initializer(enfold_settings* settings, const enfold_tensor* tensor);

/* Calls `check(data)` now and then during a compilation, on the thread that started it. The
 * compilation ends with ENFOLD_STOPPED when the function returns other than 0. */
void enfold_set_interrupt(enfold_settings* settings, int (*check)(void*), void* data);

/* ---- Networks ------------------------------------------------------------------------------- */

/* A model, with the programs compiled from it for the sizes it has met. */
typedef struct enfold_network enfold_network;

/* `model` is the path of a .onnx or .eir file, or "zoo:NAME". A model without open sizes is
 * compiled at once. `settings` may be NULL and are copied. On failure *network is NULL. */
enfold_status enfold_open(const char* model, const enfold_settings* settings,
                          enfold_network** network);

/* The same from the bytes of an ONNX file, which are copied. External data is looked for in the
 * folder that the setting "data-folder" names; without it, it is refused. */
enfold_status enfold_open_bytes(const void* bytes, int64_t size, const enfold_settings* settings,
                                enfold_network** network);

/* Frees the network; programs compiled from it live on until they are released. NULL is fine. */
void enfold_close(enfold_network* network);

/* What an input or output can be. */
typedef enum enfold_kind {
  ENFOLD_TENSOR = 0,
  ENFOLD_SEQUENCE = 1, /* of any number of tensors */
  ENFOLD_OPTIONAL_TENSOR = 2,
  ENFOLD_OPTIONAL_SEQUENCE = 3,
  ENFOLD_ABSENT = 4 /* of a result: an optional output that is not there */
} enfold_kind;

/* What a model declares about an input or output. */
typedef struct enfold_declaration {
  const char* name;
  int32_t elem;               /* enfold_elem; 0: no tensor of numbers */
  int32_t rank;               /* -1: the shape is unknown */
  const int64_t* dims;        /* -1: open */
  const char* const* symbols; /* names of open dimensions, "" for those without one */
  int32_t kind;               /* enfold_kind; elem and dims are those of the tensors */
} enfold_declaration;

/* Inputs that must be given, inputs that have a default value, and outputs. */
int32_t enfold_num_inputs(const enfold_network* network);
int32_t enfold_num_overridable(const enfold_network* network);
int32_t enfold_num_outputs(const enfold_network* network);

/* The declaration at `index`, which lives as long as the network, or NULL if there is none. */
const enfold_declaration* enfold_declared_input(const enfold_network* network, int32_t index);
const enfold_declaration* enfold_declared_overridable(const enfold_network* network, int32_t index);
const enfold_declaration* enfold_declared_output(const enfold_network* network, int32_t index);

/* What the model says about itself: "graph", "graph description", "producer", "producer version",
 * "domain", "description", "version", "ir version", "opset"; NULL for other names. */
const char* enfold_model_property(const enfold_network* network, const char* name);

/* The model's metadata_props in the order of their keys. NULL beyond the end. */
const char* enfold_metadata_key(const enfold_network* network, int32_t index);
const char* enfold_metadata_value(const enfold_network* network, int32_t index);

/* How often the network has been compiled or taken from the cache. */
int64_t enfold_num_compilations(const enfold_network* network);

/* ---- Programs ------------------------------------------------------------------------------- */

/* A network compiled for inputs of certain sizes. */
typedef struct enfold_compiled enfold_compiled;

/* The program for inputs like these: one of the latest, one from the cache if there is one, or else
 * a new one. The data of an input is read only where the model's shapes depend on it. Without
 * inputs, open batches are taken as 1. Release what you get. On failure *compiled is NULL. */
enfold_status enfold_compile(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, enfold_compiled** compiled);
void enfold_release_compiled(enfold_compiled* compiled);

/* What it takes and gives, in order. It lives as long as `compiled`. NULL if data decide sizes of
 * the model, such as the number of boxes that a detector finds: then enfold_run_tensors() runs it.
 */
const enfold_program* enfold_compiled_program(const enfold_compiled* compiled);

/* Whether the model's shapes depend on the contents of that input, so that the program is valid
 * only for these contents. It is then no input of the program. */
int32_t enfold_compiled_for_contents(const enfold_compiled* compiled, const char* input);

/* Notes on this compilation for the user, a sentence each; NULL beyond the end. */
const char* enfold_compiled_note(const enfold_compiled* compiled, int32_t index);

/* Ops that have no generated kernel, described; NULL beyond the end. */
const char* enfold_reference_op(const enfold_compiled* compiled, int32_t index);

/* Runs it. Pointers are in the program's order, aligned to the element size; an output may overlap
 * neither an input nor another output. `limits` may be NULL. A run that meets a limit returns
 * ENFOLD_STOPPED, and the contents of its outputs are undefined. */
enfold_status enfold_run_compiled(const enfold_compiled* compiled, const void* const* inputs,
                                  int32_t num_inputs, void* const* outputs, int32_t num_outputs,
                                  const enfold_run_limits* limits);

/* Makes memory and threads for so many runs at the same time, 1 to ENFOLD_MAX_THREADS, and keeps
 * them as long as the program: so many calls of enfold_run_compiled() allocate nothing from then
 * on, whatever sizes the network meets in between. Programs of a network that is open have memory
 * of their own; without this, those not among its latest give it back between runs. Not for
 * networks of which data decide sizes. On failure what was reserved before stays. */
enfold_status enfold_reserve(const enfold_compiled* compiled, int32_t runs);

/* The outputs of a run, in the order that the network declares. */
typedef struct enfold_results enfold_results;

/* Runs a program of any kind on inputs by name, of the types that it was compiled for. Inputs that
 * have a default, or are optional, may be left out. A sequence is given as its tensors, all under
 * its name, and without one it is empty. Release the results, which are independent of the inputs'
 * memory. On failure *results is NULL. */
enfold_status enfold_run_tensors(const enfold_compiled* compiled, const enfold_tensor* inputs,
                                 int32_t num_inputs, const enfold_run_limits* limits,
                                 enfold_results** results);
int32_t enfold_num_results(const enfold_results* results);
/* An output with its data, which lives as long as `results`; NULL if there is none. */
const enfold_tensor* enfold_result_at(const enfold_results* results, int32_t index);
/* The place of the output that the tensor at `index` belongs to: each tensor of a sequence is one
 * result. -1 if there is none. */
int32_t enfold_result_output(const enfold_results* results, int32_t index);
/* What the output at that place turned out to be: a tensor, a sequence, or absent. */
enfold_kind enfold_output_kind(const enfold_results* results, int32_t output);
void enfold_release_results(enfold_results* results);

/* ---- Files of native code ------------------------------------------------------------------- */

/* All zero is the default. */
typedef struct enfold_save_options {
  const char* header; /* the path of a C header to write as well */
  const char* name;   /* begins the names in C; default: made from the model's name */
  const char* cpu;    /* LLVM's name of the processor to compile for; default: this one */
} enfold_save_options;

/* Compiles the network ahead of time, for inputs like these, into a file of native code. The
 * extension selects the form: .so, .o, .a, .s, .ll or .bc. `options` may be NULL. Nothing is
 * written on failure. */
enfold_status enfold_save(enfold_network* network, const enfold_tensor* inputs, int32_t num_inputs,
                          const char* path, const enfold_save_options* options);

/* The same for inputs of several sizes, `num_sizes` lists of `num_inputs` tensors, one after the
 * other. The file holds a program for each, which share their weights; the C header has a function
 * that finds the one for given sizes. */
enfold_status enfold_save_sizes(enfold_network* network, const enfold_tensor* inputs,
                                int32_t num_inputs, int32_t num_sizes, const char* path,
                                const enfold_save_options* options);

/* Opens a shared library that was compiled ahead of time as a network. Its code becomes part of the
 * process, so it must be from a source you trust. Of the settings, those of running apply. On
 * failure *network is NULL. */
enfold_status enfold_load(const char* library, const enfold_settings* settings,
                          enfold_network** network);

/* ---- Reports -------------------------------------------------------------------------------- */

/* Reports are JSON, with the members that the options --json of the command's `explain`, `inspect`,
 * `bench` and `diff` write; versions add members and never remove any. They are of the network for
 * inputs like these, as in enfold_compile(). On success *json is to be freed with
 * enfold_free_text(), on failure it is NULL. */
void enfold_free_text(char* text);

/* What became of every batch normalization, every rewrite done or refused with its reason, and how
 * each op runs. With `measure_folds` not 0, also the error of each fold, measured with the
 * reference functions on random inputs, which takes longer. */
enfold_status enfold_explain(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, int32_t measure_folds, char** json);

/* Inputs, outputs, parameters, arithmetic, memory, and the ops before and after the passes. Of a
 * network from enfold_load(): how the library was made. */
enfold_status enfold_inspect(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, char** json);

/* Latency, measured for so many seconds on random inputs, and the time of every kernel. */
enfold_status enfold_profile(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, double seconds, char** json);

/* What enfold_diff() compares with, and how. */
typedef struct enfold_diff_options {
  const char* against;           /* "reference", "unfused", "onnxruntime"; NULL: with `expected` */
  const enfold_tensor* expected; /* tensors of the model by name */
  int32_t num_expected;
  int32_t fused_away; /* not 0: compare tensors that fusion removed as well */
  double rtol;        /* of |expected|; negative: what rounding explains */
  double atol;        /* of the tensor's largest magnitude, at least 1; negative: the same */
} enfold_diff_options;

/* Every tensor that the compiled network computes of these inputs, beside the same tensor computed
 * in another way. Inputs without a default must be given, with their data. */
enfold_status enfold_diff(enfold_network* network, const enfold_tensor* inputs, int32_t num_inputs,
                          const enfold_diff_options* options, char** json);

/* How to make a report. All zero: nothing is run. */
typedef struct enfold_report_options {
  double seconds;      /* how long to measure the network, and the same network unfused; 0: not */
  int32_t errors;      /* not 0: compare every tensor with the reference functions */
  const char* against; /* the path of another report to compare with, or NULL */
} enfold_report_options;

/* Writes one HTML page that shows the network: its graph before and after every pass, its kernels,
 * memory and times. Without options, it is measured for a second. Nothing is written on failure. */
enfold_status enfold_report(enfold_network* network, const enfold_tensor* inputs,
                            int32_t num_inputs, const char* path,
                            const enfold_report_options* options);

/* ---- 8-bit integers ------------------------------------------------------------------------- */

/* All zero is the default. */
typedef struct enfold_quantize_options {
  const char* method;          /* how ranges are chosen: "minmax", "percentile" or "mse"; "auto" or
                                * NULL: whichever measures best */
  double percentile;           /* what the method of that name keeps, in percent; 0: 99.99 */
  double max_loss;             /* layers of less signal to noise than so many decibels stay in
                                * floats where that helps the outputs; 0: none */
  int32_t no_equalize;         /* not 0: do not try to equalize channels */
  int32_t no_bias_correction;  /* not 0: do not try to correct biases */
  int32_t reduce_range;        /* not 0: weights of 7 bits */
  int32_t quantize_outputs;    /* not 0: also round the results of the last layers */
  const char* const* excluded; /* names of nodes to keep in floats */
  int32_t num_excluded;
  const int64_t* labels; /* the class of each row of the samples, to count right answers */
  int64_t num_labels;
} enfold_quantize_options;

/* Writes the network as one of 8-bit integers to `path`, whose name ends in .onnx, calibrated on
 * samples of its inputs. `samples` has the inputs of the first sample, by name, then those of the
 * second and so on, num_samples times num_inputs tensors with their data; all samples have the same
 * sizes. *json is what the option --json of the command's `quantize` writes, to be freed with
 * enfold_free_text(). On failure nothing is written, and *json is NULL. */
enfold_status enfold_quantize(enfold_network* network, const enfold_tensor* samples,
                              int32_t num_inputs, int64_t num_samples, const char* path,
                              const enfold_quantize_options* options, char** json);

/* ---- The command ---------------------------------------------------------------------------- */

/* Does what the `enfold` command does with these arguments, of which the first is its name, and
 * returns its exit code. It writes to standard output and standard error. */
int enfold_command(int argc, char** argv);

#ifdef __cplusplus
}
#endif
#endif
