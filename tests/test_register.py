"""transformers learns of our models by `import hfkit`, which loads nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from hfkit.baselines.configs import RecurrentConfig
from hfkit.models import register


def python(code: str) -> str:
    """Standard output of a new interpreter; its failure is the test's."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_neither_torch_nor_transformers() -> None:
    heavy = "{'torch', 'transformers', 'datasets', 'peft', 'sklearn', 'numpy'}"
    assert python(f"import sys, hfkit; print(sorted({heavy} & set(sys.modules)))") == "[]"


@pytest.mark.parametrize(
    "order",
    [
        "import hfkit; from transformers import AutoConfig, AutoModelForSequenceClassification as Auto",
        "from transformers import AutoConfig, AutoModelForSequenceClassification as Auto; import hfkit",
        "from transformers import AutoConfig; AutoConfig; import hfkit;"
        " from transformers import AutoModelForSequenceClassification as Auto",
        "import hfkit, peft; from transformers import AutoConfig, AutoModelForSequenceClassification as Auto",
    ],
)
def test_a_saved_model_opens_whoever_is_imported_first(order: str, tmp_path: Path) -> None:
    from hfkit.baselines.auto import RecurrentForSequenceClassification

    RecurrentForSequenceClassification(RecurrentConfig(vocab_size=20, hidden_size=8)).save_pretrained(tmp_path)
    code = f"{order}; folder = {str(tmp_path)!r}; AutoConfig.from_pretrained(folder)"
    assert python(f"{code}; print(type(Auto.from_pretrained(folder)).__name__)") == "RecurrentForSequenceClassification"


def test_registering_again_changes_nothing() -> None:
    before = list(sys.meta_path)
    register.register_models()
    register.register_models()
    assert sys.meta_path == before


def test_a_release_that_takes_our_models_no_more_loads_without_them_and_it_is_said() -> None:
    code = """
import sys, types, warnings
import hfkit
sys.modules["hfkit.baselines.configs"] = types.ModuleType("hfkit.baselines.configs")  # imports from it fail
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    from transformers import AutoConfig
    print(AutoConfig.for_model("bert").model_type, *(str(one.message) for one in told if "hfkit" in str(one.message)))
"""
    said = python(code)
    assert said.startswith("bert hfkit's from-scratch models are unknown to this release of transformers: ImportError")
