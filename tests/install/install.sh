#!/bin/sh
# Installs a build into a fresh prefix and uses it as strangers do: a C project through the CMake
# package, the same through pkg-config where there is one, a C++ project that compiles models, and
# the command itself.
#   install.sh CMAKE BUILD-FOLDER C-COMPILER CXX-COMPILER [FLAG...]
set -eu
cmake=$1 build=$2 cc=$3 cxx=$4
shift 4
flags="$*"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

"$cmake" --install "$build" --prefix "$prefix" > "$work/install.log"

use_package() {
  "$cmake" -S "$here/$1" -B "$work/$1" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" > "$work/$1.log"
  "$cmake" --build "$work/$1" >> "$work/$1.log" || { cat "$work/$1.log"; exit 1; }
  "$work/$1/app"
}

use_package runtime
if [ -e "$prefix/include/enfold/enfold.hpp" ]; then
  use_package compiler
fi

if command -v pkg-config > /dev/null; then
  export PKG_CONFIG_PATH="$prefix/lib/pkgconfig:$(echo "$prefix"/lib/*/pkgconfig)"
  sources="$here/../runtime/c/main.c $here/../runtime/c/model.c"
  # shellcheck disable=SC2046,SC2086 # both are lists
  "$cc" $flags $sources -o "$work/app" \
    $(pkg-config --cflags --libs enfold-runtime)
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir enfold-runtime) "$work/app"
fi

if [ -x "$prefix/bin/enfold" ]; then
  "$prefix/bin/enfold" --version
fi
