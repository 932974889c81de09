"""The fit's Adam against PyTorch's."""

import torch

from sherf.photo.adam import Adam


def test_every_step_is_that_of_pytorchs_adam() -> None:
    torch.manual_seed(0)
    start = [torch.randn(5, 3), torch.randn(())]
    ours, theirs = ([x.clone() for x in start] for _ in range(2))
    for x in theirs:
        x.requires_grad_()
    rates = [0.05, 0.01]
    adam = Adam(list(zip(ours, rates, strict=True)))
    reference = torch.optim.Adam([{"params": [x], "lr": rate} for x, rate in zip(theirs, rates, strict=True)])

    def energy(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a.sin() * (1 + b)).square().sum() + 0.3 * (a.sum() - b).abs()

    for step in range(60):
        factor = 1 - step / 80
        adam.step(energy(*ours), factor)
        for group, rate in zip(reference.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        reference.zero_grad()
        energy(*theirs).backward()
        reference.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert (ours[0] - start[0]).abs().min() > 0
