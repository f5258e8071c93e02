// Finding, making and forgetting programs.
#include "driver/Network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold {
namespace {

/// The tensors of the program's inputs, in its order.
Result<std::vector<Tensor>> arrange(const Network::Program& program,
                                    std::span<const NamedTensor> inputs) {
  const std::vector<TensorSpec> wanted = program.executable().inputs();
  const auto& defaults = program.inputDefaults;
  std::vector<Tensor> arranged;
  const bool named = std::ranges::none_of(inputs, [](const auto& in) { return in.name.empty(); });
  if (!named && inputs.size() != wanted.size())
    return usageError(fmt::format("the network takes {} inputs, not {}: name them", wanted.size(),
                                  inputs.size()));
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::string& name = wanted[i].name;
    const auto given = std::ranges::find(inputs, name, &NamedTensor::name);
    if (!named)
      arranged.push_back(inputs[i].tensor);
    else if (given != inputs.end())
      arranged.push_back(given->tensor);
    else if (const auto standing = defaults.find(name); standing != defaults.end())
      arranged.push_back(standing->second);
    else
      return usageError(fmt::format("no data for input '{}'", name));
  }
  for (const auto& [name, tensor] : inputs)
    if (!name.empty() && !program.boundInputs.contains(name) && !defaults.contains(name) &&
        std::ranges::find(wanted, name, &TensorSpec::name) == wanted.end())
      return usageError(fmt::format("the network has no input '{}'", name));
  return arranged;
}

/// "f32[batch,3,?,?]"
std::string str(const onnx::DeclaredType& type) {
  std::vector<std::string> sizes;
  if (!type.dims) return fmt::format("{} of any shape", name(type.elem));
  for (const auto& [size, symbol] : *type.dims)
    sizes.push_back(size ? fmt::to_string(*size) : symbol.empty() ? "?" : symbol);
  return fmt::format("{}[{}]", name(type.elem), fmt::join(sizes, ","));
}

bool fits(const Type& type, const onnx::DeclaredType& declared) {
  if (type.elem != declared.elem) return false;
  return !declared.dims ||
         std::ranges::equal(type.shape, *declared.dims,
                            [](int64_t given, const onnx::DeclaredType::Dim& dim) {
                              return !dim.size || *dim.size == given;
                            });
}

/// An error naming the first input that the model does not have or that is not as it declares.
Result<> checkDeclared(const onnx::Signature& signature, std::span<const NamedTensor> inputs) {
  for (const auto& [name, tensor] : inputs) {
    if (name.empty()) continue;
    const onnx::DeclaredTensor* declared = nullptr;
    for (const auto* list : {&signature.inputs, &signature.overridable})
      if (const auto found = std::ranges::find(*list, name, &onnx::DeclaredTensor::name);
          found != list->end())
        declared = &*found;
    if (!declared) return usageError(fmt::format("the network has no input '{}'", name));
    if (declared->type.elem != ElemType::Undefined && !fits(tensor.type(), declared->type))
      return usageError(fmt::format("input '{}' must be {}, not {}", name, str(declared->type),
                                    tensor.type().str()));
  }
  return {};
}

} // namespace

Result<std::unique_ptr<Network>> Network::open(ModelSource model, Options options) {
  if (options.capacity == 0) return usageError("at least one program must be kept");
  std::unique_ptr<Network> network(new Network(std::move(model), std::move(options)));
  ENFOLD_TRY(network->signature_, loadSignature(network->model_, network->options_.load));
  const auto isOpen = [&](const auto& input) { return network->isOpen(input); };
  if (std::ranges::any_of(network->signature_.inputs, isOpen)) {
    if (const auto& nodes = network->signature_.unsupported; !nodes.empty()) {
      std::vector<Diag> diags;
      for (const std::string& node : nodes) diags.push_back({node, ""});
      return std::unexpected(Error(ErrorKind::Unsupported, std::move(diags)));
    }
    if (!network->options_.cache) {
      ENFOLD_TRY(network->options_.compile.constants, ConstantPool::create());
    }
    return network;
  }
  // An input whose contents decide shapes is known with the first run only.
  if (auto made = network->compileFor({}); !made && made.error().kind != ErrorKind::DataDependent)
    return std::unexpected(std::move(made).error());
  return network;
}

bool Network::isOpen(const onnx::DeclaredTensor& input) const {
  const LoadOptions& given = options_.load;
  if (given.shapes.contains(input.name) || given.values.contains(input.name)) return false;
  if (input.type.elem == ElemType::Undefined) return false; // no tensor: the import says so
  return !input.type.dims ||
         std::ranges::any_of(*input.type.dims, [&](const onnx::DeclaredType::Dim& dim) {
           return !dim.size && !given.dims.contains(dim.symbol);
         });
}

/// Nameless inputs get the names of those that must be given, if they are as many.
std::vector<NamedTensor> Network::named(std::span<const NamedTensor> inputs) const {
  std::vector<NamedTensor> all(inputs.begin(), inputs.end());
  if (all.size() == signature_.inputs.size() &&
      std::ranges::all_of(all, [](const NamedTensor& input) { return input.name.empty(); }))
    for (size_t i = 0; i < all.size(); ++i) all[i].name = signature_.inputs[i].name;
  return all;
}

Network::Key Network::keyOf(std::span<const NamedTensor> inputs) const {
  Key key;
  for (const auto& [name, tensor] : inputs) {
    const bool decides = bound_.contains(name) || (name.empty() && !bound_.empty());
    const auto declared = std::ranges::find(signature_.inputs, name, &onnx::DeclaredTensor::name);
    if (!decides && declared != signature_.inputs.end() && !isOpen(*declared)) continue;
    key.inputs.push_back({name, tensor.type(), decides ? std::optional(tensor) : std::nullopt});
  }
  std::ranges::stable_sort(key.inputs, {}, &Key::Input::name);
  return key;
}

std::shared_ptr<const Network::Program> Network::find(std::span<const NamedTensor> inputs) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(kept_, keyOf(inputs), &Kept::key);
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return found->program;
}

Result<std::shared_ptr<const Network::Program>>
Network::compileFor(std::span<const NamedTensor> inputs) {
  const std::lock_guard making(compiling_);
  if (auto made = find(inputs)) return made;
  ENFOLD_TRY(CompiledModel compiled, compileModel(model_, inputs, options_.load, options_.compile,
                                                  options_.cache ? &*options_.cache : nullptr));
  auto program = std::make_shared<Program>();
  ENFOLD_TRY(program->sessions, SessionPool::create(compiled.executable, options_.session));
  program->inputDefaults = std::move(compiled.inputDefaults);
  program->boundInputs = std::move(compiled.boundInputs);
  program->notes = std::move(compiled.notes);
  ++compilations_;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, tensor] : program->boundInputs) bound_.insert(name);
  while (kept_.size() >= options_.capacity) kept_.pop_back();
  kept_.push_front({keyOf(inputs), program});
  return program;
}

Result<std::shared_ptr<const Network::Program>>
Network::programFor(std::span<const NamedTensor> inputs) {
  const std::vector<NamedTensor> all = named(inputs);
  ENFOLD_RETURN_IF_ERROR(checkDeclared(signature_, all));
  if (auto program = find(all)) return program;
  return compileFor(all);
}

Result<Network::Run> Network::run(std::span<const NamedTensor> inputs) {
  ENFOLD_TRY(auto program, programFor(inputs));
  ENFOLD_TRY(const std::vector<Tensor> arranged, arrange(*program, inputs));
  ENFOLD_TRY(std::vector<Tensor> outputs, program->sessions->run(arranged));
  return Run{std::move(outputs), std::move(program)};
}

size_t Network::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

int64_t Network::constantBytes() const {
  return options_.compile.constants ? options_.compile.constants->bytesInUse() : 0;
}

} // namespace enfold
