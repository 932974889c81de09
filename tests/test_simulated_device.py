"""The simulated GPU fails where CUDA fails, and counts what makes the CPU wait."""

from collections.abc import Callable

import pytest
import torch
from pytorch3d import _C as pytorch3d_cpu
from pytorch3d.ops import knn_points
from simulated_device import NO_CUDA_KERNEL, NerfaccKernels, Pytorch3dKernels, SimulatedTensor, simulated_gpu
from torch import Tensor

from sherf.render.torch_backend import BruteForceSurface, BruteForceVertices
from tests.render.meshes import scattered, torus

FLOATS, INDICES = torch.rand(4, 4), torch.arange(4)


def _gpu(x: Tensor) -> Tensor:
    return x.to("cuda")


def _without_generator_of_the_device() -> Tensor:
    return torch.rand(3, device="cuda", generator=torch.Generator())


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "two devices": (lambda: _gpu(FLOATS) + FLOATS, "same device"),
    "a matrix of each device": (lambda: _gpu(FLOATS) @ FLOATS, "same device"),
    "joined from two devices": (lambda: torch.cat([_gpu(FLOATS), FLOATS]), "same device"),
    "changed in place by the other device": (lambda: torch.zeros(4, 4).add_(_gpu(FLOATS)), "same device"),
    "a large tensor by a number of the device": (lambda: FLOATS * _gpu(torch.tensor(2.0)), "same device"),
    "the CPU indexed by the device": (lambda: FLOATS[_gpu(INDICES)], "indices should be either on cpu"),
    "values of the CPU stored on the device": (lambda: _gpu(FLOATS).index_put_((INDICES,), FLOATS), "same device"),
    "a product of integers": (lambda: _gpu(INDICES[:, None]) @ _gpu(INDICES[None]), "not implemented"),
    "an einsum of integers": (lambda: torch.einsum("i,i->", _gpu(INDICES), _gpu(INDICES)), "not implemented"),
    "integers pooled": (lambda: torch.nn.functional.max_pool2d(_gpu(INDICES.reshape(1, 2, 2)), 2), "not implemented"),
    "numpy": (lambda: _gpu(FLOATS).numpy(), r"Tensor.cpu\(\)"),
    "numpy of a layer": (lambda: torch.nn.Linear(2, 2).to("cuda").weight.detach().numpy(), r"Tensor.cpu\(\)"),
    "random numbers of the CPU": (_without_generator_of_the_device, "generator"),
    "nerfacc with 32 bits": (
        lambda: NerfaccKernels.exclusive_sum(
            _gpu(INDICES.int()), _gpu(INDICES), _gpu(torch.ones(4)), False, False
        ),
        "expected scalar type",
    ),
    "nerfacc on the CPU": (
        lambda: NerfaccKernels.exclusive_sum(INDICES, INDICES, torch.ones(4), False, False),
        "CHECK_INPUT",
    ),
    "PyTorch3D with 64 bits": (lambda: knn_points(*2 * (_gpu(FLOATS[None].double()),)), "expected"),
    "PyTorch3D with two devices": (lambda: knn_points(_gpu(FLOATS[None]), FLOATS[None]), "GPU"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_fails_on_cuda_fails_here(name: str) -> None:
    fault, message = FAULTS[name]
    with simulated_gpu(), pytest.raises((RuntimeError, TypeError), match=message):
        fault()


def test_what_cuda_allows_works_with_the_same_values() -> None:
    with simulated_gpu():
        x = _gpu(FLOATS)
        results = {
            "number of the CPU": (x * torch.tensor(2.0), FLOATS * 2),
            "index of the CPU": (x[INDICES.flip(0)], FLOATS.flip(0)),
            "created there": (torch.arange(4, device="cuda") + _gpu(INDICES), 2 * INDICES),
            "like another": (torch.zeros_like(x) + x, FLOATS),
            "types": (x.double().int(), FLOATS.int()),
            "vector by matrix": (x[0] @ x, FLOATS[0] @ FLOATS),
            "copied between devices": (torch.empty(4, 4, device="cuda").copy_(FLOATS), FLOATS),
        }
        for name, (there, here) in results.items():
            assert there.is_cuda and str(there.device) == "cuda:0", name
            torch.testing.assert_close(there.cpu(), here, msg=name)


def test_gradients_flow_between_the_devices() -> None:
    x = torch.rand(3, requires_grad=True)
    with simulated_gpu():
        layer = torch.nn.Linear(3, 1).to("cuda")
        layer(x.to("cuda")).sum().cpu().backward()
        assert isinstance(layer.weight.grad, SimulatedTensor)
        torch.testing.assert_close(x.grad, layer.weight.detach().cpu()[0])


WAITING: dict[str, Callable[[Tensor], object]] = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "bool": lambda x: bool(x.any()),
    "nonzero": lambda x: x.nonzero(),
    "boolean indexing": lambda x: x[x > 0.5],
    "boolean assignment": lambda x: x.__setitem__(x > 0.5, 0.0),
    "cpu": lambda x: x.cpu(),
    "tolist": lambda x: x.tolist(),
    "unique": lambda x: x.unique(),
}


@pytest.mark.parametrize("name", WAITING)
def test_each_wait_for_the_device_is_counted_once(name: str) -> None:
    with simulated_gpu() as device:
        x = _gpu(FLOATS)
        device.synchronisations.clear()
        WAITING[name](x)
        assert device.synchronisations.total() == 1
        (2 * x).sum(dim=0).relu()
        assert device.synchronisations.total() == 1, "arithmetic does not wait"


def test_every_unsupported_operation_has_a_source() -> None:
    for name, (dtypes, source) in NO_CUDA_KERNEL.items():
        assert hasattr(torch.ops.aten, name) and dtypes and (".cu" in source or ".cpp" in source or ".yaml" in source)


def test_the_twins_find_what_pytorch3d_finds() -> None:
    vertices, faces = torus()
    points = scattered(200, 0.5)
    with simulated_gpu():
        found = knn_points(_gpu(points)[None], _gpu(vertices)[None]).idx[0, :, 0].cpu()
        assert (found == BruteForceVertices(vertices)(points)).float().mean() > 0.99
        first = torch.zeros(1, dtype=torch.long)
        arguments = (points, first, vertices[faces], first)
        squared, _ = Pytorch3dKernels.point_face_dist_forward(*(_gpu(x) for x in arguments), len(points), 1e-8)
        distance = BruteForceSurface(vertices, faces).nearest(points).distance
        torch.testing.assert_close(squared.cpu().sqrt(), distance.abs(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(20, 32), (32, 20)])
def test_the_twin_of_the_rasteriser_draws_what_pytorch3d_draws(size: tuple[int, int]) -> None:
    vertices, faces = torus()
    corners = (vertices + torch.tensor([0.1, 0.0, 2.0]))[faces]
    first, count = torch.zeros(1, dtype=torch.long), torch.tensor([len(faces)])
    arguments = corners, first, count, torch.full((len(faces),), -1)
    options = size, 0.0, 1, 0, 0, True, False, False
    _, depth, _, _ = pytorch3d_cpu.rasterize_meshes(*arguments, *options)
    with simulated_gpu():
        _, twin, _, _ = Pytorch3dKernels.rasterize_meshes(*(_gpu(x) for x in arguments), *options)
        torch.testing.assert_close(twin.cpu(), depth, atol=1e-5, rtol=0)
    assert bool((depth > 0).any() and (depth < 0).any())
