"""FSDP2 on the CPU: the same updates with sharded weights, an exact resume, whole files, no engine that hides the step.

Accelerate sends a CPU run to DDP whatever the configuration says. Here its state says FSDP2 all the same, and the rest
is what runs on GPUs: Accelerate's own preparation, torch's fully_shard, gloo in place of NCCL.
"""

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from datasets import DatasetDict
from processes import in_child, in_children, printed_to
from safetensors.torch import load_file

from hfkit import build_model, build_task, fit
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.models import sharding
from hfkit.runs.run import Run
from hfkit.training import job
from hfkit.training.engine import Engine

Train = Callable[..., list[int]]


LANGUAGE = {
    "task": "text-generation",
    "model": "baseline:transformer_lm",
    "model_args": '{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}',
    "vocab_size": 300,
}


def shard_on_the_cpu(layer: str) -> None:
    """For the rest of this process's life, `fit` gets an Accelerator that shards."""
    torch._C._get_accelerator = lambda: torch.device("cpu")  # whose mesh fully_shard takes

    def make(**settings: Any) -> Accelerator:
        accelerator = Accelerator(**settings)
        layers = {"auto_wrap_policy": "transformer_based_wrap", "transformer_cls_names_to_wrap": [layer]}
        plugin = FullyShardedDataParallelPlugin(fsdp_version=2, cpu_ram_efficient_loading=False, **layers)
        if settings["mixed_precision"] != "no":
            plugin.set_mixed_precision(settings["mixed_precision"])
        accelerator.state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = plugin
        return accelerator

    job.Accelerator = make  # type: ignore[misc,assignment]


@pytest.fixture
def train(tiny_bert: Path, splits: DatasetDict, tmp_path: Path) -> Train:
    """A whole job in children. Returns their exit statuses; what they print is in <name>.txt."""

    def call(name: str, processes: int = 2, sharded: bool = True, kill: int | None = None, **knobs: Any) -> list[int]:
        def work() -> None:
            if sharded:
                shard_on_the_cpu("TransformerLayer" if "task" in knobs else "BertLayer")
            count = Engine._count

            def counted(self: Engine, *rest: Any) -> None:
                assert sharding.is_sharded(self.module) == sharded
                count(self, *rest)
                if self.state.step == kill and self.accelerator.process_index == 1:
                    os.kill(os.getpid(), signal.SIGKILL)

            Engine._count = counted  # type: ignore[method-assign]
            settings: dict[str, Any] = {"model": str(tiny_bert), "max_length": 16, "learning_rate": 3e-3}
            settings |= {"per_device_train_batch_size": 8, "max_steps": 12, "logging_steps": 1, "disable_tqdm": True}
            settings |= {"save_strategy": "steps", "save_steps": 4, "eval_strategy": "steps", "eval_steps": 4}
            settings |= {"mixed_precision": "no", "use_cpu": True, "output_dir": str(tmp_path / name)} | knobs
            config = TrainConfig(**settings)
            task = build_task(config, splits)
            fit(config, task, *build_model(config, task, splits), splits)

        printed = printed_to(tmp_path / f"{name}.txt", work)
        return [in_child(printed)] if processes == 1 else in_children(printed, processes)

    return call


def fingerprint(run: Path) -> dict[str, str]:
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in ("run.json", "timing.jsonl")]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


@pytest.mark.parametrize(
    "knobs",
    [
        pytest.param({"ema_decay": 0.9, "gradient_accumulation_steps": 2}, id="ema-accumulated"),
        pytest.param({"lora": True, "lora_r": 4}, id="lora"),
        pytest.param(LANGUAGE, id="language"),
        pytest.param({"freeze": ["backbone"], "unfreeze_epoch": 1, "mixed_precision": "bf16"}, id="unfreeze-bf16"),
    ],
)
def test_sharded_weights_are_trained_saved_and_taken_up(train: Train, tmp_path: Path, knobs: dict[str, Any]) -> None:
    assert train("plain", sharded=False, **knobs) == [0, 0]
    assert train("whole", **knobs) == [0, 0], (tmp_path / "whole.txt").read_text()
    plain, whole = Run(tmp_path / "plain"), Run(tmp_path / "whole")
    near = 5e-3 if "mixed_precision" in knobs else 2e-5  # bf16: FSDP2 also casts what autocast leaves in fp32
    for one, other in zip(plain.log(), whole.log(), strict=True):
        for key in one.keys() & {"loss", "eval_loss", "grad_norm", "learning_rate"}:
            assert other[key] == pytest.approx(one[key], rel=near, abs=near), (one["step"], key)
    for name in ("model", "optimizer", "callbacks"):
        files = [load_file(run.path / "checkpoints" / "step-000012" / f"{name}.safetensors") for run in (plain, whole)]
        assert {key: value.shape for key, value in files[0].items()} == {key: v.shape for key, v in files[1].items()}
    assert [path.name for path in plain.model_path.iterdir()] == [path.name for path in whole.model_path.iterdir()]

    assert 0 not in train("again", kill=7, **knobs)
    assert train("again", **knobs) == [0, 0], (tmp_path / "again.txt").read_text()
    assert "resumed at update 4" in (tmp_path / "again.txt").read_text()
    assert fingerprint(tmp_path / "again") == fingerprint(tmp_path / "whole")


def test_a_checkpoint_of_shards_is_taken_up_by_one_process(train: Train, tmp_path: Path) -> None:
    assert train("whole") == [0, 0]
    assert 0 not in train("again", kill=7)
    assert train("again", processes=1, sharded=False) == [0], (tmp_path / "again.txt").read_text()
    assert "goes on elsewhere (processes 2 -> 1)" in (tmp_path / "again.txt").read_text()
    for one, other in zip(Run(tmp_path / "whole").log(), Run(tmp_path / "again").log(), strict=True):
        assert one.pop("update_ratio", None) is None, "a process knows its own shard alone"
        other.pop("update_ratio", None)
        assert other == pytest.approx(one, rel=1e-4, abs=2e-5)


@pytest.mark.parametrize(
    ("kind", "plugin", "said"),
    [
        (DistributedType.DEEPSPEED, {}, "fsdp2.yaml"),
        (DistributedType.FSDP, {"fsdp_version": 1}, "fsdp_version: 2"),
        (DistributedType.FSDP, {"fsdp_version": 2, "cpu_ram_efficient_loading": True}, "loading: false"),
    ],
)
def test_what_a_launcher_may_not_ask_for_is_a_message(kind: DistributedType, plugin: dict[str, Any], said: str) -> None:
    accelerator: Any = SimpleNamespace(distributed_type=kind, state=SimpleNamespace())
    accelerator.state.fsdp_plugin = SimpleNamespace(**plugin)
    with pytest.raises(HfkitError, match=said):
        sharding.check(accelerator)


def test_four_bits_are_not_cut() -> None:
    accelerator: Any = SimpleNamespace(distributed_type=DistributedType.FSDP, state=SimpleNamespace())
    accelerator.state.fsdp_plugin = SimpleNamespace(fsdp_version=2, cpu_ram_efficient_loading=False)
    model = torch.nn.Linear(2, 2)
    sharding.check(accelerator, model)
    model.weight.quant_state = None  # type: ignore[assignment]
    with pytest.raises(HfkitError, match="cut matrices of four bits"):
        sharding.check(accelerator, model)


def test_a_state_of_another_shape_is_not_cut_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adafactor keeps rows and columns: which slice of them belongs here, no file says."""
    weight: Any = torch.zeros(4, 2)
    assert sharding.cut(torch.ones(4), weight).shape == (4,)  # nothing is sharded
    monkeypatch.setattr(sharding, "DTensor", torch.Tensor)
    assert sharding.cut(torch.tensor(3.0), weight) == 3.0  # a counter belongs to everyone
    with pytest.raises(HfkitError, match="adamw"):
        sharding.cut(torch.ones(4), weight)
