"""Dropout on a CPU: the same rule as torch's, for the layers of a model in training, and nowhere else."""

from typing import Any

import pytest
import torch
from torch import nn

from hfkit.models.kernels import cpu_dropout

CPU = torch.device("cpu")


def layer(p: float, **options: Any) -> nn.Dropout:
    return nn.Dropout(p, **options).train()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.93])
def test_a_share_is_zero_and_the_rest_is_scaled(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    states = torch.ones(7, 331, 443, dtype=dtype, requires_grad=True)
    out = cpu_dropout.drop(layer(p), states)
    assert out.dtype == dtype and out.shape == states.shape
    kept = out != 0
    # Of 1,026,571 numbers the share of zeros lies within 5 standard deviations.
    assert abs(1 - kept.float().mean().item() - p) < 5 * (p * (1 - p) / states.numel()) ** 0.5
    assert out[kept].unique().tolist() == pytest.approx([1 / (1 - p)], rel=1e-2 if dtype == torch.bfloat16 else 1e-3)
    out.backward(torch.full_like(out, 2.0))
    assert states.grad is not None and torch.equal(states.grad, 2 * out.detach())


def test_neighbours_fall_independently() -> None:
    """The four numbers that a draw of 64 bits makes are no more alike than others."""
    torch.manual_seed(0)
    zeros = (cpu_dropout.drop(layer(0.3), torch.ones(250_000, 4)) == 0).double()
    together = torch.corrcoef(zeros.T) - torch.eye(4)
    assert together.abs().max() < 5 / 500  # 250,000 rows: a standard deviation is 1/500
    assert torch.allclose(zeros.mean(0), torch.full((4,), 0.3, dtype=torch.float64), atol=5 * 0.46 / 500)


def test_a_seed_says_what_falls_with_any_number_of_threads() -> None:
    def drawn(threads: int) -> torch.Tensor:
        torch.set_num_threads(threads)
        torch.manual_seed(3)
        return cpu_dropout.drop(layer(0.2), torch.ones(500_001))

    before = torch.get_num_threads()
    try:
        assert torch.equal(drawn(1), drawn(2))
    finally:
        torch.set_num_threads(before)
    assert not torch.equal(drawn(before), cpu_dropout.drop(layer(0.2), torch.ones(500_001)))


@pytest.mark.parametrize("which", [layer(0.4).eval(), layer(0.0), layer(1.0), layer(0.4, inplace=True)])
def test_what_is_out_of_the_ordinary_is_torchs(which: nn.Dropout) -> None:
    torch.manual_seed(1)
    theirs = which(torch.ones(50_000, 3))
    torch.manual_seed(1)
    assert torch.equal(cpu_dropout.drop(which, torch.ones(50_000, 3)), theirs)


def test_small_tensors_are_torchs() -> None:
    torch.manual_seed(1)
    theirs = layer(0.4)(torch.ones(cpu_dropout.SMALL))
    torch.manual_seed(1)
    assert torch.equal(cpu_dropout.drop(layer(0.4), torch.ones(cpu_dropout.SMALL)), theirs)


def test_the_rarest_and_the_commonest_probability() -> None:
    torch.manual_seed(0)
    assert torch.equal(cpu_dropout.drop(layer(1e-6), torch.ones(70_000)), torch.ones(70_000))
    assert cpu_dropout.drop(layer(1 - 1e-9), torch.ones(70_000)).isfinite().all()
    assert cpu_dropout.drop(layer(0.5), torch.ones(0, 3)).shape == (0, 3)


def test_layers_are_as_they_were_afterwards() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Dropout1d(0.5))
    keys = [set(vars(each)) for each in model]
    with cpu_dropout.drawn_fast(model, CPU):
        assert ["forward" in vars(each) for each in model] == [False, True, False]
        torch.manual_seed(0)
        inside = model[1](torch.ones(70_000))
    torch.manual_seed(0)
    assert not torch.equal(model[1](torch.ones(70_000)), inside)
    assert [set(vars(each)) for each in model] == keys
    with cpu_dropout.drawn_fast(model, torch.device("cuda")):
        assert [set(vars(each)) for each in model] == keys


def test_a_run_uses_it_with_recomputed_states_too(run_fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed again for the way back falls as it fell: the same weights with and without."""
    monkeypatch.setattr(cpu_dropout, "SMALL", 0)
    calls: list[float] = []
    plain = cpu_dropout.drop
    monkeypatch.setattr(cpu_dropout, "drop", lambda of, states: calls.append(of.p) or plain(of, states))
    one = run_fit("kept", num_train_epochs=1, mixed_precision="no")
    assert set(calls) == {0.1}
    other = run_fit("again", num_train_epochs=1, mixed_precision="no", gradient_checkpointing=True)
    weights = [(run.path / "model" / "model.safetensors").read_bytes() for run in (one, other)]
    assert weights[0] == weights[1]
