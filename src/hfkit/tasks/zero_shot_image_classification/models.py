"""Models of pictures and texts: from scratch, or any of transformers' with two towers and a learnt scale."""

from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from transformers import AutoModelForZeroShotImageClassification, AutoProcessor, CLIPProcessor, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING
from transformers.processing_utils import ProcessorMixin

from hfkit.base.errors import HfkitError
from hfkit.baselines.tokenizer import train_tokenizer
from hfkit.baselines.vision.processor import make_processor, native_shape, sample
from hfkit.models.adapting.image_processors import check_folder as check_folder
from hfkit.models.build import untrained
from hfkit.models.inspection import check_vocabulary, refusing, trial
from hfkit.models.loading import Built, quiet, read_config, read_tokenizer, read_weights
from hfkit.models.names import locate
from hfkit.models.settings import override, set_dropout
from hfkit.tasks import Task
from hfkit.tasks.zero_shot_image_classification import SPEC
from hfkit.tasks.zero_shot_image_classification.config import Config

LOOKED_AT = 256
"""Training pictures that a baseline is shaped by."""

SIGMOID = {"logit_scale_init_value": 2.3026, "logit_bias_init_value": -10.0}
"""Where SigLIP's paper (section 3.2) starts: ln 10, and a bias by which no pair belongs together."""


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, which has been shown a picture and a text, its processor, and the parameters
    that no checkpoint has filled."""
    model, processor, new = (_from_scratch if config.model.startswith("baseline:") else _pretrained)(config, task, data)
    _try_out(model, task.for_model(model.config, processor), config.model)
    return model, processor, new


def _from_scratch(config: Config, task: Any, data: DatasetDict | None) -> Built:
    """Two untrained towers; the tokenizer learns from the captions, and from the classes in their sentences."""
    config_class, fields = SPEC.baseline_config(config.model)
    if data is None:
        raise HfkitError(f"{config.model} is shaped by the training pictures and captions: give build_model the data")
    train = data["train"]
    texts = task.prompts() + [one for own in (train["captions"] if task.captioned else ()) for one in own]
    tokenizer = train_tokenizer(texts, config.vocab_size, config.max_length or 77)
    images = sample(train, LOOKED_AT, task.pixel_range)
    size, channels = native_shape(images)
    fields |= {"image_size": config.image_size or size, "num_channels": channels}
    fields |= SIGMOID if config.loss == "sigmoid" else {}
    settings = config_class(max_position_embeddings=max(77, config.max_length or 0), **fields)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    settings.vocab_size, settings.pad_token_id = len(tokenizer), tokenizer.pad_token_id
    processor = CLIPProcessor(make_processor(settings.image_size, settings.num_channels, images), tokenizer)
    task.for_model(settings, processor)
    return untrained(AutoModelForZeroShotImageClassification, settings), processor, []


def _pretrained(config: Config, task: Task, data: DatasetDict | None) -> Built:
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    if type(settings) not in MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING:
        what = f"{config.model} is a {settings.model_type}, which has not a tower for pictures and one for texts"
        raise HfkitError(what, where="--model", fix="choose one such as openai/clip-vit-base-patch32, or baseline:clip")
    processor = read_processor(folder, settings, config.trust_remote_code)
    for tower in (getattr(settings, name, settings) for name in ("vision_config", "text_config")):
        set_dropout(tower, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    task.for_model(settings, processor)
    code = config.trust_remote_code
    model, new = read_weights(folder, settings, code, auto_model=AutoModelForZeroShotImageClassification)
    return model, processor, new


def read_processor(folder: Path, settings: Any, code: bool = False) -> Any:
    """The image processor and the tokenizer of a folder, as one. Raises HfkitError: one of them is missing or damaged,
    or the tokenizer has words that the model does not know."""
    fix = "processor.save_pretrained(folder) writes both"
    with refusing("the image processor and the tokenizer cannot be read", str(folder), fix), quiet():
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=code)
    if not isinstance(processor, ProcessorMixin) or not {"image_processor", "tokenizer"} <= set(vars(processor)):
        what = f"There is a {type(processor).__name__} alone, where pictures and texts are read"
        raise HfkitError(what, where=str(folder), fix=fix)
    read_tokenizer(folder, settings.name_or_path or folder, code)  # says where its files are missing
    check_vocabulary(processor.tokenizer, getattr(settings, "text_config", settings), folder)
    return processor


def _try_out(model: PreTrainedModel, task: Any, name: str) -> None:
    """Shows the model an empty picture and a word, so that what it cannot read is told before anything is learnt."""
    if not isinstance(getattr(model, "logit_scale", None), torch.Tensor):
        what = f"{name} is a {type(model).__name__}, which learns no scale of its cosines (logit_scale)"
        raise HfkitError(what, where="--model", fix="choose one such as openai/clip-vit-base-patch32")
    seen = task.seen
    size = f"{seen.channels} x {seen.height} x {seen.width} (channels, height, width)"
    what = f"{name} cannot read pictures of {size} and texts of {task.max_length} tokens"
    fix = "leave both out, or give a multiple of the patch that the model was made for"
    with refusing(what, "--image_size, --model_args", fix), trial(model) as ready, torch.inference_mode():
        picture = torch.zeros(1, seen.channels, seen.height, seen.width)
        task.vectors(ready, {"pixel_values": picture} | task.filled(task.tokens(["a"])["input_ids"]))
