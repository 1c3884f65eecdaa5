"""fit: a whole job, from encoded rows to a finished run directory."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from datasets import DatasetDict
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hfkit.base import atomic, hardware, versions
from hfkit.base.errors import check_known
from hfkit.base.processes import meet
from hfkit.config import TrainConfig
from hfkit.config.rules import check
from hfkit.config.trackers import tracked, tracker_names
from hfkit.data.tables.table import counted
from hfkit.data.text import token_cache
from hfkit.models import sharding
from hfkit.models.adapting.freezing import fewest_rows
from hfkit.models.kernels.cpu_attention import products
from hfkit.models.kernels.cpu_dropout import drawn_fast
from hfkit.runs import run as runs
from hfkit.runs.run import Run
from hfkit.tasks import Task
from hfkit.tasks.discover import find
from hfkit.training import checkpoint, provenance, streaming
from hfkit.training.callbacks import Callback, closing
from hfkit.training.callbacks.best import EarlyStopping, ModelKeeper
from hfkit.training.callbacks.check_up import CheckUp
from hfkit.training.callbacks.log import Log, append
from hfkit.training.callbacks.nan_guard import NanGuard
from hfkit.training.callbacks.progress import Progress
from hfkit.training.callbacks.saver import Saver, restore
from hfkit.training.callbacks.speed import Speed
from hfkit.training.callbacks.weights import Ema, Unfreeze
from hfkit.training.doctor.patient import Patient
from hfkit.training.engine import Engine
from hfkit.training.judging import test_split
from hfkit.training.optim import build_optimizer, build_scheduler
from hfkit.training.saving import prove_savable, save_model
from hfkit.training.signals import stopped_by_signals


@dataclass(frozen=True)
class Job:
    """What a run is made from."""

    config: TrainConfig
    task: Task
    model: PreTrainedModel
    processor: Any  # a tokenizer or an image processor
    data: DatasetDict  # the splits as they were loaded
    encoded: DatasetDict  # and as the model reads them
    run: Run
    accelerator: Accelerator


def fit(
    config: TrainConfig, task: Task, model: PreTrainedModel, processor: PreTrainedTokenizerBase, data: DatasetDict
) -> Run:
    """Train, pick the best model, and write every file of the run but the report.

    The same call again takes up an unfinished run at its newest checkpoint, and gives a finished one. The final figures
    come from the model as it is read back from `model/`: what is published is what was measured. Of several processes
    the others return when the test split is done; the run is finished once the first has fitted baselines and written.

    Args:
        model: From `build_model`, which seeds what starts at random, or any PreTrainedModel or PeftModel that fits the
            task. Order, dropout and baselines depend on `config.seed` alone.
        processor: Its tokenizer or image processor.
        data: `train`, `validation` and `test` splits, not encoded.

    Raises:
        HfkitError: A knob's value cannot be, the folder holds another run, memory or disk ran out, a loss is infinite.
        KeyboardInterrupt: A signal stopped training; a checkpoint is written, and the message says how to go on.
    """
    check(config)
    began = time.perf_counter()
    path = Path(config.output_dir or "runs/run")  # the latter for a call without a recipe
    accelerator = _accelerator(config, task, model, path)
    run = _open(config, path, accelerator)
    if run.finished:
        provenance.check_rows(run, data)
        return run
    task = task.for_model(model.config, processor)
    _best_metric(config, task)  # a misspelt name is told before the first epoch, not after it
    prove_savable(run.model_path, accelerator, model, processor)
    encoded = token_cache.encode_splits(task, data, processor, accelerator, config.reuse_tokens)
    job = Job(config, task, model, processor, data, encoded, run, accelerator)
    place, skipped = checkpoint.newest(run.path / "checkpoints")
    _tell(job, resumed=place is not None)
    learner, learnt = task.learner(config, model, encoded, accelerator) or (None, _batched(task, encoded))
    streaming.streamed(task, data, learnt, processor)
    engine = build_engine(job, learnt, learner)
    _resume(engine, run, place, skipped)
    with (
        stopped_by_signals(engine),
        closing(engine.callbacks),
        products(accelerator.device, accelerator.mixed_precision),
        drawn_fast(engine.module, accelerator.device),
    ):
        engine.train(learnt["train"], learnt.get("validation"), learnt.get("test"))
    trained = time.perf_counter()
    if engine.state.stopped == "interrupted" or engine.sum([float(engine.interrupted)])[0]:
        if accelerator.is_main_process:
            run.update(state="stopped")
            append(run.path / "timing.jsonl", {"session_seconds": round(trained - began, 3)})
        raise KeyboardInterrupt(f"stopped at update {engine.state.step}; the same command again goes on from there")
    facts = _training(engine)
    # What synchronises gradients goes before the process group ends: left as the group's last owner, its destructor
    # waits for the group's threads and they for Python, and a process that is done hangs. Its memory is of use, too.
    del engine
    accelerator.free_memory()
    test_split.write(job, trained - began)
    if accelerator.is_main_process:
        _finish(run, facts | {"best_metric": _best_metric(config, task)[0]})
    return Run(run.path)


def _accelerator(config: TrainConfig, task: Task, model: PreTrainedModel, path: Path) -> Accelerator:
    """Device, precision and processes; what was chosen is said."""
    if config.full_determinism:
        from transformers import enable_full_determinism  # with it come peft and whatever peft can use

        enable_full_determinism(config.seed)  # for the rest of the process, and before anything is on a GPU
    precision, why = hardware.mixed_precision(config.mixed_precision, config.use_cpu)
    AcceleratorState._reset_state()  # A notebook may fit twice; Accelerate would refuse a second precision.
    # No second copy of gradients. A model that must not see padding runs once a length, on each process another number
    # of times, and one with a joint loss several times before it goes back: no buffer may be sent around.
    once = not task.joint and (getattr(model.config, "hfkit", None) or {}).get("padding") != "none"
    accelerator = meet(
        Accelerator,
        mixed_precision=precision,
        cpu=config.use_cpu,
        log_with=tracker_names(config.report_to) or None,
        project_dir=str(path),
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True, broadcast_buffers=once)],
    )
    sharding.check(accelerator, model)
    accelerator.print(why)
    if line := versions.newer():
        accelerator.print(line)
    return accelerator


def _tell(job: Job, resumed: bool) -> None:
    """Tell the run and the trackers where it comes from; of one that goes on, say what has changed since it began."""
    run = job.run
    truncation = token_cache.lost(job.accelerator, job.task, job.data, job.encoded, job.processor)
    facts = provenance.facts(job, truncation)
    if resumed:
        if sentence := provenance.check_same(run, facts):
            job.accelerator.print(sentence)
        facts["batches_per_update"] = run.info.get("batches_per_update", facts["batches_per_update"])
    run.info.update(facts)
    if job.accelerator.is_main_process:
        run.update(**facts)
        job.task.before_training(run, job.model)
    if job.config.report_to:
        job.accelerator.init_trackers(run.info["name"], config=tracked(runs.identity(job.config)))


def _batched(task: Task, encoded: DatasetDict) -> DatasetDict:
    """The splits' rows as batches take them."""
    reads = {name: task.to_train if name == "train" else task.to_evaluate for name in encoded}
    return DatasetDict({name: reads[name](split) for name, split in encoded.items()})


def _training(engine: Engine) -> dict[str, Any]:
    """How training went, as run.json says it."""
    state = engine.state
    kept = ("examples", "tokens", "rows_per_batch", "best_step", "best_value", "stopped")
    facts = {"steps": state.step, "epochs": state.epoch} | {name: getattr(state, name) for name in kept}
    return facts | ({"stream": engine.plan.told()} if isinstance(engine.plan, streaming.StreamPlan) else {})


def _finish(run: Run, training: dict[str, Any]) -> None:
    """Say in run.json how training went, and that all is written."""
    if "stream" in training:
        run.info["data"] = streaming.facts(training["stream"], run.info["data"])
    run.update(state="finished", training=training, files=test_split.files(run))
    run.release()


def _open(config: TrainConfig, path: Path, accelerator: Accelerator) -> Run:
    """The run's folder, made by the first process; the others wait for it."""
    if accelerator.is_main_process:
        runs.claim(config, path, recipe=sys.argv[0])
    accelerator.wait_for_everyone()
    run = Run(path)
    if run.finished:
        accelerator.print(f"{path} is finished; overwrite runs it again")
    elif accelerator.is_main_process:
        run.hold()
    return run


def build_engine(job: Job, rows: DatasetDict, learner: nn.Module | None = None) -> Engine:
    """Optimizer, schedule, plan and callbacks around a model.

    `learner` is what learns from `rows` where it is a part of the model, all of which is saved. An update keeps the
    batches that the run began with: with other processes than before, they are dealt anew."""
    config, accelerator, learning = job.config, job.accelerator, learner or job.model
    batches = config.gradient_accumulation_steps * accelerator.num_processes
    optimizer = build_optimizer(learning, config)
    plan = streaming.plan_of(
        rows["train"],
        rows_per_batch=config.per_device_train_batch_size,
        batches_per_update=job.run.info.get("batches_per_update", batches),
        strategy=config.train_sampling_strategy,
        tokens_per_batch=getattr(config, "tokens_per_batch", None),
        seed=config.seed,
        fewest=fewest_rows(learning, config.unfreeze_epoch is not None),
    )
    total_steps = config.max_steps if config.max_steps > 0 else plan.count(config.num_train_epochs)
    scheduler = build_scheduler(optimizer, config, total_steps)
    sharding.compile_in_place(accelerator, learning)
    prepared, optimizer = accelerator.prepare(learning, optimizer)
    hooks: list[Callback] = [streaming.StreamPosition(plan)] if isinstance(plan, streaming.StreamPlan) else []
    hooks += _callbacks(job, rows)
    return Engine(accelerator, job.task, prepared, optimizer, scheduler, plan, total_steps, config, hooks)


def _callbacks(job: Job, rows: DatasetDict) -> list[Callback]:
    """The callbacks that the configuration asks for, in the order in which they hear of an event."""
    config, run = job.config, job.run
    metric, greater = _best_metric(config, job.task)
    looks = config.eval_strategy != "no" and "validation" in rows

    def save() -> None:
        save_model(run.model_path, job.accelerator, job.model, job.processor)

    chosen: list[Callback] = [NanGuard(rows["train"])]
    if config.unfreeze_epoch is not None:
        chosen.append(Unfreeze(config.unfreeze_epoch, config.unfreeze_layers))
    if config.ema_decay:
        chosen.append(Ema(config.ema_decay))
    # Before the log, which then has the figures that a task adds.
    chosen += job.task.callbacks(config, run, rows if looks else DatasetDict(train=rows["train"]), job.processor)
    chosen += [Progress(), Log(run.path)]
    chosen.append(ModelKeeper(metric, greater, run.model_path, save, looks and config.load_best_model_at_end))
    if config.early_stopping_patience is not None:
        patience, threshold = config.early_stopping_patience, config.early_stopping_threshold
        chosen.append(EarlyStopping(metric, greater, patience, threshold))
    if config.doctor:
        chosen.append(
            CheckUp(run, Patient(config, job.task, job.model, job.processor, job.data, job.encoded, rows=rows["train"]))
        )
    chosen.append(Saver(run.path / "checkpoints", config.save_total_limit))
    return [*chosen, Speed(run)] if config.explain_speed else chosen


def _best_metric(config: TrainConfig, task: Task) -> tuple[str, bool]:
    """The figure that says which model is best, known to be measured, and whether more of it is better."""
    metric = (config.metric_for_best_model or task.best_metric).removeprefix("eval_")
    better = {"loss": "lower"} | {one.name: one.better for one in find(task.name).metrics(task.settings())}
    check_known(metric, better, f"{metric} is not measured", "--metric_for_best_model")
    return metric, better[metric] == "higher"


def _resume(engine: Engine, run: Run, place: Path | None, skipped: list[tuple[Path, str]]) -> None:
    """Take up the newest whole checkpoint, and name the damaged ones that were passed over."""
    for damaged, why in skipped:
        engine.accelerator.print(f"{damaged} is damaged ({why}) and was skipped")
    if place is not None:
        restore(engine, place)
        engine.accelerator.print(f"{run.path}: resumed at update {engine.state.step} of {engine.total_steps}")
        return
    engine.accelerator.print(f"{run.path}: {counted(engine.total_steps, 'update')} to make")
    if engine.accelerator.is_main_process:
        with atomic.writing(run.path):
            for stale in ("log.jsonl", "timing.jsonl"):
                (run.path / stale).unlink(missing_ok=True)
