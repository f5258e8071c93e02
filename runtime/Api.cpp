// include/enfold/enfold.h over the classes of this folder: checks what callers pass, and keeps two
// calls out of one context.
#include "runtime/Context.h"
#include "runtime/CpuBudget.h"
#include "runtime/LastError.h"
#include "runtime/Memory.h"

#include <enfold/enfold.h>

#include <atomic>
#include <cstring>

using enfold::rt::Context;
using enfold::rt::fail;

struct enfold_context {
  Context context;
  std::atomic<bool> inUse{false};
};

namespace {

/// Holds a context for one call.
class Use {
public:
  explicit Use(enfold_context* handle)
      : handle_(handle), status_(handle == nullptr ? fail(ENFOLD_INVALID_ARGUMENT, "no context")
                                 : handle->inUse.exchange(true, std::memory_order_acquire)
                                     ? fail(ENFOLD_BUSY, "another thread is using the context")
                                     : ENFOLD_OK) {}
  ~Use() {
    if (status_ == ENFOLD_OK) handle_->inUse.store(false, std::memory_order_release);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  enfold_status status() const { return status_; }
  Context& context() const { return handle_->context; }

private:
  enfold_context* handle_;
  enfold_status status_;
};

const enfold_tensor_info* infoAt(const enfold_tensor_info* infos, int32_t count, int32_t index) {
  return index >= 0 && index < count ? infos + index : nullptr;
}

int32_t find(const enfold_tensor_info* infos, int32_t count, const char* name) {
  for (int32_t i = 0; name != nullptr && i < count; ++i)
    if (std::strcmp(infos[i].name, name) == 0) return i;
  return -1;
}

} // namespace

const char* enfold_status_text(enfold_status status) {
  switch (status) {
  case ENFOLD_OK:
    return "ok";
  case ENFOLD_INVALID_ARGUMENT:
    return "invalid argument";
  case ENFOLD_INVALID_PROGRAM:
    return "invalid program";
  case ENFOLD_WRONG_VERSION:
    return "wrong version";
  case ENFOLD_WRONG_CPU:
    return "wrong CPU";
  case ENFOLD_NO_MEMORY:
    return "no memory";
  case ENFOLD_NO_THREADS:
    return "no threads";
  case ENFOLD_INVALID_DATA:
    return "invalid data";
  case ENFOLD_BUSY:
    return "busy";
  case ENFOLD_STOPPED:
    return "stopped";
  }
  return "unknown status";
}

const char* enfold_last_error(void) { return enfold::rt::lastError(); }

int32_t enfold_default_threads(void) { return enfold::rt::defaultThreads(); }

int64_t enfold_elem_bytes(int32_t elem) {
  switch (elem) {
  case ENFOLD_U8:
  case ENFOLD_I8:
  case ENFOLD_BOOL:
  case ENFOLD_F8E4M3FN:
  case ENFOLD_F8E4M3FNUZ:
  case ENFOLD_F8E5M2:
  case ENFOLD_F8E5M2FNUZ:
  case ENFOLD_U4:
  case ENFOLD_I4:
  case ENFOLD_F4E2M1:
  case ENFOLD_F8E8M0:
  case ENFOLD_U2:
  case ENFOLD_I2:
    return 1;
  case ENFOLD_U16:
  case ENFOLD_I16:
  case ENFOLD_F16:
  case ENFOLD_BF16:
    return 2;
  case ENFOLD_F32:
  case ENFOLD_I32:
  case ENFOLD_U32:
    return 4;
  case ENFOLD_F64:
  case ENFOLD_I64:
  case ENFOLD_U64:
  case ENFOLD_C64:
    return 8;
  case ENFOLD_C128:
    return 16;
  default:
    return 0;
  }
}

const enfold_tensor_info* enfold_input_info(const enfold_program* program, int32_t index) {
  return program != nullptr ? infoAt(program->inputs, program->num_inputs, index) : nullptr;
}

const enfold_tensor_info* enfold_output_info(const enfold_program* program, int32_t index) {
  return program != nullptr ? infoAt(program->outputs, program->num_outputs, index) : nullptr;
}

int32_t enfold_find_input(const enfold_program* program, const char* name) {
  return program != nullptr ? find(program->inputs, program->num_inputs, name) : -1;
}

int32_t enfold_find_output(const enfold_program* program, const char* name) {
  return program != nullptr ? find(program->outputs, program->num_outputs, name) : -1;
}

enfold_status enfold_create_context(const enfold_program* program, const enfold_options* options,
                                    enfold_context** context) {
  if (context == nullptr) return fail(ENFOLD_INVALID_ARGUMENT, "the place for the context is null");
  *context = nullptr;
  if (program == nullptr) return fail(ENFOLD_INVALID_ARGUMENT, "no program");
  auto* handle = enfold::rt::create<enfold_context>();
  if (handle == nullptr) return fail(ENFOLD_NO_MEMORY, "no memory for a context");
  const enfold_status status =
      handle->context.prepare(*program, options != nullptr ? *options : enfold_options{});
  if (status == ENFOLD_OK)
    *context = handle;
  else
    enfold::rt::destroy(handle);
  return status;
}

void enfold_destroy_context(enfold_context* context) { enfold::rt::destroy(context); }

const enfold_program* enfold_context_program(const enfold_context* context) {
  return context != nullptr ? &context->context.program() : nullptr;
}

enfold_status enfold_set_program(enfold_context* context, const enfold_program* program) {
  const Use use(context);
  if (use.status() != ENFOLD_OK) return use.status();
  if (program == nullptr) return fail(ENFOLD_INVALID_ARGUMENT, "no program");
  return use.context().setProgram(*program);
}

enfold_status enfold_set_threads(enfold_context* context, int32_t threads) {
  const Use use(context);
  return use.status() != ENFOLD_OK ? use.status() : use.context().setThreads(threads);
}

int32_t enfold_get_threads(const enfold_context* context) {
  return context != nullptr ? context->context.threads() : 0;
}

int64_t enfold_context_bytes(const enfold_context* context) {
  return context != nullptr ? context->context.bytes() : 0;
}

enfold_status enfold_run(enfold_context* context, const void* const* inputs, int32_t num_inputs,
                         void* const* outputs, int32_t num_outputs) {
  return enfold_run_within(context, inputs, num_inputs, outputs, num_outputs, nullptr);
}

enfold_status enfold_run_within(enfold_context* context, const void* const* inputs,
                                int32_t num_inputs, void* const* outputs, int32_t num_outputs,
                                const enfold_run_limits* limits) {
  const Use use(context);
  if (use.status() != ENFOLD_OK) return use.status();
  const enfold_program& program = use.context().program();
  if (num_inputs != program.num_inputs || num_outputs != program.num_outputs)
    return fail(ENFOLD_INVALID_ARGUMENT,
                "%d inputs and %d outputs given; the program has %d and %d", num_inputs,
                num_outputs, program.num_inputs, program.num_outputs);
  if ((num_inputs > 0 && inputs == nullptr) || (num_outputs > 0 && outputs == nullptr))
    return fail(ENFOLD_INVALID_ARGUMENT, "the list of inputs or of outputs is null");
  if (limits != nullptr && !(limits->seconds >= 0))
    return fail(ENFOLD_INVALID_ARGUMENT, "a run cannot be limited to %g seconds", limits->seconds);
  return use.context().run(inputs, outputs, limits);
}

enfold_status enfold_start_profile(enfold_context* context) {
  const Use use(context);
  return use.status() == ENFOLD_OK ? use.context().startProfile() : use.status();
}

enfold_status enfold_stop_profile(enfold_context* context) {
  const Use use(context);
  if (use.status() == ENFOLD_OK) use.context().stopProfile();
  return use.status();
}

enfold_status enfold_read_profile(enfold_context* context, int32_t index,
                                  enfold_step_profile* profile) {
  const Use use(context);
  if (use.status() != ENFOLD_OK) return use.status();
  if (profile == nullptr || index < 0 || index >= use.context().program().num_steps)
    return fail(ENFOLD_INVALID_ARGUMENT, "no profile of step %d", index);
  *profile = use.context().profile(index);
  return ENFOLD_OK;
}

enfold_status enfold_read_thread_profile(enfold_context* context, int32_t step, int32_t thread,
                                         enfold_thread_profile* profile) {
  const Use use(context);
  if (use.status() != ENFOLD_OK) return use.status();
  if (profile == nullptr || step < 0 || step >= use.context().program().num_steps || thread < 0 ||
      thread >= use.context().threads())
    return fail(ENFOLD_INVALID_ARGUMENT, "no profile of step %d in thread %d", step, thread);
  *profile = use.context().threadProfile(step, thread);
  return ENFOLD_OK;
}
