"""The app: a form that fits the task, over `hfkit.pipeline`."""

import contextlib
import importlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError
from hfkit.hub.space.facts import Facts, facts
from hfkit.inference import pipeline
from hfkit.runs.run import Run

if TYPE_CHECKING:
    import gradio

BARS = 10
"""Labels that are shown, the likeliest first."""

DECIDING = 5
"""Windows of a long text that are shown, the most telling first."""

SETTINGS = "space.json"


def demo(model: str | Path, port: int = 7860, open_browser: bool = False, wait: bool = True) -> "gradio.Blocks":
    """Open a run's app on this machine alone (127.0.0.1), until Ctrl-C.

    Args:
        model: A run; a model's folder or a Hub id have no examples.
        port: The first port that is tried.
        open_browser: Open the default browser too.
        wait: Serve until Ctrl-C; else return at once.

    Raises:
        HfkitError: Gradio is not installed, the run is not finished, or no port is free.
    """
    gradio = gradio_or_refuse()
    is_run = (Path(model) / "run.json").is_file()
    about = facts(Run(model)) if is_run else Facts(title=Path(str(model)).name, task="")
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in about.pictures.items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture)
        app = build(model, about, Path(folder))
        ports = range(port, port + 20)
        try:
            _, url, _ = app.launch(
                server_name="127.0.0.1",
                server_port=_free(ports),
                share=False,
                inbrowser=open_browser,
                prevent_thread_lock=True,
                quiet=True,
                footer_links=[],
                theme=theme(gradio),
            )
        except OSError as error:
            raise HfkitError(f"No port from {ports[0]} to {ports[-1]} is free", fix="say --port") from error
        print(f"{about.title}: {url} (Ctrl-C ends)", flush=True)
        if wait:
            with contextlib.suppress(KeyboardInterrupt):
                app.block_thread()
            app.close()
    return app


def load(folder: str | Path) -> "gradio.Blocks":
    """The app of a Space's folder, as `hfkit push-space` wrote it; its app.py calls this.

    The model is the folder's `model/`, or the published one that space.json names, at the commit it names.
    """
    folder = Path(folder)
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    model, revision = settings.pop("model", None), settings.pop("revision", None)
    return build(model or folder / "model", Facts(**settings), folder, revision)


def build(model: str | Path, about: Facts, folder: Path, revision: str | None = None) -> "gradio.Blocks":
    """The form for a model: text, pair, picture or prompt in; bars, a number or a text out.

    Args:
        model: What `hfkit.pipeline` takes.
        about: What the page says and offers.
        folder: Where the examples' pictures lie.
        revision: Commit of a Hub id.
    """
    gradio = gradio_or_refuse()
    answer = pipeline(model, revision=revision)
    task = about.task or str(answer.task)
    form: Callable[..., dict[str, Any]] = {
        "image-classification": _picture_form,
        "text-generation": _prompt_form,
    }.get(task, _text_form)
    parts = form(gradio, answer, about)
    examples = about.examples
    if task == "image-classification":
        examples = [[str(folder / path)] for (path,) in examples]
    return gradio.Interface(
        **parts,
        title=about.title,
        description=about.about,
        examples=examples or None,
        cache_examples=False,
        flagging_mode="never",
        submit_btn="Answer",
        analytics_enabled=False,
    )


def gradio_or_refuse() -> Any:
    """Gradio, which otherwise reports to its makers.

    Raises:
        HfkitError: It is not installed.
    """
    if importlib.util.find_spec("gradio") is None:
        raise HfkitError("The app needs Gradio, which is not installed", fix="pip install 'hfkit[space]'")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    return importlib.import_module("gradio")


def theme(gradio: Any) -> Any:
    """Gradio's plain theme with the machine's own fonts: its default fetches some from the network."""
    return gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])


def _free(ports: range) -> int:
    import socket

    for port in ports:
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def _mistake(gradio: Any, what: str) -> Any:
    """Of a person, for the page; no traceback on the screen."""
    return gradio.Error(what, print_exception=False)


@contextlib.contextmanager
def _told(gradio: Any) -> Iterator[None]:
    """Mistakes of a user, shown as such on the page."""
    try:
        yield
    except HfkitError as error:
        raise _mistake(gradio, str(error.what)) from error


def _text_form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def ask(text: str, pair: str | None = None) -> Any:
        from hfkit.inference.windows import windows

        if not text.strip():
            raise _mistake(gradio, "Write a text first.")
        with _told(gradio):
            row = {"text": text, "text_pair": pair} if about.pair else text
            scores = {entry["label"]: entry["score"] for entry in answer(row, top_k=None)}
            parts = windows(answer, text, pair) if reads_windows else []
        best = max(scores, key=lambda name: scores[name])
        shown = scores[best] if about.regression else scores
        if not reads_windows:
            return shown
        ranked = sorted(parts, key=lambda part: -part.scores[best])[:DECIDING]
        return shown, [[f"{part.scores[best]:.3f}", part.text] for part in ranked]

    reads_windows = answer.reading.long_text == "windows"
    inputs = [gradio.Textbox(label="Text", lines=5)]
    if about.pair:
        inputs.append(gradio.Textbox(label="Second text", lines=5))
    outputs = [
        gradio.Number(label="Answer") if about.regression else gradio.Label(label="Answer", num_top_classes=BARS)
    ]
    if reads_windows:
        heads = ["probability", "window"]
        outputs.append(
            gradio.Dataframe(label="The windows that decided", headers=heads, column_widths=["20%", "80%"], wrap=True)
        )
    return {"fn": ask, "inputs": inputs, "outputs": outputs}


def _picture_form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def ask(picture: Any) -> Any:
        if picture is None:
            raise _mistake(gradio, "Choose a picture first.")
        with _told(gradio):
            scores = {entry["label"]: entry["score"] for entry in answer(Path(picture), top_k=None)}
        return next(iter(scores.values())) if about.regression else scores

    shown = gradio.Number(label="Answer") if about.regression else gradio.Label(label="Answer", num_top_classes=BARS)
    # The file as it is: Gradio's own reading would cut 16 bits off at 255.
    asked = gradio.Image(type="filepath", image_mode=None, label="Picture", height=300)
    return {"fn": ask, "inputs": [asked], "outputs": [shown]}


def _prompt_form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    chats = bool(getattr(answer.tokenizer, "chat_template", None))

    def ask(prompt: str, tokens: float, temperature: float) -> str:
        if not prompt.strip():
            raise _mistake(gradio, "Write a prompt first.")
        how: dict[str, Any] = {"do_sample": temperature > 0, "max_new_tokens": int(tokens)}
        how |= {"temperature": temperature} if temperature > 0 else {}
        with _told(gradio):
            asked = [{"role": "user", "content": prompt}] if chats else prompt
            (found,) = answer(asked, return_full_text=False, **how)
        said = found["generated_text"]
        return str(said if isinstance(said, str) else said[-1]["content"])

    inputs = [
        gradio.Textbox(label="Prompt", lines=4),
        gradio.Slider(1, 500, value=60, step=1, label="Tokens at most"),
        gradio.Slider(0, 2, value=0, step=0.1, label="Temperature (0: the likeliest token)"),
    ]
    return {"fn": ask, "inputs": inputs, "outputs": [gradio.Textbox(label="Answer", lines=8)]}
