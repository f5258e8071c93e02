#!/usr/bin/env bash
# The main job, step by step, for `./dev demo`: a network of the zoo and the trained example go from
# ONNX to fused native code, are checked against the reference, and are timed fused against unfused.
# Stops at the first step that fails.
#   demo.sh ENFOLD WORK-FOLDER
set -euo pipefail
enfold=$1
work=$2
mkdir -p "$work"
shapes=examples/shapes10

title() { printf '\n=== %s\n' "$*"; }
run() {
  printf '\n$ enfold %s\n' "$*"
  "$enfold" "$@"
}

title "A network of the zoo: conv, BatchNorm, ReLU and pool, twice, and a linear layer"
run zoo cnn_batchnorm -o "$work/cnn_batchnorm.onnx"

title "The graph as imported"
run opt "$work/cnn_batchnorm.onnx" --passes none

title "The graph after the passes: BatchNorm folded into the weights, the rest in epilogues"
run opt "$work/cnn_batchnorm.onnx"

title "What was folded and fused, what was not, and why"
run explain "$work/cnn_batchnorm.onnx"

title "16 random images through the compiled network, checked against the reference"
run run "$work/cnn_batchnorm.onnx" --random 1 --check reference

title "Fused against unfused"
run bench "$work/cnn_batchnorm.onnx" --seconds 2 --compare unfused

title "The trained example: ten classes of shapes and textures"
run explain "$shapes/model.onnx" --shape batch=16

title "500 images that it has not seen, fused and unfused"
run run "$shapes/model.onnx" --input "images=$shapes/images.npy" --labels "$shapes/labels.npy"
run run "$shapes/model.onnx" --input "images=$shapes/images.npy" --labels "$shapes/labels.npy" \
  --no-fuse

title "Fused against unfused, 16 images at a time"
run bench "$shapes/model.onnx" --shape batch=16 --seconds 2 --compare unfused
