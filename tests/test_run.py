"""The run directory: one configuration a folder, whole files, and readings that say what is missing."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import in_child

import hfkit
from hfkit import HfkitError, Run
from hfkit.base.atomic import write_json, write_text
from hfkit.config import TrainConfig
from hfkit.config.by_task import elsewhere
from hfkit.report.page import settings
from hfkit.runs.run import claim
from hfkit.training.judging.judge import saved_config

CONFIG = TrainConfig(learning_rate=1e-4)


def test_the_same_configuration_gets_its_run_back(tmp_path: Path) -> None:
    place = tmp_path / "a" / "run"
    first = claim(CONFIG, place, "recipes/x.py")
    first.update(state="stopped")
    again = claim(replace(CONFIG, disable_tqdm=True, output_dir="elsewhere"), place, "recipes/x.py")
    assert again.state == "stopped"
    assert again.config["learning_rate"] == 1e-4
    assert again.info["name"] == "run"


def test_another_configuration_is_refused_with_the_flags_that_differ(tmp_path: Path) -> None:
    claim(CONFIG, tmp_path, "x")
    with pytest.raises(HfkitError, match=r"learning_rate 0.0001 -> 0.01, seed 42 -> 7(.|\n)*--overwrite"):
        claim(replace(CONFIG, learning_rate=1e-2, seed=7), tmp_path, "x")
    assert json.loads((tmp_path / "run.json").read_text())["config"]["seed"] == 42


def from_one_class(path: Path, **changes: Any) -> dict[str, Any]:
    """Make a run what it was when one class had the knobs of all tasks: its configuration holds every one of them."""
    info = json.loads((path / "run.json").read_text())
    info["config"] = elsewhere(info["config"]["task"]) | info["config"] | changes
    write_json(path / "run.json", info)
    config: dict[str, Any] = info["config"]
    return config


def test_a_run_that_holds_the_knobs_of_all_tasks_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim(CONFIG, tmp_path, "x").update(state="stopped")
    assert {"image_size", "augment", "eval_stride", "packing"} <= set(from_one_class(tmp_path))
    assert claim(CONFIG, tmp_path, "x").state == "stopped"
    assert capsys.readouterr().out == ""
    from_one_class(tmp_path, image_size=64, packing=False)
    assert claim(CONFIG, tmp_path, "x").state == "stopped"
    said = capsys.readouterr().out
    assert "--image_size 64" in said and "--packing False" in said and "had no effect: --task text-class" in said
    with pytest.raises(HfkitError, match="another configuration: stride 128 -> 64\n"):
        claim(replace(CONFIG, stride=64), tmp_path, "x")


def test_such_a_run_is_judged_and_reported_as_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = claim(CONFIG, tmp_path, "x")
    plain = settings(run.config)
    old = from_one_class(tmp_path, mixup=0.5)
    assert saved_config(Run(tmp_path), False) == CONFIG
    assert capsys.readouterr().out.endswith("--mixup 0.5 had no effect: --task text-classification has no such flag\n")
    assert (settings(old)[0], settings(old)[1]) == ([("mixup", 0.5), *plain[0]], plain[1])
    assert ("learning_rate", 1e-4) in plain[0] and ("task", "text-classification") in plain[1]


def test_overwrite_deletes_the_run_and_nothing_but_a_run(tmp_path: Path) -> None:
    run = claim(CONFIG, tmp_path / "run", "x")
    (run.path / "log.jsonl").write_text("{}\n")
    claim(replace(CONFIG, seed=7, overwrite=True), run.path, "x")
    assert [path.name for path in run.path.iterdir()] == ["run.json"]
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.md").write_text("years of work")
    with pytest.raises(HfkitError, match="holds no run"):
        claim(replace(CONFIG, overwrite=True), thesis, "x")
    assert (thesis / "chapter1.md").read_text() == "years of work"


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HfkitError, match="cannot be written"):
        claim(CONFIG, tmp_path / "file" / "run", "x")


def test_a_lock_that_the_disk_does_not_delete_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = claim(CONFIG, tmp_path / "run", "x")
    run.hold()

    def fail(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", fail)
        run.release()
    assert (run.path / ".lock").exists()
    assert in_child(lambda: Run(run.path).hold()) == 0


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match=r"no run\.json"):
        Run(tmp_path)
    run = claim(CONFIG, tmp_path / "run", "x")
    assert run.log() == run.timing() == []
    with pytest.raises(HfkitError, match="is stopped: it has no figures yet"):
        _ = run.metrics
    with pytest.raises(HfkitError, match=r"predictions\.parquet is missing"):
        run.predictions()
    (run.path / "run.json").write_text("{broken")
    with pytest.raises(HfkitError, match="cannot be read"):
        Run(run.path)


def test_json_is_written_in_one_rename(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"größe": 1})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "größe": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "report.html", "text")
    assert not list(tmp_path.iterdir())


def test_a_moved_run_is_called_what_its_folder_is(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_run, tmp_path / "best")
    run = Run(tmp_path / "best")
    assert run.info["name"] == "best"
    assert hfkit.push(run, "tester/films", dry_run=True) is None
    said = capsys.readouterr().out
    assert "# films" in said and "# run" not in said, "the card of another place is nobody's handwriting"
    hfkit.write_report(run)
    assert json.loads((run.path / "run.json").read_text())["name"] == "best"
    card = (run.path / "README.md").read_text()
    assert "# best" in card and str(run.path) in card and f'"{tiny_run}"' not in card
    (run.path / "config.json").write_text("{}")  # as in a published run, whose files lie side by side
    (run.path / "run.json").write_text(json.dumps(run.info | {"name": "anna/films"}))
    assert Run(run.path).info["name"] == "anna/films"
