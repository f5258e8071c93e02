"""Trains the shapes10 example network with PyTorch and writes its ONNX model and held-out images.

The network is the zoo's cnn_batchnorm: conv 3->32, BN, ReLU, pool, conv 32->64, BN, ReLU, pool, linear
4096->10. Its input are the bytes of the images as they are in the file; the network itself scales them
to [0, 1]. It is exported with every BatchNormalization kept as a node of its own and a symbolic batch
size. Needs torch, onnx and numpy; the pseudo-random numbers are seeded.
"""
import argparse
import pathlib
from collections import OrderedDict

import dataset
import numpy as np
import torch
from torch import nn

TRAIN_SEED, HELD_OUT_SEED, MODEL_SEED = 1, 2, 3
EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "shapes10"


class Scale(nn.Module):
    """Bytes to floats in [0, 1]."""

    def forward(self, images):
        return images.float() / 255


def network():
    return nn.Sequential(OrderedDict(
        scale=Scale(),
        conv1=nn.Conv2d(3, 32, 3, padding=1), bn1=nn.BatchNorm2d(32), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(32, 64, 3, padding=1), bn2=nn.BatchNorm2d(64), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(), fc=nn.Linear(64 * 8 * 8, len(dataset.CLASSES))))


def train(model, images, labels, epochs, batch=64):
    """AdamW with a one-cycle learning rate and a little label smoothing."""
    images, labels = torch.from_numpy(images), torch.from_numpy(labels).long()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    steps = len(images) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=epochs * steps)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(images))[:steps * batch].split(batch):
            optimizer.zero_grad()
            loss = loss_function(model(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: loss {total / steps:.4f}", flush=True)


@torch.no_grad()
def count_correct(model, images, labels):
    model.eval()
    return int((model(torch.from_numpy(images)).argmax(1).numpy() == labels).sum())


def export(model, path):
    model.eval()
    torch.onnx.export(
        model, (torch.zeros(2, 3, dataset.SIZE, dataset.SIZE, dtype=torch.uint8),), str(path),
        opset_version=17, dynamo=False,
        # In evaluation mode the exporter folds BatchNormalization; PRESERVE keeps it, with the
        # statistics it was trained to, because the model is in evaluation mode itself.
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        input_names=["images"], output_names=["logits"],
        dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--output", type=pathlib.Path, default=EXAMPLE, help="folder to write to")
    arguments.add_argument("--train-images", type=int, default=30000)
    arguments.add_argument("--held-out-images", type=int, default=500)
    arguments.add_argument("--epochs", type=int, default=8)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()

    torch.manual_seed(MODEL_SEED)
    torch.set_num_threads(options.threads)
    model = network()
    train(model, *dataset.draw(options.train_images, TRAIN_SEED), options.epochs)

    images, labels = dataset.draw(options.held_out_images, HELD_OUT_SEED)
    print(f"correct: {count_correct(model, images, labels)} of {len(labels)} held-out images")
    options.output.mkdir(parents=True, exist_ok=True)
    np.save(options.output / "images.npy", images)
    np.save(options.output / "labels.npy", labels)
    export(model, options.output / "model.onnx")


if __name__ == "__main__":
    main()
