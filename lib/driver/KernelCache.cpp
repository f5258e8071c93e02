// An entry is a program without steps.
#include "driver/KernelCache.h"

namespace enfold {

std::optional<std::vector<std::string>> KernelCache::find(const std::string& key) {
  std::vector<std::string> notes;
  auto found = cache_.find(build_ + key, notes);
  if (!found) return std::nullopt;
  return std::move(found->program.code.objects);
}

void KernelCache::store(const std::string& key, const std::vector<std::string>& objects) {
  CachedModel entry;
  entry.key = build_ + key;
  entry.program.desc.name = "kernels for other sizes";
  entry.program.code.objects = objects;
  static_cast<void>(cache_.store(entry)); // then the next process compiles as this one did
}

} // namespace enfold
