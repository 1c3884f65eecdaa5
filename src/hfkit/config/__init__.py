"""TrainConfig: every knob of a run, under the names that transformers.TrainingArguments uses.

The knobs stand in groups. A group is a dataclass of its own, so that `load_data` takes `DataArguments` alone and
never sees a learning rate. A recipe subclasses `TrainConfig` and changes defaults; `hfkit.config.parsing` turns every
field into a flag. This room imports no library, so that `--help` costs nothing.
"""

from dataclasses import dataclass

from hfkit.config.data import DataArguments, FileArguments
from hfkit.config.knobs import knob
from hfkit.config.tasks import GenerationArguments, ImageArguments, LanguageArguments, TaskArguments
from hfkit.config.training import LoopArguments, ModelArguments, OptimArguments

__all__ = [
    "DataArguments", "FileArguments", "GenerationArguments", "ImageArguments", "LanguageArguments", "LoopArguments",
    "ModelArguments", "OptimArguments", "RunArguments", "TaskArguments", "TrainConfig",
]  # fmt: skip


@dataclass
class RunArguments:
    """Where the run is kept, and who is told of it."""

    output_dir: str | None = knob(
        None,
        "The run's folder. Default: runs/<recipe>, of hfkit train runs/<data>-<model>; with --demo it ends in -demo.",
    )
    reuse_tokens: bool = knob(
        True,
        "Keep prepared splits and tokens under HF_HOME, and take them again where all they come from is the same.",
    )
    overwrite: bool = knob(False, "Delete the run of another configuration that stands in output_dir.")
    report_to: list[str] = knob([], "Trackers: tensorboard, trackio, wandb.")
    disable_tqdm: bool = knob(False, "No progress bars.")
    explain_speed: bool = knob(
        False, "Say what was chosen for speed, what came of it, and what holds the run back; kept in run.json."
    )
    push_to_hub: bool = knob(False, "Publish the finished run on the Hub, verified; see hfkit push.")
    hub_model_id: str | None = knob(None, "Where to publish: user/name (--push_to_hub).")
    hub_private_repo: bool = knob(False, "Make a new repository private (--push_to_hub).")
    hub_revision: str = knob("main", "The branch to publish on (--push_to_hub).")


@dataclass
class TrainConfig(
    RunArguments,
    LoopArguments,
    OptimArguments,
    ModelArguments,
    ImageArguments,
    LanguageArguments,
    TaskArguments,
    DataArguments,
):
    """Every knob of a run. A recipe is a subclass with other defaults."""

    demo: bool = knob(False, "Run on the embedded model and data, without a network.")
