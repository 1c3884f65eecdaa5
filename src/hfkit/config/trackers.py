"""The experiment trackers that `--report_to` can name. Accelerate talks to them; this says early whether it can."""

from importlib.util import find_spec
from typing import Any

from hfkit.base.errors import HfkitError, check_known

# Tracker -> a module that it cannot do without. Accelerate only logs at debug level when one is missing.
TRACKERS = {"tensorboard": "tensorboard", "trackio": "trackio", "wandb": "wandb"}


def tracker_names(report_to: list[str]) -> list[str]:
    """The trackers of `--report_to` to start, each once, in the order given; `none` stands for no tracker. Raises
    HfkitError: a name is unknown, or its package is not installed."""
    names = [name for name in dict.fromkeys(report_to) if name != "none"]
    for name in names:
        check_known(name, TRACKERS, f"unknown tracker {name!r}", "--report_to")
        if find_spec(TRACKERS[name]) is None:
            what = f"the tracker {name} is not installed"
            raise HfkitError(what, where="--report_to", fix=f"pip install 'hfkit[{name}]'")
    return names


def tracked(config: dict[str, Any]) -> dict[str, Any]:
    """The knobs as every tracker takes them: TensorBoard's table of hyperparameters refuses lists."""
    return {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in config.items()}
