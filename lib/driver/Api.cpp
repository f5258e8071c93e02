// The public C++ interface, in terms of the driver's own classes.
#include "driver/ApiOptions.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold {
namespace {

/// Adds what is wrong with the memory for tensors like `infos` to `problems`.
template <typename Bytes>
void checkSizes(const char* role, std::span<const enfold_tensor_info> infos,
                std::span<const Bytes> given, std::vector<Diag>& problems) {
  if (given.size() != infos.size()) {
    problems.push_back(
        {fmt::format("the network has {} {}s, not {}", infos.size(), role, given.size()),
         {},
         ErrorCode::WrongInput});
    return;
  }
  for (size_t i = 0; i < infos.size(); ++i)
    if (given[i].size() != static_cast<size_t>(infos[i].bytes))
      problems.push_back({fmt::format("{} '{}' has {} bytes, not {}", role, infos[i].name,
                                      infos[i].bytes, given[i].size()),
                          {},
                          ErrorCode::WrongInput});
}

} // namespace

std::string Failure::text() const { return fmt::format("{}", fmt::join(problems, "\n")); }

struct Module::Impl {
  std::shared_ptr<const Executable> executable;
  bool strictDenormals;
};

Module::Module(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

std::expected<Module, Failure> Module::compile(const std::string& model,
                                               const ModuleOptions& options) {
  return guarded("compiling " + model, [&]() -> Result<Module> {
    ENFOLD_TRY(LoadedModel loaded, loadModelFor(model, {}, loadOptions(options)));
    ENFOLD_TRY(Compilation compiled,
               enfold::compile(std::move(loaded.graph), compileOptions(options)));
    return Module(
        std::make_shared<const Impl>(std::move(compiled.executable), keepsSubnormals(options)));
  });
}

std::span<const enfold_tensor_info> Module::inputs() const {
  return {program().inputs, static_cast<size_t>(program().num_inputs)};
}

std::span<const enfold_tensor_info> Module::outputs() const {
  return {program().outputs, static_cast<size_t>(program().num_outputs)};
}

std::vector<std::string> Module::referenceOps() const { return impl_->executable->referenceOps(); }

const enfold_program& Module::program() const { return impl_->executable->program(); }

struct Context::Impl {
  Module module;
  std::unique_ptr<Session> session;
  std::vector<const void*> from; ///< pointers of the present call
  std::vector<void*> to;
};

Context::Context(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;
Context::~Context() = default;

std::expected<Context, Failure> Context::create(const Module& module,
                                                const ContextOptions& options) {
  return guarded("making a context", [&]() -> Result<Context> {
    ENFOLD_TRY(auto session, Session::create(module.impl_->executable,
                                             {options.threads, module.impl_->strictDenormals}));
    auto impl = std::make_unique<Impl>(module, std::move(session));
    impl->from.resize(module.inputs().size());
    impl->to.resize(module.outputs().size());
    return Context(std::move(impl));
  });
}

std::expected<void, Failure> Context::run(std::span<const InputBytes> inputs,
                                          std::span<const OutputBytes> outputs) {
  return guarded("running", [&]() -> Result<> {
    std::vector<Diag> problems;
    checkSizes("input", impl_->module.inputs(), inputs, problems);
    checkSizes("output", impl_->module.outputs(), outputs, problems);
    if (!problems.empty()) return std::unexpected(Error(ErrorKind::Usage, std::move(problems)));
    for (size_t i = 0; i < inputs.size(); ++i) impl_->from[i] = inputs[i].data();
    for (size_t i = 0; i < outputs.size(); ++i) impl_->to[i] = outputs[i].data();
    return impl_->session->runRaw(impl_->from, impl_->to);
  });
}

std::expected<void, Failure> Context::run(std::initializer_list<InputBytes> inputs,
                                          std::initializer_list<OutputBytes> outputs) {
  return run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()));
}

enfold_context* Context::raw() { return impl_->session->context(); }

} // namespace enfold
