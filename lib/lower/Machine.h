// The facts of a target that choices of layout, tile and algorithm rest on.
#pragma once

#include <cstdint>

namespace enfold::lower {

struct Machine {
  int vectorBytes = 16;     ///< widest vector register
  int vectorRegisters = 16; ///< how many of them
  int64_t l1Bytes = 32 << 10;
  int64_t l2Bytes = 512 << 10;
  int threads = 1; ///< how many the schedule is made for; results never depend on it

  /// Lanes of a vector of elements of that size, at least 1.
  int lanes(int64_t elementBytes) const {
    return vectorBytes < elementBytes ? 1 : static_cast<int>(vectorBytes / elementBytes);
  }
  /// Block of the channel-blocked layout: one vector of f32.
  int channelBlock() const { return lanes(4); }
};

} // namespace enfold::lower
