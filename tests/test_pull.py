"""What was published comes back: pinned, checked byte by byte, without code and pickles, and fit to be compared."""

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest

import hfkit
from hfkit.base import network
from hfkit.base.errors import HfkitError
from hfkit.cli.main import main
from hfkit.hub import fetching

Captured = pytest.CaptureFixture[str]


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code if isinstance(ended.value.code, int) else 0


@pytest.fixture
def published(hub: Any, tiny_run: Path) -> str:
    """The commit of the tiny run, as `tester/reviews`."""
    made = hfkit.push(tiny_run, "tester/reviews", verify=False)
    assert made is not None
    return made.commit


def test_a_pulled_run_is_used_like_a_local_one(
    hub: Any, published: str, tiny_run: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert command("pull", "tester/reviews", "--output", "got") == 0
    told = capsys.readouterr()
    assert told.out.strip() == "got" and published in told.err
    got = hfkit.Run("got")
    assert got.metrics == hfkit.Run(tiny_run).metrics
    assert command("verify", "got") == 0
    text = "a wonderful, moving film"
    ours = hfkit.pipeline(tiny_run, mixed_precision="no")(text)
    assert hfkit.pipeline("got", mixed_precision="no")(text) == ours
    assert hfkit.pipeline("tester/reviews", revision=published, mixed_precision="no")(text) == ours
    (tmp_path / "in.csv").write_text("review\nan awful boring film\n")
    assert command("predict", "got", "--input", "in.csv", "--output", "out.csv", "--disable_tqdm") == 0
    assert command("pull", "tester/reviews", "--output", "got") == 1, "what is there is not overwritten"


def test_a_published_run_is_compared_with_a_local_one(
    hub: Any, published: str, tiny_run: Path, capsys: Captured
) -> None:
    assert command("compare", "tester/reviews", tiny_run) == 0
    told = capsys.readouterr().out
    assert "tester/reviews" in told and "0.0" in told


def test_a_published_run_is_evaluated_on_other_data(hub: Any, published: str, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("review,sentiment\na superb film,pos\na dreadful film,neg\na warm story,pos\n")
    assert command("evaluate", "tester/reviews", "--dataset", "new.csv") == 0
    assert (tmp_path / "evaluations" / "tester--reviews" / "new" / "metrics.json").is_file()
    assert not (hfkit.pull("tester/reviews") / "evaluations").exists()


def test_a_revision_is_pinned_and_main_moves_on(hub: Any, published: str, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "other"
    shutil.copytree(tiny_run, run)
    (run / "README.md").write_text((run / "README.md").read_text() + "\nmore\n")
    hfkit.push(run, "tester/reviews", verify=False)
    assert "more" not in (hfkit.pull("tester/reviews", published) / "README.md").read_text()
    assert "more" in (hfkit.pull("tester/reviews") / "README.md").read_text()
    with pytest.raises(HfkitError, match="no such revision"):
        hfkit.pull("tester/reviews", "v9")
    with pytest.raises(HfkitError, match="has no model tester/nothing"):
        hfkit.pull("tester/nothing")


def test_a_file_that_is_not_what_the_hub_says_is_refused(hub: Any, published: str) -> None:
    folder = hfkit.pull("tester/reviews")
    weights = (folder / "model.safetensors").resolve()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    with pytest.raises(HfkitError, match=r"model\.safetensors of tester/reviews is not what the Hub has"):
        hfkit.pull("tester/reviews")


def test_without_a_connection_the_cache_answers(
    hub: Any, published: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    hfkit.pull("tester/reviews")
    hub.requests.clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    folder = hfkit.pull("tester/reviews")
    assert folder.name == published and not hub.requests
    classify = hfkit.pipeline("tester/reviews", mixed_precision="no")
    assert classify("a warm film")[0]["label"] in ("neg", "pos")
    (folder / "metrics.json").unlink()
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(HfkitError, match=r"metrics\.json"):
        hfkit.pull("tester/reviews")


def test_pickles_alone_are_refused_with_the_way_out(hub: Any, capsys: Captured) -> None:
    with hub.store.lock:
        repository = hub.store.create("model", "tester/pickled")
        files = {name: hub.store.keep(b"{}") for name in ("config.json", "tokenizer.json", "pytorch_model.bin")}
        repository.commit("main", "old", files)
    for call in (hfkit.pull, hfkit.pipeline):
        with pytest.raises(HfkitError, match=r"only there as pytorch_model\.bin(?s:.*)save_pretrained"):
            call("tester/pickled")
    assert not [line for line in hub.requests if "pytorch_model.bin" in line], "nothing of it was fetched"


def test_code_comes_only_when_it_is_trusted(hub: Any) -> None:
    with hub.store.lock:
        repository = hub.store.create("model", "tester/code")
        files = {name: hub.store.keep(b"{}") for name in ("config.json", "model.safetensors", "modeling.py")}
        repository.commit("main", "code", files)
    assert not (hfkit.pull("tester/code") / "modeling.py").exists()
    assert (hfkit.pull("tester/code", trust_remote_code=True) / "modeling.py").exists()


def test_a_name_is_a_folder_first(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert fetching.local("a/b") == Path("a/b")
    assert fetching.local("runs/nothing") == Path("runs/nothing")
    network.hub_reachable.cache_clear()
