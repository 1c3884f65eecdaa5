"""Command lines that overflow, nest, escape or point at nothing: one message and status 1 or 2, and nothing is left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from guard import bounded, contents, harmless, write

from hfkit.cli.main import main

HUGE = str(10**30)
INTEGERS = (
    "max_train_samples max_eval_samples max_test_samples data_seed max_length stride vocab_size unfreeze_epoch lora_r"
    " lora_alpha per_device_train_batch_size per_device_eval_batch_size gradient_accumulation_steps tokens_per_batch"
    " dataloader_num_workers seed logging_steps eval_steps save_steps save_total_limit early_stopping_patience"
    " max_steps"
).split()
FLOATS = "learning_rate weight_decay num_train_epochs warmup_steps max_grad_norm early_stopping_threshold".split()

LINES = [
    *[(f"--{name}", HUGE, name) for name in INTEGERS],
    *[(f"--{name}", "-" + HUGE, name) for name in ("max_steps", "stride", "dataloader_num_workers")],
    *[(f"--{name}", value, name) for name in FLOATS for value in ("1e999", "nan")],
    ("--num_train_epochs", "1e300", "num_train_epochs"),
    ("--warmup_steps", "1e300", "warmup_steps"),
    ("--dataloader_num_workers", "100000", "dataloader_num_workers"),
    ("--seed", "9" * 5000, "seed"),
    ("--seed", "0x10", "seed"),
    ("--model_args", "[" * 100_000, "model_args"),
    ("--model_args", '{"a":' * 100_000, "model_args"),
    ("--model_args", '{"hidden_size": ' + "9" * 5000 + "}", "model_args"),
    ("--model_args", '{"hidden_size": 1000000000}', ""),
    ("--model_args", '{"hidden_size": -1}', ""),
    ("--model_args", '{"num_hidden_layers": 1000000000}', ""),
    ("--model_args", '{"num_labels": 1000000000}', ""),
    ("--model_args", '{"id2label": 7}', ""),
    ("--model_args", '{"vocab_size": "many"}', ""),
    ("--model_args", '{"trust_remote_code": true}', "trust_remote_code"),
    ("--model_args", '{"__class__": "os"}', "__class__"),
    ("--optim", "__import__", "__import__"),
    ("--optim", "lr_scheduler", "lr_scheduler"),
    ("--optim_args", '{"params": 1}', ""),
    ("--optim_args", '{"betas": "x"}', ""),
    ("--lr_scheduler_type", "../../x", "../../x"),
    ("--lr_scheduler_kwargs", "[" * 100_000, "lr_scheduler_kwargs"),
    ("--task", "../../evil", "../../evil"),
    ("--model", "", "--model"),
    ("--model", "baseline:__init__", "__init__"),
    ("--model", "x" * 5000, "xxx"),
    ("--model", "../\x1b[2Jmodel", "model"),
    ("--dataset", "", "--dataset"),
    ("--dataset", "x" * 5000, "xxx"),
    ("--dataset", "\x1b]0;mine\x07data.csv", "data.csv"),
    ("--dataset", "/dev/stdin", ""),
    ("--text_column", "\x1b[2Jtext", "text"),
    ("--label_column", "__proto__", "__proto__"),
    ("--encoding", "zlib", "zlib"),
    ("--encoding", "undefined", "undefined"),
    ("--delimiter", "\n", "delimiter"),
    ("--delimiter", '"', "delimiter"),
    ("--output_dir", "x" * 5000, ""),
    ("--output_dir", "data.csv/run", "data.csv"),
    ("--output_dir", "/proc/self/run", "/proc/self/run"),
    ("--metric_for_best_model", "__proto__", "__proto__"),
    ("--report_to", "os", "os"),
    ("--freeze", "[", ""),
    ("--\x1b[2Jflag", "1", "flag"),
]


@pytest.mark.parametrize(
    ("flag", "value", "told"), LINES, ids=[f"{flag[2:]} {value[:12]}"[:40] for flag, value, _ in LINES]
)
def test_a_hostile_flag_is_refused(flag: str, value: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"a {('bad', 'good')[row % 2]} film {row},{('neg', 'pos')[row % 2]}\n" for row in range(40))
    write("data.csv", "text,label\n" + rows)
    given = {"--dataset": "data.csv", "--model": "baseline:lstm", "--max_steps": "2", "--max_length": "16"}
    given |= {"--output_dir": "run", "--use_cpu": "true", flag: value}
    needs = {
        "--lora_r": {"--lora": "true", "--model": "demo:minilm"}, "--eval_steps": {"--eval_strategy": "steps"},
        "--save_steps": {"--save_strategy": "steps"}, "--early_stopping_threshold": {"--early_stopping_patience": "1"},
        "--unfreeze_epoch": {"--freeze": "embeddings"}, "--lora_alpha": {"--lora": "true", "--model": "demo:minilm"},
        "--stride": {"--long_text": "windows"},
    }  # fmt: skip
    given |= needs.get(flag, {})
    before = contents(Path())
    with bounded(), pytest.raises(SystemExit) as ended:
        main(["train", *(f"{name}={value}" for name, value in given.items()), "--disable_tqdm"])
    message = capsys.readouterr().err
    assert ended.value.code in (1, 2), message
    assert told in message and message.count("what to do:") <= 1
    harmless(message)
    assert contents(Path()) == before


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["train", "--dataset", "data.csv", "--seed", HUGE], "--seed"),
        (["train", "--dataset", "pipe.csv"], "pipe.csv"),
        (["train", "--dataset", "good.csv", "--model", "model"], "config.json"),
        (["predict", "model", "--input", "data.csv"], "config.json"),
        (["report", "run"], "run.json"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_the_command_itself_ends_with_one_message(command: list[str], told: str) -> None:
    write("data.csv", "text,label\n" + "a,b\n" * 9)
    write("good.csv", "text,label\n" + "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(40)))
    write("model/config.json", "[" * 100_000)
    write("model/model.safetensors", b"\0")
    write("model/tokenizer.json", "{}")
    write("run/run.json", "{" * 100_000)
    os.mkfifo("pipe.csv")
    before = contents(Path())
    ended = subprocess.run(
        [sys.executable, "-m", "hfkit.cli.main", *command], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr and len([*filter(None, ended.stderr.splitlines())]) <= 4
    assert ended.stderr.startswith("error: ") and told in ended.stderr
    assert contents(Path()) == before
