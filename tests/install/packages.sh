#!/bin/sh
# Makes the Debian packages, and unpacks them into a folder as dpkg would. Each has the files and the
# dependencies of its kind; the command there runs, and a program built with the library there runs
# with the runtime alone.
#   packages.sh CPACK BUILD-FOLDER C-COMPILER
set -eu
cpack=$1 build=$2 cc=$3
here=$(cd "$(dirname "$0")" && pwd)
for tool in dpkg-deb dpkg-shlibdeps; do
  command -v "$tool" > /dev/null || { echo "skipped: there is no $tool"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" >&2; exit 1; }

"$cpack" -G DEB -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip --config "$build/CPackConfig.cmake" -B "$work" > "$work/log" 2>&1 ||
  { cat "$work/log"; exit 1; }
ls -s "$work"/*.deb

# expect PACKAGE FIELD TEXT: the package's field contains the text.
expect() {
  value=$(dpkg-deb -f "$work/$1"_*.deb "$2")
  case $value in
    *"$3"*) ;;
    *) fail "$1: $2 is '$value', without '$3'" ;;
  esac
}
expect enfold Depends libc6
expect enfold Depends libllvm
expect enfold Recommends binutils
expect libenfold-dev Depends "libenfold-runtime0 (= "
expect libenfold-runtime0 Depends libc6
case $(dpkg-deb -f "$work"/libenfold-runtime0_*.deb Depends) in
  *libllvm* | *libprotobuf*) fail "the runtime needs more than the C library" ;;
esac

for package in libenfold-runtime0 libenfold-dev enfold; do
  dpkg-deb -x "$work/$package"_*.deb "$work/root"
  # Packages do not overlap.
  dpkg-deb -c "$work/$package"_*.deb | awk '$1 !~ /^d/ { print $6 }' >> "$work/files"
done
repeated=$(sort "$work/files" | uniq -d)
[ -z "$repeated" ] || fail "in two packages: $repeated"

export PKG_CONFIG_SYSROOT_DIR="" PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/root" -name enfold.pc)")
libraries=$(pkg-config --variable=libdir enfold)
"$(find "$work/root" -path "*/bin/enfold")" --version
# shellcheck disable=SC2046 # a list
"$cc" "$here/compiler/main.c" -o "$work/app" $(pkg-config --cflags --libs enfold)
LD_LIBRARY_PATH=$libraries "$work/app"
# shellcheck disable=SC2046
"$cc" "$here/../runtime/c/main.c" "$here/../runtime/c/model.c" -o "$work/app" \
  $(pkg-config --cflags --libs enfold-runtime)
dpkg-deb -x "$work"/libenfold-runtime0_*.deb "$work/alone"
LD_LIBRARY_PATH=$(dirname "$(find "$work/alone" -name 'libenfold_runtime.so.0')") "$work/app"
