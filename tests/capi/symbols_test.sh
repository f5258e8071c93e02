#!/bin/sh
# symbols.sh fails when a library has lost a function, gained one, or exports what is no function.
#   symbols_test.sh C-COMPILER
set -eu
cc=$1
check=$(cd "$(dirname "$0")" && pwd)/symbols.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf 'int enfold_a(void);\nint enfold_b(int x);\n' > header.h
printf 'enfold_a\nenfold_b\n' > list

# try SOURCE: the answer of the check on a library made of it.
try() {
  echo "$1" | "$cc" -shared -fPIC -x c - -o library.so
  sh "$check" library.so list header.h 2> message
}
both='int enfold_a(void) { return 1; } int enfold_b(int x) { return x; }'
fail() { echo "$1"; cat message; exit 1; }

try "$both" || fail "the functions as listed are refused"
try 'int enfold_a(void) { return 1; }' && fail "a lost function is not noticed"
try "$both int enfold_c(void) { return 2; }" && fail "a function of no header is not noticed"
try "$both int enfold_d = 1;" && fail "a variable is not noticed"
echo 'int enfold_c(void);' >> header.h
try "$both int enfold_c(void) { return 2; }" && fail "a function of no list is not noticed"
echo 'enfold_c' >> list
try "$both int enfold_c(void) { return 2; }" || fail "a function added to header and list is refused"
sed -i /enfold_b/d header.h
try 'int enfold_a(void) { return 1; } int enfold_c(void) { return 2; }' &&
  fail "a function removed with its declaration is not noticed"
exit 0
