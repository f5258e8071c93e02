// Tokenizing the text form.
#include "ir/Lexer.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cctype>

namespace enfold {
namespace {

bool isWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' ||
         c == '-' || c == '+';
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool looksNumeric(std::string_view word) {
  const size_t digit = word[0] == '-' || word[0] == '+' ? 1 : 0;
  return word.size() > digit && std::isdigit(static_cast<unsigned char>(word[digit])) &&
         word.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
}

} // namespace

void Lexer::advance() {
  if (peek() == '\n') {
    ++line_;
    column_ = 0;
  }
  ++at_;
  ++column_;
}

void Lexer::skipBlank() {
  while (at_ < text_.size()) {
    if (peek() == '#')
      while (at_ < text_.size() && peek() != '\n') advance();
    else if (std::isspace(static_cast<unsigned char>(peek())))
      advance();
    else
      return;
  }
}

Result<Token> Lexer::string(Token token) {
  token.kind = Token::Kind::String;
  advance();
  while (at_ < text_.size() && peek() != '"' && peek() != '\n') {
    if (peek() == '\\') {
      advance();
      if (peek() == 'x' && hexDigit(peek(1)) >= 0 && hexDigit(peek(2)) >= 0) {
        token.text += static_cast<char>(hexDigit(peek(1)) * 16 + hexDigit(peek(2)));
        advance(), advance(), advance();
        continue;
      }
      if (peek() != '"' && peek() != '\\')
        return failure(ErrorCode::SyntaxError,
                       fmt::format("{}:{}: unknown escape in a string", line_, column_));
    }
    token.text += peek();
    advance();
  }
  if (peek() != '"')
    return failure(ErrorCode::SyntaxError,
                   fmt::format("{}:{}: string without an end", token.line, token.column));
  advance();
  return token;
}

Result<Token> Lexer::next() {
  skipBlank();
  Token token{Token::Kind::End, "", line_, column_};
  if (at_ >= text_.size()) return token;
  const char c = peek();
  if (c == '"') return string(std::move(token));
  if (isWordChar(c)) {
    while (at_ < text_.size() && isWordChar(peek())) {
      token.text += peek();
      advance();
    }
    token.kind = looksNumeric(token.text) ? Token::Kind::Number : Token::Kind::Word;
    return token;
  }
  if (std::string_view("%@(){}[]:,=").find(c) == std::string_view::npos)
    return failure(ErrorCode::SyntaxError,
                   fmt::format("{}:{}: unexpected character '{}'", line_, column_,
                               std::isprint(static_cast<unsigned char>(c)) ? c : '?'));
  token.kind = Token::Kind::Symbol;
  token.text = c;
  advance();
  return token;
}

} // namespace enfold
