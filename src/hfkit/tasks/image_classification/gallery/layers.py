"""layers.json: what the model of a run is made of, layer by layer."""

from dataclasses import asdict, replace
from typing import Any

import torch

from hfkit.base.atomic import write_json, writing
from hfkit.base.sanitize import line
from hfkit.models.anatomy.layers import summarise
from hfkit.runs.run import Run

FILE = "layers.json"


def write_layers(run: Run, task: Any, model: torch.nn.Module) -> None:
    """Shows the model one empty picture, of the size that the fitted task says, and writes its layers in the order in
    which they run, with their sums: as it begins to learn, so that what is frozen counts as such. A model that cannot
    be looked at so has no layers.json, and a line on the screen says why."""
    size = (task.seen.channels, task.seen.height, task.seen.width)
    device = next(model.parameters()).device
    try:
        found = summarise(model, {"pixel_values": torch.zeros(1, *size, device=device)})
    except Exception as error:  # each architecture fails in its own way
        print(line(f"no {FILE}: {type(error).__name__}: {error}"), flush=True)
        return
    with writing(run.path):
        write_json(run.path / FILE, {"input": size, **asdict(replace(found, edges=[]))})  # no page draws them
