"""The command doctor: what is wrong with a job before it begins, or with a run that is done."""

import argparse
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError

HELP = (
    "what is wrong with data, model and settings (hfkit doctor, the flags of train), or with a run (hfkit doctor RUN)"
)
USAGE = "%(prog)s [RECIPE.py] [the flags of train]\n       %(prog)s RUN"


def parse_doctor(flags: list[str]) -> argparse.Namespace:
    """The options of `hfkit doctor ...`, with what to run. Ends the process with status 2 on wrong usage."""
    parser = argparse.ArgumentParser("hfkit doctor", usage=USAGE, description=HELP, allow_abbrev=False)
    parser.add_argument("--output", type=Path, help="folder of doctor.json (default: beside the run's folder)")
    parser.add_argument("--lr_range", action="store_true", help="say between which learning rates the best one lies")
    if not flags or flags[0] in ("-h", "--help"):
        parser.epilog = "hfkit train --help shows the flags of train; docs/doctor.md what is looked at."
        parser.parse_args(["--help"])
    place = None if flags[0].startswith("-") else flags[0]
    own, rest = parser.parse_known_args(flags[place is not None :])
    if place is None or place.endswith(".py"):
        return argparse.Namespace(run=_before, recipe=place, flags=rest, **vars(own))
    if rest or own.lr_range:
        parser.error(f"a run is looked at as it is: {' '.join(rest) or '--lr_range'} has no meaning here")
    return argparse.Namespace(run=_after, place=place, output=own.output)


def _before(recipe: str | None, flags: list[str], output: Path | None, lr_range: bool) -> None:
    from hfkit.cli.command import demo_of
    from hfkit.cli.launch import quiet_libraries
    from hfkit.config import TrainConfig
    from hfkit.config.parsing import default_output_dir, parse

    config_class, demo = (TrainConfig, demo_of(flags)) if recipe is None else _recipe(Path(recipe))
    config = parse(config_class, demo, flags, prog="hfkit doctor")
    folder = output or Path(f"{config.output_dir or default_output_dir(config, recipe or 'hfkit')}-doctor")
    quiet_libraries(config.disable_tqdm)
    import hfkit
    from hfkit.training.doctor.doctor import examine, written
    from hfkit.training.doctor.shown import show

    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    findings, patient = examine(config, task, model, processor, data)
    more: dict[str, Any] = {"rows": show(patient, folder)}
    if lr_range:
        from hfkit.training.doctor.lr_range import lr_range as measured

        more["lr_range"] = measured(patient)
        print(more["lr_range"]["said"])
    _tell(findings, written(findings, folder, **more))


def _after(place: str, output: Path | None) -> None:
    from hfkit.runs.run import Run
    from hfkit.training.doctor.after_checks import examine_run
    from hfkit.training.doctor.doctor import written

    run = Run(place)
    findings = examine_run(run)
    _tell(findings, written(findings, output or run.path))


def _tell(findings: Sequence[Any], path: Path) -> None:
    print(*findings, sep="\n")
    failed = [one.id for one in findings if one.level == "FAIL"]
    warned = sum(one.level == "WARN" for one in findings)
    print(f"{len(failed)} FAIL, {warned} WARN, {len(findings) - len(failed) - warned} PASS: {path}", flush=True)
    if failed:
        raise HfkitError(f"the doctor found {', '.join(failed)}", where=str(path), fix=findings[0].fix)


def _recipe(path: Path) -> tuple[Any, dict[str, Any] | None]:
    """The configuration of a recipe, and what its `--demo` changes."""
    from hfkit.config import TrainConfig

    spec = spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise HfkitError(f"there is no recipe {path}", fix="name a file such as recipes/bert_imdb.py")
    import sys

    recipe = sys.modules[path.stem] = module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(recipe)
    own = [one for one in vars(recipe).values() if isinstance(one, type) and issubclass(one, TrainConfig)]
    if not own:
        raise HfkitError(f"{path} holds no configuration", fix="a recipe subclasses that of its task")
    return own[-1], getattr(recipe, "DEMO", None)
