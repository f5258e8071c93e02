// Parsing of einsum equations: terms of letters and at most one ellipsis each, after numpy.einsum.
#include "ir/Einsum.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace enfold {
namespace {

/// Before labels are numbered: a letter, or kEllipsis plus the distance of an axis from the end of
/// the axes its ellipsis stands for. In this order implicit outputs list their axes.
using Symbol = int;
constexpr Symbol kEllipsis = -1000;

struct Term {
  std::string before, after; ///< letters around the ellipsis
  bool ellipsis = false;

  size_t numLetters() const { return before.size() + after.size(); }
  std::vector<Symbol> symbols(size_t ellipsisAxes) const {
    std::vector<Symbol> result(before.begin(), before.end());
    for (size_t i = ellipsis ? ellipsisAxes : 0; i-- > 0;)
      result.push_back(kEllipsis - static_cast<Symbol>(i));
    result.insert(result.end(), after.begin(), after.end());
    return result;
  }
};

Result<Term> parseTerm(std::string_view text) {
  Term term;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      (term.ellipsis ? term.after : term.before) += c;
    } else if (text.substr(i, 3) == "..." && !term.ellipsis) {
      term.ellipsis = true;
      i += 2;
    } else {
      return failure(ErrorCode::BadAttribute,
                     fmt::format("einsum term '{}' has a misplaced '{}'", text, c));
    }
  }
  return term;
}

struct Equation {
  std::vector<Term> inputs;
  std::optional<Term> output; ///< none: implicit
};

Result<Equation> parseEquation(std::string_view text) {
  std::string compact;
  std::copy_if(text.begin(), text.end(), std::back_inserter(compact),
               [](char c) { return c != ' '; });
  std::string_view inputs = compact;
  Equation equation;
  if (const size_t arrow = inputs.find("->"); arrow != std::string_view::npos) {
    ENFOLD_TRY(equation.output, parseTerm(inputs.substr(arrow + 2)));
    inputs = inputs.substr(0, arrow);
  }
  for (size_t comma = 0; comma != std::string_view::npos; inputs.remove_prefix(comma + 1)) {
    comma = inputs.find(',');
    ENFOLD_TRY(Term term, parseTerm(inputs.substr(0, comma)));
    equation.inputs.push_back(std::move(term));
    if (comma == std::string_view::npos) break;
  }
  return equation;
}

/// How many axes the ellipses stand for at most; broadcasting aligns shorter ones at the end.
Result<size_t> countEllipsisAxes(const Equation& equation, std::span<const Shape> shapes) {
  if (equation.inputs.size() != shapes.size())
    return failure(ErrorCode::BadAttribute,
                   fmt::format("einsum equation has {} terms for {} operands",
                               equation.inputs.size(), shapes.size()));
  size_t most = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Term& term = equation.inputs[i];
    const size_t rank = shapes[i].size();
    if (term.ellipsis ? rank < term.numLetters() : rank != term.numLetters())
      return failure(
          ErrorCode::BadAttribute,
          fmt::format("einsum term {} does not suit operand shape {}", i, str(shapes[i])));
    most = std::max(most, rank - term.numLetters());
  }
  return most;
}

/// Without an explicit output: the ellipsis, then the letters that occur once, in order.
std::vector<Symbol> implicitOutput(const std::vector<std::vector<Symbol>>& operands) {
  std::map<Symbol, int> counts;
  for (const auto& symbols : operands)
    for (Symbol symbol : symbols) ++counts[symbol];
  std::vector<Symbol> output;
  for (const auto& [symbol, count] : counts)
    if (symbol <= kEllipsis || count == 1) output.push_back(symbol);
  return output;
}

std::string symbolName(Symbol symbol) {
  return symbol <= kEllipsis ? "..." : std::string(1, static_cast<char>(symbol));
}

} // namespace

Shape EinsumLabels::outputShape() const {
  Shape shape;
  for (size_t label : output) shape.push_back(sizes[label]);
  return shape;
}

Result<EinsumLabels> parseEinsum(std::string_view text, std::span<const Shape> shapes) {
  ENFOLD_TRY(const Equation equation, parseEquation(text));
  ENFOLD_TRY(const size_t ellipsisAxes, countEllipsisAxes(equation, shapes));

  std::vector<std::vector<Symbol>> operands;
  for (size_t i = 0; i < shapes.size(); ++i)
    operands.push_back(
        equation.inputs[i].symbols(shapes[i].size() - equation.inputs[i].numLetters()));
  const std::vector<Symbol> output =
      equation.output ? equation.output->symbols(ellipsisAxes) : implicitOutput(operands);

  EinsumLabels labels;
  std::map<Symbol, size_t> numbers;
  for (size_t i = 0; i < shapes.size(); ++i) {
    labels.operands.emplace_back();
    for (size_t axis = 0; axis < shapes[i].size(); ++axis) {
      const Symbol symbol = operands[i][axis];
      const size_t label = numbers.try_emplace(symbol, numbers.size()).first->second;
      if (label == labels.sizes.size()) labels.sizes.push_back(1);
      int64_t& size = labels.sizes[label];
      if (size != 1 && shapes[i][axis] != 1 && size != shapes[i][axis])
        return failure(ErrorCode::ShapeMismatch,
                       fmt::format("einsum label '{}' has sizes {} and {}", symbolName(symbol),
                                   size, shapes[i][axis]));
      if (shapes[i][axis] != 1) size = shapes[i][axis];
      labels.operands.back().push_back(label);
    }
  }
  for (Symbol symbol : output) {
    const auto it = numbers.find(symbol);
    if (it == numbers.end())
      return failure(ErrorCode::BadAttribute,
                     fmt::format("einsum output label '{}' is in no operand", symbolName(symbol)));
    if (std::ranges::find(labels.output, it->second) != labels.output.end())
      return failure(ErrorCode::BadAttribute,
                     fmt::format("einsum output repeats label '{}'", symbolName(symbol)));
    labels.output.push_back(it->second);
  }
  return labels;
}

} // namespace enfold
