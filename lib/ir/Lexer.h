// Tokens of the text form of graphs.
#pragma once

#include "support/Result.h"

#include <string>
#include <string_view>

namespace enfold {

struct Token {
  enum class Kind : uint8_t { Word, Number, String, Symbol, End };
  Kind kind = Kind::End;
  std::string text; ///< of a string: its value; of a symbol: one character
  int line = 1, column = 1;

  bool is(std::string_view symbol) const { return kind == Kind::Symbol && text == symbol; }
  bool isWord(std::string_view word) const { return kind == Kind::Word && text == word; }
};

/// Splits text into tokens. Words hold letters, digits, '_', '.', '/' and '-'; a word of digits
/// that reads as a number is a Number. `#` starts a comment up to the end of the line.
class Lexer {
public:
  explicit Lexer(std::string_view text) : text_(text) {}

  /// The next token; an error of kind Invalid with its position for a stray character.
  Result<Token> next();

private:
  Result<Token> string(Token token);
  void skipBlank();
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : 0; }
  void advance();

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1, column_ = 1;
};

} // namespace enfold
