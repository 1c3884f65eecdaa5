"""Checkpoints are whole or not there, and give back exactly what they were given."""

import json
from pathlib import Path

import pytest
import torch

from hfkit.base.errors import HfkitError
from hfkit.training import checkpoint


def _write(folder: Path, step: int) -> Path:
    tensors = {"model": {"weight": torch.arange(4.0) * step}, "optimizer": {}, "callbacks": {}}
    return checkpoint.save(folder, step, tensors, {"step": step})


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    place = _write(tmp_path, 7)
    tensors, state = checkpoint.load(place)
    assert place.name == "step-000007"
    assert state == {"step": 7}
    assert torch.equal(tensors["model"]["weight"], torch.arange(4.0) * 7)
    assert sorted(json.loads((place / "manifest.json").read_text())) == [
        "callbacks.safetensors",
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
    ]


@pytest.mark.pain("half-written-checkpoint")
@pytest.mark.parametrize("damage", ["truncate", "flip", "missing", "no manifest"])
def test_a_damaged_newest_checkpoint_is_skipped_and_named(tmp_path: Path, damage: str) -> None:
    whole, broken = _write(tmp_path, 1), _write(tmp_path, 2)
    victim = broken / ("manifest.json" if damage == "no manifest" else "model.safetensors")
    content = victim.read_bytes()
    if damage == "truncate":
        victim.write_bytes(content[:-3])
    elif damage == "flip":
        victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        victim.unlink()
    place, skipped = checkpoint.newest(tmp_path)
    assert place == whole
    assert [place for place, _ in skipped] == [broken]


def test_what_a_kill_leaves_behind_is_never_read(tmp_path: Path) -> None:
    (tmp_path / ".step-000009.tmp").mkdir()
    assert checkpoint.newest(tmp_path) == (None, [])


@pytest.mark.pain("disk-full")
def test_a_disk_that_cannot_be_written_is_one_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, 1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(HfkitError, match="No space left on device"):
        _write(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]


def test_prune_keeps_the_newest(tmp_path: Path) -> None:
    for step in (1, 2, 999_999, 1_000_000):
        newest = _write(tmp_path, step)
    assert checkpoint.newest(tmp_path) == (newest, [])
    checkpoint.prune(tmp_path, 0, newest)
    assert [path.name for path in tmp_path.iterdir()] == ["step-1000000"]


@pytest.mark.pain("half-written-checkpoint")
def test_a_damaged_later_checkpoint_does_not_push_out_a_whole_one(tmp_path: Path) -> None:
    """Stopped at update 15 after a resume from 10, because 20 was damaged: 15 is what the next resume needs."""
    _write(tmp_path, 10)
    (_write(tmp_path, 20) / "state.json").unlink()
    stopped = _write(tmp_path, 15)
    checkpoint.prune(tmp_path, 1, stopped)
    assert checkpoint.newest(tmp_path)[0] == stopped


def test_tied_weights_are_written_and_read(tmp_path: Path) -> None:
    model = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 3), "b": torch.nn.Linear(3, 3)})
    model["b"].weight = model["a"].weight
    place = checkpoint.save(tmp_path, 1, {"model": checkpoint.model_state(model)}, {})
    expected = model["a"].weight.detach().clone()
    torch.nn.init.zeros_(model["a"].weight)
    checkpoint.restore_model(model, checkpoint.load(place)[0]["model"])
    assert torch.equal(model["b"].weight, expected)


def test_frozen_weights_are_not_saved_and_not_missed() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[0].requires_grad_(False)
    state = checkpoint.model_state(model)
    assert sorted(state) == ["1.bias", "1.weight"]
    checkpoint.restore_model(model, state)
    with pytest.raises(HfkitError, match=r"1\.bias"):
        checkpoint.restore_model(model, {"1.weight": state["1.weight"]})


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop])
def test_an_optimizer_goes_on_as_if_nothing_had_happened(optimizer: type, tmp_path: Path) -> None:
    def train(steps: int, model: torch.nn.Module, optim: torch.optim.Optimizer) -> None:
        for _ in range(steps):
            model(torch.ones(1, 3)).sum().backward()
            optim.step()
            optim.zero_grad()

    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optim = optimizer(model.parameters(), lr=0.1)
    train(3, model, optim)
    tensors, rest = checkpoint.optimizer_state(optim)
    place = checkpoint.save(tmp_path, 3, {"model": checkpoint.model_state(model), "optimizer": tensors}, rest)
    train(3, model, optim)

    again = torch.nn.Linear(3, 2)
    optim_again = optimizer(again.parameters(), lr=0.5)
    tensors_back, rest_back = checkpoint.load(place)
    checkpoint.restore_model(again, tensors_back["model"])
    checkpoint.restore_optimizer(optim_again, tensors_back["optimizer"], rest_back)
    train(3, again, optim_again)
    assert torch.equal(model.weight, again.weight)


def test_parameter_groups_keep_their_tuples_and_numbers_that_are_tensors(tmp_path: Path) -> None:
    optim = torch.optim.AdamW(torch.nn.Linear(1, 1).parameters(), lr=torch.tensor(0.5), betas=(0.8, 0.9))
    tensors, rest = checkpoint.optimizer_state(optim)
    place = checkpoint.save(tmp_path, 1, {"optimizer": tensors}, rest)
    again = torch.optim.AdamW(torch.nn.Linear(1, 1).parameters())
    checkpoint.restore_optimizer(again, {}, checkpoint.load(place)[1])
    assert (again.param_groups[0]["betas"], again.param_groups[0]["lr"]) == ((0.8, 0.9), 0.5)


def test_what_older_checkpoints_mark_is_read() -> None:
    group = [["lr", 0.25], ["betas", {"__tuple__": [0.7, 0.9]}], ["params", [0, 1]]]
    optim = torch.optim.AdamW(torch.nn.Linear(1, 1).parameters())
    kept = {name: value for name, value in optim.state_dict()["param_groups"][0].items() if name not in dict(group)}
    old = {"numbers": {}, "param_groups": [{"__items__": [*group, *map(list, kept.items())]}]}
    checkpoint.restore_optimizer(optim, {}, old)
    assert (optim.param_groups[0]["betas"], optim.param_groups[0]["lr"]) == ((0.7, 0.9), 0.25)
    assert checkpoint.plain({"__items__": [["base_lrs", [0.1]], ["last_epoch", 3]]}) == {
        "base_lrs": [0.1],
        "last_epoch": 3,
    }
