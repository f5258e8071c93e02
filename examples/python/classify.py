"""Scores the images of examples/shapes10 with the network that was trained on them."""

import pathlib

import enfold
import numpy

folder = pathlib.Path(__file__).parent.parent / "shapes10"
model = enfold.compile(folder / "model.onnx")
images = numpy.load(folder / "images.npy")
labels = numpy.load(folder / "labels.npy")
right = (model(images).argmax(axis=1) == labels).sum()
print(f"{right} of {len(labels)} images recognized")
