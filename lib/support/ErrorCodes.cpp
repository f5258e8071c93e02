// The table of errors.
#include "support/ErrorCodes.h"

#include <algorithm>
#include <iterator>

namespace enfold {
namespace {

constexpr ErrorInfo kTable[] = {
    {ErrorKind::Usage, "usage", 2, "ENFOLD_INVALID_ARGUMENT", "InvalidArgument",
     "An option, a file name, an input or a setting does not fit the model or the command.",
     "The message names it and says what was expected. `enfold COMMAND --help` lists the options, "
     "and `enfold inspect MODEL` the inputs of a model with their types."},
    {ErrorKind::Invalid, "invalid-model", 3, "ENFOLD_INVALID_MODEL", "InvalidGraph",
     "The model or another file is broken or contradicts itself, or a run met data that the model "
     "does not allow, such as an index outside of a tensor.",
     "Export or copy the file again. If `onnx.checker.check_model(MODEL, full_check=True)` accepts "
     "a model that enfold refuses, report it."},
    {ErrorKind::Unsupported, "unsupported-model", 3, "ENFOLD_UNSUPPORTED_MODEL", "NotImplemented",
     "The model is valid, but needs an operator, an element type or a feature of the processor or "
     "system that is not there. All such nodes of a model are named at once.",
     "`enfold ops` lists the supported operators. Export the model with another opset or without "
     "the node; in Python, `enfold.options(fallback=\"onnxruntime\")` hands such models to ONNX "
     "Runtime."},
    {ErrorKind::NoMemory, "no-memory", 3, "ENFOLD_NO_MEMORY", "RuntimeException",
     "The system has less memory than the model takes, or `--limit-memory` allows less.",
     "`enfold doctor MODEL` forecasts the memory needed. Smaller batches and fewer `--streams` "
     "take less."},
    {ErrorKind::DataDependent, "data-dependent", 3, "ENFOLD_UNSUPPORTED_MODEL", "NotImplemented",
     "The shape of a tensor depends on data, so it is not known when the model is compiled.",
     "Such models run in stages, by `enfold run`, `enfold bench` and in Python, but cannot be "
     "compiled to a file. If an input decides the shape, state its value: `--input NAME=FILE`."},
    {ErrorKind::Stopped, "stopped", 3, "ENFOLD_STOPPED", "Stopped",
     "The caller asked to stop, or a limit of time or of iterations was reached.",
     "Raise `--limit-compile-seconds` or `--limit-iterations`, or in Python the argument "
     "`seconds`."},
};

} // namespace

std::span<const ErrorInfo> errorTable() { return kTable; }

const ErrorInfo& info(ErrorKind kind) {
  const auto* row = std::ranges::find(kTable, kind, &ErrorInfo::kind);
  ENFOLD_CHECK(row != std::end(kTable), "an error of no kind");
  return *row;
}

} // namespace enfold
