// What lowering makes of a graph: buffers with their places in memory, kernels in Kernel IR, and
// the calls that run them in order. Code generation turns a Plan into a program.
#pragma once

#include "ir/Graph.h"
#include "kernel/Kernel.h"

#include <cstddef>
#include <functional>
#include <memory>

namespace enfold::lower {

enum class Space : uint8_t { Input, Output, Constant, Arena };

using BufferId = uint32_t;

/// Writes a constant in the order in which a kernel reads it, over zeros, in pieces that threads
/// may share. It keeps alive what it reads.
struct Packing {
  int64_t pieces = 0; ///< 0: there is nothing to write
  std::function<void(std::byte* to, int64_t piece)> write;
  Tensor source;     ///< what is packed, and
  std::string order; ///< how: of equal sources and orders the bytes are equal
};

struct PlanBuffer {
  Space space;
  int64_t bytes = 0;
  int64_t index = 0;  ///< Input, Output: which one
  int64_t offset = 0; ///< Constant, Arena: place in the constants or the arena, in bytes
  std::shared_ptr<const std::byte> data; ///< Constant: the bytes, or …
  Packing pack;                          ///< … what writes them
  /// Arena: first and last call that touch it.
  int64_t firstCall = -1, lastCall = -1;
};

/// A place inside a buffer.
struct BufferRef {
  BufferId buffer = 0;
  int64_t offset = 0; ///< in bytes

  bool operator==(const BufferRef&) const = default;
};

/// An op that has no kernel, run by its reference function on plain tensors.
struct ReferenceCall {
  const Op* op = nullptr;
};

struct Call {
  size_t kernel = 0; ///< index into Plan::kernels; meaningless for a reference call
  std::optional<ReferenceCall> reference;
  /// The kernel's parameters; of a reference call operands, results and an enfold_check.
  std::vector<BufferRef> buffers;
  std::string algorithm;    ///< "conv_direct 6x2"; for profiles and explain
  std::string secondChoice; ///< "winograd f2 +8 %"; for profiles
  const Op* op = nullptr;   ///< that it computes, or a part of; null: copies an output
  std::string origin;       ///< the ONNX nodes computed
  double flops = 0;         ///< arithmetic of the whole call
  double bytes = 0;         ///< least memory traffic of the whole call
  /// The numbers of its products, which say how fast a processor can be: F32, or the pixels of
  /// Words. F32 as well for everything else.
  kir::Scalar multiplies = kir::Scalar::F32;
  int64_t grain = 1; ///< fewest iterations worth a thread of their own
  /// Of a kernel that checks data: the error that ends the run when it leaves a number other than 0
  /// in its last buffer, an int32 in the arena. Else empty.
  std::string check;
  /// Calls behind this one that are left out when its kernel leaves a number other than 0 in its
  /// last buffer, an int32 in the arena.
  int64_t skip = 0;
};

struct Plan {
  std::string name;
  std::vector<Value*> inputs, outputs;
  std::vector<std::string> outputNames;
  std::vector<PlanBuffer> buffers;
  std::vector<kir::Kernel> kernels;
  std::vector<Call> calls;
  int64_t arenaBytes = 0;
  int64_t constantBytes = 0;
  int64_t scratchBytes = 0; ///< per thread

  /// Of each kernel the nodes that it computes first, and which of their kernels it is. Empty if it
  /// is never called.
  std::vector<std::string> originsOfKernels() const;
  /// Ops that need their reference function, described; ahead-of-time output refuses them.
  std::vector<std::string> referenceOps() const;
};

/// The plan as text: buffers with offsets and live ranges, then calls.
std::string print(const Plan& plan);

/// Gives every constant and arena buffer its offset (multiples of 64 bytes). Arena buffers whose
/// live ranges meet never overlap.
void assignOffsets(Plan& plan);

} // namespace enfold::lower
