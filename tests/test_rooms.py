"""A task is one room: without its folder the rest stands, and a package of somebody else's brings one."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hfkit
from hfkit.tasks import discover

STRANGER = Path(__file__).parent / "stranger"

IMPORT_ALL = """
import importlib, pkgutil, sys, hfkit
from hfkit.tasks import discover
for module in pkgutil.walk_packages(hfkit.__path__, "hfkit."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*discover.names())
"""


def python(code: str, *places: Path) -> str:
    """What a new process prints that looks for packages in `places` first."""
    path = os.pathsep.join(map(str, places))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def without(task: str, folder: Path) -> Path:
    """A copy of the package that lacks the task's folder, and so all names of it; returns where Python finds it."""
    package = folder / "hfkit"
    shutil.copytree(Path(hfkit.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(package / "tasks" / discover.find(task).package.rpartition(".")[2])
    return folder


FOLDERS = [spec.name for spec in discover.specs()]
"""The main name of each task's folder."""


@pytest.mark.parametrize("task", FOLDERS)
def test_without_a_task_everything_else_imports_and_knows_the_others(task: str, tmp_path: Path) -> None:
    found = python(IMPORT_ALL, without(task, tmp_path)).split()
    assert found == [name for name in discover.names() if name not in discover.find(task).names]


@pytest.mark.slow
@pytest.mark.parametrize("task", FOLDERS)
def test_without_a_task_the_others_keep_their_contract(task: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(without(task, tmp_path))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:xdist",
        str(Path(__file__).with_name("test_every_task.py")),
    ]
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    passed = int(re.findall(r"(\d+) passed", done.stdout)[-1])
    assert passed == 10 * (len(FOLDERS) - 1), "ten tests a task, by its main name"


def test_a_model_of_a_task_that_is_gone_is_refused_by_name(tiny_run: Path, tmp_path: Path) -> None:
    without("text-classification", tmp_path)
    code = f"""
import hfkit
try: hfkit.pipeline({str(tiny_run / "model")!r})
except hfkit.HfkitError as error: print(error)
"""
    said = python(code, tmp_path)
    assert "BertForSequenceClassification" in said
    assert all(name in said for name in ("image-classification", "question-answering", "translation"))


def test_a_strangers_task_trains_judges_and_answers(tiny_bert: Path, reviews_csv: Path, tmp_path: Path) -> None:
    flags = f"--task shouting --dataset {reviews_csv} --model {tiny_bert} --max_length 16 --max_steps 4 --use_cpu"
    flags += f" --volume 3 --mixed_precision no --disable_tqdm --output_dir {tmp_path / 'run'}"
    code = f"from hfkit.cli import main; main({['train', *flags.split()]!r})"
    source = Path(hfkit.__file__).parents[1]
    python(code, STRANGER, source)
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (info["task"], info["state"], info["config"]["volume"]) == ("shouting", "finished", 3)
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert config["hfkit"]["task"] == "shouting"
    code = f"""
import hfkit
from hfkit.inference import predict_file
from hfkit.models.loading import load_model
from hfkit.tasks import discover
model, _ = load_model({str(tmp_path / "run")!r})
print(discover.of_model(model).name, hfkit.pipeline({str(tmp_path / "run")!r})("a warm film")[0]["label"])
try: predict_file({str(tmp_path / "run")!r}, "in.csv")
except hfkit.HfkitError as error: print(error.what)
"""
    answered, refused = python(code, STRANGER, source).splitlines()[-2:]
    assert answered in ("shouting neg", "shouting pos"), "what the config says goes before the class"
    assert refused.endswith("is for shouting, which answers no files")
    assert (tmp_path / "run" / "report.html").is_file()
    code = "from hfkit.cli import main; main(['train', '--task', 'shouting', '--help_all'])"
    assert "Shouting: texts that shout, or do not" in python(code, STRANGER, source)
    with pytest.raises(hfkit.HfkitError, match="No task is called 'shouting'"):
        discover.find("shouting")
