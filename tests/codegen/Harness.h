// Running of single kernels in tests, on several instruction sets, with canaries around buffers.
#pragma once

#include "codegen/Jit.h"
#include "kernel/Builder.h"
#include "kernel/Printer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <vector>

namespace enfold::codegen {

/// The instruction sets to test: all that this machine has.
inline const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    auto host = hostTarget();
    std::vector<Target> list;
    if (!host) return list;
    for (Isa isa : {Isa::Scalar, Isa::Sse42, Isa::Avx2, Isa::Avx512})
      if (isa <= host->isa) list.push_back(capped(*host, isa));
    return list;
  }();
  return all;
}

/// Memory with a guard of known bytes on both sides.
class Guarded {
public:
  explicit Guarded(size_t bytes) : bytes_(bytes), memory_(kGuard, kByte) {
    memory_.resize(kGuard + bytes, 0);
    memory_.insert(memory_.end(), kGuard, kByte);
  }
  template <typename T>
  explicit Guarded(const std::vector<T>& from) : Guarded(from.size() * sizeof(T)) {
    const auto* first = reinterpret_cast<const uint8_t*>(from.data());
    std::copy(first, first + bytes_, memory_.begin() + kGuard);
  }
  void* data() { return memory_.data() + kGuard; }
  const void* data() const { return memory_.data() + kGuard; }
  template <typename T> std::vector<T> as() const {
    std::vector<T> values(bytes_ / sizeof(T));
    std::memcpy(values.data(), data(), values.size() * sizeof(T));
    return values;
  }
  bool intact() const {
    for (size_t i = 0; i < kGuard; ++i)
      if (memory_[i] != kByte || memory_[kGuard + bytes_ + i] != kByte) return false;
    return true;
  }

private:
  // Not a multiple of any vector, so that buffers are aligned to no more than 8 bytes.
  static constexpr size_t kGuard = 256 + 8;
  static constexpr uint8_t kByte = 0xa5;
  size_t bytes_;
  std::vector<uint8_t> memory_;
};

/// A program of one step per kernel; buffers are given when a step is run.
inline ProgramDesc programOf(std::vector<kir::Kernel> kernels) {
  ProgramDesc desc{.name = "test"};
  for (size_t i = 0; i < kernels.size(); ++i) {
    Step step{.kernel = static_cast<int>(i), .name = kernels[i].name};
    step.buffers.resize(static_cast<size_t>(kernels[i].numParams()));
    desc.steps.push_back(step);
  }
  desc.kernels = std::move(kernels);
  return desc;
}

inline std::unique_ptr<JitModule> compileAll(std::vector<kir::Kernel> kernels,
                                             const Target& target) {
  auto module = jit(programOf(std::move(kernels)), target);
  EXPECT_TRUE(module) << module.error().str();
  return module ? std::move(*module) : nullptr;
}

inline void runStep(const JitModule& module, int step, std::vector<void*> buffers) {
  const enfold_program& program = *module.program();
  std::vector<std::max_align_t> scratch(
      static_cast<size_t>(program.scratch_bytes) / sizeof(std::max_align_t) + 8);
  void* aligned = scratch.data();
  size_t space = scratch.size() * sizeof(std::max_align_t);
  std::align(64, static_cast<size_t>(program.scratch_bytes), aligned, space);
  program.steps[step].kernel(buffers.data(), 0, program.steps[step].iterations, aligned);
}

/// bf16 of random whole numbers from -128 to 128, which are given.
inline std::vector<int> drawWholeHalves(std::vector<uint16_t>& halves, std::mt19937& random) {
  std::vector<int> wholes;
  for (uint16_t& x : halves) {
    wholes.push_back(static_cast<int>(random() % 257) - 128);
    x = static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(wholes.back())) >> 16);
  }
  return wholes;
}

} // namespace enfold::codegen
