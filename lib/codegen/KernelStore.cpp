// Looking up kernels by their shapes, and compiling what is new.
#include "codegen/KernelStore.h"

#include "kernel/Verifier.h"

#include <algorithm>
#include <string>

namespace enfold::codegen {
namespace {

/// So many samples tell what varies; more come from templates that met something new.
constexpr size_t kMostSamples = 8;

size_t bytesOf(const kir::Block& block) {
  size_t bytes = 0;
  for (const kir::Inst& inst : block) {
    bytes += sizeof inst + sizeof(int64_t) * inst.ints.size() +
             sizeof(kir::ValueId) * inst.operands.size();
    for (const kir::Block& inner : inst.blocks) bytes += bytesOf(inner);
  }
  return bytes;
}

} // namespace

std::vector<KernelStore::Wanted> KernelStore::wantedOf(std::span<const kir::Kernel> kernels,
                                                       std::span<const std::string> origins) {
  std::vector<Wanted> wanted;
  for (size_t i = 0; i < kernels.size(); ++i)
    wanted.push_back({&kernels[i], origins[i],
                      origins[i].empty() ? kir::Skeleton() : kir::skeletonOf(kernels[i])});
  return wanted;
}

std::optional<KernelStore::Bound> KernelStore::find(const Wanted& wanted) {
  const auto& [kernel, origin, skeleton] = wanted;
  const auto same = templates_.find(skeleton.shape);
  if (same == templates_.end()) return std::nullopt;
  const auto bindTo = [&](Templates::iterator one) -> std::optional<Bound> {
    if (!one->function) return std::nullopt;
    auto sizes = one->parameters.solve(skeleton.numbers);
    if (!sizes) return std::nullopt;
    use(one);
    return Bound{{one->function, kernel->iterations, one->code}, *std::move(sizes)};
  };
  for (const bool own : {true, false})
    for (const auto& one : same->second)
      if ((one->origin == origin) == own)
        if (auto bound = bindTo(one)) return bound;
  return std::nullopt;
}

KernelStore::Templates::iterator KernelStore::note(const Wanted& wanted) {
  const auto& [kernel, origin, skeleton] = wanted;
  const auto [entry, isNew] = templates_.try_emplace(skeleton.shape);
  auto& same = entry->second;
  const auto known =
      std::ranges::find_if(same, [&](const auto& one) { return one->origin == origin; });
  if (known == same.end()) {
    kept_.push_front({.origin = origin, .kernel = *kernel, .samples = {skeleton.numbers}});
    kept_.front().shape = &entry->first;
    kept_.front().bytes = bytesOf(kernel->body) + skeleton.shape.size() +
                          (kMostSamples + 1) * sizeof(int64_t) * skeleton.numbers.size();
    bytes_ += kept_.front().bytes;
    same.push_back(kept_.begin());
    return kept_.begin();
  }
  Template& one = **known;
  if (std::ranges::find(one.samples, skeleton.numbers) == one.samples.end()) {
    // The first one is of `kernel`.
    if (one.samples.size() == kMostSamples) one.samples.erase(one.samples.begin() + 1);
    one.samples.push_back(skeleton.numbers);
  }
  use(*known);
  return *known;
}

void KernelStore::forgetOldest() {
  while (bytes_ > capacity_ && kept_.size() > 1) {
    const auto oldest = std::prev(kept_.end());
    const auto same = templates_.find(*oldest->shape);
    std::erase(same->second, oldest);
    if (same->second.empty()) templates_.erase(same);
    bytes_ -= oldest->bytes + oldest->codeBytes;
    kept_.erase(oldest);
  }
}

size_t KernelStore::countMissing(std::span<const Wanted> kernels) {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(std::ranges::count_if(
      kernels, [&](const Wanted& wanted) { return !wanted.origin.empty() && !find(wanted); }));
}

void KernelStore::observe(std::span<const Wanted> kernels) {
  const std::lock_guard lock(mutex_);
  for (const Wanted& wanted : kernels)
    if (!wanted.origin.empty()) note(wanted);
  forgetOldest();
}

Result<std::vector<KernelStore::Bound>> KernelStore::bind(std::span<const Wanted> kernels,
                                                          const Target& target,
                                                          const JitOptions& options) {
  const std::lock_guard lock(mutex_);
  std::vector<Bound> bound(kernels.size());
  std::vector<Missing> missing;
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (kernels[i].origin.empty()) continue;
    if (auto found = find(kernels[i])) {
      bound[i] = *std::move(found);
      continue;
    }
    ENFOLD_RETURN_IF_ERROR(kir::verify(*kernels[i].kernel));
    const auto to = note(kernels[i]);
    missing.push_back({i, to, kir::Parameters::over(to->samples, kernels[i].skeleton.groups)});
  }
  if (missing.empty()) return bound;

  std::vector<kir::Kernel> wanted;
  for (const Missing& one : missing)
    wanted.push_back(one.parameters.count() > 0 ? kir::generalized(one.to->kernel, one.parameters)
                                                : one.to->kernel);
  ENFOLD_TRY(const auto code, KernelCode::compile(wanted, target, options));
  compilations_ += static_cast<int64_t>(missing.size());
  for (size_t i = 0; i < missing.size(); ++i) {
    auto& [kernel, to, parameters] = missing[i];
    auto sizes = parameters.solve(kernels[kernel].skeleton.numbers);
    ENFOLD_CHECK(sizes, "a template that does not fit its sample");
    to->function = code->functions()[i];
    to->code = code;
    to->parameters = std::move(parameters);
    bound[kernel] = {{to->function, kernels[kernel].kernel->iterations, code}, *std::move(sizes)};
    const size_t bytes = code->bytes() / missing.size();
    bytes_ += bytes - to->codeBytes;
    to->codeBytes = bytes;
  }
  forgetOldest();
  return bound;
}

int64_t KernelStore::compilations() const {
  const std::lock_guard lock(mutex_);
  return compilations_;
}

size_t KernelStore::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

size_t KernelStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

} // namespace enfold::codegen
