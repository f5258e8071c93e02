// enfold_compiled: programs for inputs of certain sizes, and running them.
#include "capi/Handles.h"
#include "capi/Status.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

using namespace enfold;

namespace {

/// The caller's tensor without a copy of its data; where there is none, zeros.
Result<NamedTensor> tensorOf(const enfold_tensor& given) {
  const std::string name = given.name ? given.name : "";
  const auto refuse = [&](std::string_view why) {
    return failure(ErrorCode::WrongInput, fmt::format("input '{}': {}", name, why));
  };
  const auto elem = elemTypeByNumber(given.elem);
  if (!elem) return refuse(fmt::format("no element type has the number {}", given.elem));
  if (given.rank < 0 || (given.rank > 0 && !given.dims)) return refuse("it has no shape");
  const Shape shape(given.dims, given.dims + given.rank);
  if (const auto fits = checkShape(shape, *elem); !fits) return refuse(fits.error().str());
  if (!given.data) return NamedTensor{name, Tensor(*elem, shape)};
  const std::shared_ptr<const std::byte> bytes(static_cast<const std::byte*>(given.data),
                                               [](const std::byte*) {});
  return NamedTensor{name, Tensor(*elem, shape, bytes)};
}

template <typename T> const char* textAt(const std::vector<T>& texts, int32_t index) {
  return index >= 0 && static_cast<size_t>(index) < texts.size()
             ? texts[static_cast<size_t>(index)].c_str()
             : nullptr;
}

} // namespace

Result<std::vector<NamedTensor>> capi::tensorsOf(const enfold_tensor* tensors, int32_t count) {
  if (count < 0 || (count > 0 && !tensors)) return usageError("the list of tensors is null");
  std::vector<NamedTensor> named;
  for (const enfold_tensor& given : std::span(tensors, static_cast<size_t>(count))) {
    ENFOLD_TRY(named.emplace_back(), tensorOf(given));
  }
  return named;
}

int32_t enfold_compiler_version(void) { return ENFOLD_COMPILER_VERSION; }
const char* enfold_version(void) { return ENFOLD_VERSION; }
const char* enfold_compiler_error(void) { return capi::lastError(); }
const char* enfold_compiler_error_codes(void) { return capi::lastCodes(); }

enfold_status enfold_compile(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, enfold_compiled** compiled) {
  if (!compiled) return capi::fail(ENFOLD_INVALID_ARGUMENT, "nowhere to put the program");
  *compiled = nullptr;
  if (!network) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no network");
  return capi::guarded([&]() -> Result<> {
    ENFOLD_TRY(const auto tensors, capi::tensorsOf(inputs, num_inputs));
    ENFOLD_TRY(auto program, network->network->programFor(tensors));
    *compiled = new enfold_compiled{network->network, std::move(program)};
    return {};
  });
}

void enfold_release_compiled(enfold_compiled* compiled) { delete compiled; }

const enfold_program* enfold_compiled_program(const enfold_compiled* compiled) {
  return compiled && !compiled->program->isStaged() ? &compiled->program->executable().program()
                                                    : nullptr;
}

int32_t enfold_compiled_for_contents(const enfold_compiled* compiled, const char* input) {
  return compiled && input && compiled->program->boundInputs.contains(input) ? 1 : 0;
}

const char* enfold_compiled_note(const enfold_compiled* compiled, int32_t index) {
  return compiled ? textAt(compiled->program->notes, index) : nullptr;
}

const char* enfold_reference_op(const enfold_compiled* compiled, int32_t index) {
  return compiled && !compiled->program->isStaged()
             ? textAt(compiled->program->executable().referenceOps(), index)
             : nullptr;
}

enfold_status enfold_run_compiled(const enfold_compiled* compiled, const void* const* inputs,
                                  int32_t num_inputs, void* const* outputs, int32_t num_outputs,
                                  const enfold_run_limits* limits) {
  if (!compiled) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no program");
  if (num_inputs < 0 || num_outputs < 0 || (num_inputs > 0 && !inputs) ||
      (num_outputs > 0 && !outputs))
    return capi::fail(ENFOLD_INVALID_ARGUMENT, "the list of inputs or of outputs is null");
  if (compiled->program->isStaged())
    return capi::fail(ENFOLD_INVALID_ARGUMENT,
                      "data decide sizes of this network: run it with enfold_run_tensors()");
  return capi::guarded([&] {
    return compiled->program->sessions->run({inputs, static_cast<size_t>(num_inputs)},
                                            {outputs, static_cast<size_t>(num_outputs)}, limits);
  });
}

enfold_status enfold_reserve(const enfold_compiled* compiled, int32_t runs) {
  if (!compiled) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no program");
  if (runs < 1 || runs > ENFOLD_MAX_THREADS)
    return capi::fail(ENFOLD_INVALID_ARGUMENT, fmt::format("{} runs at the same time: not 1 to {}",
                                                           runs, ENFOLD_MAX_THREADS));
  if (compiled->program->isStaged())
    return capi::fail(ENFOLD_INVALID_ARGUMENT,
                      "data decide sizes of this network: what a run takes is not known ahead");
  return capi::guarded(
      [&] { return compiled->program->sessions->reserve(static_cast<size_t>(runs)); });
}

enfold_results::enfold_results(std::vector<Network::Output> given) : outputs(std::move(given)) {
  for (size_t i = 0; i < outputs.size(); ++i)
    for (const Tensor& tensor : outputs[i].value.tensors) {
      rows.push_back({.name = outputs[i].name.c_str(),
                      .elem = static_cast<int32_t>(tensor.elem()),
                      .rank = static_cast<int32_t>(tensor.rank()),
                      .dims = tensor.shape().data(),
                      .data = tensor.bytes()});
      outputOf.push_back(static_cast<int32_t>(i));
    }
}

enfold_status enfold_run_tensors(const enfold_compiled* compiled, const enfold_tensor* inputs,
                                 int32_t num_inputs, const enfold_run_limits* limits,
                                 enfold_results** results) {
  if (!results) return capi::fail(ENFOLD_INVALID_ARGUMENT, "nowhere to put the results");
  *results = nullptr;
  if (!compiled) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no program");
  return capi::guarded([&]() -> Result<> {
    ENFOLD_TRY(const auto tensors, capi::tensorsOf(inputs, num_inputs));
    ENFOLD_TRY(auto outputs, compiled->network->run(*compiled->program, tensors, limits));
    *results = new enfold_results(std::move(outputs));
    return {};
  });
}

int32_t enfold_num_results(const enfold_results* results) {
  return results ? static_cast<int32_t>(results->rows.size()) : 0;
}

const enfold_tensor* enfold_result_at(const enfold_results* results, int32_t index) {
  return results && index >= 0 && static_cast<size_t>(index) < results->rows.size()
             ? &results->rows[static_cast<size_t>(index)]
             : nullptr;
}

int32_t enfold_result_output(const enfold_results* results, int32_t index) {
  return enfold_result_at(results, index) ? results->outputOf[static_cast<size_t>(index)] : -1;
}

enfold_kind enfold_output_kind(const enfold_results* results, int32_t output) {
  if (!results || output < 0 || static_cast<size_t>(output) >= results->outputs.size())
    return ENFOLD_ABSENT;
  switch (results->outputs[static_cast<size_t>(output)].value.kind) {
  case onnx::Datum::Kind::Tensor:
    return ENFOLD_TENSOR;
  case onnx::Datum::Kind::Sequence:
    return ENFOLD_SEQUENCE;
  case onnx::Datum::Kind::Absent:
    return ENFOLD_ABSENT;
  }
  return ENFOLD_ABSENT;
}

void enfold_release_results(enfold_results* results) { delete results; }
