"""A run published over real HTTP: one commit, opened by a stranger, and every refusal in plain words."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.cli.main import main
from hfkit.hub import verification

Captured = pytest.CaptureFixture[str]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def train(folder: Path, model: Path | str, csv: Path, *flags: str) -> Path:
    common = f"--dataset {csv} --model {model} --output_dir {folder} --max_steps 6 --max_length 24 --mixed_precision no"
    with pytest.raises(SystemExit) as ended:
        main(["train", *common.split(), "--learning_rate", "1e-2", "--disable_tqdm", "--use_cpu", *flags])
    assert ended.value.code == 0
    return folder


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_bert: Path) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    return train(folder / "run", tiny_bert, tiny_run.parent / "reviews.csv", "--lora")


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path) -> Path:
    folder = tmp_path_factory.mktemp("lstm")
    return train(folder / "run", "baseline:lstm", tiny_run.parent / "reviews.csv")


def test_a_text_run_is_one_commit_that_plain_transformers_opens(hub: Any, tiny_run: Path, capsys: Captured) -> None:
    before = contents(tiny_run)
    made = hfkit.Run(tiny_run).push("tester/reviews", private=True, tag="v1")
    assert made is not None and made.verified == 8
    repository = hub.store.repositories["model", "tester/reviews"]
    assert [commit.title for commit in repository.history("main")][1:] == ["initial commit"]
    assert repository.branches["main"] == repository.tags["v1"] == made.commit
    files = hub.store.files("tester/reviews")
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "run.json", "metrics.json"} <= set(files)
    assert {"report.html", "predictions.parquet"} <= set(files)
    assert not [name for name in files if "log" in name or "checkpoint" in name or name.endswith(".bin")]
    assert files["model.safetensors"] == (tiny_run / "model" / "model.safetensors").read_bytes()
    assert b'"tester/reviews"' in files["README.md"] and str(tiny_run).encode() not in files["README.md"]
    assert repository.private
    assert contents(tiny_run) == before, "the run on disk is untouched"
    told = capsys.readouterr().out
    assert "8 examples are equal, bit for bit" in told and "plain transformers" in told


def test_a_difference_is_an_error_and_the_commit_stands(hub: Any, lstm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_ask", lambda *_: [[0.0, 1.0]] * 8)
    with pytest.raises(HfkitError, match=r"does not answer as the run does: 8 of 8 examples differ"):
        hfkit.push(lstm, "tester/lstm")
    assert "model.safetensors" in hub.store.files("tester/lstm")


def test_a_model_of_ours_opens_with_hfkit_and_with_its_own_code(hub: Any, lstm: Path, capsys: Captured) -> None:
    made = hfkit.push(lstm, "tester/lstm")
    assert made is not None and made.verified == 8
    assert "with hfkit and with transformers and trust_remote_code=True" in capsys.readouterr().out
    files = hub.store.files("tester/lstm")
    sources = [text.decode() for name, text in files.items() if name.endswith(".py")]
    assert len(sources) > 2 and not [text for text in sources if "from hfkit" in text or "import hfkit" in text]
    card = files["README.md"].decode()
    assert "trust_remote_code=True" in card and "import hfkit" in card


def test_an_adapter_is_published_with_its_base(hub: Any, adapter: Path, tiny_bert: Path) -> None:
    with pytest.raises(HfkitError, match=r"nobody could open it(?s:.*)--with_base"):
        hfkit.push(adapter, "tester/adapter")
    assert not hub.store.repositories
    made = hfkit.push(adapter, "tester/adapter", with_base=True)
    assert made is not None and made.verified == 8
    files = hub.store.files("tester/adapter")
    base = hub.store.repositories["model", "tester/adapter-base"].branches["main"]
    config = json.loads(files["adapter_config.json"])
    assert (config["base_model_name_or_path"], config["revision"]) == ("tester/adapter-base", base)
    assert "model.safetensors" not in files and "adapter_model.safetensors" in files
    assert not [name for name, content in files.items() if str(tiny_bert).encode() in content]
    assert b"base_model: tester/adapter-base" in files["README.md"]
    classify = hfkit.pipeline("tester/adapter", revision=made.commit, mixed_precision="no")
    assert classify("a warm film")[0]["label"] in ("neg", "pos")


def test_an_adapter_merged_is_a_plain_model(hub: Any, adapter: Path, capsys: Captured) -> None:
    made = hfkit.push(adapter, "tester/merged", merged=True)
    assert made is not None and made.verified == 8
    files = hub.store.files("tester/merged")
    assert "model.safetensors" in files and not [name for name in files if name.startswith("adapter")]
    assert b"library_name: transformers" in files["README.md"]
    assert "plain transformers" in capsys.readouterr().out
    assert not (adapter / "merged").exists()


def test_only_an_adapter_can_be_merged(hub: Any, lstm: Path) -> None:
    with pytest.raises(HfkitError, match="its model is whole already"):
        hfkit.push(lstm, "tester/x", merged=True)
    assert not hub.requests


def test_a_dry_run_lists_and_shows_and_asks_nobody(hub: Any, tiny_run: Path, capsys: Captured) -> None:
    assert hfkit.push(tiny_run, "tester/reviews", dry_run=True) is None
    told = capsys.readouterr().out
    weights = (tiny_run / "model" / "model.safetensors").stat().st_size
    assert f"{weights:,}" in told and "model.safetensors" in told
    assert "model-index" in told and "## How to use it" in told
    assert not hub.requests


def test_no_byte_of_a_secret_is_sent(hub: Any, lstm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary, home = "hf_" + "CanaryThatSings" * 3, tmp_path / "home" / "canaryuser"
    password = "correct-horse-battery"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "canaryuser")
    monkeypatch.setenv("WANDB_API_KEY", password)
    monkeypatch.setenv("OTHER_TOKEN", canary)
    run = tmp_path / "run"
    shutil.copytree(lstm, run)
    info = json.loads((run / "run.json").read_text())
    info["config"] |= {"model_args": json.dumps({"token": canary}), "dataset": f"{home}/films/reviews.csv"}
    info["command"] += ["--model_args", canary, f"--cache={home}/x", password]
    (run / "run.json").write_text(json.dumps(info))
    (run / "log.jsonl").write_text(json.dumps({"step": 1, "token": canary}) + "\n")
    (run / "model" / "training_args.bin").write_bytes(canary.encode())
    (run / "report.html").write_text(f"<p>{canary} read {home}/films/reviews.csv by {password}</p>")
    (run / "README.md").unlink()
    info["files"] = {}
    (run / "run.json").write_text(json.dumps(info))
    hfkit.push(run, "tester/canary", verify=False)
    everything = b"\n".join(hub.received)
    for secret in (canary, password, "canaryuser", str(home)):
        assert secret.encode() not in everything, secret
    assert not [name for name in hub.store.files("tester/canary") if name in ("training_args.bin", "log.jsonl")]
    assert b"<p>[removed] read reviews.csv by [removed]</p>" in hub.store.files("tester/canary")["report.html"]


@pytest.mark.parametrize("secret", ["hf_" + "a1B2" * 8, "{home}/models/x"])
def test_a_secret_in_a_models_file_is_refused(hub: Any, lstm: Path, tmp_path: Path, secret: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(lstm, run)
    info = json.loads((run / "run.json").read_text()) | {"files": {}}
    (run / "run.json").write_text(json.dumps(info))
    (run / "model" / "notes.txt").write_text(secret.format(home=Path.home()))
    with pytest.raises(HfkitError, match=r"notes\.txt holds what is private(?s:.*)nothing was sent"):
        hfkit.push(run, "tester/secret")
    assert not hub.requests


def test_what_cannot_be_published_is_refused(hub: Any, lstm: Path, tmp_path: Path) -> None:
    for name in ("no-owner", "a/b/c", "a b/c"):
        with pytest.raises(HfkitError, match="owner/name"):
            hfkit.push(lstm, name)
    run = tmp_path / "run"
    shutil.copytree(lstm, run)
    with (run / "model" / "model.safetensors").open("ab") as weights:
        weights.write(b"!")
    with pytest.raises(HfkitError, match="is damaged"):
        hfkit.push(run, "tester/x")
    info = json.loads((run / "run.json").read_text()) | {"state": "stopped"}
    (run / "run.json").write_text(json.dumps(info))
    with pytest.raises(HfkitError, match="is stopped"):
        hfkit.push(run, "tester/x")
    assert not hub.requests


def test_a_card_that_somebody_wrote_stays_theirs(hub: Any, lstm: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(lstm, run)
    (run / "README.md").write_text((run / "README.md").read_text() + "\nAnd a word of my own.\n")
    hfkit.push(run, "tester/card", verify=False)
    card = hub.store.files("tester/card")["README.md"].decode()
    assert card.endswith("And a word of my own.\n")


def test_training_publishes_what_it_made(
    hub: Any, tiny_run: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "verify", lambda *_: 8)  # tested above, at length
    csv, flags = tiny_run.parent / "reviews.csv", ["--push_to_hub", "--hub_model_id", "tester/trained"]
    train(tmp_path / "run", "baseline:lstm", csv, *flags, "--hub_private_repo", "--hub_revision", "dev")
    repository = hub.store.repositories["model", "tester/trained"]
    assert repository.private and len(repository.history("dev")) == 2 and len(repository.history("main")) == 1
    hub.accounts = {}
    with pytest.raises(SystemExit) as ended:
        main(["train", "--dataset", str(csv), "--model", "baseline:lstm", "--output_dir", "other", *flags])
    assert ended.value.code == 1
    assert "does not know the token" in capsys.readouterr().err
    assert not Path("other").exists(), "told before anything is trained"
