// The C++ interface of the compiler: from a model file to answers within one program.
//
//   auto module = enfold::Module::compile("resnet18.onnx");
//   if (!module) return complain(module.error().text());
//   auto context = enfold::Context::create(*module);
//   if (!context) return complain(context.error().text());
//   std::vector<float> image(3 * 224 * 224), scores(1000);
//   auto done = context->run({enfold::bytesOf(image)}, {enfold::bytesOf(scores)});
//
// Errors are values, never exceptions. A Module is immutable and may be shared by any number of
// contexts in any threads; a Context serves one call at a time, a DynamicContext any number.
// Programs that only run what was compiled ahead of time need the C interface alone,
// <enfold/enfold.h>.
#pragma once

#include <enfold/program.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

struct enfold_context;

namespace enfold {

/// Why something could not be done.
struct [[nodiscard]] Failure {
  enum class Kind {
    Usage,       ///< the caller asked for something senseless: no such file, sizes that do not fit
    Invalid,     ///< the model is broken, or met values it does not allow
    Unsupported, ///< the model, the CPU or the system lacks something
    NoMemory,    ///< the system has not enough memory, or refuses to start more threads
  };
  Kind kind;
  std::vector<std::string> problems; ///< all that were found, at least one; each names its node

  /// All problems, one a line.
  std::string text() const;
};

/// How to compile.
struct ModuleOptions {
  /// Sizes of inputs, by input name; one number may also be the size of a symbolic dimension, by
  /// the dimension's name.
  std::map<std::string, std::vector<int64_t>> shapes;
  /// The processor to compile for, by LLVM's name, like "znver5"; "native" is this one.
  std::string cpu = "native";
  /// Passes left out, by name, as `enfold passes` lists them.
  std::set<std::string> disabledPasses;
  /// Kernels that are not used, named as `enfold explain` does: "conv_winograd".
  std::set<std::string, std::less<>> disabledKernels = {};
  enum class Subnormals { Flush, Keep } subnormals = Subnormals::Flush;
  /// Fp32: networks of f16 are computed in f32. Bf16: convolutions and matrix products of networks
  /// of f32 multiply bf16, and sum in f32.
  enum class Precision { Model, Fp32, Bf16 } precision = Precision::Model;
  /// The most bytes of memory that the process may use, including what it uses already. A network
  /// that would take more is refused, with the figures, before its constants are packed.
  std::optional<int64_t> memoryLimit = {};
};

/// A compiled network. Copies share it.
class Module {
public:
  /// `model` is the path of an .onnx or .eir file, or "zoo:NAME".
  static std::expected<Module, Failure> compile(const std::string& model,
                                                const ModuleOptions& options = {});

  /// What the network takes and gives, in order: names, element types, shapes and sizes of dense
  /// row-major tensors.
  std::span<const enfold_tensor_info> inputs() const;
  std::span<const enfold_tensor_info> outputs() const;

  /// Ops that have no generated kernel and are computed by slow reference code, described.
  std::vector<std::string> referenceOps() const;

  /// For the C interface; lives as long as a copy of the module. Networks with referenceOps()
  /// should be run by a Context, which reports their errors.
  const enfold_program& program() const;

private:
  friend class Context;
  struct Impl;
  explicit Module(std::shared_ptr<const Impl> impl);

  std::shared_ptr<const Impl> impl_;
};

/// How to run.
struct ContextOptions {
  int threads = 0; ///< the caller included; 0: as many as the process may use
};

/// The memory of one tensor, of exactly its bytes, aligned to its element size.
using InputBytes = std::span<const std::byte>;
using OutputBytes = std::span<std::byte>;

/// The bytes of a vector, array or span.
template <std::ranges::contiguous_range Range> auto bytesOf(Range&& range) {
  const std::span elements(std::ranges::data(range), std::ranges::size(range));
  using Element = typename decltype(elements)::element_type;
  static_assert(std::is_trivially_copyable_v<Element>);
  if constexpr (std::is_const_v<Element>)
    return std::as_bytes(elements);
  else
    return std::as_writable_bytes(elements);
}

/// Memory and threads to run a module. All memory is allocated when the context is made.
class Context {
public:
  /// Keeps the module alive. Fails where the CPU is not one the module was compiled for.
  static std::expected<Context, Failure> create(const Module& module,
                                                const ContextOptions& options = {});
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;
  ~Context();

  /// Runs the network on tensors in the order of Module::inputs(), outputs() likewise. An output
  /// may overlap neither an input nor another output. The number of threads changes no bit of it.
  std::expected<void, Failure> run(std::span<const InputBytes> inputs,
                                   std::span<const OutputBytes> outputs);
  std::expected<void, Failure> run(std::initializer_list<InputBytes> inputs,
                                   std::initializer_list<OutputBytes> outputs);

  /// For the C interface: threads, profiles.
  enfold_context* raw();

private:
  struct Impl;
  explicit Context(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

/// How to run a network on inputs of changing shapes.
struct DynamicOptions {
  ModuleOptions module; ///< `shapes` holds for all runs
  ContextOptions context;
  /// How many runs at the same time have all threads of `context`, at least one; where that number
  /// is 0, they share the threads that the process may use. Further runs have one thread each.
  int streams = 1;
  size_t capacity = 64; ///< for how many combinations of shapes code is kept, at least one
};

/// An input of any shape that the network allows.
struct DynamicInput {
  std::string name; ///< as in the model; none of a network's inputs is named, or all are
  enfold_elem elem;
  std::vector<int64_t> shape;
  InputBytes bytes; ///< dense, row-major, of exactly the shape
};

struct DynamicOutput {
  std::string name;
  enfold_elem elem;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

/// A network whose inputs change their shapes from run to run. It is compiled at the first run with
/// a combination of shapes; code for the latest combinations is kept, and weights are shared. Any
/// number of threads may run it at the same time.
class DynamicContext {
public:
  /// The model file must stay where it is: it is read for every new combination of shapes.
  static std::expected<DynamicContext, Failure> open(const std::string& model,
                                                     const DynamicOptions& options = {});
  DynamicContext(DynamicContext&&) noexcept;
  DynamicContext& operator=(DynamicContext&&) noexcept;
  ~DynamicContext();

  std::expected<std::vector<DynamicOutput>, Failure> run(std::span<const DynamicInput> inputs);

  /// How often the network has been compiled.
  int64_t compilations() const;

private:
  struct Impl;
  explicit DynamicContext(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

} // namespace enfold
