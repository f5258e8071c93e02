// Printing graphs.
#include "ir/Printer.h"

#include "ir/Steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

namespace enfold {
namespace {

constexpr int64_t kInlineElements = 16;

bool isPlainName(std::string_view name) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' ||
           c == '-';
  };
  return !name.empty() && std::ranges::all_of(name, plain);
}

std::string nameText(std::string_view name) {
  return isPlainName(name) ? std::string(name) : str(AttrValue(std::string(name)));
}

std::string reference(const Value* value) { return value ? "%" + nameText(value->name()) : "_"; }

std::string elementText(const Tensor& tensor, int64_t i) {
  switch (tensor.elem()) {
  case ElemType::F32:
    return floatText(tensor.data<float>()[i]);
  case ElemType::Bool:
    return tensor.data<bool>()[i] ? "true" : "false";
  case ElemType::U64:
    return fmt::format("{}", tensor.data<uint64_t>()[i]);
  default:
    return isFloat(tensor.elem()) ? floatText(tensor.asDouble(i))
                                  : fmt::format("{}", tensor.asInt(i));
  }
}

bool isUniform(const Tensor& tensor) {
  const size_t size = byteSize(tensor.elem());
  return tensor.numElements() > 0 && !std::isnan(tensor.asDouble(0)) &&
         (tensor.numBytes() == size ||
          std::memcmp(tensor.bytes(), tensor.bytes() + size, tensor.numBytes() - size) == 0);
}

std::string hex(const Tensor& tensor) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * tensor.numBytes());
  for (size_t i = 0; i < tensor.numBytes(); ++i) {
    const auto byte = std::to_integer<unsigned>(tensor.bytes()[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string constantText(const Tensor& tensor, const PrintOptions& options) {
  const std::string type = tensor.type().str();
  const bool complex = info(tensor.elem()).cls == ElemClass::Complex;
  if (!complex && tensor.numElements() <= kInlineElements) {
    std::string list;
    bool anyNaN = false;
    for (int64_t i = 0; i < tensor.numElements(); ++i) {
      anyNaN |= std::isnan(tensor.asDouble(i));
      list += (i ? "," : "") + elementText(tensor, i);
    }
    if (!anyNaN) return fmt::format("{} [{}]", type, list);
    // The bits of a NaN are not told by its text.
    return fmt::format("{} data(\"{}\")", type, hex(tensor));
  }
  if (!complex && isUniform(tensor))
    return fmt::format("{} splat({})", type, elementText(tensor, 0));
  switch (options.constants) {
  case PrintOptions::Constants::Elide:
    return fmt::format("{} elided({:016x})", type, tensor.hash());
  case PrintOptions::Constants::Hex:
    return fmt::format("{} data(\"{}\")", type, hex(tensor));
  case PrintOptions::Constants::File:
    return fmt::format("{} file({}, {})", type, str(AttrValue(options.fileName)),
                       options.append(tensor));
  }
  return type;
}

std::string attrsText(const AttrMap& attrs) {
  if (attrs.empty()) return "";
  std::string text;
  for (const auto& [name, value] : attrs)
    text += fmt::format("{}{}={}", text.empty() ? " {" : ", ", name, str(value));
  return text + "}";
}

/// Steps that convert an operand stand where it is read.
std::string epilogueText(const Op& op) {
  std::vector<std::string> operands;
  for (const Value* operand : op.operands()) operands.push_back(reference(operand));
  std::string text;
  for (const EpilogueStep& step : op.epilogue()) {
    std::string call = name(step.kind) + "(";
    for (size_t i = 0; i < step.args.size(); ++i) {
      const int arg = step.args[i];
      call += i ? ", " : "";
      call += arg == EpilogueStep::kAccumulator ? "acc"
              : arg == EpilogueStep::kAbsent    ? "_"
                                                : operands[static_cast<size_t>(arg)];
    }
    call += ")" + attrsText(step.attrs);
    if (converts(step))
      operands[static_cast<size_t>(subjectOf(step))] = std::move(call);
    else
      text += (text.empty() ? " epilogue(" : ", ") + call;
  }
  return text.empty() ? text : text + ")";
}

std::string originsText(const Op& op) {
  std::string text;
  for (const std::string& origin : op.origins())
    text += (text.empty() ? "  @" : ", ") + str(AttrValue(origin));
  return text;
}

} // namespace

std::string print(const Op& op, const PrintOptions& options) {
  std::string text;
  for (size_t i = 0; i < op.numResults(); ++i) text += (i ? ", " : "") + reference(op.result(i));
  text += " = ";
  if (op.kind() == OpKind::Constant)
    return text + "const " + constantText(op.tensor("value"), options) + originsText(op);
  text += op.info().name + "(";
  for (size_t i = 0; i < op.numOwnOperands(); ++i) text += (i ? ", " : "") + reference(op.own(i));
  text += ")" + attrsText(op.attrs()) + epilogueText(op) + " : ";
  for (size_t i = 0; i < op.numResults(); ++i) text += (i ? ", " : "") + op.result(i)->type().str();
  return text + originsText(op);
}

std::string print(const Graph& graph, const PrintOptions& options) {
  std::string text = "graph @" + nameText(graph.name()) + "(";
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const Value* input = graph.inputs()[i].get();
    text += fmt::format("{}{}: {}", i ? ", " : "", reference(input), input->type().str());
  }
  text += ") {\n";
  for (const auto& op : graph.ops()) text += "  " + print(*op, options) + "\n";
  text += "  return";
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Value* output = graph.outputs()[i];
    text += (i ? ", " : " ") + reference(output);
    if (graph.outputNames()[i] != output->name())
      text += " as " + str(AttrValue(graph.outputNames()[i]));
  }
  return text + "\n}\n";
}

namespace {

/// A string of Graphviz, whose escapes are not those of graphs' text: \\ and \", and \n for a line.
std::string dotText(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? "\\n" : std::string(1, c);
  }
  return result + '"';
}

} // namespace

std::string printDot(const Graph& graph) {
  std::string text = "digraph " + dotText(graph.name()) + " {\n  node [shape=box];\n";
  std::unordered_map<const Value*, std::string> nodes;
  for (const auto& input : graph.inputs()) {
    nodes[input.get()] = fmt::format("input{}", input->resultIndex());
    text += fmt::format("  {} [shape=ellipse, label={}];\n", nodes[input.get()],
                        dotText(input->name() + "\n" + input->type().str()));
  }
  size_t number = 0;
  for (const auto& op : graph.ops()) {
    if (op->kind() == OpKind::Constant) continue;
    const std::string node = fmt::format("op{}", number++);
    std::string label = op->info().name;
    for (const EpilogueStep& step : op->epilogue()) label += " + " + name(step.kind);
    label += "\n" + op->result()->type().str();
    text += fmt::format("  {} [label={}];\n", node, dotText(label));
    for (const Value* operand : op->operands())
      if (auto it = nodes.find(operand); it != nodes.end())
        text += fmt::format("  {} -> {};\n", it->second, node);
    for (size_t i = 0; i < op->numResults(); ++i) nodes[op->result(i)] = node;
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    text +=
        fmt::format("  output{} [shape=ellipse, label={}];\n", i, dotText(graph.outputNames()[i]));
    if (auto it = nodes.find(graph.outputs()[i]); it != nodes.end())
      text += fmt::format("  {} -> output{};\n", it->second, i);
  }
  return text + "}\n";
}

} // namespace enfold
