"""Makes transformers know our models, without loading transformers.

`import hfkit` must cost nothing, and yet afterwards `transformers.pipeline(folder)` must open a baseline's folder. So
nothing is registered until transformers' own registries are loaded: a hook on the import system waits for them.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


def _configs() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    from hfkit.baselines.configs import BaselineTransformerConfig, RecurrentConfig, RecurrentTaggerConfig
    from hfkit.baselines.language.configs import LANGUAGE_CONFIGS
    from hfkit.baselines.vision.configs import IMAGE_CONFIGS
    from hfkit.models.configs import PooledConfig

    own = (RecurrentConfig, RecurrentTaggerConfig, BaselineTransformerConfig, PooledConfig)
    for config in (*own, *IMAGE_CONFIGS, *LANGUAGE_CONFIGS):
        AutoConfig.register(config.model_type, config, exist_ok=True)


def _models() -> None:
    from transformers.models.auto import modeling_auto

    from hfkit.baselines.auto import SEQUENCE_MODELS
    from hfkit.baselines.language.auto import LANGUAGE_MODELS
    from hfkit.baselines.tagger import RecurrentForTokenClassification
    from hfkit.baselines.vision.auto import IMAGE_MODELS
    from hfkit.models.pooled import PooledForSequenceClassification

    models = {
        "AutoModelForSequenceClassification": (*SEQUENCE_MODELS, PooledForSequenceClassification),
        "AutoModelForTokenClassification": (RecurrentForTokenClassification,),
        "AutoModelForImageClassification": IMAGE_MODELS,
        "AutoModelForCausalLM": LANGUAGE_MODELS,
    }
    for name, own in models.items():
        for model in own:
            getattr(modeling_auto, name).register(model.config_class, model, exist_ok=True)


_WAITING: dict[str, Callable[[], None]] = {
    "transformers.models.auto.configuration_auto": _configs,
    "transformers.models.auto.modeling_auto": _models,
}

_ALONE = {"bitsandbytes"}
"""What fetches compiled code from the Hub while it is imported, where it finds the package `kernels`. PEFT imports it
wherever it is installed."""


class _Hook(MetaPathFinder):
    """Finds nothing of its own: it lets the others find, and is there when the module runs."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _WAITING and fullname not in _ALONE:
            return None
        then = _WAITING.pop(fullname, None)
        _ALONE.discard(fullname)  # the others are asked through here too
        spec = find_spec(fullname)
        if then is None:
            _ALONE.add(fullname)  # who only asks whether it is installed does not import it
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            way = partial(_run_without_kernels, run) if then is None else partial(_run_and_register, run, then)
            spec.loader.exec_module = way  # type: ignore[method-assign]
        return spec


def _run_and_register(run: Callable[[ModuleType], None], then: Callable[[], None], module: ModuleType) -> None:
    run(module)
    then()


def _run_without_kernels(run: Callable[[ModuleType], None], module: ModuleType) -> None:
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


def register_models() -> None:
    """Register now what is loaded, and the rest as soon as it is. Calling it again changes nothing."""
    for name in [name for name in _WAITING if name in sys.modules]:
        _WAITING.pop(name)()
    if not any(isinstance(finder, _Hook) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Hook())
