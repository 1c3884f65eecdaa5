"""A run as an app: in a real browser on this machine, and as the files of a Space."""

import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from browser import CHROMIUM, Browser
from image_files import image_folder
from run_fixture import write_run

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.hub.space.facts import facts
from hfkit.tasks.text_classification.windows import windows

with_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")


def train(flags: str) -> None:
    from hfkit.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["train", *flags.split(), "--mixed_precision", "no", "--disable_tqdm"])
    assert ended.value.code == 0


@pytest.fixture(scope="module")
def windows_run(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: list[tuple[str, str]]) -> Path:
    """A finished run that reads texts in windows of 12 tokens, twice as many words as most of its texts have."""
    folder = tmp_path_factory.mktemp("windows")
    (folder / "reviews.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in reviews))
    train(
        f"--dataset {folder / 'reviews.csv'} --model {tiny_bert} --output_dir {folder / 'reviews'} --max_length 12"
        " --long_text windows --stride 2 --learning_rate 5e-3 --num_train_epochs 3"
    )
    return folder / "reviews"


@pytest.fixture(scope="module")
def picture_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of red and blue discs."""
    folder = tmp_path_factory.mktemp("pictures")
    image_folder(folder / "discs", {"train": 24, "test": 8})
    train(
        f"--task image-classification --dataset {folder / 'discs'} --model baseline:cnn --image_size 16"
        f" --output_dir {folder / 'run'} --num_train_epochs 3 --learning_rate 3e-3 --augment none"
    )
    return folder / "run"


def test_each_window_says_what_it_would_say_alone(windows_run: Path) -> None:
    classify = hfkit.pipeline(windows_run, mixed_precision="no")
    text = " ".join(f"wonderful film number {number} and the story was boring" for number in range(6))
    parts = windows(classify, text)
    assert len(parts) > 4
    assert all(sum(part.scores.values()) == pytest.approx(1, abs=1e-5) for part in parts)
    for part in parts[:2]:
        alone = {entry["label"]: entry["score"] for entry in classify(part.text, top_k=None)}
        assert part.scores == pytest.approx(alone, abs=1e-4)
    assert windows(classify, "boring") == []


def test_a_model_that_reads_once_has_no_windows(tiny_run: Path) -> None:
    assert windows(hfkit.pipeline(tiny_run), "wonderful " * 100) == []


def test_examples_are_test_rows_one_a_label_and_the_longest(tmp_path: Path) -> None:
    run = hfkit.Run(write_run(tmp_path / "one"))
    about = facts(run)
    rows = {" ".join(text.split())[:1499] for text in run.predictions()["text"].to_pylist()}
    assert about.examples
    assert all(text[:1400] in {row[:1400] for row in rows} for (text,) in about.examples)
    assert about.labels == ["negative", "positive"]
    assert "The model beats TF-IDF" in about.about
    assert "400 test rows: 0.948 (95 % interval 0.921 to 0.965)" in about.about


def test_an_unfinished_run_has_no_app(tmp_path: Path) -> None:
    run = hfkit.Run(write_run(tmp_path / "one", rows=50, state="stopped"))
    with pytest.raises(HfkitError, match="is stopped"):
        facts(run)


def test_without_gradio_the_command_says_what_to_install(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hfkit.hub.space import app

    monkeypatch.setattr(app.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HfkitError, match=r"Gradio, which is not installed") as refused:
        app.demo(tiny_run, wait=False)
    assert refused.value.fix == "pip install 'hfkit[space]'"


@with_browser
def test_a_browser_asks_a_text_model_and_sees_bars_and_windows(windows_run: Path, tmp_path: Path) -> None:
    from hfkit.hub.space.app import demo

    port = _free_port()
    app = demo(windows_run, port, wait=False)
    try:
        with Browser() as page:
            page.open(f"http://127.0.0.1:{port}/")
            page.wait("document.body.innerText.includes('The windows that decided')")
            assert page.value("document.querySelector('h1').innerText") == "reviews"
            page.click("button.primary")
            page.wait("document.body.innerText.includes('Write a text first.')")
            text = "the film was wonderful and moving with superb charming actors but the end is a very long scene"
            page.write("textarea", text)
            page.click("button.primary")
            page.wait("!!document.querySelector('[data-testid=label-output-value]')")
            answer = page.value("document.querySelector('[data-testid=label-output-value]').innerText").strip()
            best = hfkit.pipeline(windows_run)(text)
            assert answer == best["label"] if isinstance(best, dict) else best[0]["label"]
            shown = page.wait("document.querySelectorAll('[data-testid=\"bar-fill\"], .bar, meter, .bar-wrap').length")
            assert shown >= 1
            page.wait("document.body.innerText.includes('wonderful and moving with')")
            assert page.screenshot(tmp_path / "page.png").stat().st_size > 10_000
            assert page.errors == []
            strangers = [url for url in page.requests if not re.match(rf"(http|ws)://127\.0\.0\.1:{port}/|data:", url)]
            assert strangers == []
    finally:
        app.close()


@with_browser
def test_a_browser_asks_an_image_model_about_an_example(picture_run: Path, tmp_path: Path) -> None:
    from hfkit.hub.space.app import demo

    port = _free_port()
    app = demo(picture_run, port, wait=False)
    try:
        with Browser() as page:
            page.open(f"http://127.0.0.1:{port}/")
            page.wait("document.querySelectorAll('button img').length > 1")
            page.click("button:has(img)")
            page.wait("document.querySelectorAll('.image-frame img, [data-testid=image] img').length > 0")
            page.click("button.primary")
            page.wait("!!document.querySelector('[data-testid=label-output-value]')")
            answer = page.value("document.querySelector('[data-testid=label-output-value]').innerText").strip()
            assert answer in hfkit.Run(picture_run).info["task_settings"]["labels"]
            assert page.screenshot(tmp_path / "picture.png").stat().st_size > 10_000
            assert page.errors == []
    finally:
        app.close()


def test_a_language_model_answers_a_prompt(tiny_bert: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    from hfkit.hub.space.app import build
    from hfkit.hub.space.facts import Facts

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    torch.manual_seed(0)
    size = {"n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2, "bos_token_id": 2, "eos_token_id": 3}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **size))
    for part in (tokenizer, model):
        part.save_pretrained(tmp_path / "gpt2")
    app = build(tmp_path / "gpt2", Facts("gpt2", "", examples=[]), tmp_path)
    assert [component.label for component in app.input_components][:2] == ["Prompt", "Tokens at most"]
    said = app.fn("the film was", 5, 0)
    tokens = tokenizer("the film was", return_tensors="pt")
    whole = model.eval().generate(**tokens, max_new_tokens=5, do_sample=False)[0]
    assert said.split() == tokenizer.decode(whole[tokens["input_ids"].shape[1] :], skip_special_tokens=True).split()
    with pytest.raises(Exception, match="Write a prompt first"):
        app.fn(" ", 5, 0)


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def test_a_space_is_one_commit_that_opens_again(
    hub: Any, picture_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hfkit.hub.space.app import load
    from hfkit.hub.space.publishing import push_space

    made = push_space(picture_run, "tester/discs")
    repository = hub.store.repositories["space", "tester/discs"]
    assert repository.branches["main"] == made
    assert len(repository.history("main")) == 2
    files = hub.store.files("tester/discs", kind="space")
    assert {"app.py", "requirements.txt", "README.md", "space.json", "model/model.safetensors"} <= set(files)
    assert any(name.startswith("examples/") for name in files)
    front = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert (front["sdk"], front["app_file"], front["title"]) == ("gradio", "app.py", "discs")
    assert files["requirements.txt"].decode().startswith(f"hfkit[space]=={hfkit.__version__}\n")
    assert not any(str(picture_run).encode() in content for content in files.values())
    # As the Hub would run it: the files in a folder, app.py started there.
    folder = tmp_path / "space"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    names: dict[str, Any] = {"__file__": str(folder / "app.py"), "__name__": "app"}
    exec(compile(files["app.py"], "app.py", "exec"), names)
    (component,) = names["demo"].input_components
    assert type(component).__name__ == "Image"
    settings = json.loads(files["space.json"])
    example = folder / settings["examples"][0][0]
    assert example.is_file()
    answers = hfkit.pipeline(picture_run)(str(example), top_k=None)
    scores = names["demo"].fn(str(example))
    assert scores == pytest.approx({entry["label"]: entry["score"] for entry in answers})
    assert load(folder).title == "discs"


def test_a_space_of_a_published_model_names_it_and_holds_no_weights(tiny_run: Path) -> None:
    from hfkit.hub.space.publishing import space_files
    from hfkit.hub.upload.secrets import Secrets

    files = space_files(hfkit.Run(tiny_run), "tester/demo", "tester/reviews@0123abc", Secrets())
    assert not any(name.startswith("model/") for name in files.files)
    settings = json.loads(files.read("space.json"))
    assert (settings["model"], settings["revision"]) == ("tester/reviews", "0123abc")
    assert yaml.safe_load(files.read("README.md").decode().split("---\n")[1])["models"] == ["tester/reviews"]


def test_an_adapter_alone_is_no_space(tiny_run: Path, tmp_path: Path) -> None:
    from hfkit.hub.space.publishing import push_space

    run = Path(shutil.copytree(tiny_run, tmp_path / "adapter"))
    info = json.loads((run / "run.json").read_text())
    info["config"]["lora"] = True
    (run / "run.json").write_text(json.dumps(info))
    with pytest.raises(HfkitError, match="is an adapter"):
        push_space(run, "tester/demo", dry_run=True)


def test_a_dry_run_lists_and_sends_nothing(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hfkit.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["push-space", str(tiny_run), "tester/demo", "--dry_run"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "tester/demo would get, in one commit:" in said
    assert "app.py" in said
    assert "sdk: gradio" in said
