// Opening, compiling and running.
#include "Network.h"

#include "Arrays.h"
#include "Gil.h"
#include "Text.h"

#include <algorithm>
#include <cstring>
#include <nanobind/stl/vector.h>
#include <span>

namespace enfold::python {
namespace {

nb::object shapeOf(const enfold_declaration& row) {
  if (row.rank < 0) return nb::none();
  nb::list shape;
  for (int32_t i = 0; i < row.rank; ++i) {
    if (row.dims[i] >= 0)
      shape.append(row.dims[i]);
    else if (*row.symbols[i])
      shape.append(nameFrom(row.symbols[i]));
    else
      shape.append(nb::none());
  }
  return shape;
}

template <typename At> nb::list declarations(int32_t count, At at) {
  nb::list rows;
  for (int32_t i = 0; i < count; ++i) {
    const enfold_declaration* row = at(i);
    rows.append(nb::make_tuple(nameFrom(row->name), row->elem, shapeOf(*row)));
  }
  return rows;
}

/// Whether Python has a signal to handle, such as the one that Ctrl-C sends.
int interrupted(void*) {
  if (isLeftBehind()) return 1;
  const nb::gil_scoped_acquire hold;
  return PyErr_CheckSignals() != 0;
}

[[noreturn]] void raise(nb::handle type, const std::string& text) {
  PyErr_SetObject(type.ptr(), messageFrom(text).ptr());
  throw nb::python_error();
}

nb::object invalidArgument() {
  return nb::module_::import_("enfold._errors").attr("InvalidArgument");
}

/// Raises for an input of another size than the session's options say, in onnxruntime's words.
[[noreturn]] void refuse(const enfold_tensor_info& input, const std::vector<int64_t>& given) {
  std::string text =
      std::string("Got invalid dimensions for input: ") + input.name + " for the following indices";
  for (int32_t i = 0; i < input.rank && static_cast<size_t>(i) < given.size(); ++i)
    if (const int64_t got = given[static_cast<size_t>(i)]; got != input.dims[i])
      text += "\n index: " + std::to_string(i) + " Got: " + std::to_string(got) +
              " Expected: " + std::to_string(input.dims[i]);
  raise(invalidArgument(), text + "\n Please fix either the inputs/outputs or the model.");
}

} // namespace

void check(enfold_status status) {
  if (status == ENFOLD_OK) return;
  if (PyErr_Occurred()) throw nb::python_error(); // an interrupt that ended a compilation
  const nb::module_ errors = nb::module_::import_("enfold._errors");
  const nb::object error =
      errors.attr("of_status")(static_cast<int>(status), messageFrom(enfold_compiler_error()),
                               enfold_compiler_error_codes());
  PyErr_SetObject(error.type().ptr(), error.ptr());
  throw nb::python_error();
}

namespace {

/// Opens a network with settings, with `how(settings, &opened)`, which runs without the GIL.
template <typename How>
enfold_network* openWith(const Network::Settings& settings,
                         const std::vector<enfold_tensor>& initializers, How&& how) {
  const std::unique_ptr<enfold_settings, void (*)(enfold_settings*)> all(enfold_new_settings(),
                                                                         &enfold_free_settings);
  for (const auto& [name, value] : settings)
    check(enfold_set(all.get(), name.c_str(), value.c_str()));
  for (const enfold_tensor& tensor : initializers)
    check(enfold_set_initializer(all.get(), &tensor));
  enfold_set_interrupt(all.get(), &interrupted, nullptr);
  enfold_network* opened = nullptr;
  enfold_status status;
  {
    const GilRelease release;
    status = how(all.get(), &opened);
  }
  check(status);
  return opened;
}

/// The text that `make(&json)` gives, which runs without the GIL.
template <typename Make> nb::str reportOf(Make&& make) {
  char* json = nullptr;
  enfold_status status;
  {
    const GilRelease release;
    status = make(&json);
  }
  check(status);
  const std::unique_ptr<char, void (*)(char*)> text(json, &enfold_free_text);
  return nb::str(json);
}

int32_t sizeOf(const std::vector<enfold_tensor>& tensors) {
  return static_cast<int32_t>(tensors.size());
}

const char* orNull(const std::optional<std::string>& text) {
  return text ? text->c_str() : nullptr;
}

nb::list notesOf(const enfold_compiled* compiled) {
  nb::list notes;
  for (int32_t i = 0; const char* note = enfold_compiled_note(compiled, i); ++i)
    notes.append(messageFrom(note));
  return notes;
}

} // namespace

Network Network::open(nb::object model, const Settings& settings, nb::dict initializers) {
  std::deque<std::string> names;
  std::deque<Bound> bound;
  std::vector<enfold_tensor> tensors;
  for (const auto& [name, value] : initializers) {
    names.push_back(bytesOfName(name));
    bindOne(value, names.back().c_str(), 0, bound.emplace_back());
    tensors.push_back(bound.back().tensor);
  }
  if (nb::isinstance<nb::bytes>(model)) {
    const auto bytes = nb::cast<nb::bytes>(model);
    return Network(openWith(settings, tensors, [&](enfold_settings* how, enfold_network** opened) {
      return enfold_open_bytes(bytes.data(), static_cast<int64_t>(bytes.size()), how, opened);
    }));
  }
  const std::string path = bytesOfName(model);
  return Network(openWith(settings, tensors, [&](enfold_settings* how, enfold_network** opened) {
    return enfold_open(path.c_str(), how, opened);
  }));
}

Network Network::load(const std::string& library, const Settings& settings) {
  return Network(openWith(settings, {}, [&](enfold_settings* how, enfold_network** opened) {
    return enfold_load(library.c_str(), how, opened);
  }));
}

Network::Network(enfold_network* opened)
    : handle_(opened, &enfold_close), memory_(std::make_shared<OutputMemory>()) {
  numRequired_ = static_cast<size_t>(enfold_num_inputs(opened));
  const size_t all = numRequired_ + static_cast<size_t>(enfold_num_overridable(opened));
  for (size_t i = 0; i < all; ++i) names_.push_back(nameFrom(declaration(i)->name));
}

const enfold_declaration* Network::declaration(size_t index) const {
  return index < numRequired_ ? enfold_declared_input(handle_.get(), static_cast<int32_t>(index))
                              : enfold_declared_overridable(
                                    handle_.get(), static_cast<int32_t>(index - numRequired_));
}

nb::list Network::inputs() const {
  return declarations(enfold_num_inputs(handle_.get()),
                      [&](int32_t i) { return enfold_declared_input(handle_.get(), i); });
}
nb::list Network::overridable() const {
  return declarations(enfold_num_overridable(handle_.get()),
                      [&](int32_t i) { return enfold_declared_overridable(handle_.get(), i); });
}
nb::list Network::outputs() const {
  return declarations(enfold_num_outputs(handle_.get()),
                      [&](int32_t i) { return enfold_declared_output(handle_.get(), i); });
}

nb::dict Network::kinds() const {
  nb::dict kinds;
  const auto add = [&](const enfold_declaration& row) {
    if (row.kind != ENFOLD_TENSOR) kinds[nameFrom(row.name)] = row.kind;
  };
  for (size_t i = 0; i < numRequired_; ++i) add(*declaration(i));
  for (int32_t i = 0; i < enfold_num_outputs(handle_.get()); ++i)
    add(*enfold_declared_output(handle_.get(), i));
  return kinds;
}

nb::dict Network::properties() const {
  nb::dict all;
  for (const char* name : {"graph", "graph description", "producer", "producer version", "domain",
                           "description", "version", "ir version", "opset"})
    all[name] = nameFrom(enfold_model_property(handle_.get(), name));
  return all;
}

nb::dict Network::metadata() const {
  nb::dict all;
  for (int32_t i = 0; const char* key = enfold_metadata_key(handle_.get(), i); ++i)
    all[nameFrom(key)] = nameFrom(enfold_metadata_value(handle_.get(), i));
  return all;
}

void Network::Types::add(const char* name, int32_t elem, std::vector<int64_t> shape) {
  const auto& kept = shapes.emplace_back(std::move(shape));
  tensors.push_back({name, elem, static_cast<int32_t>(kept.size()), kept.data(), nullptr});
}

std::shared_ptr<enfold_compiled> Network::compile(const std::vector<enfold_tensor>& tensors) {
  enfold_compiled* compiled = nullptr;
  enfold_status status;
  {
    const GilRelease release;
    status = enfold_compile(handle_.get(), tensors.data(), sizeOf(tensors), &compiled);
  }
  check(status);
  return {compiled, &enfold_release_compiled};
}

Network::Types Network::typesOf(const nb::dict& shapes) const {
  Types types;
  if (nb::len(shapes) == 0)
    for (const Latest::Input& input : latest_.inputs) types.add(input.name, input.elem, input.dims);
  for (const auto& [name, shape] : shapes) {
    const auto known = std::ranges::find_if(
        names_, [&](const nb::str& input) { return input.equal(nb::handle(name)); });
    if (known == names_.end())
      raise(invalidArgument(), "no input is named '" + bytesOfName(name) + "'");
    const enfold_declaration& input = *declaration(static_cast<size_t>(known - names_.begin()));
    types.add(input.name, input.elem, nb::cast<std::vector<int64_t>>(shape));
  }
  return types;
}

void Network::bindOne(nb::handle value, const char* name, int32_t elem, Bound& bound) {
  int32_t given = 0;
  if (nb::try_cast(value, bound.array, false)) given = elemOf(bound.array.dtype());
  if (given == 0) std::tie(bound.array, given) = convert(value, name, elem);
  bound.dims.assign(bound.array.shape_ptr(), bound.array.shape_ptr() + bound.array.ndim());
  const void* data = bound.array.data();
  if (!isDense(bound.array)) {
    bound.copy.resize(bound.array.nbytes());
    copyDense(bound.array, bound.copy.data());
    data = bound.copy.data();
  } else if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(enfold_elem_bytes(given)) !=
             0) {
    bound.copy.resize(bound.array.nbytes());
    std::memcpy(bound.copy.data(), data, bound.copy.size());
    data = bound.copy.data();
  }
  bound.tensor = {name, given, static_cast<int32_t>(bound.dims.size()), bound.dims.data(), data};
}

std::vector<Network::Bound> Network::bind(const nb::dict& feed) const {
  std::vector<Bound> inputs;
  inputs.reserve(names_.size());
  size_t given = 0, lacking = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    const enfold_declaration& declared = *declaration(i);
    const bool isOptional =
        declared.kind == ENFOLD_OPTIONAL_TENSOR || declared.kind == ENFOLD_OPTIONAL_SEQUENCE;
    const nb::handle value = PyDict_GetItem(feed.ptr(), names_[i].ptr());
    if (!value.is_valid()) {
      lacking += i < numRequired_ && !isOptional;
      continue;
    }
    ++given;
    if (isOptional && value.is_none()) continue;
    if (declared.kind == ENFOLD_SEQUENCE || declared.kind == ENFOLD_OPTIONAL_SEQUENCE) {
      if (!nb::isinstance<nb::list>(value) && !nb::isinstance<nb::tuple>(value))
        raise(invalidArgument(),
              std::string("input '") + declared.name + "' is a sequence: give a list of arrays");
      for (const nb::handle element : nb::cast<nb::sequence>(value))
        bindOne(element, declared.name, declared.elem, inputs.emplace_back());
      continue;
    }
    bindOne(value, declared.name, declared.elem, inputs.emplace_back());
  }
  if (given != nb::len(feed) || lacking > 0)
    nb::module_::import_("enfold._errors")
        .attr("check_names")(nb::cast(this, nb::rv_policy::reference), feed);
  return inputs;
}

std::shared_ptr<enfold_compiled> Network::compiledFor(const std::vector<Bound>& inputs,
                                                      const nb::dict& feed) {
  const auto isSame = [](const Bound& input, const Latest::Input& latest) {
    return input.tensor.name == latest.name && input.tensor.elem == latest.elem &&
           input.dims == latest.dims;
  };
  if (latest_.compiled && std::ranges::equal(inputs, latest_.inputs, isSame))
    return latest_.compiled;
  std::vector<enfold_tensor> tensors;
  Latest latest;
  for (const Bound& input : inputs) {
    tensors.push_back(input.tensor);
    latest.inputs.push_back({input.tensor.name, input.tensor.elem, input.dims});
  }
  try {
    latest.compiled = compile(tensors);
  } catch (nb::python_error& error) {
    if (error.matches(invalidArgument()))
      nb::module_::import_("enfold._errors")
          .attr("check_types")(nb::cast(this, nb::rv_policy::reference), feed);
    throw;
  }
  for (const enfold_tensor& tensor : tensors)
    if (enfold_compiled_for_contents(latest.compiled.get(), tensor.name)) return latest.compiled;
  latest_ = std::move(latest);
  return latest_.compiled;
}

nb::list Network::runTensors(const enfold_compiled& compiled, const std::vector<Bound>& inputs,
                             nb::object wanted, const enfold_run_limits& limits,
                             nb::object into) const {
  std::vector<enfold_tensor> tensors;
  for (const Bound& input : inputs) tensors.push_back(input.tensor);
  enfold_results* made = nullptr;
  enfold_status status;
  {
    const GilRelease release;
    status = enfold_run_tensors(&compiled, tensors.data(), sizeOf(tensors), &limits, &made);
  }
  check(status);
  const std::unique_ptr<enfold_results, void (*)(enfold_results*)> results(made,
                                                                           &enfold_release_results);
  memory_->beginRun();
  std::vector<nb::object> values;
  for (int32_t k = 0; k < enfold_num_outputs(handle_.get()); ++k)
    values.push_back(enfold_output_kind(made, k) == ENFOLD_SEQUENCE ? nb::object(nb::list())
                                                                    : nb::none());
  for (int32_t i = 0; i < enfold_num_results(made); ++i) {
    const int32_t place = enfold_result_output(made, i);
    const bool isElement = enfold_output_kind(made, place) == ENFOLD_SEQUENCE;
    const enfold_tensor& output = *enfold_result_at(made, i);
    enfold_tensor_info info{.name = output.name, .elem = output.elem, .rank = output.rank};
    if (info.rank > ENFOLD_MAX_RANK)
      raise(invalidArgument(), std::string("output '") + info.name + "' has too many dimensions");
    std::copy_n(output.dims, info.rank, info.dims);
    nb::object array = into.is_none() || isElement ? nb::none() : nb::object(into[place]);
    const bool isOurs = array.is_none();
    void* to = nullptr;
    if (isOurs)
      std::tie(array, to) = allocate(info, *memory_);
    else
      to = outputMemory(array, info);
    if (const size_t bytes = bytesOf(info)) std::memcpy(to, output.data, bytes);
    nb::object done = finish(std::move(array), info);
    if (isElement)
      nb::cast<nb::list>(values[static_cast<size_t>(place)]).append(done);
    else
      values[static_cast<size_t>(place)] = std::move(done);
  }
  nb::list list;
  if (wanted.is_none())
    for (nb::object& value : values) list.append(value);
  else
    for (const nb::handle index : nb::cast<nb::sequence>(wanted))
      list.append(values[nb::cast<size_t>(index)]);
  return list;
}

nb::list Network::run(nb::dict feed, nb::object wanted, uintptr_t stop, double seconds,
                      nb::object into) {
  const std::vector<Bound> inputs = bind(feed);
  const std::shared_ptr<enfold_compiled> compiled = compiledFor(inputs, feed);
  const enfold_run_limits limits = {reinterpret_cast<const volatile int32_t*>(stop), seconds};
  const enfold_program* const known = enfold_compiled_program(compiled.get());
  if (!known) return runTensors(*compiled, inputs, wanted, limits, into);
  const enfold_program& program = *known;

  std::vector<const void*> from;
  for (int32_t i = 0; i < program.num_inputs; ++i) {
    const enfold_tensor_info& info = program.inputs[i];
    const auto given = std::ranges::find_if(
        inputs, [&](const Bound& input) { return std::strcmp(input.tensor.name, info.name) == 0; });
    const bool fits =
        given != inputs.end() && given->tensor.elem == info.elem &&
        std::ranges::equal(given->dims, std::span(info.dims, static_cast<size_t>(info.rank)));
    if (!fits) {
      nb::module_::import_("enfold._errors")
          .attr("check_types")(nb::cast(this, nb::rv_policy::reference), feed);
      refuse(info, given == inputs.end() ? std::vector<int64_t>{} : given->dims);
    }
    from.push_back(given->tensor.data);
  }

  memory_->beginRun();
  std::vector<nb::object> arrays;
  std::vector<void*> to;
  for (int32_t i = 0; i < program.num_outputs; ++i) {
    const nb::object target = into.is_none() ? nb::none() : nb::object(into[i]);
    if (target.is_none()) {
      auto [array, data] = allocate(program.outputs[i], *memory_);
      arrays.push_back(std::move(array));
      to.push_back(data);
    } else {
      arrays.push_back(target);
      to.push_back(outputMemory(target, program.outputs[i]));
    }
  }

  enfold_status status;
  {
    const GilRelease release;
    status = enfold_run_compiled(compiled.get(), from.data(), static_cast<int32_t>(from.size()),
                                 to.data(), static_cast<int32_t>(to.size()), &limits);
  }
  check(status);

  nb::list results;
  const auto add = [&](size_t i) { results.append(finish(arrays[i], program.outputs[i])); };
  if (wanted.is_none())
    for (size_t i = 0; i < arrays.size(); ++i) add(i);
  else
    for (const nb::handle index : nb::cast<nb::sequence>(wanted)) add(nb::cast<size_t>(index));
  return results;
}

nb::list Network::prepare(nb::dict shapes) {
  return notesOf(compile(typesOf(shapes).tensors).get());
}

nb::str Network::explain(nb::dict shapes, bool measure) {
  const Types types = typesOf(shapes);
  return reportOf([&](char** json) {
    return enfold_explain(handle_.get(), types.tensors.data(), sizeOf(types.tensors),
                          measure ? 1 : 0, json);
  });
}

nb::str Network::inspect(nb::dict shapes) {
  const Types types = typesOf(shapes);
  return reportOf([&](char** json) {
    return enfold_inspect(handle_.get(), types.tensors.data(), sizeOf(types.tensors), json);
  });
}

nb::str Network::profile(nb::dict shapes, double seconds) {
  const Types types = typesOf(shapes);
  return reportOf([&](char** json) {
    return enfold_profile(handle_.get(), types.tensors.data(), sizeOf(types.tensors), seconds,
                          json);
  });
}

nb::str Network::diff(nb::dict feed, std::optional<std::string> against, nb::dict expected,
                      bool fusedAway, double rtol, double atol) {
  const std::vector<Bound> inputs = bind(feed);
  std::deque<std::string> names;
  std::deque<Bound> others;
  std::vector<enfold_tensor> given, wanted;
  for (const Bound& input : inputs) given.push_back(input.tensor);
  for (const auto& [name, value] : expected) {
    names.push_back(bytesOfName(name));
    bindOne(value, names.back().c_str(), 0, others.emplace_back());
    wanted.push_back(others.back().tensor);
  }
  const enfold_diff_options options = {.against = orNull(against),
                                       .expected = wanted.data(),
                                       .num_expected = sizeOf(wanted),
                                       .fused_away = fusedAway ? 1 : 0,
                                       .rtol = rtol,
                                       .atol = atol};
  return reportOf([&](char** json) {
    return enfold_diff(handle_.get(), given.data(), sizeOf(given), &options, json);
  });
}

void Network::report(nb::dict shapes, const std::string& path, double seconds, bool errors,
                     std::optional<std::string> against) {
  const Types types = typesOf(shapes);
  const enfold_report_options options = {
      .seconds = seconds, .errors = errors ? 1 : 0, .against = orNull(against)};
  enfold_status status;
  {
    const GilRelease release;
    status = enfold_report(handle_.get(), types.tensors.data(), sizeOf(types.tensors), path.c_str(),
                           &options);
  }
  check(status);
}

nb::str Network::quantize(nb::list samples, const std::string& path,
                          const QuantizeOptions& options) {
  std::vector<std::vector<Bound>> bound;
  std::vector<enfold_tensor> tensors;
  for (const nb::handle sample : samples) {
    bound.push_back(bind(nb::cast<nb::dict>(sample)));
    if (bound.back().size() != bound.front().size())
      raise(invalidArgument(), "all samples must have the same inputs");
    for (const Bound& input : bound.back()) tensors.push_back(input.tensor);
  }
  std::vector<const char*> excluded;
  for (const std::string& node : options.excluded) excluded.push_back(node.c_str());
  const enfold_quantize_options how = {.method = options.method.c_str(),
                                       .percentile = options.percentile,
                                       .max_loss = options.maxLoss,
                                       .no_equalize = options.equalize ? 0 : 1,
                                       .no_bias_correction = options.correctBiases ? 0 : 1,
                                       .reduce_range = options.reduceRange ? 1 : 0,
                                       .quantize_outputs = options.quantizeOutputs ? 1 : 0,
                                       .excluded = excluded.data(),
                                       .num_excluded = static_cast<int32_t>(excluded.size()),
                                       .labels = options.labels.data(),
                                       .num_labels = static_cast<int64_t>(options.labels.size())};
  const auto inputs = static_cast<int32_t>(bound.empty() ? 0 : bound.front().size());
  return reportOf([&](char** json) {
    return enfold_quantize(handle_.get(), tensors.data(), inputs,
                           static_cast<int64_t>(bound.size()), path.c_str(), &how, json);
  });
}

void Network::save(nb::object shapes, const std::string& path, std::optional<std::string> header,
                   std::optional<std::string> name, std::optional<std::string> cpu) {
  const enfold_save_options options = {
      .header = orNull(header), .name = orNull(name), .cpu = orNull(cpu)};
  std::deque<Types> sizes; // tensors point to what they hold
  const bool several = nb::isinstance<nb::list>(shapes);
  if (several)
    for (const nb::handle one : shapes) sizes.push_back(typesOf(nb::cast<nb::dict>(one)));
  else
    sizes.push_back(typesOf(nb::cast<nb::dict>(shapes)));
  std::vector<enfold_tensor> tensors;
  for (const Types& types : sizes) {
    if (types.tensors.size() != sizes.front().tensors.size())
      raise(invalidArgument(), "all shapes must name the same inputs");
    tensors.insert(tensors.end(), types.tensors.begin(), types.tensors.end());
  }
  const int32_t inputs = sizes.empty() ? 0 : sizeOf(sizes.front().tensors);
  const auto count = static_cast<int32_t>(sizes.size());
  enfold_status status;
  {
    const GilRelease release;
    status = several ? enfold_save_sizes(handle_.get(), tensors.data(), inputs, count, path.c_str(),
                                         &options)
                     : enfold_save(handle_.get(), tensors.data(), inputs, path.c_str(), &options);
  }
  check(status);
}

} // namespace enfold::python
