// Just-in-time compilation: a program description becomes a program in memory.
#pragma once

#include "codegen/ProgramDesc.h"
#include "codegen/TargetInfo.h"

namespace enfold::codegen {

struct JitOptions {
  int threads = 0; ///< for compiling; 0: as many as the process may use
};

/// A compiled program. It owns the machine code, the tables and a share of the constants.
class JitModule {
public:
  ~JitModule();
  JitModule(const JitModule&) = delete;
  JitModule& operator=(const JitModule&) = delete;

  const enfold_program* program() const;

private:
  friend Result<std::unique_ptr<JitModule>> jit(const ProgramDesc& program, const Target& target,
                                                const JitOptions& options);
  struct Impl;
  explicit JitModule(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

Result<std::unique_ptr<JitModule>> jit(const ProgramDesc& program, const Target& target,
                                       const JitOptions& options = {});

} // namespace enfold::codegen
