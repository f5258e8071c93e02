// A folder of compiled programs, bounded in size: the least recently used go first. Any number of
// processes may share it; entries appear and disappear whole.
#pragma once

#include "driver/ProgramFile.h"

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

  std::filesystem::path folder_;
  int64_t capacity_;
};

} // namespace enfold
