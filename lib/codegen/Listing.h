// Kernels as people read them: Kernel IR, LLVM IR and assembly side by side, with the lines that
// belong together.
#pragma once

#include "codegen/ProgramDesc.h"
#include "codegen/TargetInfo.h"

namespace enfold::codegen {

/// A text made from a kernel.
struct ListedText {
  std::string text;
  std::vector<int> origin; ///< of each line: the line of Kernel IR it comes from, from 1; 0: none
};

struct Listing {
  std::string name; ///< of the kernel
  std::string kir;
  ListedText llvm;     ///< as optimized, without metadata
  ListedText assembly; ///< without directives that concern no instruction
};

struct Listings {
  std::vector<Listing> entries; ///< of distinct kernels
  std::vector<size_t> entryOf;  ///< by index into the kernels
};

/// The code is that which just-in-time compilation makes for the same target.
Result<Listings> listings(std::span<const kir::Kernel> kernels, const Target& target);

} // namespace enfold::codegen
