// A folder of compiled programs, and of kernels that programs share, bounded in size: the least
// recently used go first. Any number of processes may share it; entries appear and disappear whole.
#pragma once

#include "driver/ProgramFile.h"
#include "driver/TemplateFile.h"

#include <optional>

namespace enfold {

class CompileCache {
public:
  static constexpr int64_t kCapacity = int64_t{4} << 30;

  explicit CompileCache(std::filesystem::path folder, int64_t capacity = kCapacity)
      : folder_(std::move(folder)), capacity_(capacity) {}

  /// ENFOLD_CACHE_DIR, or `enfold` in the user's folder for caches (XDG Base Directory
  /// Specification); empty if there is none.
  static std::filesystem::path defaultFolder();

  const std::filesystem::path& folder() const { return folder_; }

  /// The entry of that key, marked as used. A damaged one is removed, and told in `notes`.
  std::optional<CachedModel> find(const std::string& key, std::vector<std::string>& notes) const;
  /// Makes room, if need be, by removing others.
  Result<> store(const CachedModel& model) const;

  /// The same of what the programs of a network share.
  std::optional<CachedTemplates> findTemplates(const std::string& key,
                                               std::vector<std::string>& notes) const;
  Result<> store(const CachedTemplates& templates) const;
  /// Another number for each file that has been written of them; 0: there is none.
  uint64_t versionOfTemplates(const std::string& key) const;

  /// Checks an entry, and tells what it holds.
  static Result<std::string> describe(const std::filesystem::path& entry);

  struct Entry {
    std::filesystem::path path;
    int64_t bytes;
    std::filesystem::file_time_type used;
  };
  /// Latest used first; none if there is no folder.
  std::vector<Entry> entries() const;
  /// Files being written, and what writers that were killed have left.
  std::vector<Entry> unfinished() const;

  struct Removed {
    std::vector<Entry> entries, unfinished;
  };
  /// Removes what killed writers have left, and entries until all other files have no more than
  /// `bytes`.
  Removed prune(int64_t bytes) const;

private:
  std::vector<Entry> files(bool (*isWanted)(const std::filesystem::path&)) const;
  std::filesystem::path pathOf(const std::string& key) const;
  Result<> makeFolder() const;

  std::filesystem::path folder_;
  int64_t capacity_;
};

} // namespace enfold
