// Finding, making and forgetting specializations.
#include "driver/Specializations.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {

Result<std::unique_ptr<Specializations>> Specializations::open(std::string model, Options options) {
  if (options.capacity == 0) return usageError("at least one specialization must be kept");
  ENFOLD_TRY(options.compile.constants, ConstantPool::create());
  return std::unique_ptr<Specializations>(
      new Specializations(std::move(model), std::move(options)));
}

/// Which inputs decide shapes is known from the first time on; nameless ones may be any.
Specializations::Key Specializations::keyOf(std::span<const NamedTensor> inputs) const {
  Key key;
  for (const auto& [name, tensor] : inputs) {
    key.types.push_back(tensor.type());
    if (bound_.contains(name) || (name.empty() && !bound_.empty())) key.contents.push_back(tensor);
  }
  return key;
}

Result<> Specializations::specialize(std::span<const NamedTensor> inputs) {
  ENFOLD_TRY(LoadedModel loaded, loadModelFor(model_, inputs, options_.load));
  bound_ = std::move(loaded.boundInputs);
  defaults_ = std::move(loaded.inputDefaults);
  ENFOLD_TRY(const Compilation compiled, compile(std::move(loaded.graph), options_.compile));
  ENFOLD_TRY(auto session, Session::create(compiled.executable, options_.session));
  kept_.push_front({keyOf(inputs), std::move(session)});
  ++compilations_;
  return {};
}

/// The tensors of the network's inputs, in its order.
Result<std::vector<Tensor>> Specializations::arrange(std::span<const NamedTensor> inputs) const {
  const std::vector<TensorSpec> wanted = kept_.front().session->executable().inputs();
  std::vector<Tensor> arranged;
  const bool named = std::ranges::none_of(inputs, [](const auto& in) { return in.name.empty(); });
  if (!named && inputs.size() != wanted.size())
    return usageError(fmt::format("the network takes {} inputs, not {}: name them", wanted.size(),
                                  inputs.size()));
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::string& name = wanted[i].name;
    const auto given = std::ranges::find(inputs, name, &NamedTensor::name);
    const auto standing = defaults_.find(name);
    if (!named)
      arranged.push_back(inputs[i].tensor);
    else if (given != inputs.end())
      arranged.push_back(given->tensor);
    else if (standing != defaults_.end())
      arranged.push_back(standing->second);
    else
      return usageError(fmt::format("no data for input '{}'", name));
  }
  for (const auto& [name, tensor] : inputs)
    if (!name.empty() && !bound_.contains(name) && !defaults_.contains(name) &&
        std::ranges::find(wanted, name, &TensorSpec::name) == wanted.end())
      return usageError(fmt::format("the network has no input '{}'", name));
  return arranged;
}

Result<Specializations::Run> Specializations::run(std::span<const NamedTensor> inputs) {
  const auto found = std::ranges::find(kept_, keyOf(inputs), &Kept::key);
  if (found != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, found);
  } else {
    while (kept_.size() >= options_.capacity) kept_.pop_back();
    ENFOLD_RETURN_IF_ERROR(specialize(inputs));
  }
  Session& session = *kept_.front().session;
  ENFOLD_TRY(const std::vector<Tensor> arranged, arrange(inputs));
  ENFOLD_TRY(std::vector<Tensor> outputs, session.run(arranged));
  return Run{std::move(outputs), &session.executable()};
}

} // namespace enfold
