#!/bin/sh
# Builds and runs the C application here as a user would, with the C compiler alone, and makes sure
# that the runtime library asks for nothing of the C++ library.
#   link.sh C-COMPILER LIBRARY INCLUDE-FOLDER [FLAG...]
set -eu
compiler=$1 library=$2 include=$3
shift 3
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if nm -u "$library" | grep -E ' (_ZSt|_ZNK?St|_ZN9__gnu_cxx|__cxa_|__gxx_|_Zn[wa]|_Zd[la]|_ZT)'; then
  echo "$library needs the C++ library for the symbols above" >&2
  exit 1
fi
for source in main model; do
  "$compiler" -std=c99 -pedantic -Wall -Wextra -Werror -O2 "$@" -I"$include" \
    -c "$here/$source.c" -o "$work/$source.o"
done
"$compiler" "$@" "$work/main.o" "$work/model.o" "$library" -lpthread -lm -o "$work/app"
"$work/app"
