"""Flags: grouped, defaulted, never guessed; and combinations that cannot work are refused."""

import dataclasses
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hfkit import build_model, build_task, fit
from hfkit.base.errors import HfkitError
from hfkit.config import TaskArguments, TrainConfig
from hfkit.config.parsing import HABITS, ConfigParser, check, default_output_dir, parse


@dataclass
class Recipe(TrainConfig):
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
    help_text = " ".join(parser.format_help().split())
    for field in dataclasses.fields(Recipe):
        action = parser._option_string_actions[f"--{field.name}"]
        assert action.help, field.name
        assert f"--{field.name} " in help_text
    assert "(default: 3e-05)" in help_text
    assert "Turn --load_best_model_at_end off" in help_text
    assert "--learning-rate" not in help_text
    assert "second paragraph" not in help_text


def test_help_keeps_the_groups_of_config_in_their_order() -> None:
    help_text = ConfigParser(Recipe).format_help()
    titles = [
        "Which rows are read",
        "What the job means",
        "Which model",
        "How a gradient",
        "How long, in which batches",
        "Where the run is kept",
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
    assert "My own job:" in ConfigParser(Own).format_help()


def test_parsing_leaves_the_class_as_it_was() -> None:
    before = {field.name: (field.type, field.default, dict(field.metadata)) for field in dataclasses.fields(Recipe)}
    parse(Recipe, DEMO, ["--demo"])
    after = {field.name: (field.type, field.default, dict(field.metadata)) for field in dataclasses.fields(Recipe)}
    assert before == after


def test_demo_changes_defaults_and_the_users_flags_win() -> None:
    config = parse(Recipe, DEMO, ["--demo", "--learning_rate", "5e-5"])
    assert (config.model, config.learning_rate, config.max_train_samples) == ("demo:minilm", 5e-5, 2000)
    assert parse(Recipe, DEMO, []).model == TrainConfig.model


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
    assert set(HABITS.values()) <= {field.name for field in dataclasses.fields(TrainConfig)}
    assert not set(HABITS) & {field.name for field in dataclasses.fields(TrainConfig)}


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
        ("--augment strong", "--augment has no effect without --task image-classification"),
        ("--test_time_augmentation flip", "--test_time_augmentation has no effect without --task image-classification"),
        ("--mixup 0.2", "--mixup has no effect without --task image-classification"),
        ("--task image-classification --max_length 64", "--max_length has no effect without a task of texts"),
        ("--task image-classification --long_text head_tail", "--long_text has no effect without a task of texts"),
        (
            "--task text-generation --long_text head --merge_labels",
            "--merge_labels has no effect without a task with labels",
        ),
        ("--vocab_size 500", "--vocab_size has no effect without --model baseline:NAME"),
        (
            "--task text-generation --long_text head --tokenizer char",
            "--tokenizer has no effect without --model baseline:NAME",
        ),
        ("--freeze none --unfreeze_epoch 1", "has nothing to unfreeze"),
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
        ({"dataset": Path("my.csv")}, "--dataset is PosixPath('my.csv')"),
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


def test_one_group_of_knobs_is_checked_too() -> None:
    check(TaskArguments(max_length=128))
    check(TrainConfig(learning_rate=1, max_length=None, freeze=["backbone"]))
    with pytest.raises(HfkitError, match="--max_length is '128'") as refused:
        check(TaskArguments(max_length="128"))  # type: ignore[arg-type]
    assert refused.value.fix == "give a whole number or None, not str"
