#!/bin/sh
# Builds the example in Go with the shared library, runs it twice, and on a model that is not there.
#   go.sh EXAMPLE-FOLDER LIBRARY-FOLDER
set -eu
command -v go > /dev/null || { echo "skipped: there is no Go compiler"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LIBRARY_PATH="$2" LD_LIBRARY_PATH="$2" GOCACHE="$work/cache" GOFLAGS=-mod=mod
cd "$1"
go vet .
go build -o "$work/example" .
"$work/example" > "$work/scores"
# "zoo:cnn_batchnorm: output: [10 numbers]"
grep -Eq '^[a-z0-9_]+: \[(-?[0-9.e-]+ ){9}-?[0-9.e-]+\]$' "$work/scores" || { cat "$work/scores"; exit 1; }
if "$work/example" no_such.onnx 2> "$work/message"; then exit 1; fi
grep -q no_such.onnx "$work/message"
