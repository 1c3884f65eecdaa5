"""Several processes are one run: the same figures, the same gradients, one error message, and no hang."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from datasets import DatasetDict
from processes import free_port, in_child, in_children, printed_to
from safetensors.torch import load_file, save_file
from tiny_classifiers import classifier, saved
from torch.nn.parallel import DistributedDataParallel
from transformers import AutoTokenizer, BertForSequenceClassification

from hfkit import build_model, build_task, fit
from hfkit.base import processes
from hfkit.base.errors import HfkitError
from hfkit.cli.launch import main
from hfkit.config import TrainConfig
from hfkit.evaluation.metric import looked_at
from hfkit.evaluation.predict import evaluate
from hfkit.runs.run import Run
from hfkit.training.callbacks.nan_guard import NanGuard
from hfkit.training.engine import Engine

RECIPE = Path(__file__).parent.parent / "recipes" / "bert_imdb.py"


def updates_of(
    folder: Path, model: Path, splits: DatasetDict, processes: int, batch: int, accumulation: int, **knobs: Any
) -> dict[str, torch.Tensor]:
    """Losses, gradients and learning rates of the ten updates of an epoch: 150 rows in 16s, the last of 6."""
    name = f"{processes}-{batch}-{accumulation}"

    def work() -> None:
        kept: dict[str, torch.Tensor] = {}

        def keep(self: NanGuard, engine: Engine, update: Any, share: Any, loss: float) -> None:
            step = engine.state.step
            (summed,) = engine.sum([loss])
            kept[f"{step} loss"] = torch.tensor(summed / len(update.rows), dtype=torch.float64)
            kept[f"{step} rate"] = torch.tensor(engine.scheduler.get_last_lr())
            for parameter, weight in engine.module.named_parameters():
                kept[f"{step} {parameter}"] = torch.zeros(1) if weight.grad is None else weight.grad.clone()

        def end(self: Accelerator) -> None:
            # As the group's last owner its destructor would wait for the group's threads, and they for Python.
            assert not any(isinstance(held, DistributedDataParallel) for held in gc.get_objects())
            end_training(self)

        NanGuard.on_backward, end_training = keep, Accelerator.end_training  # type: ignore[method-assign]
        Accelerator.end_training = end  # type: ignore[method-assign]
        config = TrainConfig(
            model=str(model),
            output_dir=str(folder / name),
            max_length=12,
            dropout=0.0,
            num_train_epochs=1,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation,
            mixed_precision="no",
            optim="sgd",
            learning_rate=1e-2,
            eval_strategy="no",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            **knobs,
        )
        task = build_task(config, splits)
        fit(config, task, *build_model(config, task, splits), splits)
        save_file(kept, folder / f"{name}-{os.environ.get('RANK', '0')}.safetensors")

    printed = printed_to(folder / f"{name}.txt", work)
    statuses = [in_child(printed)] if processes == 1 else in_children(printed, processes)
    assert set(statuses) == {0}, (folder / f"{name}.txt").read_text()
    found = [load_file(folder / f"{name}-{rank}.safetensors") for rank in range(processes)]
    assert all(torch.equal(found[0][key], other[key]) for other in found for key in other), "the processes disagree"
    return found[0]


@pytest.mark.pain("accumulation-loss")
@pytest.mark.pain("schedule-too-fast")
@pytest.mark.parametrize("knobs", [{}, {"long_text": "windows", "stride": 4, "class_weights": "balanced"}])
def test_loss_and_gradients_do_not_depend_on_how_an_update_is_cut(
    tiny_bert: Path, splits: DatasetDict, tmp_path: Path, knobs: dict[str, Any]
) -> None:
    """16 rows at once, in two accumulated batches, and on two and three processes; ragged, the last window partial."""
    whole = updates_of(tmp_path, tiny_bert, splits, 1, 16, 1, **knobs)
    assert len([key for key in whole if key.endswith("loss")]) == 10
    assert max(float(value.abs().max()) for key, value in whole.items() if "classifier" in key) > 1e-2
    for cut in ((1, 8, 2), (2, 8, 1), (2, 4, 2)):
        other = updates_of(tmp_path, tiny_bert, splits, *cut, **knobs)
        assert other.keys() == whole.keys()
        for key, value in whole.items():
            torch.testing.assert_close(other[key], value, rtol=0, atol=1e-6, msg=f"{cut}: {key}")


def test_a_model_that_must_not_see_padding_runs_another_number_of_times_on_each_process(
    splits: DatasetDict, tmp_path: Path
) -> None:
    """Once for each length in its batch: a buffer that was sent around at each would meet another one, or nobody."""
    model = saved(tmp_path / "fnet", *classifier("fnet"))
    whole, other = (updates_of(tmp_path, model, splits, *cut) for cut in ((1, 16, 1), (2, 8, 1)))
    assert "rows of one length are computed together" in (tmp_path / "2-8-1.txt").read_text()
    assert len(whole) > 100 and other.keys() == whole.keys()
    for key, value in whole.items():
        torch.testing.assert_close(other[key], value, rtol=1e-4, atol=1e-5, msg=key)


@pytest.mark.pain("duplicated-tail")
def test_the_figures_of_any_number_of_processes_are_those_of_one(
    tiny_bert: Path, splits: DatasetDict, tmp_path: Path
) -> None:
    """To the bit: 50 rows in batches of 8, so that with two and with three processes the last round is not full."""

    def work() -> None:
        torch.manual_seed(1)
        accelerator = Accelerator(cpu=True)
        tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
        model = BertForSequenceClassification.from_pretrained(tiny_bert, num_labels=2)
        task = build_task(TrainConfig(), splits).for_model(model.config, tokenizer)
        rows = task.encode(splits["test"], tokenizer)
        config = TrainConfig(per_device_eval_batch_size=8, disable_tqdm=True)
        found = evaluate(accelerator, task, model, rows, config)
        name = f"{accelerator.process_index}-of-{accelerator.num_processes}.npz"
        np.savez(tmp_path / name, **found, **{f"mean {key}": value for key, value in looked_at(task, found).items()})

    assert in_child(work) == 0
    assert in_children(work, 2) == [0, 0] and in_children(work, 3) == [0, 0, 0]
    one = np.load(tmp_path / "0-of-1.npz")
    assert len(one["label"]) == len(one["loss"]) == 50
    for name in ("0-of-2", "1-of-2", "2-of-3"):
        other = np.load(tmp_path / f"{name}.npz")
        assert sorted(other) == sorted(one)
        for column in one:
            assert np.array_equal(other[column], one[column]), (name, column)


def told(folder: Path, fails: Callable[[int], bool]) -> tuple[list[int], str]:
    """Exit statuses and prints of a command of two processes, those that `fails` names with an error of their own."""

    def job(config: TrainConfig) -> None:
        rank = int(os.environ["RANK"])
        if fails(rank):
            raise HfkitError(f"the disk of process {rank} is full", fix="free some space")
        Accelerator(cpu=True).wait_for_everyone()

    def work() -> None:
        main(job, TrainConfig, argv=["--use_cpu", "--output_dir", str(folder / "run")], recipe="x")

    return in_children(printed_to(folder / "printed.txt", work)), (folder / "printed.txt").read_text()


def test_an_error_of_one_process_is_told_by_that_one(tmp_path: Path) -> None:
    statuses, said = told(tmp_path, lambda rank: rank == 1)
    assert statuses == [1, 1]
    assert said.index("error: the disk of process 1 is full") < said.index("process 0 ends, because another process")
    assert "Traceback" not in said


def test_an_error_of_all_processes_is_told_once(tmp_path: Path) -> None:
    statuses, said = told(tmp_path, lambda rank: True)
    assert statuses == [1, 1]
    assert said.count("error: the disk of process") == 1


def test_a_process_that_dies_ends_the_job_within_seconds(tiny_bert: Path, reviews_csv: Path, tmp_path: Path) -> None:
    """torchrun, one of two processes killed while it trains: the other does not wait for it, and nobody hangs."""
    script = tmp_path / "recipe.py"
    script.write_text(
        "import os, pathlib, runpy\n"
        "pathlib.Path('pid-' + os.environ['RANK']).write_text(str(os.getpid()))\n"
        f"runpy.run_path({str(RECIPE)!r}, run_name='__main__')\n"
    )
    flags = f"--demo --model {tiny_bert} --dataset {reviews_csv} --pooling model --max_length 16 --max_steps 100000"
    flags += " --mixed_precision no --save_strategy steps --save_steps 20 --eval_strategy no --disable_tqdm"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--master_port", str(free_port()), str(script), *flags.split(), "--output_dir", "run"]
    job = subprocess.Popen(
        command,
        env=os.environ | {"ACCELERATE_USE_CPU": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        patience = time.monotonic() + 120
        while not list(Path("run/checkpoints").glob("step-*")):
            assert job.poll() is None and time.monotonic() < patience, job.communicate()[0]
            time.sleep(0.02)
        os.kill(int(Path("pid-1").read_text()), signal.SIGKILL)
        said, _ = job.communicate(timeout=45)
    finally:
        job.kill()
        for started in Path().glob("pid-*"):  # a launcher that is killed leaves its own alone
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(started.read_text()), signal.SIGKILL)
    assert job.returncode == 1
    assert said.count("process 0 ends, because another process of the job has ended") == 1
    assert "Signal 9 (SIGKILL)" in said[said.index("Root Cause") :]
    assert "Connection closed by peer" not in said, "the traceback of the one that was left behind is no news"
    assert Run("run").state == "stopped"


@pytest.mark.pain("leftover-rank")
@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, (0, 1)),
        ({"RANK": "1"}, (0, 1)),
        ({"WORLD_SIZE": "2"}, (0, 1)),
        ({"LOCAL_RANK": "0"}, (0, 1)),
        ({"RANK": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "here"}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "here"}, (0, 1)),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": ""}, (0, 1)),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "here"}, (1, 2)),
    ],
)
def test_only_a_whole_launch_counts(
    environment: dict[str, str],
    place: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (processes.rank(), processes.count()) == place
    if place == (0, 1):
        assert processes.meet(Accelerator, cpu=True).num_processes == 1
        said = capsys.readouterr().err
        assert all(f"{name}={value}" in said for name, value in environment.items() if name != "MASTER_ADDR")
    else:  # somebody else's launch, whose processes this one does not know
        with pytest.raises(HfkitError, match=r"do not know each other(?s:.*)unset RANK"):
            processes.meet(lambda **_: SimpleNamespace(num_processes=1))  # accelerate 1.12 would wait for it


def test_a_fork_of_a_process_that_has_computed_does_not_wait_for_its_threads() -> None:
    """In a process of its own: a suite that has computed with two threads before cannot fork one that computes."""
    script = """
import os, signal, torch
from hfkit.base import processes
processes.one_thread_after_fork()
torch.set_num_threads(2)
numbers = torch.randn(512, 512)
(numbers @ numbers).exp().sum()
child = os.fork()
if child == 0:
    signal.alarm(30)
    (numbers @ numbers).exp().sum()
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=120).returncode == 0
