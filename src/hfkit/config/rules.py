"""check: combinations of flags that cannot work, refused before anything is loaded.

Each rule reads the configuration alone. What needs the data or the model (a column, the model's longest text) is
checked where that is known.
"""

import json
import math
import re
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import text_codec
from hfkit.config import TrainConfig
from hfkit.config.values import Broken, numbers, types

JSON_OBJECTS = ("model_args", "optim_args", "lr_scheduler_kwargs")


def check(config: Any) -> None:
    """Refuse what cannot work, whether a command line or a program has made it.

    Args:
        config: A TrainConfig; of one of its groups alone each value is looked at, and not what they do together.

    Raises:
        HfkitError: The first rule that is broken, with the flags at fault and the way out.
    """
    whole = (_texts, _data_and_task, _language, _images, _model, _loop, _hub) if isinstance(config, TrainConfig) else ()
    for rules in (types, numbers, *whole):
        for what, fix in rules(config):
            raise HfkitError(what, fix=fix)


def check_idle(config: TrainConfig, recipe: TrainConfig) -> None:
    """Refuse flags without effect. Only where they differ from the recipe's: it may keep one for when it is needed.

    Raises:
        HfkitError: The first such flag, and the flag that it needs.
    """
    images, language = config.task == "image-classification", config.task == "text-generation"
    baseline = config.model.startswith("baseline:")
    groups = {
        ("--lora", config.lora): (
            "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "lora_tokens", "use_dora", "use_rslora",
            "load_in_4bit",
        ),
        ("--task text-generation", language): (
            "packing", "eval_stride", "sample_prompts", "document_start", "streaming",
        ),
        ("--streaming", config.streaming): ("streaming_window",),
        ("--task image-classification", images): (
            "image_size", "augment", "mixup", "cutmix", "test_time_augmentation", "drop_path", "from_scratch",
            "linear_probe", "image_column", "skip_corrupt", "pixel_range",
        ),
        ("a task of texts", not images): (
            "text_column", "text_pair_column", "max_length", "long_text", "tokens_per_batch", "eval_tokens_per_batch",
            "pooling",
        ),
        ("a task with labels", not language): (
            "regression_loss", "merge_labels", "label_columns", "label_separator", "drop_unseen_labels",
        ),
        ("--long_text windows", config.long_text == "windows" and not images): ("stride",),
        ("--model baseline:NAME and a task of texts", baseline and not images): ("vocab_size",),
        ("--model baseline:NAME and --task text-generation", baseline and language): ("tokenizer",),
    }  # fmt: skip
    needs = {name: needed for needed, names in groups.items() for name in names}
    for name, (other, given) in needs.items():
        if not given and getattr(config, name) != getattr(recipe, name):
            raise HfkitError(f"--{name} has no effect without {other}", fix=f"add {other}, or drop --{name}")


def _texts(config: TrainConfig) -> Broken:
    for name in JSON_OBJECTS:
        text = getattr(config, name)
        problem = None if text is None else _json_problem(text)
        if problem:
            yield (
                f"--{name} {text} is no JSON object: {problem}",
                """write it as in '{"name": 1}', quoted for the shell""",
            )
    try:
        text_codec(config.encoding)
    except HfkitError as error:
        yield f"--encoding {config.encoding} is not known to Python", str(error.fix)
    config.separator()


def _json_problem(text: str) -> str | None:
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos + 1}"
    except RecursionError:
        return "it is nested too deeply"
    except ValueError:
        return "it holds a number of thousands of digits"
    return None if isinstance(value, dict) else f"it is a {type(value).__name__}"


def _data_and_task(config: TrainConfig) -> Broken:
    if config.problem_type == "regression" and config.label_smoothing_factor:
        yield "--label_smoothing_factor has no meaning in a regression", "drop one of the two flags"
    if config.problem_type == "regression" and config.class_weights != "none":
        yield "--class_weights has no meaning in a regression", "drop one of the two flags"
    if config.problem_type not in ("auto", "regression") and config.regression_loss != "mse":
        yield f"--regression_loss has no meaning in a {config.problem_type} problem", "drop one of the two flags"
    if config.long_text == "windows" and config.max_length is not None and config.stride >= config.max_length:
        yield (
            f"--stride {config.stride} is not below --max_length {config.max_length}: windows would not move on",
            f"give a smaller overlap, such as --stride {config.max_length // 4}",
        )
    if len(config.label_columns) == 1:
        yield "--label_columns names one column", f"say --label_column {config.label_columns[0]}"
    if config.label_columns and (config.label_column or config.label_separator or config.problem_type == "regression"):
        other = "--label_column" if config.label_column else "--label_separator" if config.label_separator else ""
        yield (
            f"--label_columns hold a 0 or 1 each: {other or '--problem_type regression'} has no meaning beside them",
            "drop one of the two flags",
        )
    if config.label_separator is not None and (
        not config.label_separator or config.problem_type not in ("auto", "multi_label_classification")
    ):
        yield "--label_separator makes several labels of a cell", "give the sign, and leave --problem_type auto"
    columns = [config.text_column, config.text_pair_column, config.label_column, *config.label_columns]
    named = [column for column in columns if column is not None]
    if len(set(named)) < len(named):
        yield "one column is named for two things", "give --text_column, --text_pair_column and --label_column(s) apart"


def _language(config: TrainConfig) -> Broken:
    if config.task != "text-generation":
        return
    if config.document_start is not None:
        try:
            re.compile(config.document_start)
        except re.error as error:
            yield f"--document_start is no regular expression: {error}", "such as '^ = [^=]'"
    clashes = {
        "--long_text": config.long_text != "head",
        "--text_pair_column": config.text_pair_column is not None,
        "--label_column": config.label_column is not None,
        "--class_weights": config.class_weights != "none",
        "--label_smoothing_factor": config.label_smoothing_factor > 0,
        "--problem_type": config.problem_type != "auto",
        "--pooling": config.pooling != "model",
    }
    for flag, used in clashes.items():
        if used:
            yield f"{flag} has no meaning for a language model", "drop the flag, or --task text-generation"
    if config.eval_stride and config.max_length and config.eval_stride > config.max_length:
        yield (
            f"--eval_stride {config.eval_stride} is above --max_length {config.max_length}: tokens would be left out",
            f"give at most {config.max_length}, such as {max(1, config.max_length // 2)}",
        )
    if config.streaming and config.max_steps < 0:
        yield "--streaming does not know where to end: a stream has no known length", "add --max_steps 1000"
    for name in ("max_train_samples", "validation_size", "test_size", "unfreeze_epoch"):
        if config.streaming and getattr(config, name) is not None:
            yield f"--{name} goes by the number of all rows, which a stream does not tell", f"drop --{name}"


def _images(config: TrainConfig) -> Broken:
    if config.task != "image-classification":
        return
    if config.load_in_4bit:
        yield "--load_in_4bit is for texts", "drop the flag, or --task image-classification"
    if config.linear_probe:
        clashes = {
            "--augment": bool([name for name in config.augment if name != "none"]),
            "--mixup or --cutmix": bool(config.mixup or config.cutmix),
            "--lora": config.lora,
            "--freeze": bool(config.freeze),
            "--from_scratch": config.from_scratch,
        }
        for flag, used in clashes.items():
            if used:
                fix = "add --augment none" if flag == "--augment" else f"drop {flag}"
                yield f"--linear_probe computes each image's features once, and {flag} would change them", fix
    window = config.pixel_range
    if window and not (len(window) == 2 and -math.inf < window[0] < window[1] < math.inf):
        yield f"--pixel_range {' '.join(map(str, window))} is no range", "give two numbers, the smaller one first"
    if config.from_scratch and (config.lora or config.freeze):
        yield "--from_scratch leaves nothing to freeze: no weight has learnt yet", "drop --lora and --freeze"


def _model(config: TrainConfig) -> Broken:
    baseline = config.model.startswith("baseline:")
    if config.lora and baseline:
        yield f"--lora adapts a pretrained model, and {config.model} starts from nothing", "drop --lora"
    if config.pooling == "mean" and baseline:
        yield f"--pooling mean replaces a pretrained model's head, and {config.model} has its own", "drop --pooling"
    if config.lora and config.freeze:
        yield "--lora already freezes all but the adapter and the head", "drop --freeze, or drop --lora"
    if config.lora and config.unfreeze_epoch is not None:
        yield "--lora keeps the model's own weights frozen to the end", "drop --unfreeze_epoch, or drop --lora"
    if config.unfreeze_epoch is not None and not config.freeze:
        yield "--unfreeze_epoch has nothing to unfreeze", "add --freeze backbone, or drop --unfreeze_epoch"
    if config.unfreeze_epoch is not None and config.max_steps < 0 and config.unfreeze_epoch >= config.num_train_epochs:
        yield (
            f"--unfreeze_epoch {config.unfreeze_epoch} never comes: epochs count from 0, and there are"
            f" {config.num_train_epochs:g}",
            "give an earlier epoch, or train for longer",
        )


def _loop(config: TrainConfig) -> Broken:
    for name in ("eval", "save"):
        strategy, steps = getattr(config, f"{name}_strategy"), getattr(config, f"{name}_steps")
        if strategy == "steps" and steps is None:
            yield f"--{name}_strategy steps needs to know how many", f"add --{name}_steps 100"
        if strategy != "steps" and steps is not None:
            yield f"--{name}_steps has no effect with --{name}_strategy {strategy}", f"add --{name}_strategy steps"
    if config.eval_strategy == "no":
        needs = {
            "--early_stopping_patience": config.early_stopping_patience is not None,
            "--metric_for_best_model": config.metric_for_best_model is not None,
            f"--lr_scheduler_type {config.lr_scheduler_type}": config.lr_scheduler_type
            in ("reduce_lr_on_plateau", "greedy"),
        }
        for flag, used in needs.items():
            if used:
                yield f"{flag} needs figures on the validation split", "use --eval_strategy epoch or steps"
    if config.early_stopping_threshold and config.early_stopping_patience is None:
        yield "--early_stopping_threshold has no effect on its own", "add --early_stopping_patience 3"
    if config.tokens_per_batch is not None and config.auto_find_batch_size:
        yield "--tokens_per_batch and --auto_find_batch_size both decide how large a batch is", "drop one of the two"
    if config.tokens_per_batch is not None and config.max_length and config.tokens_per_batch < config.max_length:
        yield (
            f"--tokens_per_batch {config.tokens_per_batch} is below --max_length {config.max_length}:"
            " one long text would not fit into a batch",
            f"give at least {config.max_length}",
        )


def _hub(config: TrainConfig) -> Broken:
    if config.push_to_hub and not config.hub_model_id:
        yield "--push_to_hub does not know where to", "add --hub_model_id user/name"
    if not config.push_to_hub:
        given = {"hub_model_id": config.hub_model_id, "hub_private_repo": config.hub_private_repo}
        for name in [name for name, value in given.items() if value]:
            yield f"--{name} has no effect without --push_to_hub", f"add --push_to_hub, or drop --{name}"
