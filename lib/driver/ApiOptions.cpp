// Options and failures.
#include "driver/ApiOptions.h"

namespace enfold {

Failure failure(const Error& error) {
  Failure::Kind kind = Failure::Kind::Invalid;
  if (error.kind == ErrorKind::Usage) kind = Failure::Kind::Usage;
  if (error.kind == ErrorKind::NoMemory) kind = Failure::Kind::NoMemory;
  if (error.kind == ErrorKind::Unsupported) kind = Failure::Kind::Unsupported;
  Failure failure{kind, {}};
  for (const Diag& diag : error.diags) failure.problems.push_back(diag.str());
  return failure;
}

LoadOptions loadOptions(const ModuleOptions& options) {
  LoadOptions load;
  for (const auto& [name, shape] : options.shapes) {
    if (shape.size() == 1) load.dims[name] = shape[0];
    load.shapes[name] = shape;
  }
  load.memory = compileOptions(options).memory;
  return load;
}

CompileOptions compileOptions(const ModuleOptions& options) {
  CompileOptions how{.disabled = options.disabledPasses,
                     .disabledKernels = options.disabledKernels,
                     .cpu = options.cpu};
  if (keepsSubnormals(options)) how.passes.passes.denormals = Denormals::Keep;
  how.passes.passes.precision = static_cast<Precision>(options.precision);
  if (options.memoryLimit) how.memory = MemoryLimit{.bytes = *options.memoryLimit};
  return how;
}

} // namespace enfold
