// Which memory a value occupies. Reshapes and no-op reorders share their operand's; the operands of
// a concatenation are computed in place inside its result, and splits and slices are views,
// wherever the part is contiguous. What is left gets memory of its own, or that of a graph output.
#pragma once

#include "ir/Slicing.h"
#include "lower/Plan.h"

#include <unordered_map>
#include <unordered_set>

namespace enfold::lower {

/// Decides the place of every value of a graph at once. Values are never written twice, so a place
/// inside another value's memory is as good as one's own.
class StorageMap {
public:
  StorageMap(Plan& plan, const Graph& graph);

  /// Where `value` lives; none for constants and
  /// reordered ones, which are laid down where they are first used.
  std::optional<BufferRef> find(const Value* value) const;
  /// True for ops whose results exist without any kernel.
  bool isView(const Op& op) const { return views_.contains(&op); }

private:
  /// A value's memory as part of another's: `offset` bytes behind the start of `parent`.
  struct Link {
    const Value* parent = nullptr;
    int64_t offset = 0;
  };
  struct Root {
    const Value* value;
    int64_t offset;
  };

  Root rootOf(const Value* value) const;
  void link(const Value* value, const Value* parent, int64_t offset);
  bool linkView(const Op& op);
  bool linkSlices(const Op& op);
  void linkConcat(const Op& op);
  bool canEmbed(const Value* operand, const Value* into) const;
  void placeRoots(const Graph& graph);

  Plan& plan_;
  std::unordered_map<const Value*, Link> links_;
  std::unordered_map<const Value*, BufferId> roots_;
  std::unordered_set<const Op*> views_;
};

/// Byte offset of the part of `whole` that starts at `begin` along `axis` and has the type `part`,
/// when that part is contiguous in memory; none otherwise.
std::optional<int64_t> contiguousOffset(const Type& whole, const Type& part, int64_t axis,
                                        int64_t begin);

/// True when a reorder between the layouts moves no byte.
bool reorderIsNoOp(const Type& from, const Type& to);

/// The one axis a slice with unit steps cuts, and where it begins; none for any other slice.
std::optional<SlicedAxis> simpleSlice(const Op& op);

} // namespace enfold::lower
