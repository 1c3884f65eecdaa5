"""The rules of the house, as far as a machine can check them.

Short files, one way of imports, safe formats, light doors, and READMEs whose commands exist.
"""

import ast
import dataclasses
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from hfkit.config import TrainConfig
from hfkit.tasks import discover

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hfkit"
FILES = sorted(SOURCE.rglob("*.py"))
RECIPES = sorted((ROOT / "recipes").glob("*.py"))
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]

# Bottom to top: a room imports only what stands above it in this list. What every task shares stands low, and lowest
# what finds one, by which a configuration gets its task's knobs; a task's own folder is loaded by `find` alone, and
# imports all but the command line.
ROOMS = (
    "base tasks.find config tasks.shared data runs baselines models evaluation report training inference hub tasks cli"
).split()

# Names that read pickles, or the network behind the user's back.
FORBIDDEN = {"pickle.load", "pickle.loads", "torch.load", "joblib.load", "evaluate.load", "np.load", "numpy.load"}

# What pip calls a package, where that is not what Python calls it.
IMPORT_NAMES = {"pillow": "PIL", "scikit-learn": "sklearn", "pyyaml": "yaml", "huggingface-hub": "huggingface_hub"}
IMPORT_NAMES |= {"python-crfsuite": "pycrfsuite", "faiss-cpu": "faiss"}


def _imports(tree: ast.AST, *, only_at_once: bool = False) -> Iterator[str]:
    """Dotted names that a file imports, late ones too unless `only_at_once`.

    Left out: imports for type checkers, and a module's `__getattr__`, a door that opens on what is built upon it.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            continue
        if only_at_once and isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imports(node, only_at_once=only_at_once)


def _file_of(dotted: str) -> Path | None:
    """The file behind hfkit.some.name, be it a module or something that a module defines."""
    parts = dotted.split(".")[1:]
    for length in range(len(parts), 0, -1):
        place = SOURCE.joinpath(*parts[:length])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


# The Task protocol and what finds a task: they know no task.
SHARED = {("tasks", "__init__"), ("tasks", "base")}
FIND = {("tasks", "spec"), ("tasks", "discover")}


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def _code(file: Path) -> str:
    """The file without docstrings and comments."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            for place, line in enumerate(body):
                if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
                    body[place] = ast.Pass()
    return ast.unparse(tree)


def _room(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return "tasks.shared" if parts in SHARED else "tasks.find" if parts in FIND else parts[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_files_fit_in_the_head(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 300, "a file of 300 lines wants to become a folder with one noun a file"
    assert ast.get_docstring(ast.parse(text)) is not None, "a file says in its first line what it is"


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.name)
def test_recipes_are_short_and_tell_their_two_commands(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    doc = ast.get_docstring(ast.parse(text)) or ""
    assert f"accelerate launch recipes/{file.name} --demo" in doc
    assert re.search(rf"accelerate launch recipes/{file.name} +#", doc)


def test_recipes_use_the_same_verbs_in_the_same_order() -> None:
    verbs = {file.name: re.findall(r"hfkit\.([a-z_]+)\(", file.read_text(encoding="utf-8")) for file in RECIPES}
    assert len(verbs) >= 5
    for name, used in verbs.items():
        if "compare" in used:  # a recipe of several runs
            assert set(used) == {"load_data", "train", "compare", "main"}, name
            continue
        assert used == ["load_data", "build_task", "build_model", "fit", "write_report", "main"], name


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.name)
def test_a_recipes_settings_parse(file: Path) -> None:
    from hfkit.config.parsing import parse

    recipe = _load(file)
    config_class = next(
        value for value in vars(recipe).values() if isinstance(value, type) and issubclass(value, TrainConfig)
    )
    assert parse(config_class, recipe.DEMO, []) == config_class()
    demo = parse(config_class, recipe.DEMO, ["--demo"])
    assert demo.dataset.startswith("demo:")
    assert demo.model.startswith(("demo:", "baseline:"))


def test_imports_run_one_way() -> None:
    up = set()
    for file in FILES:
        room = _room(file)
        if room == "__init__":  # the door: it knows every room, lazily
            continue
        assert room in ROOMS, f"{room} is new: give it a place in ROOMS"
        for name in _imports(ast.parse(file.read_text(encoding="utf-8"))):
            target = _file_of(name) if name.startswith("hfkit.") else None
            if target is not None and target.parent != SOURCE and ROOMS.index(_room(target)) > ROOMS.index(room):
                up.add((_name(file), _name(target)))
    assert not up, "imports run down"


def test_no_room_asks_which_task_runs() -> None:
    """Rule 3: a task is one room. Its name stands in its own folder alone, and nobody compares what kind it is."""
    asking = re.compile(
        rf"""["']({"|".join([*discover.names(), "token-classification", "language_modeling"])})["']"""
        r"""|\b(REGRESSION|MULTI|SINGLE)\b|\.main_input_name\b"""
        r"""|(\.(task|auto_model)|(task|spec)\.name|problem_type["'\]]*) *(==|!=|in\b|not in\b) *["'(\[]"""
    )
    found = {
        _name(file)
        for file in FILES
        # The Hub's own list of tasks, and what a column of labels can be: classes, lists of classes or numbers.
        if not _name(file).startswith(("tasks/", "data/cards/vocabulary.py", "data/labels/"))
        and asking.search(_code(file))
    }
    assert not found, "a task is one room"


def test_no_task_imports_another() -> None:
    rooms = {spec.package.rpartition(".")[2] for spec in discover.specs()}
    for file in FILES:
        name = _name(file).split("/")
        if name[0] == "tasks" and name[1] in rooms:
            targets = {str(_file_of(found)) for found in _imports(ast.parse(file.read_text(encoding="utf-8")))}
            others = {room for room in rooms - {name[1]} for target in targets if f"/tasks/{room}/" in target}
            assert not others, f"{_name(file)}: what tasks share goes down, never sideways"


def test_rooms_are_few_and_folders_hold_a_handful() -> None:
    folders = [SOURCE, *(path for path in SOURCE.rglob("*") if path.is_dir() and list(path.glob("*.py")))]
    full = set()
    for folder in folders:
        beside = {"__init__.py", "py.typed", "__pycache__", "templates"}
        entries = [entry for entry in folder.iterdir() if entry.name not in beside]
        if folder.name not in ("tasks", "cli") and len(entries) > (13 if folder == SOURCE else 12):
            full.add(_name(folder))
    assert not full, "at most 13 rooms, and 12 entries in a folder"


def test_functions_fit_a_screen() -> None:
    found = {
        f"{_name(file)}:{node.name}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    }
    assert not found, "find the steps that have names"


def test_no_import_goes_in_a_circle() -> None:
    graph: dict[Path, set[Path]] = {}
    for file in FILES:
        names = _imports(ast.parse(file.read_text(encoding="utf-8")), only_at_once=True)
        targets = {_file_of(name) for name in names if name.startswith("hfkit.")}
        graph[file] = {target for target in targets if target is not None and target != file}
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle


@pytest.mark.pain("metric-code")
@pytest.mark.pain("pickled-weights")
def test_nothing_reads_pickles_or_the_network_unasked() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in FORBIDDEN, f"{file.name}:{node.lineno}"
        if "from_pretrained" in file.read_text(encoding="utf-8"):
            assert "use_safetensors=False" not in file.read_text(encoding="utf-8")


def test_public_signatures_have_types() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                bare = [argument.arg for argument in node.args.args if argument.annotation is None]
                assert set(bare) <= {"self", "cls"}, f"{file.name}:{node.lineno} {node.name}({', '.join(bare)})"


def test_dependencies_are_what_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(lines: list[str]) -> set[str]:
        found = {re.match(r"[\w-]+", line).group() for line in lines}  # type: ignore[union-attr]
        return {IMPORT_NAMES.get(name, name) for name in found}

    declared = names(project["dependencies"])
    extras = {
        name for extra, lines in project["optional-dependencies"].items() if extra != "dev" for name in names(lines)
    }
    imported = {name.split(".")[0] for file in FILES for name in _imports(ast.parse(file.read_text(encoding="utf-8")))}
    assert imported - set(sys.stdlib_module_names) - {"hfkit"} - extras == declared


def test_help_needs_no_torch_and_import_needs_nothing() -> None:
    probe = (
        "import sys, hfkit\n"
        "heavy = {'torch', 'transformers', 'datasets', 'numpy', 'sklearn', 'peft', 'evaluate', 'accelerate', 'yaml'}\n"
        "print('import', sorted(heavy & set(sys.modules)))\n"
        "from hfkit.cli.command import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('help', sorted(heavy & set(sys.modules)))\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: print('train', sorted({'torch', 'datasets', 'peft'} & set(sys.modules)))\n"
        "print('tasks', [name for name in sys.modules if name.startswith('hfkit.tasks.') and name.count('.') > 2])\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "import []" in done.stdout
    assert "help []" in done.stdout
    assert "train []" in done.stdout
    assert "tasks ['hfkit.tasks.text_classification.config']" in done.stdout


def test_scikit_learn_comes_after_training() -> None:
    """It is of no use before there is something to compute, and takes 0.4 s of a start."""
    late = {"sklearn", "scipy.stats", "hfkit.evaluation.classification"}
    found = []
    for module in ("hfkit.training.job", "transformers.generation.candidate_generator"):  # which had brought it once
        probe = f"import sys, {module}; print(*({late} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        found.append(set(done.stdout.splitlines()[-1].split()))
    assert found[0] <= found[1]


def test_the_doors_names_exist() -> None:
    import hfkit

    for name in hfkit.__all__:
        assert getattr(hfkit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hfkit.nothing  # noqa: B018


@pytest.mark.parametrize("card", sorted((ROOT / "data_cards").glob("*.md")), ids=lambda card: card.name)
def test_cards_have_what_the_hub_and_the_loader_read(card: Path) -> None:
    from hfkit.data.cards.card import DataCard

    front, prose = card.read_text(encoding="utf-8").split("---\n", 2)[1:]
    for key in ("license", "language", "task_categories", "size_categories", "hfkit"):
        assert key in yaml.safe_load(front), key
    assert len(prose.split()) > 100, "a card is read by people too"
    DataCard.read(card)


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_readmes_are_short_and_their_commands_exist(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 200
    flags = {field.name for task in discover.names() for field in dataclasses.fields(TrainConfig.for_task(task))}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = list(_commands(text))
    assert len(commands) >= 10
    for words in commands:
        if words[0] == "make":
            assert words[1] in targets, words
        script = next((word for word in words if word.startswith("recipes/")), None)
        if script:
            assert (ROOT / script).is_file(), words
        if script or words[:2] == ["hfkit", "train"]:
            used = {word[2:].split("=")[0] for word in words[words.index(script or "train") :] if word.startswith("--")}
            assert used <= flags | {"help", "help_all"}, words
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).exists(), link


def test_both_readmes_show_the_same_commands_and_files() -> None:
    shown = [list(_commands(readme.read_text(encoding="utf-8"))) for readme in READMES]
    assert shown[0] == shown[1]
    tables = [re.findall(r"^\|.*?`([\w./]+)`", readme.read_text(encoding="utf-8"), re.MULTILINE) for readme in READMES]
    assert tables[0] == tables[1]


def _commands(text: str) -> Iterator[list[str]]:
    """The shell lines of the code blocks, without their comments, joined where a backslash ends a line."""
    for block in re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = [word for word in shlex.split(line, comments=True) if not re.match(r"^[A-Z_]+=", word)]
            if words:
                yield words


def _load(file: Path) -> ModuleType:
    spec = spec_from_file_location(f"recipe_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
