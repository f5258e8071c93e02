// enfold._core: the compiler's C interface as Python objects.
#include "Gil.h"
#include "Network.h"
#include "Text.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace nb::literals;
using enfold::python::Network;
using InVisit = nb::call_guard<enfold::python::Visit>;

NB_MODULE(_core, m) {
  m.doc() = "The compiler's C interface as Python objects; use the package `enfold` instead.";
  enfold::python::watchForExit();
  nb::set_leak_warnings(false); // threads may still run a network when the interpreter ends
  m.def("version", [] { return enfold_version(); });
  m.def("default_threads", [] { return enfold_default_threads(); });
  m.def(
      "settings", [] { return enfold_list_settings(); },
      "The settings there are: name, values and meaning, a line each with tabs between.");

  nb::class_<Network>(m, "Network", "A model that threads share; see enfold_compiler.h.")
      .def_static("open", &Network::open, "model"_a, "settings"_a, "initializers"_a = nb::dict(),
                  InVisit())
      .def_static("load", &Network::load, "library"_a, "settings"_a, InVisit())
      .def_prop_ro("inputs", &Network::inputs, "(name, element type, shape or None) of each.")
      .def_prop_ro("overridable", &Network::overridable)
      .def_prop_ro("outputs", &Network::outputs)
      .def_prop_ro("kinds", &Network::kinds,
                   "Of inputs and outputs that are no plain tensors: 1 a sequence, 2 an optional "
                   "tensor, 3 an optional sequence.")
      .def_prop_ro("properties", &Network::properties)
      .def_prop_ro("metadata", &Network::metadata)
      .def_prop_ro("compilations", &Network::compilations)
      .def("run", &Network::run, "feed"_a, "wanted"_a = nb::none(), "stop"_a = 0, "seconds"_a = 0.0,
           "into"_a = nb::none(),
           "Runs on arrays by name; gives the outputs at the indices wanted, or all. `stop` is the "
           "address of an int32 that ends the run when it is not 0; `into` holds an array or None "
           "for each output.",
           InVisit())
      .def("prepare", &Network::prepare, "shapes"_a,
           "Compiles for inputs of these shapes; gives the compiler's notes.", InVisit())
      .def("explain", &Network::explain, "shapes"_a, "measure"_a, InVisit())
      .def("inspect", &Network::inspect, "shapes"_a, InVisit())
      .def("profile", &Network::profile, "shapes"_a, "seconds"_a, InVisit())
      .def("diff", &Network::diff, "feed"_a, "against"_a.none(), "expected"_a, "fused_away"_a,
           "rtol"_a, "atol"_a, InVisit())
      .def("report", &Network::report, "shapes"_a, "path"_a, "seconds"_a, "errors"_a,
           "against"_a.none(), InVisit())
      .def(
          "quantize",
          [](Network& network, nb::list samples, const std::string& path, std::string method,
             double percentile, double max_loss, bool equalize, bool correct_biases,
             bool reduce_range, bool quantize_outputs, std::vector<std::string> exclude,
             std::vector<int64_t> labels) {
            return network.quantize(samples, path,
                                    {std::move(method), percentile, max_loss, equalize,
                                     correct_biases, reduce_range, quantize_outputs,
                                     std::move(exclude), std::move(labels)});
          },
          "samples"_a, "path"_a, nb::kw_only(), "method"_a, "percentile"_a, "max_loss"_a,
          "equalize"_a, "correct_biases"_a, "reduce_range"_a, "quantize_outputs"_a, "exclude"_a,
          "labels"_a, InVisit())
      .def("save", &Network::save, "shapes"_a, "path"_a, "header"_a.none(), "name"_a.none(),
           "cpu"_a.none(), InVisit());
}
