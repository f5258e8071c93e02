// The text of the C header. Names come from the model and may hold anything: in comments and in
// identifiers what could end them or mislead a compiler is replaced, in strings it is escaped.
#include "driver/NativeProgram.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace enfold {
namespace {

using codegen::TensorInfo;

struct CType {
  enfold_elem elem;
  const char* name; ///< in C
  const char* note;
  int bytes;
};
constexpr CType kTypes[] = {
    {ENFOLD_F32, "float", "float", 4},
    {ENFOLD_F64, "double", "double", 8},
    {ENFOLD_U8, "uint8_t", "uint8_t", 1},
    {ENFOLD_I8, "int8_t", "int8_t", 1},
    {ENFOLD_U16, "uint16_t", "uint16_t", 2},
    {ENFOLD_I16, "int16_t", "int16_t", 2},
    {ENFOLD_I32, "int32_t", "int32_t", 4},
    {ENFOLD_I64, "int64_t", "int64_t", 8},
    {ENFOLD_U32, "uint32_t", "uint32_t", 4},
    {ENFOLD_U64, "uint64_t", "uint64_t", 8},
    {ENFOLD_BOOL, "uint8_t", "uint8_t, a bool as 0 or 1", 1},
    {ENFOLD_F16, "uint16_t", "uint16_t, the bits of an IEEE half", 2},
    {ENFOLD_BF16, "uint16_t", "uint16_t, the bits of a bfloat16", 2},
    {ENFOLD_C64, "float", "float, real and imaginary part in turn", 8},
    {ENFOLD_C128, "double", "double, real and imaginary part in turn", 16},
    {ENFOLD_F8E4M3FN, "uint8_t", "uint8_t, the bits of a float8e4m3fn", 1},
    {ENFOLD_F8E4M3FNUZ, "uint8_t", "uint8_t, the bits of a float8e4m3fnuz", 1},
    {ENFOLD_F8E5M2, "uint8_t", "uint8_t, the bits of a float8e5m2", 1},
    {ENFOLD_F8E5M2FNUZ, "uint8_t", "uint8_t, the bits of a float8e5m2fnuz", 1},
    {ENFOLD_F8E8M0, "uint8_t", "uint8_t, the bits of a float8e8m0", 1},
    {ENFOLD_F4E2M1, "uint8_t", "uint8_t, a float4e2m1 in its low 4 bits", 1},
    {ENFOLD_U4, "uint8_t", "uint8_t, a uint4 in its low 4 bits", 1},
    {ENFOLD_I4, "uint8_t", "uint8_t, an int4 in its low 4 bits", 1},
    {ENFOLD_U2, "uint8_t", "uint8_t, a uint2 in its low 2 bits", 1},
    {ENFOLD_I2, "uint8_t", "uint8_t, an int2 in its low 2 bits", 1},
};

const CType& typeOf(const TensorInfo& tensor) {
  const auto* found = std::ranges::find(kTypes, tensor.elem, &CType::elem);
  ENFOLD_CHECK(found != std::end(kTypes), tensor.name);
  return *found;
}

bool isPlain(char c) { return c >= ' ' && c <= '~'; }

std::string inComment(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return !isPlain(c) || c == '*' || c == '\\' || c == '?'; }, '_');
  return text;
}

std::string inString(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (isPlain(c) && c != '"' && c != '\\' && c != '?')
      escaped += c;
    else
      escaped += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
  }
  return escaped;
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

std::string shapeOf(const TensorInfo& tensor) {
  std::string text;
  for (const int64_t dim : tensor.dims) text += fmt::format("[{}]", dim);
  return text;
}

/// The inputs or the outputs, described.
class Direction {
public:
  Direction(const std::vector<TensorInfo>& tensors, const char* word)
      : tensors_(tensors), word_(word) {
    std::set<std::string> taken;
    for (size_t i = 0; i < tensors.size(); ++i) {
      std::string name = fmt::format("{}_{}", word, symbolOf(tensors[i].name));
      while (!taken.insert(name).second) name += fmt::format("_{}", i);
      parameters_.push_back(std::move(name));
    }
  }

  std::string table() const {
    std::string text = fmt::format(" * The {}s, in order:\n", word_);
    for (size_t i = 0; i < tensors_.size(); ++i)
      text += fmt::format(" *   {}  \"{}\"  {}  {} bytes  ({})\n", i, inComment(tensors_[i].name),
                          tensors_[i].dims.empty() ? "scalar" : shapeOf(tensors_[i]),
                          tensors_[i].bytes, typeOf(tensors_[i]).note);
    if (tensors_.empty()) text += " *   none\n";
    return text;
  }

  std::string macros(const std::string& symbol) const {
    const std::string prefix = upper(fmt::format("{}_{}", symbol, word_));
    std::string text = fmt::format("#define {}S {}\n", prefix, tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i) {
      text += fmt::format("#define {}_{}_NAME \"{}\"\n", prefix, i, inString(tensors_[i].name));
      text += fmt::format("#define {}_{}_BYTES {}\n", prefix, i, tensors_[i].bytes);
      text += fmt::format("#define {}_{}_ELEMENTS {}\n", prefix, i,
                          tensors_[i].bytes / typeOf(tensors_[i]).bytes);
    }
    return text;
  }

  /// ", const float* input_x" for each.
  std::string parameters(const char* qualifier) const {
    std::string text;
    for (size_t i = 0; i < tensors_.size(); ++i)
      text += fmt::format(",\n    {}{}* {}", qualifier, typeOf(tensors_[i]).name, parameters_[i]);
    return text;
  }

  /// Defines an array of the pointers, or a null pointer, which C wants instead of an empty array.
  std::string array(const char* qualifier) const {
    if (tensors_.empty()) return fmt::format("  {}void* const* {}s = NULL;\n", qualifier, word_);
    std::string text = fmt::format("  {}void* {}s[{}];\n", qualifier, word_, tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i)
      text += fmt::format("  {}s[{}] = {};\n", word_, i, parameters_[i]);
    return text;
  }

private:
  const std::vector<TensorInfo>& tensors_;
  const char* word_; ///< "input" or "output"
  std::vector<std::string> parameters_;
};

/// Where a size stands that differs from program to program.
struct Place {
  size_t input, axis;
};
/// Sizes of one name, which are equal in each program.
struct OpenSize {
  std::string name;
  std::vector<Place> places;
};

int64_t sizeAt(const codegen::ProgramDesc& program, const Place& place) {
  return program.inputs[place.input].dims[place.axis];
}

/// The name in C of a size that the model names, or of its place.
std::string nameOf(const Place& place, const codegen::TensorInfo& input,
                   std::span<const onnx::DeclaredTensor> declared) {
  const auto found = std::ranges::find(declared, input.name, &onnx::DeclaredTensor::name);
  if (found != declared.end() && found->type.dims && place.axis < found->type.dims->size())
    if (const std::string& symbol = (*found->type.dims)[place.axis].symbol; !symbol.empty())
      return "size_" + symbolOf(symbol);
  return fmt::format("input_{}_{}", symbolOf(input.name), place.axis);
}

std::vector<OpenSize> openSizes(std::span<const codegen::ProgramDesc> programs,
                                std::span<const onnx::DeclaredTensor> declared) {
  std::vector<OpenSize> sizes;
  const codegen::ProgramDesc& first = programs.front();
  const auto alwaysEqual = [&](const Place& a, const Place& b) {
    return std::ranges::all_of(
        programs, [&](const auto& program) { return sizeAt(program, a) == sizeAt(program, b); });
  };
  for (size_t input = 0; input < first.inputs.size(); ++input)
    for (size_t axis = 0; axis < first.inputs[input].dims.size(); ++axis) {
      const Place place{input, axis};
      if (std::ranges::all_of(programs, [&](const auto& program) {
            return sizeAt(program, place) == sizeAt(first, place);
          }))
        continue;
      std::string name = nameOf(place, first.inputs[input], declared);
      const auto same = std::ranges::find(sizes, name, &OpenSize::name);
      if (same != sizes.end() && alwaysEqual(same->places.front(), place))
        same->places.push_back(place);
      else if (same != sizes.end())
        sizes.push_back({fmt::format("{}_{}_{}", name, input, axis), {place}});
      else
        sizes.push_back({std::move(name), {place}});
    }
  return sizes;
}

/// The parameters of the function that looks for a program, and its comparison.
struct Lookup {
  std::string parameters, condition;
};

Lookup lookupOf(const std::vector<OpenSize>& sizes) {
  Lookup lookup;
  for (const OpenSize& size : sizes) {
    lookup.parameters +=
        fmt::format("{}int64_t {}", lookup.parameters.empty() ? "" : ", ", size.name);
    for (const auto& [input, axis] : size.places)
      lookup.condition +=
          fmt::format("{}program->inputs[{}].dims[{}] == {}",
                      lookup.condition.empty() ? "" : " &&\n        ", input, axis, size.name);
  }
  if (sizes.empty()) return {"void", "program != NULL"};
  return lookup;
}

/// What all programs take and give.
std::string tablesOf(std::span<const codegen::ProgramDesc> programs) {
  std::string text;
  for (size_t i = 0; i < programs.size(); ++i) {
    if (programs.size() > 1)
      text += fmt::format("{} * Program {}, whose contexts hold {} bytes of intermediate results\n"
                          " * and {} bytes per thread.\n",
                          i == 0 ? "" : " *\n", i, programs[i].arenaBytes,
                          codegen::scratchBytes(programs[i]));
    text += Direction(programs[i].inputs, "input").table() + " *\n" +
            Direction(programs[i].outputs, "output").table();
  }
  return text;
}

/// The comment that opens the header, up to the example.
std::string introduction(std::span<const codegen::ProgramDesc> programs,
                         const codegen::Target& target) {
  std::string title =
      fmt::format("{}: a neural network compiled by enfold", inComment(programs.front().name));
  if (programs.size() > 1) title += fmt::format(", for {} sizes of its inputs", programs.size());
  // What any of the programs needs.
  std::string needs;
  for (const codegen::ProgramDesc& program : programs)
    if (std::string own = codegen::needsOf(program, target); own.size() > needs.size())
      needs = std::move(own);
  return fmt::format(
      R"(/* {title}.
 *
 * Compiled for {architecture} Linux and the processor {cpu}. It needs the CPU features
 *   {needs}
 * Without them, enfold_create_context() returns ENFOLD_WRONG_CPU.
 *
{tables} *
 * Tensors are dense and row-major. Pointers must be aligned to the element size; 64 bytes is best.
 * An output may overlap neither an input nor another output.
)",
      fmt::arg("title", title), fmt::arg("architecture", kir::name(target.architecture)),
      fmt::arg("cpu", target.cpu), fmt::arg("needs", needs),
      fmt::arg("tables", tablesOf(programs)));
}

/// A header around its declarations.
std::string guarded(const std::string& symbol, const std::string& declarations) {
  return fmt::format(
      R"(#ifndef ENFOLD_MODEL_{symbol}_H
#define ENFOLD_MODEL_{symbol}_H

#include <enfold/enfold.h>

#ifdef __cplusplus
extern "C" {{
#endif

{declarations}
#ifdef __cplusplus
}}
#endif
#endif
)",
      fmt::arg("symbol", symbol), fmt::arg("declarations", declarations));
}

/// SYMBOL_run(), whose parameters the programs have in common.
std::string runFunction(const codegen::ProgramDesc& program, const std::string& symbol) {
  const Direction inputs(program.inputs, "input"), outputs(program.outputs, "output");
  return fmt::format(
      R"(static inline enfold_status {symbol}_run(
    enfold_context* context{input_parameters}{output_parameters}) {{
{input_array}{output_array}  return enfold_run(context, inputs, {num_inputs}, outputs, {num_outputs});
}}
)",
      fmt::arg("symbol", symbol), fmt::arg("input_parameters", inputs.parameters("const ")),
      fmt::arg("output_parameters", outputs.parameters("")),
      fmt::arg("input_array", inputs.array("const ")), fmt::arg("output_array", outputs.array("")),
      fmt::arg("num_inputs", program.inputs.size()),
      fmt::arg("num_outputs", program.outputs.size()));
}

} // namespace

std::string cHeader(const codegen::ProgramDesc& program, const codegen::Target& target,
                    const std::string& symbol) {
  const Direction inputs(program.inputs, "input"), outputs(program.outputs, "output");
  const std::string usage = fmt::format(
      R"( *
 *   enfold_context* context = NULL;
 *   if (enfold_create_context({symbol}_program(), NULL, &context) != ENFOLD_OK)
 *     fprintf(stderr, "%s\n", enfold_last_error());
 *   else if ({symbol}_run(context, ...) != ENFOLD_OK) ...
 *   enfold_destroy_context(context);
 *
 * A context uses as many threads as the process may, or as many as enfold_options says; the bits of
 * the results do not depend on it. A context serves one call at a time. Any number of contexts may
 * share the program. The program holds {constants} bytes of weights; a context holds {arena} bytes of
 * intermediate results and {scratch} bytes per thread. Running allocates nothing.
 *
 * Link with the compiled file, -lenfold_runtime, -lpthread and -lm. */
)",
      fmt::arg("symbol", symbol), fmt::arg("constants", program.constants.size()),
      fmt::arg("arena", program.arenaBytes), fmt::arg("scratch", codegen::scratchBytes(program)));
  return introduction({&program, 1}, target) + usage +
         guarded(symbol,
                 fmt::format(
                     R"({input_macros}
{output_macros}
/* The network. Never NULL; it lasts as long as the process. */
const enfold_program* {symbol}_program(void);

/* Runs the network once; `context` must be of {symbol}_program(). */
{run})",
                     fmt::arg("symbol", symbol), fmt::arg("input_macros", inputs.macros(symbol)),
                     fmt::arg("output_macros", outputs.macros(symbol)),
                     fmt::arg("run", runFunction(program, symbol))));
}

std::string cHeader(std::span<const codegen::ProgramDesc> programs,
                    std::span<const onnx::DeclaredTensor> declared, const codegen::Target& target,
                    const std::string& symbol) {
  const Lookup lookup = lookupOf(openSizes(programs, declared));
  const std::string usage = fmt::format(
      R"( *
 *   enfold_context* context = NULL;
 *   const enfold_program* program = {symbol}_program_for(...);
 *   if (program == NULL) ...
 *   else if (enfold_create_context(program, NULL, &context) != ENFOLD_OK)
 *     fprintf(stderr, "%s\n", enfold_last_error());
 *   else if ({symbol}_run(context, ...) != ENFOLD_OK) ...
 *   enfold_destroy_context(context);
 *
 * A context goes to another size by enfold_set_program(); its memory grows to what the sizes need
 * that it meets. It uses as many threads as the process may, or as many as enfold_options says; the
 * bits of the results do not depend on it. A context serves one call at a time. The programs share
 * {constants} bytes of weights. Running allocates nothing.
 *
 * Link with the compiled file, -lenfold_runtime, -lpthread and -lm. */
)",
      fmt::arg("symbol", symbol), fmt::arg("constants", programs.front().constants.size()));
  return introduction(programs, target) + usage +
         guarded(symbol,
                 fmt::format(
                     R"(#define {upper}_PROGRAMS {count}

/* The network for the first of its sizes. Never NULL; it lasts as long as the process. */
const enfold_program* {symbol}_program(void);

/* The network for the sizes of that number, below {upper}_PROGRAMS; else NULL. */
const enfold_program* {symbol}_program_at(int32_t index);

/* The network for these sizes, or NULL if it was not compiled for them. */
static inline const enfold_program* {symbol}_program_for({parameters}) {{
  int32_t i;
  for (i = 0; i < {upper}_PROGRAMS; ++i) {{
    const enfold_program* program = {symbol}_program_at(i);
    if ({condition}) return program;
  }}
  return NULL;
}}

/* Runs the network once; tensors have the sizes of the context's program. */
{run})",
                     fmt::arg("upper", upper(symbol)), fmt::arg("symbol", symbol),
                     fmt::arg("count", programs.size()), fmt::arg("parameters", lookup.parameters),
                     fmt::arg("condition", lookup.condition),
                     fmt::arg("run", runFunction(programs.front(), symbol))));
}

} // namespace enfold
