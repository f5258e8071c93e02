"""Runs the enfold command on one subject: its exports, its inputs, and what must come out."""

import subprocess


class Refused(Exception):
    """The command said that it cannot take the model."""


class Exporter:
    def __init__(self, enfold, subject, folder):
        self.enfold, self.subject, self.folder = enfold, subject, folder
        self.model = subject.model
        self.constants = set()  # inputs that were made constants, since shapes depend on them

    def command(self, *arguments):
        done = subprocess.run(
            [self.enfold, *arguments], capture_output=True, text=True, errors="replace"
        )
        if done.returncode:
            raise Refused(f"enfold {' '.join(map(str, arguments))}: {done.stderr.strip()[:500]}")

    def data(self):
        """(inputs by name, outputs in order) of every recorded set."""
        import onnx

        graph = onnx.load(self.subject.model, load_external_data=False).graph
        known = {tensor.name for tensor in graph.initializer}
        names = [value.name for value in graph.input if value.name not in known]
        for folder in self.subject.data:
            inputs, outputs = read_tensors(folder, "input"), read_tensors(folder, "output")
            yield {
                name or names[number]: value for number, (name, value) in enumerate(inputs)
            }, [value for _, value in outputs]

    def shape_options(self, inputs):
        shapes = {name: value.shape for name, value in inputs.items()} | self.subject.shapes
        return [
            f"--shape={name}={'x'.join(map(str, shape))}"
            for name, shape in shapes.items()
            if name not in self.constants and len(shape) > 0
        ]

    def export(self, passes, inputs, path):
        """Writes the model, or raises Refused."""
        options = [*self.shape_options(inputs), *passes, "-o", path]
        try:
            self.command("opt", self.model, *options)
        except Refused:
            if not self.make_constants(inputs):
                raise
            options = [*self.shape_options(inputs), *passes, "-o", path]
            self.command("opt", self.model, *options)

    def make_constants(self, inputs):
        """Turns inputs of integers into constants, for shapes may depend on them. False if there is
        nothing to turn."""
        import numpy
        import onnx

        integers = {
            name: value
            for name, value in inputs.items()
            if numpy.issubdtype(value.dtype, numpy.integer) and name not in self.constants
        }
        if not integers or not self.model.endswith(".onnx"):
            return False
        model = onnx.load(self.model)
        for value in list(model.graph.input):
            if value.name in integers:
                model.graph.input.remove(value)
                tensor = onnx.numpy_helper.from_array(integers[value.name], value.name)
                model.graph.initializer.append(tensor)
        self.constants |= set(integers)
        self.model = str(self.folder / "constant.onnx")
        onnx.save(model, self.model)
        return True

    def answers(self, inputs, outputs):
        """enfold's own, for models without recorded outputs, by name of their element types: files
        hold bf16 as f32."""
        import numpy
        import onnx

        arguments = []
        for number, (name, value) in enumerate(inputs.items()):
            file = self.folder / f"input_{number}.pb"
            file.write_bytes(onnx.numpy_helper.from_array(value, name).SerializeToString())
            arguments += ["--input", f"{name}={file}"]
        results = self.folder / "results"
        self.command("run", self.model, "--threads", "1", *arguments, "--output", results)
        return [
            numpy.load(results / f"{name}.npy").astype(dtype) for name, dtype in outputs.items()
        ]


def read_tensors(folder, label):
    """(name, value) of input_N.pb or output_N.pb, in order."""
    import onnx

    files = sorted(folder.glob(f"{label}_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
    for file in files:
        tensor = onnx.TensorProto.FromString(file.read_bytes())
        yield tensor.name, onnx.numpy_helper.to_array(tensor)


def random_inputs(path, seed=1):
    """Numbers for every input of a model without data: floats in [0, 1), integers in [0, 2)."""
    import numpy
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    known = {tensor.name for tensor in graph.initializer}
    random = numpy.random.default_rng(seed)
    inputs = {}
    for value in graph.input:
        if value.name not in known:
            tensor = value.type.tensor_type
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            shape = [dim.dim_value for dim in tensor.shape.dim]
            if numpy.issubdtype(dtype, numpy.floating):
                inputs[value.name] = random.random(shape).astype(dtype)
            else:
                inputs[value.name] = random.integers(0, 2, shape).astype(dtype)
    return inputs
