// Opening, compiling and running.
#include "Network.h"

#include "Arrays.h"

#include <algorithm>
#include <cstring>
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
      shape.append(row.symbols[i]);
    else
      shape.append(nb::none());
  }
  return shape;
}

template <typename At> nb::list declarations(int32_t count, At at) {
  nb::list rows;
  for (int32_t i = 0; i < count; ++i) {
    const enfold_declaration* row = at(i);
    rows.append(nb::make_tuple(row->name, row->elem, shapeOf(*row)));
  }
  return rows;
}

nb::list infos(const enfold_tensor_info* tensors, int32_t count) {
  nb::list rows;
  for (int32_t i = 0; i < count; ++i) {
    nb::list shape;
    for (int32_t d = 0; d < tensors[i].rank; ++d) shape.append(tensors[i].dims[d]);
    rows.append(nb::make_tuple(tensors[i].name, tensors[i].elem, shape));
  }
  return rows;
}

/// Whether Python has a signal to handle, such as the one that Ctrl-C sends.
int interrupted(void*) {
  const nb::gil_scoped_acquire hold;
  return PyErr_CheckSignals() != 0;
}

[[noreturn]] void raise(nb::handle type, const std::string& text) {
  PyErr_SetString(type.ptr(), text.c_str());
  throw nb::python_error();
}

} // namespace

void check(enfold_status status) {
  if (status == ENFOLD_OK) return;
  if (PyErr_Occurred()) throw nb::python_error(); // an interrupt that ended a compilation
  const nb::module_ errors = nb::module_::import_("enfold._errors");
  raise(errors.attr("BY_STATUS").attr("get")(static_cast<int>(status), errors.attr("Fail")),
        enfold_compiler_error());
}

nb::list Compiled::inputs() const { return infos(program().inputs, program().num_inputs); }
nb::list Compiled::outputs() const { return infos(program().outputs, program().num_outputs); }

nb::list Compiled::notes() const {
  nb::list notes;
  for (int32_t i = 0; const char* note = enfold_compiled_note(get(), i); ++i) notes.append(note);
  return notes;
}

nb::list Compiled::referenceOps() const {
  nb::list ops;
  for (int32_t i = 0; const char* op = enfold_reference_op(get(), i); ++i) ops.append(op);
  return ops;
}

Network::Network(nb::object model, const Settings& settings) {
  const std::unique_ptr<enfold_settings, void (*)(enfold_settings*)> how(enfold_new_settings(),
                                                                         &enfold_free_settings);
  for (const auto& [name, value] : settings)
    check(enfold_set(how.get(), name.c_str(), value.c_str()));
  enfold_set_interrupt(how.get(), &interrupted, nullptr);
  enfold_network* opened = nullptr;
  enfold_status status;
  if (nb::isinstance<nb::bytes>(model)) {
    const auto bytes = nb::cast<nb::bytes>(model);
    const nb::gil_scoped_release release;
    status =
        enfold_open_bytes(bytes.data(), static_cast<int64_t>(bytes.size()), how.get(), &opened);
  } else {
    const auto path = nb::cast<nb::str>(model);
    const std::string text = path.c_str();
    const nb::gil_scoped_release release;
    status = enfold_open(text.c_str(), how.get(), &opened);
  }
  check(status);
  handle_.reset(opened, &enfold_close);
  numRequired_ = static_cast<size_t>(enfold_num_inputs(opened));
  const size_t all = numRequired_ + static_cast<size_t>(enfold_num_overridable(opened));
  for (size_t i = 0; i < all; ++i) names_.emplace_back(declaration(i)->name);
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

nb::dict Network::properties() const {
  nb::dict all;
  for (const char* name : {"graph", "graph description", "producer", "producer version", "domain",
                           "description", "version", "ir version", "opset"})
    all[name] = enfold_model_property(handle_.get(), name);
  return all;
}

nb::dict Network::metadata() const {
  nb::dict all;
  for (int32_t i = 0; const char* key = enfold_metadata_key(handle_.get(), i); ++i)
    all[key] = enfold_metadata_value(handle_.get(), i);
  return all;
}

std::shared_ptr<const Compiled> Network::compileTensors(const std::vector<enfold_tensor>& tensors) {
  enfold_compiled* compiled = nullptr;
  enfold_status status;
  {
    const nb::gil_scoped_release release;
    status = enfold_compile(handle_.get(), tensors.data(), static_cast<int32_t>(tensors.size()),
                            &compiled);
  }
  check(status);
  return std::make_shared<const Compiled>(compiled);
}

Compiled Network::compile(nb::dict inputs) {
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<int32_t> elems;
  for (const auto& [name, type] : inputs) {
    const auto pair = nb::cast<nb::tuple>(type);
    names.push_back(nb::cast<nb::str>(name).c_str());
    elems.push_back(nb::cast<int32_t>(pair[0]));
    shapes.emplace_back();
    for (const nb::handle size : nb::cast<nb::sequence>(pair[1]))
      shapes.back().push_back(nb::cast<int64_t>(size));
  }
  std::vector<enfold_tensor> tensors;
  for (size_t i = 0; i < names.size(); ++i)
    tensors.push_back({names[i].c_str(), elems[i], static_cast<int32_t>(shapes[i].size()),
                       shapes[i].data(), nullptr});
  return *compileTensors(tensors);
}

std::vector<Network::Bound> Network::bind(const nb::dict& feed) const {
  std::vector<Bound> inputs;
  inputs.reserve(names_.size());
  for (size_t i = 0; i < names_.size(); ++i) {
    const nb::handle value = PyDict_GetItem(feed.ptr(), names_[i].ptr());
    if (!value.is_valid()) continue;
    const enfold_declaration& declared = *declaration(i);
    Bound& input = inputs.emplace_back();
    int32_t elem = 0;
    if (nb::try_cast(value, input.array, false)) elem = elemOf(input.array.dtype());
    if (elem == 0) std::tie(input.array, elem) = convert(value, declared);
    input.dims.assign(input.array.shape_ptr(), input.array.shape_ptr() + input.array.ndim());
    const void* data = input.array.data();
    if (!isDense(input.array)) {
      input.copy.resize(input.array.nbytes());
      copyDense(input.array, input.copy.data());
      data = input.copy.data();
    } else if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(bytesOf(elem)) != 0) {
      input.copy.resize(input.array.nbytes());
      std::memcpy(input.copy.data(), data, input.copy.size());
      data = input.copy.data();
    }
    input.tensor = {declared.name, elem, static_cast<int32_t>(input.dims.size()), input.dims.data(),
                    data};
  }
  if (inputs.size() != nb::len(feed) || inputs.size() < numRequired_)
    nb::module_::import_("enfold._errors")
        .attr("check_names")(nb::cast(this, nb::rv_policy::reference), feed);
  return inputs;
}

std::shared_ptr<const Compiled> Network::compiledFor(const std::vector<Bound>& inputs,
                                                     const nb::dict& feed) {
  const auto isSame = [](const Bound& input, const auto& type) {
    return input.tensor.elem == type.first && input.dims == type.second;
  };
  if (latest_.compiled && std::ranges::equal(inputs, latest_.types, isSame))
    return latest_.compiled;
  std::vector<enfold_tensor> tensors;
  Latest latest;
  for (const Bound& input : inputs) {
    tensors.push_back(input.tensor);
    latest.types.emplace_back(input.tensor.elem, input.dims);
  }
  try {
    latest.compiled = compileTensors(tensors);
  } catch (nb::python_error& error) {
    const nb::module_ errors = nb::module_::import_("enfold._errors");
    if (error.matches(errors.attr("InvalidArgument")))
      errors.attr("check_types")(nb::cast(this, nb::rv_policy::reference), feed);
    throw;
  }
  for (const enfold_tensor& tensor : tensors)
    if (enfold_compiled_for_contents(latest.compiled->get(), tensor.name)) return latest.compiled;
  latest_ = std::move(latest);
  return latest_.compiled;
}

nb::list Network::run(nb::dict feed, nb::object wanted, uintptr_t stop, double seconds,
                      nb::object into) {
  const std::vector<Bound> inputs = bind(feed);
  const std::shared_ptr<const Compiled> compiled = compiledFor(inputs, feed);
  const enfold_program& program = compiled->program();

  std::vector<const void*> from;
  for (int32_t i = 0; i < program.num_inputs; ++i) {
    const enfold_tensor_info& info = program.inputs[i];
    const auto given = std::ranges::find_if(
        inputs, [&](const Bound& input) { return std::strcmp(input.tensor.name, info.name) == 0; });
    const bool fits =
        given != inputs.end() && given->tensor.elem == info.elem &&
        std::ranges::equal(given->dims, std::span(info.dims, static_cast<size_t>(info.rank)));
    if (!fits)
      nb::module_::import_("enfold._errors")
          .attr("check_types")(nb::cast(this, nb::rv_policy::reference), feed);
    if (!fits)
      raise(nb::module_::import_("enfold._errors").attr("InvalidArgument"),
            std::string("input '") + info.name + "' does not fit the model");
    from.push_back(given->tensor.data);
  }

  std::vector<nb::object> arrays;
  std::vector<void*> to;
  for (int32_t i = 0; i < program.num_outputs; ++i) {
    const nb::object target = into.is_none() ? nb::none() : nb::object(into[i]);
    if (target.is_none()) {
      auto [array, data] = allocate(program.outputs[i]);
      arrays.push_back(std::move(array));
      to.push_back(data);
    } else {
      arrays.push_back(target);
      to.push_back(outputMemory(target, program.outputs[i]));
    }
  }

  const enfold_run_limits limits = {reinterpret_cast<const volatile int32_t*>(stop), seconds};
  enfold_status status;
  {
    const nb::gil_scoped_release release;
    status = enfold_run_compiled(compiled->get(), from.data(), static_cast<int32_t>(from.size()),
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

} // namespace enfold::python
