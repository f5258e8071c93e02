#!/bin/sh
# Installs a build into a fresh prefix, moves it, and uses it as strangers do: projects in C that run
# and that compile models, through the CMake package and through pkg-config where there is one; a
# project in C++ that compiles models; and the command itself.
#   install.sh CMAKE BUILD-FOLDER C-COMPILER CXX-COMPILER [FLAG...]
set -eu
cmake=$1 build=$2 cc=$3 cxx=$4
shift 4
flags="$*"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/moved

"$cmake" --install "$build" --prefix "$work/first" > "$work/install.log"
mv "$work/first" "$prefix"
if [ -e "$prefix/enfold" ]; then
  echo "the Python package was installed as well" >&2
  exit 1
fi

use_package() {
  "$cmake" -S "$here/$1" -B "$work/$1" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" > "$work/$1.log"
  "$cmake" --build "$work/$1" >> "$work/$1.log" || { cat "$work/$1.log"; exit 1; }
  "$work/$1/app"
}

for kind in runtime compiler cxx; do
  use_package "$kind"
done

# use_pkg_config NAME [OPTION] FILE...
use_pkg_config() {
  name=$1
  shift
  # shellcheck disable=SC2046,SC2086 # both are lists
  "$cc" $flags "$@" -o "$work/app" $(pkg-config --cflags --libs "$name")
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir "$name") "$work/app"
}

if command -v pkg-config > /dev/null; then
  PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name enfold.pc)")
  export PKG_CONFIG_PATH
  use_pkg_config enfold "$here/compiler/main.c"
  use_pkg_config enfold-runtime "$here/../runtime/c/main.c" "$here/../runtime/c/model.c"
fi

"$prefix/bin/enfold" --version
