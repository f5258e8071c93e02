// A kernel taken apart: all of it that decides code, and the integers that sizes decide. Kernels
// of one shape differ in their numbers only, which come in the same order.
#pragma once

#include "kernel/Numbers.h"

#include <limits>
#include <string>
#include <vector>

namespace enfold::kir {

/// The strides of strided loads are numbers, except small ones.
struct Skeleton {
  std::string shape;
  uint64_t hash = 0;            ///< of the shape
  std::vector<int64_t> numbers; ///< integers, and the bits of doubles
  /// Of each number what it may share a parameter with: numbers of one group, if they differ by a
  /// constant, or of a negative group, if they are equal.
  std::vector<int32_t> groups;
  /// The group of looseNumber()s: each is a parameter, and shares it with none.
  static constexpr int32_t kLoose = std::numeric_limits<int32_t>::min();
};

Skeleton skeletonOf(const Kernel& kernel);

/// Takes a kernel apart while it is written.
class SkeletonWriter {
public:
  /// Of the kernel, the buffers and values must be there that instructions use.
  explicit SkeletonWriter(const Kernel& kernel);

  /// The next instruction in the order of the text: the instructions of its blocks follow, and each
  /// block ends.
  void instruction(const Inst& inst);
  void endBlock();
  Skeleton finish() &&;

private:
  uint32_t nameOf(ValueId id) const { return id < names_.size() ? names_[id] : 0; }
  /// Where the shape goes on, with room for so many bytes.
  char* begin(size_t bytes);
  char* operand(char* to, const Inst& inst, ValueId id) const;
  int32_t groupOf(const Inst& inst, Part part, size_t which, bool isFloat) const;

  const Kernel& kernel_;
  NumberTable numbers_;
  std::vector<uint32_t> names_; ///< of values, in the order of their definitions
  uint32_t next_ = 0;           ///< name
  Skeleton skeleton_;
  std::string bytes_; ///< of the shape, of which some are not in use yet
  size_t used_ = 0;
};

/// While one lives, the builders of its thread do not write kernels out: what they give has a
/// skeleton and no body.
class Outlines {
public:
  Outlines();
  ~Outlines();
  Outlines(const Outlines&) = delete;
  Outlines& operator=(const Outlines&) = delete;

  /// Whether one lives in this thread.
  static bool areWanted();

private:
  bool outer_;
};

} // namespace enfold::kir
