// Sizes are changed by multiples of 32: networks that halve their input five times want such sizes.
#include "driver/Probes.h"

#include "driver/SharedPlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace enfold {
namespace {

constexpr int64_t kUnit = 32;
/// Smaller sizes count things, as batches do; kernels for one of a thing differ from others.
constexpr int64_t kLeast = 16;

/// By which sizes are changed together, in turn.
constexpr int64_t kUnits[] = {4, 6, 1};
/// In narrow images rows are tiled otherwise. The narrowest need many kernels that few are met for.
constexpr int64_t kDivisors[] = {2, 4};
constexpr int64_t kNarrowest = 96;

/// What becomes of a size.
struct Change {
  int64_t units = 0, divisor = 1;

  int64_t of(int64_t size) const {
    if (units == 0 && size < kNarrowest * divisor) return size;
    return std::max(size / divisor / kUnit * kUnit + size % kUnit + units * kUnit, kUnit);
  }
};

/// Of each name of a size.
using Probe = std::vector<Change>;

/// Calls change(name, size) for each size that the model leaves open: those of one name are equal.
template <typename F>
void changeSizes(const onnx::Signature& signature, const LoadOptions& load,
                 std::vector<NamedTensor>& inputs, F&& change) {
  for (NamedTensor& input : inputs) {
    const auto declared =
        std::ranges::find(signature.inputs, input.name, &onnx::DeclaredTensor::name);
    if (declared == signature.inputs.end() || !declared->type.dims) continue;
    if (!isOpen(*declared, load)) continue;
    Shape shape = input.tensor.shape();
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const auto& [size, symbol] = (*declared->type.dims)[axis];
      if (size || load.dims.contains(symbol) || shape[axis] < kLeast) continue;
      change(symbol.empty() ? fmt::format("{} {}", input.name, axis) : symbol, shape[axis]);
    }
    if (shape != input.tensor.shape()) input.tensor = Tensor(input.tensor.elem(), std::move(shape));
  }
}

/// A single size, by as little as there may be.
Probe ofOne(size_t numNames, size_t which, int64_t units) {
  Probe probe(numNames);
  probe[which].units = units;
  return probe;
}

/// All sizes: by different amounts, so that what they decide is told apart, and narrow images.
std::vector<Probe> ofAll(size_t numNames) {
  std::vector<Probe> probes;
  for (const size_t turn : {0, 1}) {
    probes.emplace_back();
    for (size_t i = 0; i < numNames; ++i)
      probes.back().push_back({kUnits[(turn + i) % std::size(kUnits)], 1});
  }
  for (const int64_t divisor : kDivisors) probes.emplace_back(numNames, Change{0, divisor});
  return probes;
}

/// The names of the sizes that are varied, in their order.
std::vector<std::string> namesOf(const onnx::Signature& signature,
                                 std::span<const NamedTensor> inputs, const LoadOptions& load) {
  std::vector<std::string> names;
  std::vector<NamedTensor> all(inputs.begin(), inputs.end());
  changeSizes(signature, load, all, [&](const std::string& name, int64_t&) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  });
  return names;
}

/// The network for certain sizes, as a store of kernels sees it.
struct Observed {
  std::unique_ptr<Graph> graph;
  SharedPlan shared;
};

/// Of a model in which data decide sizes, the part in front of them. None if the model does not
/// allow the sizes, or if contents of inputs decide shapes.
Result<std::optional<Observed>> observed(const ModelSource& model,
                                         std::span<const NamedTensor> inputs,
                                         const LoadOptions& load, const CompileOptions& options,
                                         const codegen::Target& target) {
  auto loaded = loadStaged(model, inputs, load);
  if (!loaded || !loaded->boundInputs.empty()) return std::nullopt;
  if (const auto done = optimize(*loaded->graph, options, target); !done) {
    if (done.error().kind == ErrorKind::Stopped) return std::unexpected(done.error());
    return std::nullopt;
  }
  auto shared = lowerShared(*loaded->graph, target);
  if (!shared) return std::nullopt;
  return Observed{std::move(loaded->graph), *std::move(shared)};
}

/// Has the store compile what it has no code for, of all sizes at once.
Result<> compileMissing(std::span<const Observed> sizes, const CompileOptions& options,
                        const codegen::Target& target) {
  const codegen::JitOptions jit = {.interrupted = options.interrupted};
  std::set<std::pair<std::string_view, uint64_t>> met;
  std::vector<SharedPlan> written;
  std::vector<codegen::KernelStore::Wanted> wanted;
  for (const auto& [graph, shared] : sizes) {
    ENFOLD_TRY(const auto bound, options.kernels->bind(shared.wanted, target, jit));
    std::vector<size_t> missing;
    for (const size_t i : bound.missing)
      if (met.emplace(shared.wanted[i].origin, shared.wanted[i].skeleton->hash).second)
        missing.push_back(i);
    if (missing.empty()) continue;
    ENFOLD_TRY(SharedPlan whole, lowerShared(*graph, target, callersOf(shared.plan, missing)));
    std::ranges::copy_if(whole.wanted, std::back_inserter(wanted),
                         [](const auto& one) { return !one.kernel->skeleton; });
    written.push_back(std::move(whole));
  }
  ENFOLD_RETURN_IF_ERROR(options.kernels->bind(wanted, target, jit));
  return {};
}

} // namespace

bool areSizesVaried(const onnx::Signature& signature, std::span<const NamedTensor> inputs,
                    const LoadOptions& load) {
  return !namesOf(signature, inputs, load).empty();
}

Result<> observeSizes(const ModelSource& model, const onnx::Signature& signature,
                      std::span<const NamedTensor> inputs, const LoadOptions& load,
                      const CompileOptions& options, bool compiles) {
  const std::vector<std::string> names = namesOf(signature, inputs, load);
  if (names.empty()) return {};
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  CompileOptions untuned = options;
  untuned.tune.reset();
  std::vector<Observed> allowed;
  const auto probe = [&](const Probe& changes) -> Result<bool> {
    std::vector<NamedTensor> changed(inputs.begin(), inputs.end());
    changeSizes(signature, load, changed, [&](const std::string& name, int64_t& size) {
      const auto which = std::ranges::find(names, name) - names.begin();
      size = changes[static_cast<size_t>(which)].of(size);
    });
    ENFOLD_TRY(auto one, observed(model, changed, load, untuned, target));
    if (!one) return false;
    options.kernels->observe(one->shared.wanted);
    if (compiles) allowed.push_back(*std::move(one));
    return true;
  };
  if (compiles) ENFOLD_RETURN_IF_ERROR(probe(Probe(names.size())));
  std::vector<bool> mayChange(names.size(), true);
  for (size_t i = 0; i < std::min<size_t>(names.size(), 2); ++i) {
    ENFOLD_TRY(mayChange[i], probe(ofOne(names.size(), i, 1)));
    if (!compiles) continue;
    ENFOLD_TRY(const bool mayBeLess, probe(ofOne(names.size(), i, -1)));
    mayChange[i] = mayChange[i] || mayBeLess;
  }
  if (!compiles) return {};
  for (Probe& changes : ofAll(names.size())) {
    for (size_t i = 0; i < names.size(); ++i)
      if (!mayChange[i]) changes[i] = {};
    ENFOLD_RETURN_IF_ERROR(probe(changes));
  }
  return compileMissing(allowed, options, target);
}

} // namespace enfold
