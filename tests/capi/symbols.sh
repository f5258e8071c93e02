#!/bin/sh
# Each shared library exports the functions of its headers and nothing else.
#   symbols.sh LIBRARY HEADER...
set -eu
library=$1
shift
exported=$(nm -D --defined-only "$library" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort)
others=$(nm -D --defined-only "$library" | awk '$2 !~ /^[TA]$/ { print }')
declared=$(cat "$@" | sed 's@/\*.*\*/@@' | grep -o 'enfold_[a-z0-9_]*(' | tr -d '(' | sort -u)
if [ "$exported" != "$declared" ] || [ -n "$others" ]; then
  echo "$library exports:" >&2
  echo "$exported $others" >&2
  echo "and its headers declare:" >&2
  echo "$declared" >&2
  exit 1
fi
