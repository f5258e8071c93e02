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
  struct Impl;
  explicit JitModule(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

Result<MachineCode> compileKernels(const ProgramDesc& program, const Target& target,
                                   const JitOptions& options = {});

/// Of the program's kernels nothing is needed but what `code` and the steps say.
Result<std::unique_ptr<JitModule>> link(const ProgramDesc& program, const MachineCode& code,
                                        const Target& target);

/// Both.
Result<std::unique_ptr<JitModule>> jit(const ProgramDesc& program, const Target& target,
                                       const JitOptions& options = {});

} // namespace enfold::codegen
