"""Scores the images of examples/shapes10 on a Ray cluster, the local machine if there is none.

    python score_on_ray.py [COPIES]

repeats the images COPIES times (20). Ray shows the progress.
"""

import pathlib
import sys
import time

import enfold.ray
import numpy
import ray

folder = pathlib.Path(__file__).parent.parent / "shapes10"
copies = int(sys.argv[1]) if len(sys.argv) > 1 else 20
images = numpy.load(folder / "images.npy")
labels = numpy.load(folder / "labels.npy")
rows = [{"image": image, "label": label} for image, label in zip(images, labels)]

ray.init(log_to_driver=False)
workers = max(1, int(ray.cluster_resources()["CPU"]) - 1)  # one CPU reads
scored = ray.data.from_items(rows * copies).map_batches(
    enfold.ray.Predictor,
    fn_constructor_kwargs={
        "model": (folder / "model.onnx").read_bytes(),
        "inputs": {"images": "image"},
    },
    batch_size=1024,
    batch_format="numpy",
    compute=ray.data.ActorPoolStrategy(size=workers),
    num_cpus=1,
)
begin = time.perf_counter()
right = count = 0
for batch in scored.iter_batches(batch_size=4096, batch_format="numpy"):
    right += int((batch["logits"].argmax(axis=1) == batch["label"]).sum())
    count += len(batch["label"])
seconds = time.perf_counter() - begin
print(f"{right} of {count} images recognized; {count / seconds:.0f} images/s on {workers} actors")
