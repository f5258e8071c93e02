// Finding, making and forgetting programs.
#include "driver/Network.h"

#include "driver/Probes.h"
#include "passes/FoldMemory.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold {
namespace {

/// So many of the latest programs keep the memory that runs take.
constexpr size_t kReady = 8;
/// Of a network in which contents of inputs decide shapes, so many programs are put into the cache.
constexpr int64_t kCachedContents = 4;

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
    if (!declared)
      return failure(ErrorCode::UnknownInput, fmt::format("the network has no input '{}'", name));
    if (!declared->type.isSequence() && std::ranges::count(inputs, name, &NamedTensor::name) > 1)
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' is one tensor, and more are given", name));
    if (declared->type.elem != ElemType::Undefined && !fits(tensor.type(), declared->type))
      return failure(ErrorCode::WrongInput, fmt::format("input '{}' must be {}, not {}", name,
                                                        str(declared->type), tensor.type().str()));
  }
  return {};
}

/// What is kept of a caller's tensors must not lie in the caller's memory. Of others only the types
/// are of interest.
std::vector<NamedTensor> copiesOf(std::span<const NamedTensor> inputs) {
  std::vector<NamedTensor> copies(inputs.begin(), inputs.end());
  for (NamedTensor& copy : copies)
    if (copy.tensor.numBytes() > 0 && onnx::mayDecideShapes(copy.tensor.type()))
      copy.tensor.mutableBytes();
  return copies;
}

/// Declares tensors of a program, whose sizes that differ from those of the programs before it are
/// open.
void declareFor(const std::vector<TensorSpec>& specs, std::vector<onnx::DeclaredTensor>& declared) {
  const bool isFirst = declared.empty();
  for (size_t i = 0; i < specs.size(); ++i) {
    if (isFirst) declared.push_back(declare(specs[i].name, specs[i].type));
    auto& dims = *declared[i].type.dims;
    for (size_t axis = 0; axis < std::min(dims.size(), specs[i].type.shape.size()); ++axis)
      if (dims[axis].size != specs[i].type.shape[axis]) dims[axis].size = std::nullopt;
  }
}

} // namespace

Result<std::vector<Tensor>> arrange(std::span<const TensorSpec> wanted,
                                    const std::map<std::string, Tensor>& defaults,
                                    const std::map<std::string, Tensor>& constants,
                                    std::span<const NamedTensor> inputs) {
  std::vector<Tensor> arranged;
  const bool named = std::ranges::none_of(inputs, [](const auto& in) { return in.name.empty(); });
  if (!named && inputs.size() != wanted.size())
    return failure(ErrorCode::WrongInput,
                   fmt::format("the network takes {} inputs, not {}: name them", wanted.size(),
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
      return failure(ErrorCode::MissingInput, fmt::format("no data for input '{}'", name));
  }
  for (const auto& [name, tensor] : inputs)
    if (!name.empty() && !constants.contains(name) && !defaults.contains(name) &&
        std::ranges::find(wanted, name, &TensorSpec::name) == wanted.end())
      return failure(ErrorCode::UnknownInput, fmt::format("the network has no input '{}'", name));
  return arranged;
}

Result<std::unique_ptr<Network>> Network::open(ModelSource model, Options options) {
  if (options.capacity == 0)
    return failure(ErrorCode::BadValue, "at least one program must be kept");
  if (options.streams < 1 || options.streams > ENFOLD_MAX_THREADS)
    return failure(ErrorCode::BadValue, fmt::format("{} streams: there must be 1 to {}",
                                                    options.streams, ENFOLD_MAX_THREADS));
  std::unique_ptr<Network> network(new Network(std::move(model), std::move(options)));
  Options& how = network->options_;
  LoadOptions load = how.load;
  load.onlyClosed = true;
  auto compiled =
      compileModel(network->model_, {}, load, how.compile, how.cache ? &*how.cache : nullptr);
  if (!compiled) {
    // An input whose contents decide shapes is known with the first run only.
    if (compiled.error().kind != ErrorKind::DataDependent)
      return std::unexpected(std::move(compiled).error());
    ENFOLD_TRY(network->signature_, loadSignature(network->model_, how.load));
    ENFOLD_TRY(how.compile.constants, ConstantPool::create());
    return network;
  }
  network->signature_ = compiled->signature;
  if (compiled->executable) {
    ENFOLD_RETURN_IF_ERROR(network->keep(*std::move(compiled), {}));
    return network;
  }
  if (const auto& nodes = network->signature_.unsupported; !nodes.empty())
    return std::unexpected(Error(ErrorKind::Unsupported, nodes));
  ENFOLD_TRY(how.compile.constants, ConstantPool::create());
  how.compile.kernels = std::make_shared<codegen::KernelStore>();
  how.compile.pins = std::make_shared<AlgorithmPins>();
  how.compile.passes.passes.folds = std::make_shared<FoldMemory>();
  if (!how.cache) {
    ENFOLD_RETURN_IF_ERROR(network->model_.readAhead(how.load.limits));
    return network;
  }
  ENFOLD_TRY(network->templatesKey_, keyOfTemplates(network->model_, how.load, how.compile));
  return network;
}

Result<std::unique_ptr<Network>> Network::openLibrary(const std::filesystem::path& library,
                                                      Options options) {
  ENFOLD_TRY(const auto programs, Executable::open(library));
  std::unique_ptr<Network> network(new Network(library, std::move(options)));
  network->isLibrary_ = true;
  network->options_.capacity = std::max(network->options_.capacity, programs.size());
  onnx::Signature& signature = network->signature_;
  signature.graphName = network->model_.stem();
  for (const auto& program : programs) {
    declareFor(program->inputs(), signature.inputs);
    declareFor(program->outputs(), signature.outputs);
  }
  for (const auto& program : programs) {
    std::vector<NamedTensor> inputs;
    for (const auto& [name, type] : program->inputs())
      inputs.push_back({name, Tensor(type.elem, type.shape)});
    CompiledModel compiled;
    compiled.executable = program;
    ENFOLD_RETURN_IF_ERROR(network->keep(std::move(compiled), inputs));
  }
  return network;
}

Result<LoadedModel> Network::load(std::span<const NamedTensor> inputs, bool firstPart) const {
  if (isLibrary_)
    return usageError(model_.name + ": was compiled ahead of time; this needs the model itself");
  const std::vector<NamedTensor> all = named(inputs);
  ENFOLD_RETURN_IF_ERROR(checkDeclared(signature_, all));
  return firstPart ? loadStaged(model_, all, options_.load)
                   : loadModelFor(model_, all, options_.load);
}

/// Nameless inputs get the names of those that must be given, if they are as many.
std::vector<NamedTensor> Network::named(std::span<const NamedTensor> inputs) const {
  std::vector<NamedTensor> all(inputs.begin(), inputs.end());
  if (all.size() == signature_.inputs.size() &&
      std::ranges::all_of(all, [](const NamedTensor& input) { return input.name.empty(); }))
    for (size_t i = 0; i < all.size(); ++i) all[i].name = signature_.inputs[i].name;
  return all;
}

Network::Key Network::keyOf(std::span<const NamedTensor> inputs,
                            const std::set<std::string>& bound) const {
  Key key;
  for (const auto& [name, tensor] : inputs) {
    const bool decides = bound.contains(name) || (name.empty() && !bound.empty());
    const auto declared = std::ranges::find(signature_.inputs, name, &onnx::DeclaredTensor::name);
    const bool isKnown = declared != signature_.inputs.end();
    if (!decides && isKnown && !isOpen(*declared, options_.load)) continue;
    if (isKnown && !declared->type.isTensor()) continue; // stages are found by what it holds
    key.inputs.push_back({name, tensor.type(), decides ? std::optional(tensor) : std::nullopt});
  }
  std::ranges::stable_sort(key.inputs, {}, &Key::Input::name);
  return key;
}

std::set<std::string> Network::bound() const {
  const std::lock_guard lock(mutex_);
  return bound_;
}

std::shared_ptr<const Network::Program> Network::find(std::span<const NamedTensor> inputs) {
  const Key key = keyOf(inputs, bound());
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(kept_, key, &Kept::key);
  if (found == kept_.end()) return nullptr;
  touch(found);
  return found->program;
}

std::shared_ptr<const Network::Program> Network::latest() const {
  const std::lock_guard lock(mutex_);
  return kept_.empty() ? nullptr : kept_.front().program;
}

/// Makes the program the latest, and has it run in the memory of the one that was it before. Those
/// behind the first few keep none.
void Network::touch(std::list<Kept>::iterator one) {
  SessionPool* const sessions = one->program->sessions.get();
  SessionPool* const before = kept_.front().program->sessions.get();
  if (sessions && before && sessions != before) sessions->takeOver(*before);
  kept_.splice(kept_.begin(), kept_, one);
  if (kept_.size() <= kReady) return;
  const auto idle = std::next(kept_.begin(), kReady);
  if (idle->program->sessions) idle->program->sessions->dropIdle();
}

Result<std::shared_ptr<const Network::Program>>
Network::compileFor(std::span<const NamedTensor> inputs) {
  const std::lock_guard making(compiling_);
  if (auto made = find(inputs)) return made;
  const std::vector<NamedTensor> own = copiesOf(inputs);
  LoadOptions load = options_.load;
  load.cut = isCut_;
  CompileOptions compile = options_.compile;
  std::vector<std::string> notes;
  takeTemplates(notes);
  codegen::KernelStore* const kernels = compile.kernels.get();
  const int64_t before = kernelCompilations();
  // A network that meets one size only runs kernels for that one.
  const bool isFirst = *compilations_ == 0 && (!kernels || kernels->size() == 0);
  const bool mayCache = kernels || *compilations_ < kCachedContents;
  const CompileCache* cache = options_.cache && mayCache ? &*options_.cache : nullptr;
  if (isFirst)
    compile.kernels = nullptr;
  else
    compile.observe = [&]() -> Result<> {
      takeTemplates(notes);
      return compileForOthers(own, kernels->size() == 0);
    };
  std::optional<CompiledModel> compiled;
  if (cache) {
    ENFOLD_TRY(compiled, findModel(model_, own, load, compile, *cache, notes));
  }
  if (!compiled) {
    if (!isFirst) ENFOLD_RETURN_IF_ERROR(readModelAhead());
    ENFOLD_TRY(compiled, compileModel(model_, own, load, compile, isFirst ? cache : nullptr, true));
  }
  isCut_ = compiled->remainder.rest != nullptr;
  Result<> others;
  if (isFirst && kernels && compiled->executable) others = compileForOthers(own, true);
  if (kernels && (kernels->compilations() > before || (isFirst && !compiled->cached)))
    storeTemplates(notes);
  std::ranges::move(notes, std::back_inserter(compiled->notes));
  ENFOLD_TRY(auto program, keep(*std::move(compiled), own));
  ENFOLD_RETURN_IF_ERROR(others);
  return program;
}

/// The graphs for inputs of any sizes share what the file holds.
Result<> Network::readModelAhead() {
  if (model_.parsed) return {};
  ENFOLD_RETURN_IF_ERROR(model_.readAhead(options_.load.limits));
  if (options_.cache && model_.parsed && !model_.isZoo()) {
    ENFOLD_TRY(model_.hash, hashOf(model_));
  }
  return {};
}

/// Shows the store kernels for sizes beside these. With `compiles`, it has code then for most
/// sizes; what cannot be compiled ahead is compiled when it is met.
Result<> Network::compileForOthers(std::span<const NamedTensor> inputs, bool compiles) {
  if (!areSizesVaried(signature_, inputs, options_.load)) return {};
  ENFOLD_RETURN_IF_ERROR(readModelAhead());
  LoadOptions load = options_.load;
  load.cut = isCut_;
  auto done = observeSizes(model_, signature_, inputs, load, options_.compile, compiles);
  return done || done.error().kind != ErrorKind::Stopped ? Result<>() : done;
}

/// Takes over what other processes have put into the cache, unless they compute with other
/// algorithms: then this one goes on alone.
void Network::takeTemplates(std::vector<std::string>& notes) {
  if (templatesKey_.empty()) return;
  const uint64_t version = options_.cache->versionOfTemplates(templatesKey_);
  if (version == 0 || version == templatesVersion_) return;
  templatesVersion_ = version;
  auto found = options_.cache->findTemplates(templatesKey_, notes);
  if (!found) return;
  AlgorithmPins& pins = *options_.compile.pins;
  const auto own = pins.choice();
  if (own && *own != found->algorithms) return templatesKey_.clear();
  if (!own) pins.adopt(std::move(found->algorithms));
  options_.compile.kernels->add(std::move(found->kernels));
}

void Network::storeTemplates(std::vector<std::string>& notes) {
  takeTemplates(notes);
  auto algorithms = options_.compile.pins->choice();
  if (templatesKey_.empty() || !algorithms) return;
  const CachedTemplates templates{templatesKey_, signature_.graphName, *std::move(algorithms),
                                  options_.compile.kernels->contents()};
  if (const auto stored = options_.cache->store(templates); !stored)
    notes.push_back("kernels were not put into the cache: " + stored.error().str());
  templatesVersion_ = options_.cache->versionOfTemplates(templatesKey_);
}

Result<std::shared_ptr<const Network::Program>> Network::keep(CompiledModel compiled,
                                                              std::span<const NamedTensor> inputs) {
  auto program = std::make_shared<Program>();
  if (!compiled.remainder.rest) {
    const std::shared_ptr<const Program> before = latest();
    ENFOLD_TRY(program->sessions,
               SessionPool::create(compiled.executable, options_.session, options_.streams,
                                   before ? before->sessions.get() : nullptr));
  }
  if (compiled.executable) ++*compilations_;
  if (compiled.remainder.rest) {
    ENFOLD_TRY(program->stage, stageOf(compiled.executable, std::move(compiled.remainder),
                                       {options_.compile, options_.session, compilations_}));
  }
  program->inputDefaults = std::move(compiled.inputDefaults);
  program->boundInputs = std::move(compiled.boundInputs);
  program->notes = std::move(compiled.notes);
  std::set<std::string> bound = this->bound();
  for (const auto& [name, tensor] : program->boundInputs) bound.insert(name);
  Key key = keyOf(inputs, bound);
  const std::lock_guard lock(mutex_);
  bound_ = std::move(bound);
  while (kept_.size() >= options_.capacity) kept_.pop_back();
  kept_.push_front({std::move(key), program});
  touch(kept_.begin());
  return program;
}

Result<std::shared_ptr<const Network::Program>>
Network::programFor(std::span<const NamedTensor> inputs) {
  const std::vector<NamedTensor> all = named(inputs);
  ENFOLD_RETURN_IF_ERROR(checkDeclared(signature_, all));
  if (auto program = find(all)) return program;
  if (isLibrary_)
    return usageError(fmt::format("{}: was compiled ahead of time for other sizes: {}", model_.name,
                                  fmt::join(sizesOfLibrary(), "; ")));
  return compileFor(all);
}

Result<std::vector<Network::Output>> Network::run(const Program& program,
                                                  std::span<const NamedTensor> inputs,
                                                  const enfold_run_limits* limits) const {
  std::vector<Output> result;
  if (program.isStaged()) {
    const std::vector<NamedTensor> all = named(inputs);
    ENFOLD_RETURN_IF_ERROR(checkDeclared(signature_, all));
    ENFOLD_TRY(
        std::vector<onnx::Datum> outputs,
        runStaged(*program.stage, signature_, all, program.inputDefaults, RunLimits(limits)));
    for (size_t i = 0; i < outputs.size(); ++i)
      result.push_back({signature_.outputs[i].name, std::move(outputs[i])});
    return result;
  }
  ENFOLD_TRY(
      const std::vector<Tensor> arranged,
      arrange(program.executable().inputs(), program.inputDefaults, program.boundInputs, inputs));
  ENFOLD_TRY(std::vector<Tensor> outputs, program.sessions->run(arranged, limits));
  const std::vector<TensorSpec> specs = program.executable().outputs();
  for (size_t i = 0; i < outputs.size(); ++i)
    result.push_back({specs[i].name, onnx::Datum::of(std::move(outputs[i]))});
  return result;
}

Result<Network::Run> Network::run(std::span<const NamedTensor> inputs,
                                  const enfold_run_limits* limits) {
  ENFOLD_TRY(auto program, programFor(inputs));
  ENFOLD_TRY(std::vector<Output> outputs, run(*program, inputs, limits));
  Run done{.outputs = {}, .names = {}, .program = std::move(program)};
  for (auto& [name, value] : outputs)
    for (Tensor& tensor : value.tensors) {
      done.names.push_back(name);
      done.outputs.push_back(std::move(tensor));
    }
  return done;
}

/// The inputs of each program, as messages name them.
std::vector<std::string> Network::sizesOfLibrary() const {
  std::vector<std::string> sizes;
  const std::lock_guard lock(mutex_);
  for (const Kept& kept : kept_) {
    std::vector<std::string> inputs;
    for (const auto& [name, type] : kept.program->executable().inputs())
      inputs.push_back(fmt::format("{} {}", name, type.str()));
    sizes.push_back(fmt::format("{}", fmt::join(inputs, ", ")));
  }
  std::ranges::sort(sizes);
  return sizes;
}

size_t Network::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

int64_t Network::kernelCompilations() const {
  return options_.compile.kernels ? options_.compile.kernels->compilations() : 0;
}

int64_t Network::constantBytes() const {
  return options_.compile.constants ? options_.compile.constants->bytesInUse() : 0;
}

} // namespace enfold
