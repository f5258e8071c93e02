// Reading a problem, and building it with random weights.
#include "Problem.h"

#include "ir/Builder.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>
#include <sstream>

namespace enfold::perf {
namespace {

struct Words {
  std::string kind;
  std::map<char, int64_t> sizes;
  std::set<std::string> flags;

  int64_t size(char letter, int64_t otherwise = 1) const {
    const auto found = sizes.find(letter);
    return found == sizes.end() ? otherwise : found->second;
  }
};

/// The letters a kind of problem has sizes for.
const std::map<std::string, std::string_view>& kinds() {
  static const std::map<std::string, std::string_view> table = {{"conv", "nchwokspdgrq"},
                                                                {"gemm", "mkn"}};
  return table;
}

Result<Words> wordsOf(std::string_view text) {
  std::istringstream stream{std::string(text)};
  Words words;
  stream >> words.kind;
  const auto kind = kinds().find(words.kind);
  if (kind == kinds().end()) return usageError(fmt::format("'{}' is no problem", words.kind));
  for (std::string word; stream >> word;) {
    if (word == "bias" || word == "relu") {
      words.flags.insert(word);
      continue;
    }
    int64_t size = 0;
    const char* end = word.data() + word.size();
    const auto read = std::from_chars(word.data() + 1, end, size);
    if (!kind->second.contains(word[0]) || read.ec != std::errc() || read.ptr != end || size < 0)
      return usageError(fmt::format("'{}' is no size of {}", word, words.kind));
    words.sizes[word[0]] = size;
  }
  return words;
}

Value* conv(GraphBuilder& g, const Words& w) {
  const int64_t c = w.size('c'), o = w.size('o'), k = w.size('k'), group = w.size('g');
  const int64_t h = w.size('h'), p = w.size('p', 0), s = w.size('s'), d = w.size('d');
  const int64_t r = w.size('r', k), q = w.size('q', p);
  Value* x = g.input("x", {ElemType::F32, {w.size('n'), c, h, w.size('w', h)}, {}});
  std::vector<Value*> operands = {
      x, g.uniform("weight", {o, c / std::max<int64_t>(group, 1), k, r}, -0.5, 0.5)};
  if (w.flags.contains("bias")) operands.push_back(g.uniform("bias", {o}, -1, 1));
  using Ints = std::vector<int64_t>;
  return g.op(OpKind::Conv, "conv", operands,
              {{"pads", Ints{p, q, p, q}},
               {"strides", Ints{s, s}},
               {"dilations", Ints{d, d}},
               {"group", group}});
}

Value* gemm(GraphBuilder& g, const Words& w) {
  std::vector<Value*> operands = {g.input("x", {ElemType::F32, {w.size('m'), w.size('k')}, {}}),
                                  g.uniform("weight", {w.size('k'), w.size('n')}, -0.5, 0.5)};
  if (w.flags.contains("bias")) operands.push_back(g.uniform("bias", {w.size('n')}, -1, 1));
  return g.op(OpKind::Gemm, "gemm", operands);
}

} // namespace

Result<std::unique_ptr<Graph>> graphOf(std::string_view text) {
  ENFOLD_TRY(const Words words, wordsOf(text));
  GraphBuilder g("problem");
  Value* y = words.kind == "conv" ? conv(g, words) : gemm(g, words);
  if (words.flags.contains("relu")) y = g.op(OpKind::Relu, "relu", {y});
  return g.finish(y, "y");
}

} // namespace enfold::perf
