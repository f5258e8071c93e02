// A network and its programs, as Python sees them.
#pragma once

#include <enfold/enfold_compiler.h>

#include <deque>
#include <memory>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enfold::python {

namespace nb = nanobind;

/// Raises the Python exception of a status other than ENFOLD_OK.
void check(enfold_status status);

class OutputMemory;

class Network {
public:
  using Settings = std::vector<std::pair<std::string, std::string>>;

  /// `model` is a path, or the bytes of an ONNX file.
  /// `initializers` are arrays by name that take the place of the model's.
  static Network open(nb::object model, const Settings& settings, nb::dict initializers);
  /// Of a shared library that was compiled ahead of time.
  static Network load(const std::string& library, const Settings& settings);

  nb::list inputs() const;
  nb::list overridable() const;
  nb::list outputs() const;
  /// The enfold_kind of each input and output that is not just a tensor, by name.
  nb::dict kinds() const;
  nb::dict properties() const;
  nb::dict metadata() const;
  int64_t compilations() const { return enfold_num_compilations(handle_.get()); }

  /// `stop` is the address of the int32 that ends the run, or 0.
  nb::list run(nb::dict feed, nb::object wanted, uintptr_t stop, double seconds, nb::object into);

  /// Compiles for inputs of these shapes, by name; gives the compiler's notes.
  nb::list prepare(nb::dict shapes);

  // Reports are JSON. Without shapes they are of the sizes that the latest run had.
  nb::str explain(nb::dict shapes, bool measure);
  nb::str inspect(nb::dict shapes);
  nb::str profile(nb::dict shapes, double seconds);
  /// `against` is a name of the C interface, or None to compare with the arrays `expected`.
  nb::str diff(nb::dict feed, std::optional<std::string> against, nb::dict expected, bool fusedAway,
               double rtol, double atol);

  /// Writes a page. `against` is the path of another.
  void report(nb::dict shapes, const std::string& path, double seconds, bool errors,
              std::optional<std::string> against);

  struct QuantizeOptions {
    std::string method;
    double percentile, maxLoss;
    bool equalize, correctBiases, reduceRange, quantizeOutputs;
    std::vector<std::string> excluded;
    std::vector<int64_t> labels;
  };
  /// `samples` are dictionaries of arrays by name.
  nb::str quantize(nb::list samples, const std::string& path, const QuantizeOptions& options);

  /// Of a list of shapes, a program for each.
  void save(nb::object shapes, const std::string& path, std::optional<std::string> header,
            std::optional<std::string> name, std::optional<std::string> cpu);

private:
  /// An array as the C interface takes it, with what keeps its memory.
  struct Bound {
    nb::ndarray<nb::ro> array;
    std::vector<char> copy; ///< of an array that was not dense
    std::vector<int64_t> dims;
    enfold_tensor tensor{};
  };

  /// Types of inputs as the C interface takes them, with what they point to.
  struct Types {
    std::deque<std::vector<int64_t>> shapes;
    std::vector<enfold_tensor> tensors;

    void add(const char* name, int32_t elem, std::vector<int64_t> shape);
  };

  explicit Network(enfold_network* opened);

  const enfold_declaration* declaration(size_t index) const;
  /// A run whose outputs' sizes data decide.
  nb::list runTensors(const enfold_compiled& compiled, const std::vector<Bound>& inputs,
                      nb::object wanted, const enfold_run_limits& limits, nb::object into) const;
  static void bindOne(nb::handle value, const char* name, int32_t elem, Bound& bound);
  std::vector<Bound> bind(const nb::dict& feed) const;
  Types typesOf(const nb::dict& shapes) const;
  std::shared_ptr<enfold_compiled> compiledFor(const std::vector<Bound>& inputs,
                                               const nb::dict& feed);
  std::shared_ptr<enfold_compiled> compile(const std::vector<enfold_tensor>& tensors);

  std::shared_ptr<enfold_network> handle_;
  std::shared_ptr<OutputMemory> memory_;
  size_t numRequired_ = 0;
  std::vector<nb::str> names_; ///< of inputs that must be given, then of those that may

  /// The program of the latest call, and the inputs that it is for; guarded by the GIL.
  struct Latest {
    struct Input {
      const char* name; ///< as the network declares it
      int32_t elem;
      std::vector<int64_t> dims;
    };
    std::vector<Input> inputs;
    std::shared_ptr<enfold_compiled> compiled;
  };
  Latest latest_;
};

} // namespace enfold::python
