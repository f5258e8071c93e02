// A recursive-descent parser with one token of lookahead. Nothing but conversions of an epilogue's
// operands nests, and those only so deep, so hostile text cannot exhaust the stack.
#include "ir/Parser.h"

#include "ir/ConstantText.h"
#include "ir/Lexer.h"
#include "ir/Steps.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace enfold {
namespace {

class Parser {
public:
  Parser(std::string_view text, const ParseOptions& options) : lexer_(text), options_(options) {}

  Result<std::unique_ptr<Graph>> parse();

private:
  /// Steps whose arguments count the operands that the epilogue names, as they come in the text.
  struct Epilogue {
    std::vector<EpilogueStep> steps;
    std::vector<Value*> operands;
  };
  static constexpr int kDeepest = 16; ///< conversions within conversions

  std::unexpected<Error> error(std::string_view message) const {
    return failure(ErrorCode::SyntaxError,
                   fmt::format("{}:{}: {}", token_.line, token_.column, message));
  }
  /// That of what the text says rather than how.
  std::unexpected<Error> error(Error what) const {
    for (Diag& diag : what.diags)
      diag.message = fmt::format("{}:{}: {}", token_.line, token_.column, diag.message);
    return std::unexpected(std::move(what));
  }
  Result<> advance();
  bool accept(std::string_view symbol) const { return token_.is(symbol); }
  Result<> expect(std::string_view symbol);
  Result<std::string> word(std::string_view what);
  Result<std::string> name();
  Result<int64_t> integer();
  Result<Type> type();
  Result<Value*> operand();
  Result<std::vector<Value*>> operands();
  Result<std::string> elementText();
  Result<AttrValue> attrValue(const AttrInfo& attr);
  Result<AttrMap> attrs(const OpInfo& info);
  Result<Epilogue> epilogue();
  Result<int> argument(Epilogue& epilogue, int depth);
  Result<EpilogueStep> step(Epilogue& epilogue, int depth);
  Result<std::vector<std::string>> origins();
  Result<Tensor> list(Tensor tensor, std::string_view open, std::string_view close);
  Result<Tensor> constantData(Type type);
  Result<Tensor> randomData(Tensor tensor);
  Result<> header();
  Result<> statement();
  Result<> constant(std::string resultName);
  Result<> op(std::vector<std::string> resultNames, OpKind kind);
  Result<> returns();

  Lexer lexer_;
  const ParseOptions& options_;
  Token token_;
  std::unique_ptr<Graph> graph_;
};

Result<> Parser::advance() {
  ENFOLD_TRY(token_, lexer_.next());
  return {};
}

Result<> Parser::expect(std::string_view symbol) {
  if (!token_.is(symbol))
    return error(fmt::format("expected '{}'{}", symbol,
                             token_.text.empty() ? "" : fmt::format(", not '{}'", token_.text)));
  return advance();
}

Result<std::string> Parser::word(std::string_view what) {
  if (token_.kind != Token::Kind::Word) return error(fmt::format("expected {}", what));
  std::string text = token_.text;
  ENFOLD_RETURN_IF_ERROR(advance());
  return text;
}

Result<std::string> Parser::name() {
  if (token_.kind == Token::Kind::Symbol || token_.kind == Token::Kind::End)
    return error("expected a name");
  std::string text = token_.text;
  ENFOLD_RETURN_IF_ERROR(advance());
  return text;
}

Result<int64_t> Parser::integer() {
  int64_t value = 0;
  const std::string& text = token_.text;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (token_.kind != Token::Kind::Number || code != std::errc() || end != text.data() + text.size())
    return error("expected a whole number");
  ENFOLD_RETURN_IF_ERROR(advance());
  return value;
}

Result<Type> Parser::type() {
  Type type;
  const auto elem = elemTypeByName(token_.text);
  if (token_.kind != Token::Kind::Word || !elem)
    return error(fmt::format("unknown element type '{}'", token_.text));
  type.elem = *elem;
  ENFOLD_RETURN_IF_ERROR(advance());
  ENFOLD_RETURN_IF_ERROR(expect("["));
  while (!accept("]")) {
    if (!type.shape.empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
    ENFOLD_TRY(const int64_t size, integer());
    type.shape.push_back(size);
  }
  ENFOLD_RETURN_IF_ERROR(advance());
  if (auto valid = checkShape(type.shape, type.elem); !valid)
    return error(std::move(valid).error());
  if (!accept("{")) return type;
  ENFOLD_RETURN_IF_ERROR(advance());
  ENFOLD_TRY(const std::string layout, word("a layout"));
  int block = 0;
  const auto [end, code] = std::from_chars(layout.data() + 1, layout.data() + layout.size(), block);
  if (layout[0] != 'c' || code != std::errc() || end != layout.data() + layout.size() ||
      block < 1 || block > 64 || type.rank() < 2)
    return error(fmt::format("unknown layout '{}'", layout));
  type.layout.block = block;
  ENFOLD_RETURN_IF_ERROR(expect("}"));
  return type;
}

/// %name, or _ for an absent one.
Result<Value*> Parser::operand() {
  if (token_.isWord("_")) {
    ENFOLD_RETURN_IF_ERROR(advance());
    return nullptr;
  }
  ENFOLD_RETURN_IF_ERROR(expect("%"));
  Value* value = graph_->find(token_.text);
  if (!value) return error(fmt::format("%{} is not defined before here", token_.text));
  ENFOLD_RETURN_IF_ERROR(name());
  return value;
}

Result<std::vector<Value*>> Parser::operands() {
  std::vector<Value*> values;
  ENFOLD_RETURN_IF_ERROR(expect("("));
  while (!accept(")")) {
    if (!values.empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
    ENFOLD_TRY(Value* const value, operand());
    values.push_back(value);
  }
  ENFOLD_RETURN_IF_ERROR(advance());
  return values;
}

/// One element of a list: a number or a word like inf or true.
Result<std::string> Parser::elementText() {
  if (token_.kind != Token::Kind::Number && token_.kind != Token::Kind::Word)
    return error("expected a number");
  std::string text = token_.text;
  ENFOLD_RETURN_IF_ERROR(advance());
  return text;
}

/// A tensor's elements in row-major order.
Result<Tensor> Parser::list(Tensor tensor, std::string_view open, std::string_view close) {
  ENFOLD_RETURN_IF_ERROR(expect(open));
  int64_t i = 0;
  for (; !accept(close); ++i) {
    if (i) ENFOLD_RETURN_IF_ERROR(expect(","));
    if (i == tensor.numElements()) return error("too many elements");
    const Token at = token_;
    ENFOLD_TRY(const std::string text, elementText());
    if (!storeElement(tensor, i, text)) {
      token_ = at;
      return error(fmt::format("'{}' is not a valid {}", text, enfold::name(tensor.elem())));
    }
  }
  if (i != tensor.numElements()) return error("too few elements");
  ENFOLD_RETURN_IF_ERROR(advance());
  return tensor;
}

Result<AttrValue> Parser::attrValue(const AttrInfo& attr) {
  const auto numbers = [&](ElemType elem) -> Result<Tensor> {
    std::vector<std::string> texts;
    ENFOLD_RETURN_IF_ERROR(expect("["));
    while (!accept("]")) {
      if (!texts.empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
      ENFOLD_TRY(std::string text, elementText());
      texts.push_back(std::move(text));
    }
    Tensor tensor(elem, {static_cast<int64_t>(texts.size())});
    for (size_t i = 0; i < texts.size(); ++i)
      if (!storeElement(tensor, static_cast<int64_t>(i), texts[i]))
        return error(fmt::format("'{}' is not a valid {}", texts[i], enfold::name(elem)));
    ENFOLD_RETURN_IF_ERROR(advance());
    return tensor;
  };
  switch (attr.kind) {
  case AttrKind::Int: {
    ENFOLD_TRY(const int64_t value, integer());
    return value;
  }
  case AttrKind::Float: {
    Tensor value(ElemType::F32, {});
    ENFOLD_TRY(const std::string text, elementText());
    if (!storeElement(value, 0, text)) return error(fmt::format("'{}' is not a number", text));
    return *value.data<float>();
  }
  case AttrKind::String: {
    if (token_.kind != Token::Kind::String) return error("expected a string");
    ENFOLD_TRY(std::string text, name());
    return text;
  }
  case AttrKind::Ints: {
    ENFOLD_TRY(const Tensor values, numbers(ElemType::I64));
    return values.toInts();
  }
  case AttrKind::Floats: {
    ENFOLD_TRY(const Tensor values, numbers(ElemType::F32));
    return std::vector<float>(values.values<float>().begin(), values.values<float>().end());
  }
  case AttrKind::Strings: {
    std::vector<std::string> words;
    ENFOLD_RETURN_IF_ERROR(expect("["));
    while (!accept("]")) {
      if (!words.empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
      if (token_.kind != Token::Kind::String) return error("expected a string");
      ENFOLD_TRY(std::string word, name());
      words.push_back(std::move(word));
    }
    ENFOLD_RETURN_IF_ERROR(advance());
    return words;
  }
  case AttrKind::Tensor: {
    ENFOLD_TRY(const Type t, type());
    if (t.numBytes() > options_.constantBytes) return error("the tensor is too large");
    ENFOLD_TRY(Tensor tensor, list(Tensor(t.elem, t.shape), "(", ")"));
    return tensor;
  }
  case AttrKind::Type: {
    const auto elem = elemTypeByName(token_.text);
    if (!elem) return error(fmt::format("unknown element type '{}'", token_.text));
    ENFOLD_RETURN_IF_ERROR(advance());
    return *elem;
  }
  }
  return error("unknown attribute kind");
}

Result<AttrMap> Parser::attrs(const OpInfo& info) {
  AttrMap attrs;
  if (!accept("{")) return attrs;
  ENFOLD_RETURN_IF_ERROR(advance());
  while (!accept("}")) {
    if (!attrs.empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
    const AttrInfo* attr = info.attr(token_.text);
    if (!attr) return error(fmt::format("{} has no attribute '{}'", info.name, token_.text));
    if (attrs.contains(attr->name)) return error(fmt::format("attribute '{}' twice", attr->name));
    ENFOLD_RETURN_IF_ERROR(name());
    ENFOLD_RETURN_IF_ERROR(expect("="));
    ENFOLD_TRY(AttrValue value, attrValue(*attr));
    attrs.emplace(attr->name, std::move(value));
  }
  ENFOLD_RETURN_IF_ERROR(advance());
  return attrs;
}

/// The running result, an operand, or one that is converted first: the number of its step's
/// argument.
Result<int> Parser::argument(Epilogue& epilogue, int depth) {
  if (token_.isWord("acc")) {
    ENFOLD_RETURN_IF_ERROR(advance());
    return EpilogueStep::kAccumulator;
  }
  if (accept("%") || token_.isWord("_")) {
    ENFOLD_TRY(Value * value, operand());
    if (!value) return EpilogueStep::kAbsent;
    epilogue.operands.push_back(value);
    return static_cast<int>(epilogue.operands.size()) - 1;
  }
  if (depth == kDeepest) return error("conversions of an operand nest too deeply");
  ENFOLD_TRY(EpilogueStep conversion, step(epilogue, depth + 1));
  if (!converts(conversion) || subjectOf(conversion) == EpilogueStep::kAbsent)
    return error(fmt::format("{} does not convert an operand", enfold::name(conversion.kind)));
  epilogue.steps.push_back(std::move(conversion));
  return subjectOf(epilogue.steps.back());
}

Result<EpilogueStep> Parser::step(Epilogue& epilogue, int depth) {
  const auto kind = opByName(token_.text);
  if (!kind) return error(fmt::format("unknown op '{}'", token_.text));
  ENFOLD_RETURN_IF_ERROR(name());
  EpilogueStep step{*kind, {}, {}};
  ENFOLD_RETURN_IF_ERROR(expect("("));
  while (!accept(")")) {
    if (!step.args.empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
    ENFOLD_TRY(const int arg, argument(epilogue, depth));
    step.args.push_back(arg);
  }
  ENFOLD_RETURN_IF_ERROR(advance());
  ENFOLD_TRY(step.attrs, attrs(info(*kind)));
  return step;
}

Result<Parser::Epilogue> Parser::epilogue() {
  Epilogue epilogue;
  if (!token_.isWord("epilogue")) return epilogue;
  ENFOLD_RETURN_IF_ERROR(advance());
  ENFOLD_RETURN_IF_ERROR(expect("("));
  do {
    if (!epilogue.steps.empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
    const Token at = token_;
    ENFOLD_TRY(EpilogueStep next, step(epilogue, 0));
    if (!converts(next)) {
      epilogue.steps.push_back(std::move(next));
      continue;
    }
    token_ = at;
    return error(fmt::format("epilogue step {} ignores the accumulator", enfold::name(next.kind)));
  } while (!accept(")"));
  ENFOLD_RETURN_IF_ERROR(advance());
  return epilogue;
}

Result<std::vector<std::string>> Parser::origins() {
  std::vector<std::string> names;
  if (!accept("@")) return names;
  do {
    ENFOLD_RETURN_IF_ERROR(advance());
    if (token_.kind != Token::Kind::String) return error("expected a node name in quotes");
    names.push_back(token_.text);
    ENFOLD_RETURN_IF_ERROR(advance());
  } while (accept(","));
  return names;
}

Result<Tensor> Parser::randomData(Tensor tensor) {
  uint64_t seed = 0;
  double low = -1, high = 1;
  while (!accept(")")) {
    ENFOLD_TRY(const std::string key, word("seed, low or high"));
    ENFOLD_RETURN_IF_ERROR(expect("="));
    ENFOLD_TRY(const std::string text, elementText());
    Tensor number(key == "seed" ? ElemType::U64 : ElemType::F64, {});
    if ((key != "seed" && key != "low" && key != "high") || !storeElement(number, 0, text))
      return error(fmt::format("random takes seed, low and high, not {}={}", key, text));
    if (key == "seed")
      seed = *number.data<uint64_t>();
    else
      (key == "low" ? low : high) = *number.data<double>();
    if (accept(",")) ENFOLD_RETURN_IF_ERROR(advance());
  }
  fillRandom(tensor, seed, low, high);
  return tensor;
}

Result<Tensor> Parser::constantData(Type type) {
  if (!type.layout.isPlain()) return error("a constant must have the plain layout");
  if (type.numBytes() > options_.constantBytes) return error("the constant is too large");
  if (accept("[")) return list(Tensor(type.elem, type.shape), "[", "]");
  const Token at = token_;
  ENFOLD_TRY(const std::string form, word("the constant's value"));
  ENFOLD_RETURN_IF_ERROR(expect("("));
  Tensor tensor(type.elem, type.shape);
  if (form == "random") {
    ENFOLD_TRY(tensor, randomData(std::move(tensor)));
  } else if (form == "splat") {
    ENFOLD_TRY(const std::string text, elementText());
    Tensor element(type.elem, {});
    if (!storeElement(element, 0, text))
      return error(fmt::format("'{}' is not a valid {}", text, enfold::name(type.elem)));
    const size_t size = byteSize(type.elem);
    std::byte* bytes = tensor.mutableBytes();
    for (size_t i = 0; i < tensor.numBytes(); ++i) bytes[i] = element.bytes()[i % size];
  } else if (form == "data") {
    if (token_.kind != Token::Kind::String || !fillHex(tensor, token_.text))
      return error("the hex string does not hold the constant's bytes");
    ENFOLD_RETURN_IF_ERROR(advance());
  } else if (form == "file") {
    ENFOLD_TRY(const std::string file, name());
    ENFOLD_RETURN_IF_ERROR(expect(","));
    ENFOLD_TRY(const int64_t offset, integer());
    if (auto read = fillFromFile(tensor, options_.folder, file, offset); !read)
      return error(std::move(read).error());
  } else if (form == "elided") {
    if (!options_.allowElided) {
      token_ = at;
      return error("the constant's value was left out of this text, so it can only be viewed");
    }
    ENFOLD_RETURN_IF_ERROR(name());
  } else {
    token_ = at;
    return error(fmt::format("unknown form of constant '{}'", form));
  }
  ENFOLD_RETURN_IF_ERROR(expect(")"));
  return tensor;
}

Result<> Parser::constant(std::string resultName) {
  ENFOLD_TRY(const Type t, type());
  ENFOLD_TRY(Tensor tensor, constantData(t));
  ENFOLD_TRY(std::vector<std::string> names, origins());
  graph_->constant(std::move(tensor), std::move(resultName), nullptr, std::move(names));
  return {};
}

Result<> Parser::op(std::vector<std::string> resultNames, OpKind kind) {
  const Token at = token_;
  OpSpec spec{.kind = kind, .operands = {}};
  ENFOLD_TRY(spec.operands, operands());
  ENFOLD_TRY(spec.attrs, attrs(info(kind)));
  ENFOLD_TRY(Epilogue parsed, epilogue());
  // Operands are counted in the order in which the steps name them.
  std::vector<int> numbers(parsed.operands.size(), EpilogueStep::kAbsent);
  for (EpilogueStep& step : parsed.steps)
    for (int& arg : step.args) {
      if (arg < 0) continue;
      const auto named = static_cast<size_t>(arg);
      if (numbers[named] == EpilogueStep::kAbsent) {
        numbers[named] = static_cast<int>(spec.operands.size() + spec.epilogueOperands.size());
        spec.epilogueOperands.push_back(parsed.operands[named]);
      }
      arg = numbers[named];
    }
  spec.epilogue = std::move(parsed.steps);
  ENFOLD_RETURN_IF_ERROR(expect(":"));
  do {
    if (!spec.resultTypes.empty()) ENFOLD_RETURN_IF_ERROR(advance());
    ENFOLD_TRY(Type t, type());
    spec.resultTypes.push_back(std::move(t));
  } while (accept(","));
  ENFOLD_TRY(spec.origins, origins());
  if (spec.resultTypes.size() != resultNames.size())
    return error("the number of types differs from the number of results");
  spec.numResults = resultNames.size();
  spec.resultNames = std::move(resultNames);
  if (auto made = graph_->create(std::move(spec)); !made) {
    token_ = at;
    return error(std::move(made).error());
  }
  return {};
}

Result<> Parser::statement() {
  std::vector<std::string> names;
  do {
    if (!names.empty()) ENFOLD_RETURN_IF_ERROR(advance());
    ENFOLD_RETURN_IF_ERROR(expect("%"));
    if (graph_->find(token_.text) || std::ranges::find(names, token_.text) != names.end())
      return error(fmt::format("%{} is defined twice", token_.text));
    ENFOLD_TRY(std::string result, name());
    names.push_back(std::move(result));
  } while (accept(","));
  ENFOLD_RETURN_IF_ERROR(expect("="));
  const auto kind = opByName(token_.text);
  if (!kind) return error(fmt::format("unknown op '{}'", token_.text));
  ENFOLD_RETURN_IF_ERROR(name());
  if (*kind != OpKind::Constant) return op(std::move(names), *kind);
  if (names.size() != 1) return error("a constant has exactly one result");
  return constant(std::move(names[0]));
}

Result<> Parser::header() {
  if (!token_.isWord("graph")) return error("expected 'graph'");
  ENFOLD_RETURN_IF_ERROR(advance());
  ENFOLD_RETURN_IF_ERROR(expect("@"));
  ENFOLD_TRY(std::string graphName, name());
  graph_ = std::make_unique<Graph>(std::move(graphName));
  ENFOLD_RETURN_IF_ERROR(expect("("));
  while (!accept(")")) {
    if (!graph_->inputs().empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
    ENFOLD_RETURN_IF_ERROR(expect("%"));
    if (graph_->find(token_.text)) return error(fmt::format("%{} is defined twice", token_.text));
    ENFOLD_TRY(std::string input, name());
    ENFOLD_RETURN_IF_ERROR(expect(":"));
    ENFOLD_TRY(Type t, type());
    graph_->addInput(std::move(input), std::move(t));
  }
  ENFOLD_RETURN_IF_ERROR(advance());
  return expect("{");
}

Result<> Parser::returns() {
  ENFOLD_RETURN_IF_ERROR(advance());
  while (!accept("}")) {
    if (!graph_->outputs().empty()) ENFOLD_RETURN_IF_ERROR(expect(","));
    ENFOLD_TRY(Value* const value, operand());
    if (!value) return error("an output must name a value");
    std::string outputName = value->name();
    if (token_.isWord("as")) {
      ENFOLD_RETURN_IF_ERROR(advance());
      ENFOLD_TRY(outputName, name());
    }
    graph_->addOutput(value, std::move(outputName));
  }
  return advance();
}

Result<std::unique_ptr<Graph>> Parser::parse() {
  ENFOLD_RETURN_IF_ERROR(advance());
  ENFOLD_RETURN_IF_ERROR(header());
  while (!token_.isWord("return")) ENFOLD_RETURN_IF_ERROR(statement());
  ENFOLD_RETURN_IF_ERROR(returns());
  if (token_.kind != Token::Kind::End) return error("text after the end of the graph");
  return std::move(graph_);
}

} // namespace

Result<std::unique_ptr<Graph>> parseGraph(std::string_view text, const ParseOptions& options) {
  return Parser(text, options).parse();
}

Result<std::unique_ptr<Graph>> parseGraphFile(const std::filesystem::path& path,
                                              ParseOptions options) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return failure(ErrorCode::NoSuchFile, fmt::format("{}: no such file", path.string()));
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return failure(ErrorCode::NoSuchFile, fmt::format("{}: cannot be read", path.string()));
  options.folder = path.parent_path().empty() ? "." : path.parent_path();
  auto graph = parseGraph(text.view(), options);
  if (!graph)
    for (Diag& diag : graph.error().diags)
      diag.message = fmt::format("{}:{}", path.string(), diag.message);
  return graph;
}

} // namespace enfold
