// A kernel: buffers, mutable registers, and a tree of instructions. The body is one block with a
// single parallel loop at its top level, preceded only by code that every call may repeat (it runs
// once per call, on each thread). The parallel loop's iterations write disjoint elements, so a call
// may run any subrange of them in any order.
//
// This is plain data: kernels are made with kernel/Builder.h, checked with kernel/Verifier.h and
// shown with kernel/Printer.h.
#pragma once

#include "kernel/Op.h"
#include "kernel/Type.h"
#include "support/SmallVector.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace enfold::kir {

using ValueId = uint32_t;
using BufferId = uint32_t;
using VarId = uint32_t;
inline constexpr uint32_t kNoId = std::numeric_limits<uint32_t>::max();

/// Where a buffer lives.
enum class Space : uint8_t {
  Param,   ///< passed in the call's buffer table, in order of declaration
  Scratch, ///< a region of the calling thread's scratch; undefined at the start of an iteration
  Local,   ///< on the stack, for small tiles; in registers if every index is constant
};

/// What the kernel does with a buffer.
enum class Access : uint8_t { Read, Write, ReadWrite };

struct BufferInfo {
  std::string name;
  Scalar elem = Scalar::F32;
  int64_t size = 0; ///< in elements
  Access access = Access::Read;
  Space space = Space::Param;
  int64_t offset = 0; ///< in bytes from the start of the scratch, a multiple of 64

  int64_t bytes() const { return size * sizeInBytes(elem); }
};

/// Smallest and largest value an index can have, both included.
struct Range {
  int64_t lo = std::numeric_limits<int64_t>::min();
  int64_t hi = std::numeric_limits<int64_t>::max();

  bool within(int64_t first, int64_t last) const { return lo >= first && hi <= last; }
};

struct ValueInfo {
  Type type;
  Range range; ///< of scalar index values
};

struct VarInfo {
  std::string name;
  Type type;
};

struct Inst;
using Block = std::vector<Inst>;

/// How a loop is to be realized. A fully unrolled loop has constant bounds.
enum class Unroll : uint8_t { None, Full };

/// One instruction. The fields beyond operands and result are used by the ops named.
struct Inst {
  Op op{};
  Unroll unroll = Unroll::None; ///< For
  Type type = kNone;            ///< of the result, or of the value a memory op moves
  ValueId result = kNoId;       ///< Parallel, For: the loop variable
  BufferId buffer = kNoId;      ///< memory ops
  VarId var = kNoId;            ///< variable ops
  int64_t imm = 0;    ///< Const: value or bits of the double; Affine, memory ops: constant part of
                      ///< the index; Extract, Insert: lane; Parallel: iterations; For: step
  int64_t stride = 0; ///< LoadStrided, in elements; may be negative; BroadcastWord: elements of it;
                      ///< TileLoad, TileStore: between rows, in elements
  SmallVector<ValueId, 4> operands;
  SmallVector<int64_t, 4> ints; ///< Affine: coefficients; Shuffle: source lanes, -1 for any; tile
                                ///< ops: the tiles, of TileDot sum, a and b
  std::string name;             ///< Parallel, For: name of the loop variable
  std::vector<Block> blocks;    ///< Parallel, For: body; If: then, else
};

struct Skeleton;

struct Kernel {
  std::string name;
  std::vector<BufferInfo> buffers;
  std::vector<ValueInfo> values;
  std::vector<VarInfo> vars;
  Block body;
  int64_t iterations = 0;   ///< of the parallel loop
  int64_t scratchBytes = 0; ///< needed per thread
  /// Of a kernel that is not written out (kernel/Skeleton.h), else null.
  std::shared_ptr<const Skeleton> skeleton = {};

  int64_t numParams() const;
};

} // namespace enfold::kir
