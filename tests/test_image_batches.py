"""What a model is shown: the same bytes with and without workers, in one process or two, and after a kill."""

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from image_files import image_folder
from processes import in_child, in_children, printed_to

import hfkit
from hfkit.config import TrainConfig
from hfkit.training.callbacks.nan_guard import NanGuard
from hfkit.training.callbacks.saver import Saver
from hfkit.training.engine import Engine

STEPS = 12
BASICS: dict[str, Any] = {
    "task": "image-classification",
    "model": "baseline:mlp",
    "mixup": 0.4,
    "cutmix": 1.0,
    "per_device_train_batch_size": 4,
    "max_steps": STEPS,
    "save_strategy": "steps",
    "save_steps": 4,
    "mixed_precision": "no",
    "use_cpu": True,
    "disable_tqdm": True,
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """22 training pictures in batches of 4, two an update: an epoch ends in the middle of an update."""
    return image_folder(tmp_path_factory.mktemp("pictures"), {"train": 11, "val": 2, "test": 2}, (20, 18))


def shown(
    pictures: Path, augment: list[str], name: str, processes: int, workers: int, kill: int | None = None
) -> dict[str, str]:
    """Update and batch -> sha256 of the pixels and labels that the model was shown, of all processes."""
    told = Path(f"{name}.hashes")

    def keep(self: NanGuard, engine: Engine, update: Any, share: Any, loss: float) -> None:
        for place, (batch, real) in enumerate(share):
            number = place * engine.accelerator.num_processes + engine.accelerator.process_index
            content = batch["pixel_values"].contiguous().numpy().tobytes() + batch["labels"].numpy().tobytes()
            if real:
                with told.open("a") as file:
                    line = [f"{engine.state.step} {number}", hashlib.sha256(content).hexdigest()]
                    file.write(json.dumps(line) + "\n")
        if engine.state.step == kill:
            next(hook for hook in engine.callbacks if isinstance(hook, Saver))._finish()  # not by the disk
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        NanGuard.on_backward = keep  # type: ignore[method-assign]  # for the rest of this child's life
        knobs = {"dataset": str(pictures), "augment": augment, "output_dir": name, "dataloader_num_workers": workers}
        config = TrainConfig(**BASICS, **knobs, gradient_accumulation_steps=2 // processes)
        data = hfkit.load_data(config)
        task = hfkit.build_task(config, data)
        hfkit.fit(config, task, *hfkit.build_model(config, task, data), data)

    printed = printed_to(Path(f"{name}.txt").absolute(), work)
    statuses = [in_child(printed)] if processes == 1 else in_children(printed, processes)
    assert set(statuses) == {0 if kill is None else -signal.SIGKILL}, Path(f"{name}.txt").read_text()
    return dict(map(json.loads, told.read_text().splitlines()))


@pytest.mark.parametrize("augment", [["strong", "crop", "rotate", "color"], ["light"]], ids=["boxes", "frames"])
def test_the_same_pixels_with_workers_with_processes_and_after_a_kill(pictures: Path, augment: list[str]) -> None:
    """Pictures of which a box is decoded each time, and small ones whose frame is kept."""
    alone = shown(pictures, augment, "alone", processes=1, workers=0)
    assert {int(key.split()[0]) for key in alone} == set(range(STEPS))
    assert len(set(alone.values())) == len(alone) == 2 * STEPS, "each batch of each epoch is another"
    assert shown(pictures, augment, "workers", processes=1, workers=2) == alone
    assert shown(pictures, augment, "processes", processes=2, workers=0) == alone
    before = shown(pictures, augment, "killed", processes=1, workers=2, kill=6)
    assert max(int(key.split()[0]) for key in before) == 6
    again = shown(pictures, augment, "killed", processes=1, workers=0)
    assert "resumed at update 4 of 12" in Path("killed.txt").read_text()
    assert again == alone
    weights = [Path(run, "model", "model.safetensors").read_bytes() for run in ("alone", "workers", "killed")]
    assert len(set(weights)) == 1
