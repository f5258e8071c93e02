// Entries are files named by a hash of their key; the time of last use is the file's own.
#include "driver/CompileCache.h"

#include "support/ErrorCodes.h"
#include "support/Hash.h"
#include "support/NewFile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sys/stat.h>

namespace enfold {

namespace fs = std::filesystem;

fs::path CompileCache::defaultFolder() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  if (fs::path folder = set("ENFOLD_CACHE_DIR"); !folder.empty()) return folder;
  if (const fs::path caches = set("XDG_CACHE_HOME"); caches.is_absolute()) return caches / "enfold";
  const fs::path home = set("HOME");
  return home.empty() ? home : home / ".cache" / "enfold";
}

fs::path CompileCache::pathOf(const std::string& key) const {
  return folder_ / fmt::format("{:016x}.enfold", hashString(key));
}

namespace {

/// What `read` makes of the file, marked as used.
template <typename T>
std::optional<T> findIn(const fs::path& path, const std::string& key,
                        Result<T> (*read)(const fs::path&), std::vector<std::string>& notes) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  auto entry = read(path);
  if (!entry) {
    notes.push_back(entry.error().str() + "; it was removed");
    fs::remove(path, error);
    return std::nullopt;
  }
  if (entry->key != key) return std::nullopt;
  fs::last_write_time(path, fs::file_time_type::clock::now(), error);
  return *std::move(entry);
}

} // namespace

std::optional<CachedModel> CompileCache::find(const std::string& key,
                                              std::vector<std::string>& notes) const {
  return findIn(pathOf(key), key, readProgram, notes);
}

std::optional<CachedTemplates> CompileCache::findTemplates(const std::string& key,
                                                           std::vector<std::string>& notes) const {
  return findIn(pathOf(key), key, readTemplates, notes);
}

Result<> CompileCache::makeFolder() const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error)
    return failure(ErrorCode::BadCacheFolder,
                   fmt::format("cannot make '{}': {}", folder_.string(), error.message()));
  return {};
}

Result<> CompileCache::store(const CachedModel& model) const {
  ENFOLD_RETURN_IF_ERROR(makeFolder());
  ENFOLD_RETURN_IF_ERROR(writeProgram(pathOf(model.key), model));
  prune(capacity_);
  return {};
}

Result<> CompileCache::store(const CachedTemplates& templates) const {
  ENFOLD_RETURN_IF_ERROR(makeFolder());
  ENFOLD_RETURN_IF_ERROR(writeTemplates(pathOf(templates.key), templates));
  prune(capacity_);
  return {};
}

uint64_t CompileCache::versionOfTemplates(const std::string& key) const {
  struct stat status{};
  if (::stat(pathOf(key).c_str(), &status) != 0) return 0;
  return hashCombine(status.st_ino, static_cast<uint64_t>(status.st_size));
}

Result<std::string> CompileCache::describe(const fs::path& entry) {
  const auto program = readProgram(entry);
  if (program) return program->program.desc.name;
  const auto templates = readTemplates(entry);
  if (templates)
    return fmt::format("{} ({} kernels for any sizes)", templates->name,
                       templates->kernels.templates.size());
  return std::unexpected(program.error());
}

std::vector<CompileCache::Entry> CompileCache::files(bool (*isWanted)(const fs::path&)) const {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    if (!isWanted(it->path())) continue;
    std::error_code gone; // another process may remove it meanwhile
    const auto bytes = fs::file_size(it->path(), gone);
    const auto used = gone ? fs::file_time_type() : fs::last_write_time(it->path(), gone);
    if (!gone) entries.push_back({it->path(), static_cast<int64_t>(bytes), used});
  }
  std::ranges::sort(entries, std::greater{}, &Entry::used);
  return entries;
}

std::vector<CompileCache::Entry> CompileCache::entries() const {
  return files([](const fs::path& path) { return path.extension() == ".enfold"; });
}

std::vector<CompileCache::Entry> CompileCache::unfinished() const {
  return files([](const fs::path& path) {
    return NewFile::isUnfinished(path) && path.filename().string().contains(".enfold");
  });
}

CompileCache::Removed CompileCache::prune(int64_t bytes) const {
  Removed removed;
  int64_t kept = 0;
  for (Entry& file : unfinished()) {
    if (NewFile::removeAbandoned(file.path))
      removed.unfinished.push_back(std::move(file));
    else
      kept += file.bytes;
  }
  for (Entry& entry : entries()) {
    kept += entry.bytes;
    std::error_code error;
    if (kept > bytes && fs::remove(entry.path, error)) {
      kept -= entry.bytes;
      removed.entries.push_back(std::move(entry));
    }
  }
  return removed;
}

} // namespace enfold
