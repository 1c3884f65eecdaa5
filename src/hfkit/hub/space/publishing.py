"""push_space: the app of a run as a Space on the Hub, in one commit."""

import json
from dataclasses import asdict
from pathlib import Path

import jinja2
from huggingface_hub import SpaceCardData, get_token

from hfkit import __version__
from hfkit.base.errors import HfkitError
from hfkit.hub.space.app import SETTINGS
from hfkit.hub.space.facts import Facts, facts
from hfkit.hub.upload import publishing
from hfkit.hub.upload.bundle import Bundle, model_files
from hfkit.hub.upload.readme import both
from hfkit.hub.upload.secrets import Secrets
from hfkit.report import public
from hfkit.report.metadata import license_of
from hfkit.report.page import templates
from hfkit.runs.run import Run, reading

GRADIO = "6.31.0"  # the version that a Space gets: the newest that the app was tried with
PINNED = ("transformers", "peft", "timm")  # packages whose version decides what a model answers, beside hfkit's own


def push_space(
    run: Run | str | Path,
    repository: str,
    *,
    model: str | None = None,
    private: bool = False,
    message: str | None = None,
    overwrite_card: bool = False,
    dry_run: bool = False,
) -> str | None:
    """Publish the app of a finished run as a Space, `user/space`: app.py, requirements.txt, the card, examples and the
    model. Returns the commit; None for a dry run.

    All files go into one commit, each searched for tokens and private paths before. The run is only read. `model` is a
    published one, `user/name` or `user/name@commit`, that the app shall open; else the Space holds the run's own. The
    other arguments are as of `hfkit.push`. Raises HfkitError: the run is not finished, is an adapter and `model` is not
    given, a file holds what is private, or the Hub refuses."""
    run = run if isinstance(run, Run) else Run(run)
    publishing.check_name(repository)
    secrets = Secrets(get_token(), [Path.cwd(), run.path])
    files = space_files(run, repository, model, secrets)
    files.check(secrets)
    title = message or f"{run.info['name']}, by hfkit push-space"
    return publishing.publish(files, repository, run.path, title, "space", private, overwrite_card, dry_run)


def space_files(run: Run, repository: str, model: str | None, secrets: Secrets) -> Bundle:
    """What the Space holds. Raises HfkitError: the run is an adapter, whose base the Space would lack, and no published
    model is named."""
    with reading(run):
        about = facts(run)
        about.title = repository.split("/")[1]
        name, _, revision = (model or "").partition("@")
        settings = asdict(about)
        found = Bundle(settings.pop("pictures"))
        if name:
            publishing.check_name(name)
            settings |= {"model": name, "revision": revision or None}
        elif run.config.get("lora"):
            what = f"{run.path} is an adapter, and a Space with it alone would have no model"
            raise HfkitError(what, fix="publish it first (hfkit push), and name it: --model user/name")
        else:
            found.files |= {f"model/{path}": content for path, content in model_files(run.model_path).items()}
        text, reasons = secrets.without(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
        found.said += [f"{SETTINGS}: rewritten: {reason}" for reason in sorted(set(reasons))]
        found.files[SETTINGS] = text.encode()
        found.files["app.py"] = _template("app.py.jinja", title=_word(about.title)).encode()
        found.files["requirements.txt"] = requirements(run).encode()
        found.files |= both(secrets.without(card(run, about, name or None))[0])
    return found


def requirements(run: Run) -> str:
    """What the Space installs: this hfkit, and the versions that the run was made with."""
    versions = run.info.get("versions", {})
    pinned = [f"{package}=={versions[package]}" for package in PINNED if package in versions]
    return "\n".join([f"hfkit[space]=={__version__}", *pinned]) + "\n"


def card(run: Run, about: Facts, model: str | None) -> str:
    """The Space's README.md."""
    front = SpaceCardData(
        title=_word(about.title),
        sdk="gradio",
        sdk_version=GRADIO,
        app_file="app.py",
        license=license_of(run),
        models=[model] if model else None,
        tags=["hfkit", about.task],
    )
    data = run.info["data"]
    name = data.get("pretty_name") or public.path(data["name"])
    body = _template("space.md.jinja", about=about, title=_word(about.title), model=model, data=name)
    return f"---\n{front.to_yaml()}\n---\n\n{body}"


def _word(title: str) -> str:
    """A title without what would end a line of code or of a heading."""
    return "".join(character for character in title if character.isalnum() or character in " ._-")[:100] or "model"


def _template(name: str, **context: object) -> str:
    environment = templates().overlay(loader=jinja2.PackageLoader("hfkit.hub.space", "templates"))
    return environment.get_template(name).render(**context)
