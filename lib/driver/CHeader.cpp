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

/// The comment that opens the header.
std::string description(const codegen::ProgramDesc& program, const codegen::Target& target,
                        const std::string& symbol, const Direction& inputs,
                        const Direction& outputs) {
  return fmt::format(
      R"(/* {name}: a neural network compiled by enfold.
 *
 * Compiled for {architecture} Linux and the processor {cpu}. It needs the CPU features
 *   {needs}
 * Without them, enfold_create_context() returns ENFOLD_WRONG_CPU.
 *
{inputs} *
{outputs} *
 * Tensors are dense and row-major. Pointers must be aligned to the element size; 64 bytes is best.
 * An output may overlap neither an input nor another output.
 *
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
      fmt::arg("name", inComment(program.name)),
      fmt::arg("architecture", kir::name(target.architecture)), fmt::arg("cpu", target.cpu),
      fmt::arg("needs", codegen::needsOf(program, target)), fmt::arg("inputs", inputs.table()),
      fmt::arg("outputs", outputs.table()), fmt::arg("symbol", symbol),
      fmt::arg("constants", program.constants.size()), fmt::arg("arena", program.arenaBytes),
      fmt::arg("scratch", codegen::scratchBytes(program)));
}

} // namespace

std::string cHeader(const codegen::ProgramDesc& program, const codegen::Target& target,
                    const std::string& symbol) {
  const Direction inputs(program.inputs, "input"), outputs(program.outputs, "output");
  return description(program, target, symbol, inputs, outputs) +
         fmt::format(
             R"(#ifndef ENFOLD_MODEL_{symbol}_H
#define ENFOLD_MODEL_{symbol}_H

#include <enfold/enfold.h>

#ifdef __cplusplus
extern "C" {{
#endif

{input_macros}
{output_macros}
/* The network. Never NULL; it lasts as long as the process. */
const enfold_program* {symbol}_program(void);

/* Runs the network once; `context` must be of {symbol}_program(). */
static inline enfold_status {symbol}_run(
    enfold_context* context{input_parameters}{output_parameters}) {{
{input_array}{output_array}  return enfold_run(context, inputs, {num_inputs}, outputs, {num_outputs});
}}

#ifdef __cplusplus
}}
#endif
#endif
)",
             fmt::arg("symbol", symbol), fmt::arg("input_macros", inputs.macros(symbol)),
             fmt::arg("output_macros", outputs.macros(symbol)),
             fmt::arg("input_parameters", inputs.parameters("const ")),
             fmt::arg("output_parameters", outputs.parameters("")),
             fmt::arg("input_array", inputs.array("const ")),
             fmt::arg("output_array", outputs.array("")),
             fmt::arg("num_inputs", program.inputs.size()),
             fmt::arg("num_outputs", program.outputs.size()));
}

} // namespace enfold
