#!/bin/sh
# A shared library exports the functions of its headers, and the two symbols by which debuggers find code
# that was made just in time, and nothing else. The functions are those on its list: what a program was
# linked with never vanishes.
#   symbols.sh LIBRARY LIST HEADER...
set -eu
library=$1 list=$2
shift 2
exported=$(nm -D --defined-only "$library" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort)
others=$(nm -D --defined-only "$library" |
  awk '$2 !~ /^[TA]$/ && $3 !~ /^__jit_debug_(descriptor|register_code)(@|$)/ { print }')
declared=$(cat "$@" | sed 's@/\*.*\*/@@' | grep -o 'enfold_[a-z0-9_]*(' | tr -d '(' | sort -u)
if [ "$exported" != "$declared" ] || [ -n "$others" ]; then
  echo "$library exports:" >&2
  echo "$exported $others" >&2
  echo "and its headers declare:" >&2
  echo "$declared" >&2
  exit 1
fi
if [ "$exported" != "$(cat "$list")" ]; then
  echo "$library exports other functions than $list says (left: only the library)." >&2
  echo "Functions may be added to the list, and are never removed:" >&2
  echo "$exported" | comm -3 - "$list" >&2
  exit 1
fi
