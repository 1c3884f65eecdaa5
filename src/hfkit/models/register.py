"""Makes transformers know our models, without loading transformers.

`import hfkit` must cost nothing, and yet afterwards `transformers.pipeline(folder)` must open a baseline's folder. So
nothing is registered until transformers' own registries are loaded: a hook on the import system waits for them. The
plain way, to register at once, loads them with every `import hfkit`: seconds before `hfkit --help`. Where a release
of transformers takes our models no more, it loads as without us, and one warning says so.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


def _configs() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    from hfkit.baselines.configs import (
        BaselineBertConfig,
        BaselineTransformerConfig,
        RecurrentConfig,
        RecurrentTaggerConfig,
    )
    from hfkit.baselines.language.configs import LANGUAGE_CONFIGS
    from hfkit.baselines.vision.configs import IMAGE_CONFIGS
    from hfkit.models.configs import PooledConfig

    own = (RecurrentConfig, RecurrentTaggerConfig, BaselineTransformerConfig, BaselineBertConfig, PooledConfig)
    for config in (*own, *IMAGE_CONFIGS, *LANGUAGE_CONFIGS):
        AutoConfig.register(config.model_type, config, exist_ok=True)


def _models() -> None:
    from transformers.models.auto import modeling_auto

    from hfkit.baselines import auto
    from hfkit.baselines.language.auto import LANGUAGE_MODELS
    from hfkit.baselines.masked import BaselineBertForMaskedLM
    from hfkit.baselines.tagger import RecurrentForTokenClassification
    from hfkit.baselines.vision.auto import IMAGE_MODELS
    from hfkit.models.pooled import PooledForSequenceClassification

    texts = auto.RecurrentForSequenceClassification, auto.BaselineTransformerForSequenceClassification
    models = {
        "AutoModelForSequenceClassification": (*texts, PooledForSequenceClassification),
        "AutoModelForTokenClassification": (RecurrentForTokenClassification,),
        "AutoModelForImageClassification": IMAGE_MODELS,
        "AutoModelForCausalLM": LANGUAGE_MODELS,
        "AutoModelForMaskedLM": (BaselineBertForMaskedLM,),
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
    """Finds nothing of its own: it lets the others find, and calls back when the module has run."""

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
            if then is None:
                _run_without_kernels(spec.loader)
            else:
                _call_after(spec.loader, then)
        return spec


def _call_after(loader: Loader, then: Callable[[], None]) -> None:
    run = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        run(module)
        _registered(then)

    loader.exec_module = exec_module  # type: ignore[method-assign]


def _registered(then: Callable[[], None]) -> None:
    """Whatever goes wrong here would end in the import of transformers, and of somebody who has no model of ours."""
    try:
        then()
    except Exception as error:
        what = "hfkit's from-scratch models are unknown to this release of transformers"
        warnings.warn(f"{what}: {type(error).__name__}: {error}", stacklevel=2)


def _run_without_kernels(loader: Loader) -> None:
    run = loader.exec_module

    def exec_module(module: ModuleType) -> None:
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

    loader.exec_module = exec_module  # type: ignore[method-assign]


def register_models() -> None:
    """Register now what is loaded, and the rest as soon as it is. Calling it again changes nothing."""
    for name in [name for name in _WAITING if name in sys.modules]:
        _registered(_WAITING.pop(name))
    if not any(isinstance(finder, _Hook) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Hook())
