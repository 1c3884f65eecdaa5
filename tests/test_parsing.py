"""Flags: grouped, defaulted, never guessed; and combinations that cannot work are refused."""

import dataclasses
import json
import pickle
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hfkit
from hfkit import build_model, build_task, fit, load_data
from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments, TrainConfig
from hfkit.config.parsing import HABITS, ConfigParser, check, default_output_dir, parse
from hfkit.tasks.discover import find, names


@dataclass
class Recipe(hfkit.text_classification.Config):
    """A recipe for tests.

    With a second paragraph that the help leaves out.
    """

    model_revision: str | None = "abc123"
    long_text: str = "tail"
    learning_rate: float = 3e-5
    max_length: int | None = 256
    freeze: list[str] = dataclasses.field(default_factory=lambda: ["embeddings"])


DEMO = {"model": "demo:minilm", "learning_rate": 1e-4, "max_train_samples": 2000}


def test_defaults_are_the_recipes() -> None:
    config = parse(Recipe, argv=[])
    assert config == Recipe()
    assert (config.learning_rate, config.model_revision, config.freeze) == (3e-5, "abc123", ["embeddings"])


def test_every_field_is_a_flag_with_help_and_default() -> None:
    parser = ConfigParser(Recipe)
    help_text = " ".join(parser.format_all().split())
    for field in dataclasses.fields(Recipe):
        action = parser._option_string_actions[f"--{field.name}"]
        assert action.help, field.name
        assert f"--{field.name} " in help_text
    assert "(default: 3e-05)" in help_text
    assert "Turn --load_best_model_at_end off" in help_text
    assert "--learning-rate" not in help_text
    assert "second paragraph" not in help_text


def test_help_keeps_the_groups_of_config_in_their_order() -> None:
    help_text = ConfigParser(Recipe).format_all()
    titles = [
        "What is done",
        "Which rows are read",
        "Which model",
        "How a gradient",
        "How long, in which batches",
        "Where the run is kept",
        "How a text becomes tokens",
        "What is learnt from a label",
        "Text classification:",
    ]
    places = [help_text.index(title) for title in titles]
    assert places == sorted(places)
    section = help_text[places[3] : places[4]]
    assert "--learning_rate" in section
    assert "--weight_decay" in section
    assert "--dataset" not in section


def test_a_recipes_own_field_is_a_flag_under_its_own_title() -> None:
    @dataclass
    class Own(TrainConfig):
        """My own job."""

        colour: str = "red"

    assert parse(Own, argv=["--colour", "blue"]).colour == "blue"
    assert "My own job:" in ConfigParser(Own.for_task()).format_all()


def test_the_knobs_that_two_tasks_have_go_over() -> None:
    config = TrainConfig(task="text-classification", learning_rate=1e-3, pooling="mean", freeze=["embeddings"], seed=7)
    other = config.of_task("fill-mask", seed=8)
    assert type(other) is TrainConfig.for_task("fill-mask") and other.task == "fill-mask"
    assert (other.learning_rate, other.freeze, other.seed) == (1e-3, ["embeddings"], 8)
    assert other.mask_probability == 0.15 and not hasattr(other, "pooling")


def test_parsing_leaves_the_class_as_it_was() -> None:
    before = {field.name: (field.type, field.default, dict(field.metadata)) for field in dataclasses.fields(Recipe)}
    parse(Recipe, DEMO, ["--demo"])
    after = {field.name: (field.type, field.default, dict(field.metadata)) for field in dataclasses.fields(Recipe)}
    assert before == after


def test_demo_changes_defaults_and_the_users_flags_win() -> None:
    config = parse(Recipe, DEMO, ["--demo", "--learning_rate", "5e-5"])
    assert (config.model, config.learning_rate, config.max_train_samples) == ("demo:minilm", 5e-5, 2000)
    assert parse(Recipe, DEMO, []).model == TrainConfig().model


def test_a_pinned_revision_goes_with_the_model_it_pins() -> None:
    assert parse(Recipe, argv=[]).model_revision == "abc123"
    assert parse(Recipe, argv=["--model", "other/model"]).model_revision is None
    assert parse(Recipe, argv=["--model", "other/model", "--model_revision", "v2"]).model_revision == "v2"
    assert parse(Recipe, DEMO, ["--demo"]).model_revision is None


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        (["--max_length", "none"], "max_length", None),
        (["--attention_dropout", "None"], "attention_dropout", None),
        (["--model_revision", "none"], "model_revision", None),
        (["--freeze", "none"], "freeze", []),
        (["--report_to", "none"], "report_to", []),
        (["--freeze", "backbone", "*.bias"], "freeze", ["backbone", "*.bias"]),
        (["--no_load_best_model_at_end"], "load_best_model_at_end", False),
        (["--load_best_model_at_end", "false"], "load_best_model_at_end", False),
        (["--learning-rate=1e-3"], "learning_rate", 1e-3),
        (["--max_steps", "-1"], "max_steps", -1),
    ],
)
def test_values(flags: list[str], name: str, value: Any) -> None:
    assert getattr(parse(Recipe, argv=flags), name) == value


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        ([], None),
        (["--do_sample"], True),
        (["--do_sample", "true"], True),
        (["--do-sample=false"], False),
        (["--do_sample", "none"], None),
    ],
)
def test_a_switch_that_may_be_left_to_the_model(flags: list[str], value: bool | None) -> None:
    assert parse(TrainConfig, argv=["--task", "translation", *flags]).do_sample is value


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--learning_rat", "1"], "did you mean --learning_rate?"),
        (["--learning_r", "1"], "did you mean --learning_rate?"),
        (["--max_train", "5"], "there is no flag --max_train; did you mean --max_train_samples"),
        (["--lr=1e-3"], "there is no flag --lr; did you mean --learning_rate?"),
        (["--epochs", "3"], "did you mean --num_train_epochs?"),
        (["--bf16"], "did you mean --mixed_precision?"),
        (["--xyzzy"], "there is no flag --xyzzy\n"),
        (["reviews.csv"], "'reviews.csv' stands alone"),
        (["--long_text", "hed"], "choose from 'head', 'tail', 'head_tail', 'windows'"),
        (["--learning_rate", "fast"], "invalid float value: 'fast'"),
        (["--max_length", "long"], "invalid int value: 'long'"),
        (["--demo"], "this job has no --demo"),
        (["--augment", "strong"], "--augment belongs to --task image-classification"),
        (["--no_packing"], "--packing belongs to --task text-generation"),
        (["--streaming"], "--streaming belongs to --task text-generation"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_message(
    flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(Recipe, argv=flags)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert told in message
    assert len(message.splitlines()) == 2


def test_only_the_first_process_complains(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:  # process 0, or its launcher, is there to tell
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(first.getsockname()[1])}
        for name, value in {"RANK": "1", "WORLD_SIZE": "2", **place}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as stopped:
            parse(Recipe, argv=["--lr", "1"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == ""


def test_habits_lead_to_flags_that_exist() -> None:
    every = {field.name for task in names() for field in dataclasses.fields(TrainConfig.for_task(task))}
    assert set(HABITS.values()) <= every
    assert not set(HABITS) & every


def test_a_demo_with_a_wrong_name_is_the_recipes_mistake() -> None:
    with pytest.raises(HfkitError, match="'learning_rat', which is no field of Recipe"):
        parse(Recipe, {"learning_rat": 1}, [])


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ("--max_train_samples 0", "--max_train_samples is 0"),
        ("--learning_rate 0", "--learning_rate is 0"),
        ("--learning_rate nan", "--learning_rate is nan"),
        ("--weight_decay -1", "--weight_decay is -1"),
        ("--ema_decay 1", "--ema_decay is 1"),
        ("--label_smoothing_factor -0.1", "--label_smoothing_factor is -0.1"),
        ("--test_size 0", "--test_size is 0"),
        ("--validation_size 0.5 --test_size 0.5", "leave no rows to train on"),
        ("--layer_wise_lr_decay 1.1", "--layer_wise_lr_decay is 1.1"),
        ("--max_steps 0", "--max_steps is 0"),
        ("--optim_args {nesterov:1}", "is no JSON object: Expecting property name"),
        ("--model_args [1]", "is no JSON object: it is a list"),
        ("--encoding utf-99", "--encoding utf-99 is not known"),
        ("--delimiter ;;", "is not one character"),
        ("--problem_type regression --label_smoothing_factor 0.1", "--label_smoothing_factor has no meaning"),
        ("--problem_type regression --class_weights balanced", "--class_weights has no meaning"),
        ("--problem_type multi_label_classification --regression_loss mae", "--regression_loss has no meaning"),
        ("--long_text windows --max_length 128", "--stride 128 is not below --max_length 128"),
        ("--text_column a --label_column a", "one column is named for two things"),
        ("--model baseline:lstm --lora --freeze none", "--lora adapts a pretrained model"),
        ("--model baseline:lstm --pooling mean", "--pooling mean replaces"),
        ("--lora", "--lora already freezes"),
        ("--lora --freeze none --unfreeze_epoch 1", "--lora keeps the model's own weights frozen"),
        ("--lora_target_modules query", "--lora_target_modules has no effect without --lora"),
        ("--lora_r 4", "--lora_r has no effect without --lora"),
        ("--lora_alpha 4", "--lora_alpha has no effect without --lora"),
        ("--lora_dropout 0.1", "--lora_dropout has no effect without --lora"),
        ("--stride 64", "--stride has no effect without --long_text windows"),
        ("--task image-classification", "Recipe is a configuration of --task text-classification"),
        ("--vocab_size 500", "--vocab_size has no effect without --model baseline:NAME"),
        ("--hub_private_repo", "--hub_private_repo has no effect without --push_to_hub"),
        ("--freeze none --unfreeze_epoch 1", "has nothing to unfreeze"),
        ("--unfreeze_layers 1", "--unfreeze_layers needs the epoch of the first"),
        ("--unfreeze_epoch 3", "--unfreeze_epoch 3 never comes"),
        ("--eval_strategy steps", "--eval_strategy steps needs to know how many"),
        ("--seed 4294967296", "--seed is 4294967296"),
        ("--eval_steps 10", "--eval_steps has no effect with --eval_strategy epoch"),
        ("--save_steps 10", "--save_steps has no effect"),
        ("--eval_strategy no --early_stopping_patience 2", "--early_stopping_patience needs figures"),
        ("--eval_strategy no --metric_for_best_model f1", "--metric_for_best_model needs figures"),
        ("--eval_strategy no --lr_scheduler_type reduce_lr_on_plateau", "reduce_lr_on_plateau needs figures"),
        ("--eval_strategy no --lr_scheduler_type greedy", "greedy needs figures"),
        ("--early_stopping_threshold 0.1", "has no effect on its own"),
        ("--tokens_per_batch 4096 --auto_find_batch_size", "both decide how large a batch is"),
        ("--tokens_per_batch 128", "--tokens_per_batch 128 is below --max_length 256"),
    ],
)
def test_what_cannot_work_is_refused_with_a_way_out(flags: str, what: str) -> None:
    with pytest.raises(HfkitError) as refused:
        parse(Recipe, argv=flags.split())
    assert what in refused.value.what
    assert refused.value.fix


def test_what_a_recipe_keeps_ready_is_no_mistake() -> None:
    @dataclass
    class Ready(Recipe):
        stride: int = 32
        lora_r: int = 16

    assert parse(Ready, argv=[]).lora_r == 16
    assert parse(Ready, {"stride": 16}, ["--demo"]).stride == 16
    assert parse(Ready, argv=["--long_text", "windows", "--stride", "64"]).stride == 64
    with pytest.raises(HfkitError, match="--stride has no effect"):
        parse(Ready, argv=["--stride", "128"])


def test_a_run_is_named_after_its_recipe_or_its_data(tmp_path: Path) -> None:
    (tmp_path / "my.data").mkdir()
    named = [
        (TrainConfig(), "/somewhere/recipes/bert_imdb.py", "runs/bert_imdb"),
        (TrainConfig(demo=True), "recipes/bert_imdb.py", "runs/bert_imdb-demo"),
        (TrainConfig(dataset="data/my reviews.csv"), "/usr/bin/hfkit", "runs/my-reviews-bert-base-uncased"),
        (TrainConfig(dataset="my.csv", model="timm/resnet50.a1_in1k"), "hfkit", "runs/my-resnet50.a1_in1k"),
        (TrainConfig(dataset="my.csv", model="baseline:lstm"), "hfkit", "runs/my-lstm"),
        (TrainConfig(dataset="my.csv", model="../models/tiny bert/"), "hfkit", "runs/my-tiny-bert"),
        (TrainConfig(dataset="stanfordnlp/imdb", model="demo:minilm", demo=True), "hfkit", "runs/imdb-minilm-demo"),
        (TrainConfig(dataset=str(tmp_path / "my.data/"), model="gpt2"), "hfkit", "runs/my.data-gpt2"),
    ]
    for config, recipe, expected in named:
        assert default_output_dir(config, recipe) == Path(expected)


@pytest.mark.parametrize(
    ("knobs", "what"),
    [
        ({"learning_rate": "abc"}, "--learning_rate is 'abc'"),
        ({"max_steps": -5}, "--max_steps is -5"),
        ({"max_steps": 2.5}, "--max_steps is 2.5"),
        ({"seed": True}, "--seed is True"),
        ({"lora": "yes"}, "--lora is 'yes'"),
        ({"freeze": "backbone"}, "--freeze is 'backbone'"),
        ({"freeze": [1]}, "--freeze is [1]"),
        ({"pooling": "max"}, "--pooling is 'max'"),
        ({"dataset": b"my.csv"}, "--dataset is b'my.csv'"),
        ({"learning_rate": np.float32(-1)}, "--learning_rate is -1.0"),
        ({"max_steps": np.float64(2.5)}, "--max_steps is 2.5"),
        ({"max_length": "none"}, "--max_length is 'none'"),
        ({"lora": True, "freeze": ["backbone"]}, "--lora already freezes"),
    ],
)
def test_a_program_is_checked_as_a_command_line_is(knobs: dict[str, Any], what: str) -> None:
    """In `fit`, `build_task` and `build_model`: a dataclass takes anything."""
    config = TrainConfig(**knobs)
    nothing: Any = None
    for call in (
        lambda: fit(config, nothing, nothing, nothing, nothing),
        lambda: build_task(config, nothing),
        lambda: build_model(config, nothing),
    ):
        with pytest.raises(HfkitError) as refused:
            call()
        assert what in refused.value.what
        assert refused.value.fix


def test_paths_and_numpy_numbers_of_a_program_become_plain() -> None:
    config = TrainConfig(output_dir=Path("x"), dataset=Path("my.csv"))  # type: ignore[arg-type]
    config.learning_rate, config.max_steps, config.lora = np.float32(1e-4), np.int64(5), np.bool_(True)  # type: ignore
    config.dropout, config.pixel_range = torch.tensor(0.5), [np.int16(0), np.float64(9.5)]  # type: ignore[assignment]
    check(config)
    assert (config.output_dir, config.dataset, config.max_steps, config.lora) == ("x", "my.csv", 5, True)
    assert config.learning_rate == pytest.approx(1e-4) and config.pixel_range == [0, 9.5] and config.dropout == 0.5
    assert json.loads(json.dumps(dataclasses.asdict(config))) == dataclasses.asdict(config)


def test_load_data_takes_a_path(reviews_csv: Path) -> None:
    assert load_data(reviews_csv).num_rows == load_data(str(reviews_csv)).num_rows


def test_one_group_of_knobs_is_checked_too() -> None:
    check(DataArguments(streaming_window=128))
    check(TrainConfig(learning_rate=1, max_length=None, freeze=["backbone"]))
    with pytest.raises(HfkitError, match="--max_train_samples is '128'") as refused:
        check(DataArguments(max_train_samples="128"))  # type: ignore[arg-type]
    assert refused.value.fix == "give a whole number or None, not str"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            "--task image-classification --max_length 64",
            "--max_length belongs to --task fill-mask and question-answering and ",
        ),
        ("--task image-classification --max_seq_length 64", "--max_length belongs to"),
        ("--task=text-generation --merge_labels", "--merge_labels belongs to --task image-classification and text-cl"),
        (
            "--task text-generation --pooling mean",
            "--pooling belongs to --task sentence-similarity and text-classification",
        ),
        ("--task text-generation --label_column x", "--label_column belongs to"),
        ("--eval_stride 8", "--eval_stride belongs to --task text-generation"),
    ],
)
def test_another_tasks_flag_does_not_exist(flags: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(TrainConfig, argv=flags.split())
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err


def test_a_flag_that_needs_another_says_so() -> None:
    with pytest.raises(HfkitError, match="--tokenizer has no effect without --model baseline:NAME"):
        parse(TrainConfig, argv="--task text-generation --tokenizer char".split())
    with pytest.raises(HfkitError, match="--streaming_window has no effect without --streaming"):
        parse(TrainConfig, argv="--task text-generation --streaming_window 8".split())


@pytest.mark.parametrize("task", names())
def test_a_tasks_first_page_fits_a_screen(
    task: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for flag in ("--help", "--help_all"):
        with pytest.raises(SystemExit) as stopped:
            parse(TrainConfig, dict(find(task).demo), ["--task", task, flag], prog="hfkit train")
        assert stopped.value.code == 0
    first, every = capsys.readouterr().out.split("usage: hfkit train")[1:]
    assert len(first.splitlines()) <= 40
    own = {field.name for field in dataclasses.fields(TrainConfig.for_task(task))}
    few = [name for name in own if f"--{name} " in first]
    assert {"dataset", "model", "task", "output_dir", "num_train_epochs", "learning_rate", "demo"} <= set(few)
    assert f"--help_all shows {len(own) - len(few)} more" in " ".join(first.split())
    assert all(f"--{name} " in every for name in own)
    assert all(name in " ".join(first.split()).replace("- ", "-") for name in names())  # lines may end at a hyphen


def test_a_program_gets_the_tasks_configuration() -> None:
    for task in names():
        assert type(TrainConfig(task=task)) is TrainConfig.for_task(task)
        assert TrainConfig.for_task(task)().task == task
        assert pickle.loads(pickle.dumps(TrainConfig(task=task, seed=3))) == TrainConfig(task=task, seed=3)
    assert type(TrainConfig()) is hfkit.text_classification.Config
    assert TrainConfig(task="text-generation", eval_stride=8).eval_stride == 8
    copied = pickle.loads(pickle.dumps(TrainConfig(task="image-classification", image_size=8)))
    assert dataclasses.replace(copied, seed=1).image_size == 8
    with pytest.raises(HfkitError, match="--image_size belongs to --task image-classification"):
        TrainConfig(image_size=8)
    with pytest.raises(HfkitError, match="there is no knob 'lr'"):
        hfkit.text_generation.Config(lr=8)
    with pytest.raises(HfkitError, match="Config is a configuration of --task text-classification"):
        hfkit.text_classification.Config(task="text-generation")
    with pytest.raises(HfkitError, match="No task is called 'nothing'"):
        TrainConfig(task="nothing")


def test_a_recipe_that_subclasses_train_config_has_its_tasks_knobs() -> None:
    """What every recipe was, when one class had all knobs."""

    @dataclass
    class Old(TrainConfig):
        """An old recipe."""

        task: str = "text-generation"
        eval_stride: int | None = 64
        learning_rate: float = 3e-5

    @dataclass
    class Older(Old):
        max_length: int | None = 256

        def longest(self) -> int:
            return self.max_length or 0

    config = parse(Older, {"packing": False}, ["--demo", "--max_steps", "3"])
    assert isinstance(config, Older) and isinstance(config, hfkit.text_generation.Config)
    assert (config.packing, config.eval_stride, config.learning_rate, config.max_steps) == (False, 64, 3e-5, 3)
    assert config.longest() == 256 and Older().longest() == 256
    assert parse(Older, argv=[]) == Older()
    with pytest.raises(HfkitError, match="--eval_stride 300 is above --max_length 256"):
        parse(Older, argv=["--eval_stride", "300"])
    with pytest.raises(HfkitError, match="--eval_stride is 0"):
        parse(Older, argv=["--eval_stride", "0"])
    with pytest.raises(HfkitError, match="Older is a configuration of --task text-generation"):
        parse(Older, argv=["--task", "text-classification"])
