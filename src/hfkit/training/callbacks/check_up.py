"""CheckUp: `--doctor`, a look at the model while it learns, at updates 1 and 50."""

from dataclasses import asdict, replace
from typing import Any

import torch

from hfkit.models import sharding
from hfkit.runs.run import Run
from hfkit.training.callbacks import Callback
from hfkit.training.doctor import learning_checks, model_checks
from hfkit.training.doctor.after_checks import one_class
from hfkit.training.doctor.doctor import looked, written
from hfkit.training.doctor.finding import Finding, fault, graded, worst_first
from hfkit.training.doctor.patient import Patient
from hfkit.training.doctor.trial import Trial, note, still
from hfkit.training.engine import Engine, Share

UPDATES = (1, 50)
"""When something is wrong from the start, and when it has had the time to show."""


class CheckUp(Callback):
    """Tells what is no PASS, and writes doctor.json to the run. It reads gradients and answers; weights, optimizer and
    generators are left alone. Where weights are sharded, only what the loop itself knows is looked at."""

    def __init__(self, run: Run, patient: Patient) -> None:
        self.run, self.patient = run, patient
        self.findings: list[Finding] = []
        self.first: float | None = None  # the first update's loss

    def on_train_begin(self, engine: Engine) -> None:
        self.still = {name: one.detach().clone() for name, one in still(engine.module).items() if one.numel() <= 10**6}

    def on_backward(self, engine: Engine, update: Any, share: Share, loss: float) -> None:
        step = engine.state.step + 1
        if step not in UPDATES or not engine.accelerator.is_main_process:
            return
        mean = loss / max(sum(engine.task.weight(batch) for batch, real in share if real), 1e-9)
        self.first = mean if self.first is None else self.first
        evidence, wild = f"loss {self.first:.3g} at update 1, {mean:.3g} here", not mean <= 2 * self.first
        grown = fault("learning_rate_high", wild, evidence, "a lower --learning_rate", "a loss that doubles")
        found = [replace(one, evidence=f"update {step}: {one.evidence}") for one in (grown, *self._at(engine, share))]
        self.findings = worst_first([*self.findings, *found])
        for one in found:
            if one.level != "PASS":
                engine.accelerator.print(f"doctor: {one}")
        written(self.findings, self.run.path)

    def _at(self, engine: Engine, share: Share) -> list[Finding]:
        model, limit, early = engine.module, engine.config.max_grad_norm, engine.state.step == 0
        scale = min(1.0, limit / engine.grad_norm) if limit and engine.grad_norm else 1.0
        evidence = f"a gradient of norm {engine.grad_norm:.2g} is scaled by {scale:.2g}"
        adam = "betas" in engine.optimizer.param_groups[0]  # which knows no scale
        found = [graded("clipping", 0.0 if adam else 1 - scale, evidence, "--max_grad_norm 1", warn=0.97, fail=0.99)]
        if sharding.is_sharded(model):
            return found
        self.patient.model, self.patient.optimizer = model, engine.optimizer
        trial = Trial(losses=[0.0])
        note(trial, model)
        if early:  # an adapter's, and those below a head of zeros, are zero until something has moved
            trial.learnt = {name for name, one in model.named_parameters() if one.grad is not None}
        trial.moved = [
            name for name, one in still(model).items() if name in self.still and not same(one, self.still[name])
        ]
        checks = [model_checks.weights, lambda patient: learning_checks.flows(patient, trial, engine.optimizer)]
        found += [one for check in checks for one in looked(check, self.patient)]
        batch = next((batch for batch, real in share if real), None)
        if not early and batch is not None and not engine.task.joint:
            found.append(self._answered(engine, batch))
        return found

    def _answered(self, engine: Engine, batch: dict[str, Any]) -> Finding:
        with torch.no_grad():
            engine.module.eval()
            said = dict(engine.task.loss_and_predictions(engine.module, batch)[1])
            engine.module.train()
        labels, answers = batch.get("labels"), said.get("prediction")
        both = isinstance(labels, torch.Tensor) and isinstance(answers, torch.Tensor)
        columns = {"label": labels.tolist(), "prediction": answers.tolist()} if both else {}  # type: ignore[union-attr]
        told = one_class(columns, engine.task.classes)
        return fault(
            "one_class", told is not None, told or "more than one answer", "see learning_rate_high", "two", "WARN"
        )

    def state_dict(self) -> dict[str, Any]:
        return {"first": self.first, "findings": [asdict(one) for one in self.findings]}

    def load_state_dict(self, engine: Engine, state: dict[str, Any]) -> None:
        self.first, self.findings = state["first"], [Finding(**one) for one in state["findings"]]


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same numbers."""
    return one.shape == other.shape and bool(torch.equal(one, other))
