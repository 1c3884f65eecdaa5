"""lr_range: between which learning rates the best one lies, by a run in which it rises (Smith 2017)."""

import math
from typing import Any

import numpy as np
import torch

from hfkit.training.doctor.patient import TOKENS, Patient, untouched
from hfkit.training.optim import build_optimizer

LOWEST, HIGHEST, UPDATES = 1e-6, 1.0, 90  # fifteen updates a decade

BATCHES = 6
"""They come in turn, and each is held against its own first loss: what differs between batches would drown the rest."""


def lr_range(patient: Patient) -> dict[str, Any]:
    """`low` and `high`, the curve that they come from, and a sentence. From `low` on an update is felt: a tenth of what
    can be won is; at `high` the most is won, and what follows is lost again. A whole run adds up many more updates
    than this one, so its best rate lies below `high`; where in between, a run or two has to say."""
    rates = np.geomspace(LOWEST, HIGHEST, UPDATES)
    with untouched(patient.model):
        losses = _rising(patient, rates)
    first = np.asarray(losses[:BATCHES])
    won = np.array([first[at % BATCHES] - loss for at, loss in enumerate(losses)][BATCHES:] or [0.0])
    smooth = np.convolve(won, np.ones(BATCHES) / BATCHES, mode="valid") if len(won) >= BATCHES else won
    most = int(smooth.argmax())
    felt = int(np.flatnonzero(smooth[: most + 1] >= 0.1 * smooth[most])[0]) if smooth[most] > 0 else most
    low, high = float(rates[felt]), float(rates[min(most + BATCHES // 2, len(rates) - 1)])
    said = f"learning rate: between {low:.1e} and {high:.1e} ({smooth[most]:.3g} of a loss of {first.mean():.3g} won)"
    curve = [[float(f"{rate:.3g}"), round(float(one), 5)] for rate, one in zip(rates, won, strict=False)]
    return {"low": low, "high": high, "said": said, "curve": curve}


def _rising(patient: Patient, rates: np.ndarray) -> list[float]:
    """The loss of each of a few batches in turn, as they are learnt: at first without a step, then at each rate, up to
    where it is no number or four times what it was."""
    model, optimizer = patient.model.train(), build_optimizer(patient.model, patient.config)
    order, losses = np.random.default_rng(0), list[float]()
    lengths = np.asarray(patient.learnt["length"][:])
    short = np.flatnonzero(lengths <= np.quantile(lengths, 0.6))
    size = max(2, min(16, TOKENS // max(1, int(lengths[short].mean()))))
    rows = order.permutation(short)[: size * BATCHES].tolist()
    batches = [patient.batch(rows[at::BATCHES], 0) for at in range(BATCHES)]
    for update in range(-BATCHES, len(rates)):
        torch.manual_seed(update % BATCHES)
        loss = patient.loss(batches[update % BATCHES])
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]) or losses[-1] > 4 * losses[update % BATCHES] + 1:
            return losses[:-1]
        if update < 0:
            continue
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), patient.config.max_grad_norm or math.inf)
        for group in optimizer.param_groups:
            group["lr"] = float(rates[update])
        optimizer.step()
    return losses
