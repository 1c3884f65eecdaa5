"""Makes transformers know our models, without loading transformers.

After `import hfkit`, `transformers.pipeline(folder)` must open a baseline's folder, and yet the import must cost
nothing. So a hook on the import system waits until transformers' own registries are loaded. Where a release of
transformers takes our models no more, it loads as without us, and one warning says so.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

CONFIGS = ("baselines.configs", "baselines.language.configs", "baselines.vision.configs", "models.configs")
"""Modules whose configs `AutoConfig` shall know."""

MODELS = {
    "AutoModelForSequenceClassification": ("baselines.auto", "models.pooled"),
    "AutoModelForTokenClassification": ("baselines.tagger",),
    "AutoModelForImageClassification": ("baselines.vision.auto",),
    "AutoModelForSemanticSegmentation": ("baselines.vision.unet",),
    "AutoModelForObjectDetection": ("baselines.vision.detector",),
    "AutoModelForZeroShotImageClassification": ("baselines.vision.clip",),
    "AutoModelForCausalLM": ("baselines.language.auto",),
    "AutoModelForMaskedLM": ("baselines.language.masked",),
    "AutoModelForSeq2SeqLM": ("baselines.seq2seq",),
}
"""Modules whose models each Auto class shall know."""


def _configs() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    for config in _defined(CONFIGS, "model_type"):
        AutoConfig.register(config.model_type, config, exist_ok=True)


def _models() -> None:
    from transformers.models.auto import modeling_auto

    for name, modules in MODELS.items():
        for model in _defined(modules, "config_class"):
            getattr(modeling_auto, name).register(model.config_class, model, exist_ok=True)


def _defined(modules: Sequence[str], mark: str) -> Iterator[Any]:
    """The classes of these modules that say `mark` of themselves: not what they share, nor what is imported. Raises
    ImportError: a module has none."""
    for module in map(import_module, (f"hfkit.{name}" for name in modules)):
        own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
        found = [one for one in own if mark in vars(one)]
        if not found:
            raise ImportError(f"{module.__name__} has no class with {mark}")
        yield from found


def _registered(register: Callable[[], None], run: Callable[[ModuleType], None], module: ModuleType) -> None:
    """Run a module of transformers, then register. Whatever goes wrong in that would end in the import of somebody who
    has no model of ours."""
    run(module)
    try:
        register()
    except Exception as error:
        what = "hfkit's from-scratch models are unknown to this release of transformers"
        warnings.warn(f"{what}: {type(error).__name__}: {error}", stacklevel=2)


def _without_kernels(run: Callable[[ModuleType], None], module: ModuleType) -> None:
    """Run a module that fetches compiled code from the Hub while it is imported, where it finds the package `kernels`:
    bitsandbytes, which PEFT imports wherever it is installed."""
    chatter, known = logging.getLogger(module.__name__), sys.modules.get("kernels")
    level = chatter.level
    chatter.setLevel(logging.ERROR)  # that it would have liked to fetch a kernel is not told
    sys.modules["kernels"] = None  # type: ignore[assignment]
    try:
        run(module)
    finally:
        chatter.setLevel(level)
        del sys.modules["kernels"]
        if known is not None:
            sys.modules["kernels"] = known


_RUN: dict[str, Callable[[Callable[[ModuleType], None], ModuleType], None]] = {
    "transformers.models.auto.configuration_auto": partial(_registered, _configs),
    "transformers.models.auto.modeling_auto": partial(_registered, _models),
    "bitsandbytes": _without_kernels,
}
"""Modules, and what runs each in the place of the import system."""


class _Hook(MetaPathFinder):
    """Finds nothing of its own: it lets the others find, and is there when the module runs."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _RUN:
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((found for found in others if found is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(_RUN[fullname], spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def register_models() -> None:
    """Register now what is loaded, and the rest as soon as it is. Calling it again changes nothing."""
    if any(isinstance(finder, _Hook) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Hook())
    for name, run in _RUN.items():
        if name in sys.modules:
            run(lambda module: None, sys.modules[name])
