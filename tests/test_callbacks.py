"""What hangs on the loop: the best model, patience, averaging, bad numbers, small memory."""

import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_language import write_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.data.batching import BatchPlan, Update
from hfkit.evaluation.metric import looked_at
from hfkit.models.loading import load_model
from hfkit.runs.run import Run
from hfkit.tasks.text_classification.task import TextClassification
from hfkit.tasks.text_generation.samples import Samples
from hfkit.training.callbacks.log import Log
from hfkit.training.callbacks.nan_guard import NanGuard
from hfkit.training.callbacks.progress import Progress
from hfkit.training.callbacks.weights import Ema, Unfreeze
from hfkit.training.engine import Engine, State

Fit = Callable[..., Run]


def script_figures(monkeypatch: pytest.MonkeyPatch, accuracies: list[float]) -> None:
    """Make validation report these accuracies, one a look."""
    left = iter(accuracies)

    def scripted(task: TextClassification, predictions: dict[str, np.ndarray]) -> dict[str, float]:
        return looked_at(task, predictions) | {"accuracy": next(left)}

    monkeypatch.setattr("hfkit.training.engine.looked_at", scripted)


@pytest.mark.pain("limit-drops-best")
def test_the_best_model_outlives_every_limit(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Best after the first of four epochs, one checkpoint kept: `model/` is the first epoch's model all the same."""
    one_epoch = run_fit("one", num_train_epochs=1, lr_scheduler_type="constant")
    script_figures(monkeypatch, [0.9, 0.5, 0.6, 0.7])
    run = run_fit("four", num_train_epochs=4, lr_scheduler_type="constant", save_total_limit=1)
    assert run.info["training"]["best_step"] == 10
    assert run.info["training"]["best_value"] == 0.9
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["step-000040"]
    assert (run.model_path / "model.safetensors").read_bytes() == (
        one_epoch.model_path / "model.safetensors"
    ).read_bytes()


def test_the_last_model_where_the_best_is_not_wanted(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    script_figures(monkeypatch, [0.9, 0.5])
    run = run_fit(load_best_model_at_end=False)
    last = load_file(run.path / "checkpoints" / "step-000020" / "model.safetensors")
    saved, _ = load_model(run.model_path)  # transformers 5.5 writes other names than the model has
    assert all(torch.equal(saved.state_dict()[name], tensor) for name, tensor in last.items())


@pytest.mark.pain("patience-resets")
def test_patience_goes_on_after_a_resume(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two looks without a better figure end the run, though it was stopped and taken up between them."""
    knobs = {"num_train_epochs": 9, "early_stopping_patience": 2}
    script_figures(monkeypatch, [0.9, 0.8])
    count = Engine._count

    def ctrl_c(self: Engine, *arguments: Any) -> None:
        count(self, *arguments)
        self.interrupted = self.state.step == 25

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_count", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            run_fit(**knobs)
    script_figures(monkeypatch, [0.85])
    run = run_fit(**knobs)
    assert run.info["training"]["steps"] == 30
    assert "2 evaluations in a row" in run.info["training"]["stopped"]


def test_the_average_is_what_is_evaluated_and_saved(run_fit: Fit) -> None:
    run = run_fit(ema_decay=0.9, metric_for_best_model="loss")
    place = run.path / "checkpoints" / "step-000020"
    average, raw = load_file(place / "callbacks.safetensors"), load_file(place / "model.safetensors")
    saved = load_file(run.model_path / "model.safetensors")
    name = "classifier.weight"
    assert not torch.equal(average[f"Ema/{name}"], raw[name])
    assert run.info["training"]["best_step"] == 20
    assert torch.equal(saved[name], average[f"Ema/{name}"])


def test_only_what_learns_is_averaged() -> None:
    """Frozen weights cost no copy in memory or in the checkpoint, and join when they begin to learn."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    engine: Any = SimpleNamespace(module=model)
    model[0].requires_grad_(False)
    ema = Ema(0.9)
    ema.on_epoch_begin(engine, 0)
    assert sorted(ema.state_dict()) == ["1.bias", "1.weight"]
    model[0].requires_grad_(True)
    ema.on_epoch_begin(engine, 1)
    assert sorted(ema.state_dict()) == ["0.bias", "0.weight", "1.bias", "1.weight"]


def test_frozen_layers_begin_to_learn_one_by_one_from_the_head_down(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    learning: list[set[str]] = []

    def begin(self: Unfreeze, engine: Engine, epoch: int) -> None:
        let_go(self, engine, epoch)
        names = [name for name, weight in engine.module.named_parameters() if weight.requires_grad]
        learning.append({".".join(name.split(".")[:4]) for name in names} - {"classifier.weight", "classifier.bias"})

    let_go = Unfreeze.on_epoch_begin
    monkeypatch.setattr(Unfreeze, "on_epoch_begin", begin)
    run_fit(freeze=["backbone"], unfreeze_epoch=1, unfreeze_layers=1, num_train_epochs=5)
    added = [now - before for before, now in zip([set(), *learning], learning, strict=False)]
    pooler = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert added[:3] == [set(), {"bert.encoder.layer.1"} | pooler, {"bert.encoder.layer.0"}]
    assert added[3] and all("embeddings" in name for name in added[3]) and not added[4]
    assert capsys.readouterr().out.count("frozen parameters learn from here on") == 3


def test_validation_is_no_training_time(tmp_path: Path) -> None:
    """Updates before a look at validation count in the next line's speed, and so does their time."""
    log: Any = Log(tmp_path)
    log.began = 100.0
    with log.evaluating(SimpleNamespace()):
        time.sleep(0.01)
    assert 100.0 < log.began < 101.0


@pytest.mark.pain("fp16-nan")
@pytest.mark.parametrize(
    ("layer", "where"),
    [("bert.encoder.layer.1", "the output of bert.encoder.layer.1"), (None, "the gradient of")],
)
def test_a_bad_number_stops_with_its_step_examples_and_layer(
    run_fit: Fit, monkeypatch: pytest.MonkeyPatch, layer: str | None, where: str
) -> None:
    """An output that is not finite, or a gradient: the step is not made, and the message says where it came from."""
    begin = NanGuard.on_train_begin

    def poison(self: NanGuard, engine: Engine) -> None:
        begin(self, engine)
        steps = {"seen": 0}

        def output(module: torch.nn.Module, inputs: Any, result: Any) -> Any:
            steps["seen"] += 1
            bad = result[0] if isinstance(result, tuple) else result
            if steps["seen"] > 3:
                bad = bad * float("nan")
            return (bad, *result[1:]) if isinstance(result, tuple) else bad

        if layer:
            engine.module.get_submodule(layer).register_forward_hook(output)
        else:
            engine.module.classifier.weight.register_hook(lambda grad: grad * float("inf"))

    monkeypatch.setattr(NanGuard, "on_train_begin", poison)
    with pytest.raises(HfkitError) as caught:
        run_fit()
    message = str(caught.value)
    assert where in message
    assert f"at update {4 if layer else 1}:" in message
    assert message.count(" r") >= 16


@pytest.mark.pain("batch-size-finder")
def test_out_of_memory_halves_the_batch_and_changes_nothing_else(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for 5 rows a batch of 16 becomes 4, and the losses are those of 16; a resume remembers it."""
    whole = run_fit("whole", dropout=0.0)
    scored = TextClassification.loss_and_predictions

    def small_memory(self: TextClassification, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        if model.training and len(batch["input_ids"]) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return scored(self, model, batch)

    monkeypatch.setattr(TextClassification, "loss_and_predictions", small_memory)
    halved = run_fit("halved", dropout=0.0, auto_find_batch_size=True)
    assert halved.info["training"]["rows_per_batch"] == 4
    for one, other in zip(whole.log(), halved.log(), strict=True):
        assert one.get("loss") == pytest.approx(other.get("loss"), abs=2e-5)
    with pytest.raises(HfkitError, match=r"out of memory at update 0 with 16 rows(.|\n)*auto_find_batch_size"):
        run_fit("refused")


@pytest.mark.pain("batch-size-finder")
def test_what_did_not_fit_is_let_go_before_the_next_try(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception's frames hold the forward pass that filled the memory: a retry inside `except` finds none free."""
    scored = TextClassification.loss_and_predictions
    held: list[weakref.ref[torch.Tensor]] = []

    def small_memory(self: TextClassification, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        assert not any(kept() is not None for kept in held)
        if model.training and len(batch["input_ids"]) > 5:
            activation = torch.zeros(8)
            held.append(weakref.ref(activation))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return scored(self, model, batch)

    monkeypatch.setattr(TextClassification, "loss_and_predictions", small_memory)
    run_fit(auto_find_batch_size=True, num_train_epochs=0.2)
    assert len(held) == 2


def test_a_figure_that_is_not_measured_is_named(run_fit: Fit) -> None:
    with pytest.raises(HfkitError, match="did you mean accuracy"):
        run_fit(metric_for_best_model="acuracy", num_train_epochs=1)


@pytest.mark.pain("schedule-too-fast")
def test_the_schedule_ends_with_the_last_update(run_fit: Fit) -> None:
    rates = [line["learning_rate"] for line in run_fit(gradient_accumulation_steps=2).log() if "loss" in line]
    assert len(rates) == 10
    assert rates[0] == pytest.approx(3e-3 * 9 / 10)
    assert rates[-1] == 0.0


@pytest.mark.parametrize("scheduler", ["reduce_lr_on_plateau", "greedy", "one_cycle", "warm_restarts"])
def test_other_schedules_run_to_the_end(run_fit: Fit, scheduler: str) -> None:
    run = run_fit(lr_scheduler_type=scheduler, num_train_epochs=1)
    assert run.state == "finished"


def test_the_bar_shows_the_mean_loss_of_its_own_rows() -> None:
    """Of two processes each has its part of the sum, and of the rows."""
    engine: Any = SimpleNamespace(total_steps=2, state=State(), quiet=False, look_seconds=0.0)
    engine.plan = BatchPlan(np.ones(8), rows_per_batch=4)
    engine.task = SimpleNamespace(weight=lambda batch: float(len(batch["labels"])))
    mine, other = {"labels": [0, 1]}, {"labels": [1, 1, 0, 0]}
    update: Any = SimpleNamespace(batches=[[1, 2], [3, 4, 5, 6]])
    bar = Progress()
    bar.on_train_begin(engine)
    bar.on_backward(engine, update, [(mine, True), (other, False)], 1.5)
    assert bar.bar.note == "loss 0.750"
    bar.on_train_end(engine)


def test_the_time_left_goes_by_tokens_and_leaves_validation_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows of 9 tokens, then ten of 1: halfway in updates is nine tenths of the way. A look takes its own time."""
    clock = SimpleNamespace(now=0.0)
    for name in ("hfkit.base.progress.time.monotonic", "time.perf_counter"):
        monkeypatch.setattr(name, lambda: clock.now)
    config = TrainConfig(eval_strategy="steps", eval_steps=10)
    engine: Any = SimpleNamespace(total_steps=20, state=State(), quiet=True, look_seconds=50.0, config=config)
    engine.plan = BatchPlan(np.array([9] * 10 + [1] * 10), rows_per_batch=1)
    progress = Progress()
    progress.on_train_begin(engine)
    for row in range(10):
        clock.now += 9.0
        engine.state.step += 1
        progress.on_update_end(engine, Update(0, False, False, [[row]]))
    assert progress.bar.left() == pytest.approx(10.0 + 50.0), "ten tokens at a second each, and a look"
    with progress.evaluating(engine):
        clock.now += 600.0
    clock.now += 1.0
    engine.state.step += 1
    progress.on_update_end(engine, Update(0, False, False, [[10]]))
    assert progress.bar.left() == pytest.approx(9.0 + 600.0), "the rate is as it was; the look took longer"


def test_samples_follow_the_models_own_generation_config(tmp_path: Path) -> None:
    folder = write_model("gpt2", tmp_path)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    samples = Samples.__new__(Samples)
    samples.tokenizer, samples.task = tokenizer, SimpleNamespace(end_token_id=0, pad_token_id=1)
    ids = tokenizer("the film", return_tensors="pt")
    likeliest = model.generate(**ids, max_new_tokens=40, do_sample=False)[0]
    prompt, whole = (tokenizer.decode(row, skip_special_tokens=True) for row in (ids["input_ids"][0], likeliest))
    asked = ids["input_ids"][0].tolist()
    assert samples._sample(model, asked) != (prompt, whole[len(prompt) :])  # drawn, where the model does not say how
    model.generation_config.top_k = 1
    assert samples._sample(model, asked) == (prompt, whole[len(prompt) :])
    begun = tokenizer.decode(likeliest[: len(asked) + 5], skip_special_tokens=True)
    model.generation_config.stop_strings = [whole[len(begun) : len(begun) + 3]]
    completion = samples._sample(model, asked)[1]
    stop = model.generation_config.stop_strings[0]
    assert completion == whole[len(prompt) :].split(stop)[0]
    model.generation_config.stop_strings = None
    model.generation_config.eos_token_id = [0, int(likeliest[len(asked) + 2])]
    assert len(tokenizer(samples._sample(model, asked)[1])["input_ids"]) <= 4
