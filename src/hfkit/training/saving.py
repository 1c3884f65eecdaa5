"""Saving: the folder `model/`, the whole model or the one before."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from transformers import PreTrainedModel

from hfkit.base.atomic import whole_folder, writing
from hfkit.models import sharding
from hfkit.models.inspection import refusing
from hfkit.models.loading import quiet, write_beside
from hfkit.training import checkpoint


def prove_savable(folder: Path, accelerator: Accelerator, model: PreTrainedModel, processor: Any) -> None:
    """Write all of `model/` but the weights beside it, and take it away again: what cannot be saved, and why, is told
    before the first update and not after the first epoch."""
    if not accelerator.is_main_process:
        return
    adapters = list(getattr(model, "peft_config", {}).values())
    speaks = not adapters and model.can_generate()
    parts = [model.config, processor, *adapters, *([model.generation_config] if speaks else [])]
    with ExitStack() as stack:
        stack.enter_context(writing(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        trial = folder.with_name(f".{folder.name}.tmp")  # as where it is saved: what a kill leaves goes the next time
        shutil.rmtree(trial, ignore_errors=True)
        stack.callback(shutil.rmtree, trial, ignore_errors=True)
        trial.mkdir()
        stack.enter_context(quiet())
        fix = "mend the model's folder: plain save_pretrained fails there too"
        for part in parts:
            what = f"What is trained could not be saved: the {type(part).__name__} cannot be"
            with refusing(what, "--model", fix, (ValueError, TypeError, AttributeError, NotImplementedError)):
                part.save_pretrained(trial)


def save_model(folder: Path, accelerator: Accelerator, model: PreTrainedModel, processor: Any) -> None:
    """Write `save_pretrained` of model and processor; the folder changes once all of it is written.

    An adapter folder also gets the config of its base, which holds the labels and how texts are read."""
    # PEFT would look up the base's config, on the Hub too, to guess whether the embeddings learnt: they did not.
    adapter = hasattr(model, "peft_config")
    options: dict[str, Any] = {"save_embedding_layers": False} if adapter else {}
    if sharding.is_sharded(model):
        kept = checkpoint.model_state(model) if adapter else model.state_dict()  # of an adapter not its frozen base
        options["state_dict"] = sharding.whole(kept, keep=accelerator.is_main_process)
    if not accelerator.is_main_process:
        return
    if adapter:  # as save_pretrained does for a whole model: the base may have had another head, or none
        base: Any = model
        model.config.architectures = [type(base.get_base_model()).__name__.removeprefix("FSDP")]
    with writing(folder), whole_folder(folder) as staged:
        model.save_pretrained(staged, **options)
        model.config.save_pretrained(staged)
        processor.save_pretrained(staged)
        write_beside(staged, model)
