"""CheckUp: `--doctor`, a look at the model while it learns, at updates 1 and 50."""

import math
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
        self.losses: list[float] = []

    def on_train_begin(self, engine: Engine) -> None:
        self.still = {name: one.detach().clone() for name, one in still(engine.module).items() if one.numel() <= 10**6}

    def on_backward(self, engine: Engine, update: Any, share: Share, loss: float) -> None:
        mine = sum(engine.task.weight(batch) for batch, real in share if real)
        self.losses.append(loss / max(mine, 1e-9))
        if engine.state.step + 1 not in UPDATES or not engine.accelerator.is_main_process:
            return
        when = f"update {engine.state.step + 1}: "
        found = [replace(one, evidence=when + one.evidence) for one in (self._first(), *self._at(engine, share))]
        self.findings = worst_first([*self.findings, *found])
        for one in found:
            if one.level != "PASS":
                engine.accelerator.print(f"doctor: {one}")
        written(self.findings, self.run.path)

    def _first(self) -> Finding:
        first, last = self.losses[0], self.losses[-1]
        evidence = f"loss {first:.3g} at update 1, {last:.3g} at {len(self.losses)}"
        wrong = not math.isfinite(last) or last > 2 * first
        return fault("learning_rate_high", wrong, evidence, "a lower --learning_rate", "a loss that doubles")

    def _at(self, engine: Engine, share: Share) -> list[Finding]:
        model, limit = engine.module, engine.config.max_grad_norm
        scale = limit / engine.grad_norm if limit and engine.grad_norm else 1.0
        evidence = f"a gradient of norm {engine.grad_norm:.2g} is scaled by {min(scale, 1):.2g}"
        found = [graded("clipping", -scale, evidence, "--max_grad_norm 1", warn=-1e-2, fail=-1e-4)]
        if sharding.is_sharded(model):
            return found
        self.patient.model, self.patient.optimizer = model, engine.optimizer
        trial = Trial(losses=[self.losses[-1]])
        note(trial, model)
        trial.moved = [
            name for name, one in still(model).items() if name in self.still and not same(one, self.still[name])
        ]
        checks = [model_checks.weights, lambda patient: learning_checks.flows(patient, trial, engine.optimizer)]
        found += [one for check in checks for one in looked(check, self.patient)]
        batch = next((batch for batch, real in share if real), None)
        if engine.state.step + 1 > 1 and batch is not None and not engine.task.joint:
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
        return {"losses": self.losses[:1], "findings": [asdict(one) for one in self.findings]}

    def load_state_dict(self, engine: Engine, state: dict[str, Any]) -> None:
        self.losses, self.findings = list(state["losses"]), [Finding(**one) for one in state["findings"]]


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one, other))
