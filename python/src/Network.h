// A network and its programs, as Python sees them.
#pragma once

#include <enfold/enfold_compiler.h>

#include <memory>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <string>
#include <utility>
#include <vector>

namespace enfold::python {

namespace nb = nanobind;

/// Raises the Python exception of a status other than ENFOLD_OK.
void check(enfold_status status);

class Compiled {
public:
  explicit Compiled(enfold_compiled* handle) : handle_(handle, &enfold_release_compiled) {}

  const enfold_compiled* get() const { return handle_.get(); }
  const enfold_program& program() const { return *enfold_compiled_program(handle_.get()); }
  nb::list inputs() const;
  nb::list outputs() const;
  nb::list notes() const;
  nb::list referenceOps() const;

private:
  std::shared_ptr<enfold_compiled> handle_;
};

class Network {
public:
  using Settings = std::vector<std::pair<std::string, std::string>>;

  /// `model` is a path, or the bytes of an ONNX file.
  Network(nb::object model, const Settings& settings);

  nb::list inputs() const;
  nb::list overridable() const;
  nb::list outputs() const;
  nb::dict properties() const;
  nb::dict metadata() const;
  int64_t compilations() const { return enfold_num_compilations(handle_.get()); }

  Compiled compile(nb::dict inputs);
  /// `stop` is the address of the int32 that ends the run, or 0.
  nb::list run(nb::dict feed, nb::object wanted, uintptr_t stop, double seconds, nb::object into);

private:
  /// An input as the C interface takes it, with what keeps its memory.
  struct Bound {
    nb::ndarray<nb::ro> array;
    std::vector<char> copy; ///< of an array that was not dense
    std::vector<int64_t> dims;
    enfold_tensor tensor{};
  };

  const enfold_declaration* declaration(size_t index) const;
  std::vector<Bound> bind(const nb::dict& feed) const;
  std::shared_ptr<const Compiled> compiledFor(const std::vector<Bound>& inputs,
                                              const nb::dict& feed);
  std::shared_ptr<const Compiled> compileTensors(const std::vector<enfold_tensor>& tensors);

  std::shared_ptr<enfold_network> handle_;
  size_t numRequired_ = 0;
  std::vector<nb::str> names_; ///< of inputs that must be given, then of those that may

  /// The program of the latest call, and the types that it is for; guarded by the GIL.
  struct Latest {
    std::vector<std::pair<int32_t, std::vector<int64_t>>> types;
    std::shared_ptr<const Compiled> compiled;
  };
  Latest latest_;
};

} // namespace enfold::python
