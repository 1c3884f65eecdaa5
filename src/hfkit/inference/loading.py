"""Loading: a name -> a model and its tokenizer, ready to answer. Runs, folders, adapters and Hub ids."""

import json
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from hfkit import demo
from hfkit.errors import HfkitError
from hfkit.hubaccess import hub_access
from hfkit.run import Run

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors")
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "adapter_model.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "*.jinja"]
HEAD = "ForSequenceClassification"


def load(name: str | Path, revision: str | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A text-classification model in float32 and its tokenizer. An adapter comes merged into its base.

    Args:
        name: A run (`runs/bert_imdb`), a folder that `save_pretrained` wrote, an adapter's folder, or a Hub id.
        revision: Commit, tag or branch of a Hub id.

    Raises:
        HfkitError: nothing has that name; the run is not finished; the folder lacks its weights or its tokenizer, or
            holds pickles only; the model is for another job.
    """
    folder = locate(name, revision)
    config = _checked_config(folder, name)
    if (folder / "adapter_config.json").is_file():
        model = _with_adapter(folder, config)
    else:
        model, report = _from_folder(folder, config)
        if report["missing_keys"]:
            missing = ", ".join(sorted(report["missing_keys"])[:5])
            raise HfkitError(f"The weights are not whole: {missing} is missing.", where=str(folder))
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def _from_folder(folder: Path, config: Any) -> Any:
    """The model, and which of its weights the folder does not have."""
    return AutoModelForSequenceClassification.from_pretrained(
        folder, config=config, use_safetensors=True, dtype="float32", output_loading_info=True
    )


def locate(name: str | Path, revision: str | None = None) -> Path:
    """The folder with the model's files; those of a Hub id are fetched into the Hub's cache, without pickles."""
    path = Path(name)
    if (path / "run.json").is_file():
        run = Run(path)
        if run.state != "finished":
            raise HfkitError(
                f"The run is {run.state}, and has no model yet.", where=str(path), fix="give its command again"
            )
        return run.model_path
    if path.is_dir():
        return path
    if str(name).startswith("demo:"):
        return demo.model_path(str(name).removeprefix("demo:"))
    if path.is_absolute() or str(name).startswith((".", "runs/")) or str(name).count("/") > 1:
        raise HfkitError(f"There is no folder {name}.", fix="name a run, a model's folder or a Hub id")
    from huggingface_hub import snapshot_download

    with hub_access(f"model {name}"):
        return Path(snapshot_download(str(name), revision=revision, allow_patterns=FILES, ignore_patterns=["*/*"]))


def _checked_config(folder: Path, name: str | Path) -> Any:
    """The model's config, once its folder is known to be whole and for this job."""
    adapter = folder / "adapter_config.json"
    if not (folder / "config.json").is_file():
        missing = "config.json with its labels beside adapter_config.json" if adapter.is_file() else "config.json"
        raise HfkitError(f"The folder holds no model: it has no {missing}.", where=str(folder))
    if not any((folder / file).is_file() for file in WEIGHTS):
        pickles = [file for file in PICKLES if (folder / file).is_file()]
        raise HfkitError(
            f"The folder has no weights ({WEIGHTS[2 if adapter.is_file() else 0]}).",
            where=str(folder),
            fix=f"{pickles[0]} is a pickle and is not read: convert it to safetensors" if pickles else None,
        )
    if not any((folder / file).is_file() for file in TOKENIZERS):
        raise HfkitError(
            "The folder has no tokenizer.", where=str(folder), fix="save it there: tokenizer.save_pretrained(folder)"
        )
    config = AutoConfig.from_pretrained(folder)
    built_as = (config.architectures or ["unknown"])[0]
    if HEAD not in built_as and not adapter.is_file():
        raise HfkitError(
            f"{name} is a {built_as}, and has no head for text classification.",
            where=str(folder),
            fix="fine-tune it first: hfkit train --model " + str(name),
        )
    return config


def _with_adapter(folder: Path, config: Any) -> PreTrainedModel:
    """The base that the adapter names, loaded through the Auto class, with the adapter and its head merged in."""
    from peft import PeftModel

    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if settings.get("task_type") not in ("SEQ_CLS", None):
        raise HfkitError(f"The adapter is for the job {settings['task_type']}, not SEQ_CLS.", where=str(folder))
    base = locate(settings["base_model_name_or_path"], settings.get("revision"))
    shown = logging.get_verbosity()
    logging.set_verbosity_error()  # the base has no head: that comes with the adapter, and needs no warning
    try:
        model, _ = _from_folder(base, config)
    finally:
        logging.set_verbosity(shown)
    merged: PreTrainedModel = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    return merged
