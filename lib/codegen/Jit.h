// Just-in-time compilation: a program description becomes machine code, and with it a program in
// memory. The machine code can be kept and linked again later, in another process too.
#pragma once

#include "codegen/ProgramDesc.h"
#include "codegen/TargetInfo.h"

#include <functional>

namespace enfold::codegen {

struct JitOptions {
  int threads = 0; ///< for compiling; 0: as many as the process may use
  /// Asked on the calling thread, between kernels, whether to stop: compilation then fails.
  std::function<bool()> interrupted = {};
};

/// The kernels of a program as relocatable objects.
struct MachineCode {
  struct Function {
    std::string symbol;
    int64_t iterations;
  };
  std::vector<std::string> objects;
  std::vector<Function> functions; ///< of each kernel of the program
};

/// Kernels in memory, which any number of programs share.
class KernelCode {
public:
  static Result<std::shared_ptr<const KernelCode>> compile(std::span<const kir::Kernel> kernels,
                                                           const Target& target,
                                                           const JitOptions& options = {});
  ~KernelCode();
  KernelCode(const KernelCode&) = delete;
  KernelCode& operator=(const KernelCode&) = delete;

  /// Of each kernel.
  std::span<const enfold_kernel_fn> functions() const;
  /// Of the objects that were linked.
  size_t bytes() const;

private:
  struct Impl;
  explicit KernelCode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A kernel of a program that was compiled before.
struct ReadyKernel {
  enfold_kernel_fn function = nullptr;
  int64_t iterations = 0;
  std::shared_ptr<const KernelCode> code; ///< that the function is part of
};

/// A compiled program. It owns the machine code, the tables and a share of the constants.
class JitModule {
public:
  ~JitModule();
  JitModule(const JitModule&) = delete;
  JitModule& operator=(const JitModule&) = delete;

  const enfold_program* program() const;

private:
  friend Result<std::unique_ptr<JitModule>> link(const ProgramDesc& program,
                                                 const MachineCode& code, const Target& target);
  friend std::unique_ptr<JitModule>
  assemble(const ProgramDesc& program, std::vector<ReadyKernel> kernels, const Target& target);
  struct Impl;
  explicit JitModule(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

Result<MachineCode> compileKernels(const ProgramDesc& program, const Target& target,
                                   const JitOptions& options = {});

/// Of the program's kernels nothing is needed but what `code` and the steps say.
Result<std::unique_ptr<JitModule>> link(const ProgramDesc& program, const MachineCode& code,
                                        const Target& target);

/// The program of kernels that are in memory; of its own nothing is needed but what the steps say.
std::unique_ptr<JitModule> assemble(const ProgramDesc& program, std::vector<ReadyKernel> kernels,
                                    const Target& target);

/// Compiles and links.
Result<std::unique_ptr<JitModule>> jit(const ProgramDesc& program, const Target& target,
                                       const JitOptions& options = {});

} // namespace enfold::codegen
