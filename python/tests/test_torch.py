"""torch.compile(model, backend="enfold"), and torch modules as models."""

from __future__ import annotations

import warnings

import enfold
import numpy
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: ./dev test --all")
torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

from enfold.torch import backend

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _anew() -> None:
    torch.manual_seed(3)
    torch._dynamo.reset()


def compiled(module: torch.nn.Module, **options: object) -> torch.nn.Module:
    return torch.compile(module.eval(), backend=backend, **options)


def agree(got: torch.Tensor, expected: torch.Tensor) -> None:
    scale = max(1.0, expected.abs().max().item())
    assert (got - expected).abs().max().item() <= 1e-4 * scale


def small() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()
    ).eval()


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x1_0", "densenet121"]
)
def test_torchvision(name: str) -> None:
    module = getattr(torchvision.models, name)(weights=None).eval()
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a fallback would warn
        agree(compiled(module)(image), module(image))


def test_entry_point() -> None:
    from importlib.metadata import entry_points

    if not any(e.name == "enfold" for e in entry_points(group="torch_dynamo_backends")):
        pytest.skip("the package is not installed but run from the build folder")
    assert "enfold" in torch._dynamo.list_backends()


def test_dynamic_batch() -> None:
    module = small()
    model = compiled(module)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for batch in (1, 2, 3, 5, 2):
            image = torch.rand(batch, 3, 16, 16)
            agree(model(image), module(image))


def test_graph_breaks() -> None:
    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = small(), torch.nn.Conv2d(8, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            torch._dynamo.graph_break()
            return self.second(x)

    module = Broken().eval()
    image = torch.rand(2, 3, 9, 9)
    with torch.no_grad():
        agree(compiled(module)(image), module(image))


def test_changed_weights_are_seen() -> None:
    module = small()
    model = compiled(module)
    image = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        before = model(image)
        module[0].weight.mul_(2)
        module[1].running_mean.add_(1)
        after = model(image)
        assert not torch.equal(before, after)
        agree(after, module(image))


def test_gradients_fall_back() -> None:
    module = small()
    image = torch.rand(1, 3, 8, 8)
    with pytest.warns(UserWarning, match="gradients are wanted"):
        result = compiled(module)(image)
    result.sum().backward()
    assert module[0].weight.grad is not None


def test_training_falls_back() -> None:
    module = small().train()
    model = torch.compile(module, backend=backend)
    with torch.no_grad(), pytest.warns(UserWarning, match="enfold: a graph runs in torch"):
        model(torch.rand(4, 3, 8, 8))
    assert module[1].num_batches_tracked == 1


def test_several_results() -> None:
    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int, torch.Tensor]:
            return x.relu(), x.shape[0], x + 1

    image = torch.randn(2, 3)
    with torch.no_grad():
        first, size, second = compiled(Two())(image)
    assert size == 2
    agree(first, image.relu())
    agree(second, image + 1)


def test_module_as_model() -> None:
    module, image = small(), torch.rand(1, 3, 8, 8)
    model = enfold.compile(module, example_inputs=(image,))
    with torch.no_grad():
        agree(model(image), module(image))
    assert isinstance(model(image), torch.Tensor)


def test_module_with_open_batch() -> None:
    module = small()
    batch = torch.export.Dim("batch")
    model = enfold.compile(
        module, example_inputs=(torch.rand(2, 3, 8, 8),), dynamic_shapes=({0: batch},)
    )
    for size in (1, 4):
        image = torch.rand(size, 3, 8, 8)
        with torch.no_grad():
            agree(model(image), module(image))


def test_module_without_inputs() -> None:
    with pytest.raises(TypeError, match="example_inputs"):
        enfold.compile(small())


def test_tensors_that_numpy_lacks() -> None:
    from conftest import elementwise

    model = enfold.compile(elementwise("Identity", 16, [4]))
    tensor = torch.tensor([0.5, -1, 2, 0], dtype=torch.bfloat16)
    assert torch.equal(model(tensor), tensor)
    assert numpy.asarray(model(tensor).view(torch.int16)).dtype == numpy.int16
