"""The app: a form that fits the task, over `hfkit.pipeline`."""

import contextlib
import importlib
import importlib.util
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError
from hfkit.hub.space.facts import Facts, facts
from hfkit.inference import pipeline
from hfkit.runs.run import Run
from hfkit.tasks.discover import find

if TYPE_CHECKING:
    import gradio

SETTINGS = "space.json"


def demo(model: str | Path, port: int = 7860, open_browser: bool = False, wait: bool = True) -> "gradio.Blocks":
    """Open a run's app on this machine alone (127.0.0.1), until Ctrl-C; without `wait` return at once. A model's folder
    or a Hub id has no examples. `port` is the first one that is tried. Raises HfkitError: Gradio is not installed, the
    run is not finished, or no port is free."""
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
                # Gradio's plain theme with the machine's own fonts: its default fetches some from the network.
                theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
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

    The model is the folder's `model/`, or the published one that space.json names, at the commit it names."""
    folder = Path(folder)
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    model, revision = settings.pop("model", None), settings.pop("revision", None)
    return build(model or folder / "model", Facts(**settings), folder, revision)


def build(model: str | Path, about: Facts, folder: Path, revision: str | None = None) -> "gradio.Blocks":
    """The form for a model: text, pair, picture or prompt in; bars, a number or a text out.

    `model` is what `hfkit.pipeline` takes, and `folder` where the examples' pictures lie."""
    gradio = gradio_or_refuse()
    answer = pipeline(model, revision=revision)
    spec, examples = find(about.task or str(answer.task)), about.examples
    form = spec.offers("app", "form")
    if form is None:
        raise HfkitError(f"{model} is for {spec.name}, which has no form", fix="hfkit.pipeline answers in Python")
    if "image" in spec.reads:
        examples = [[str(folder / path)] for (path,) in examples]
    return gradio.Interface(
        **form(gradio, answer, about),
        title=about.title,
        description=about.about,
        examples=examples or None,
        cache_examples=False,
        flagging_mode="never",
        submit_btn="Answer",
        analytics_enabled=False,
    )


def gradio_or_refuse() -> Any:
    """Gradio, which otherwise reports to its makers."""
    if importlib.util.find_spec("gradio") is None:
        raise HfkitError("The app needs Gradio, which is not installed", fix="pip install 'hfkit[space]'")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    return importlib.import_module("gradio")


def _free(ports: range) -> int:
    for port in ports:
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
