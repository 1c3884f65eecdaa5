"""What hfkit touches of other libraries that they may move without a word: private names, and places that are young.

Each has a test that says which file leans on it. `docs/reliability.md` shows the same list.
"""

import ast
import inspect
import logging
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hfkit"


def _sdpa() -> bool:
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    names = list(inspect.signature(sdpa_attention_forward).parameters)
    asked = ["module", "query", "key", "value", "attention_mask", "dropout", "scaling", "is_causal"]
    return names[: len(asked)] == asked and "sdpa" in AttentionInterface()


def _cache() -> bool:
    """What `generate` carries along goes by the name that our language models answer with."""
    from transformers.generation import utils

    from hfkit.baselines.language.auto import CACHE

    return CACHE in utils.ALL_CACHE_NAMES


def _token_vectors() -> bool:
    from transformers import PreTrainedModel

    return PreTrainedModel._input_embed_layer == "embed_tokens"


def _own_generation_config() -> bool:
    """A generation config says whether it was made of a model's config, and one that was is made anew by `generate`."""
    from transformers import GenerationConfig, GPT2Config

    made = GenerationConfig.from_model_config(GPT2Config())
    return not GenerationConfig()._from_model_config and made._from_model_config is True


def _forward_params() -> bool:
    """What every call of a pipeline hands on to `generate`."""
    from transformers import Pipeline

    return "forward_params = {**self._forward_params, **forward_params}" in inspect.getsource(Pipeline.__call__)


def _fresh_head() -> bool:
    """A parameter marked as not initialised is drawn anew by `_init_weights`, and one that is marked is left alone."""
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertForSequenceClassification(BertConfig(vocab_size=10, **sizes))
    before = model.classifier.weight.detach().clone()
    model.classifier.weight._is_hf_initialized = True
    model._init_weights(model.classifier)
    kept = torch.equal(before, model.classifier.weight)
    model.classifier.weight._is_hf_initialized = False
    model._init_weights(model.classifier)
    return kept and not torch.equal(before, model.classifier.weight)


def _state() -> bool:
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    return callable(AcceleratorState._reset_state)


def _mapping() -> bool:
    from transformers import AutoModelForSequenceClassification, BertConfig

    return BertConfig in AutoModelForSequenceClassification._model_mapping


def _registries() -> bool:
    from transformers.models.auto import configuration_auto, modeling_auto

    names = ("CAUSAL_LM", "IMAGE_CLASSIFICATION", "SEQUENCE_CLASSIFICATION")
    mappings = all(hasattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING") for name in names)
    return mappings and hasattr(configuration_auto, "AutoConfig") and hasattr(modeling_auto, "AutoModelForCausalLM")


def _configs_are_dataclasses() -> bool:
    from dataclasses import is_dataclass

    from transformers import PreTrainedConfig

    return is_dataclass(PreTrainedConfig)


def _lora_targets() -> bool:
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as DEFAULTS

    return set(DEFAULTS["bert"]) == {"query", "value"}


def _schedules() -> bool:
    from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, GreedyLR

    return any(str(getattr(key, "value", key)) == "linear" for key in TYPE_TO_SCHEDULER_FUNCTION) and bool(GreedyLR)


def _batch_norm() -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return issubclass(torch.nn.BatchNorm2d, _BatchNorm)


def _implementation() -> bool:
    from transformers import BertConfig

    return isinstance(BertConfig(attn_implementation="sdpa")._attn_implementation, str)


def _tied() -> bool:
    """What a model declares as tied is one tensor; the names are those of the layers, what takes before what gives."""
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 10}
    model = T5ForConditionalGeneration(T5Config(**sizes))
    named = dict(model.named_parameters(remove_duplicate=False))
    return bool(model._tied_weights_keys) and all(
        named[name] is named[source] for name, source in model._tied_weights_keys.items()
    )


def _attention_flags() -> bool:
    """A model that does not say so gets no fast attention."""
    from transformers import PreTrainedModel

    names = ("sdpa", "flash_attn", "flex_attn", "attention_backend")
    return not any(getattr(PreTrainedModel, f"_supports_{name}") for name in names)


def _checkpointing() -> bool:
    """The switch for activation checkpointing finds each layer that has one of the two names, and sets both."""
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model: Any = BertModel(BertConfig(vocab_size=10, **sizes))
    model.embeddings.gradient_checkpointing = False
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
    return bool(model.embeddings.gradient_checkpointing) and callable(model.embeddings._gradient_checkpointing_func)


def _pipeline_steps() -> bool:
    """What each pipeline tells of its arguments and does with a batch."""
    from transformers import Pipeline

    return Pipeline.__abstractmethods__ >= {"_sanitize_parameters", "preprocess", "_forward", "postprocess"}


def _metric_folder() -> bool:
    """The folder that a metric makes as soon as it is opened."""
    from evaluate import EvaluationModule

    return "self._build_data_dir()" in inspect.getsource(EvaluationModule.__init__)


def _groups() -> bool:
    from timm.models import group_parameters

    return callable(group_parameters)


def _boxes_of_all() -> bool:
    """A detector's loss divides by the boxes of all processes where accelerate knows of any, and only there."""
    from transformers.loss import loss_for_object_detection as losses

    return "if PartialState._shared_state != {}:" in inspect.getsource(losses.ImageLoss.forward)


def _frozen_blocks() -> bool:
    """A block of which nothing learns keeps no type of its gradients, in torch that has one group of a block's weights;
    later ones need no help."""
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.fsdp._fully_shard._fsdp_param_group import FSDPParamGroup
    from torch.distributed.fsdp._fully_shard._fsdp_state import FSDPState

    once = "self._orig_dtype = next(iter(orig_dtypes)) if trainable_params else None"
    if once not in inspect.getsource(FSDPParamGroup._init_mp_dtypes):
        return hasattr(FSDPModule, "_get_fsdp_state")
    return hasattr(FSDPModule, "_get_fsdp_state") and "self._fsdp_param_group:" in inspect.getsource(FSDPState.__init__)


TOUCHED: dict[str, tuple[str, Callable[[], bool]]] = {
    "transformers: `past_key_values`, since 5.24 `cache`": ("baselines/language/auto.py", _cache),
    "transformers: every config is a dataclass (5.4)": ("baselines/configs.py", _configs_are_dataclasses),
    "transformers.integrations.sdpa_attention, AttentionInterface": ("models/kernels/cpu_attention.py", _sdpa),
    "PreTrainedModel._input_embed_layer": ("baselines/auto.py", _token_vectors),
    "GenerationConfig._from_model_config": ("tasks/seq2seq/models.py", _own_generation_config),
    "Pipeline._forward_params": ("tasks/text_generation/inference.py", _forward_params),
    "PreTrainedModel._init_weights, Parameter._is_hf_initialized": ("models/adapting/heads.py", _fresh_head),
    "PreTrainedModel._tied_weights_keys": ("data/sources/weights/model_folder.py", _tied),
    "PreTrainedModel._supports_sdpa, _supports_flash_attn, _supports_flex_attn, _supports_attention_backend": (
        "models/pooled.py",
        _attention_flags,
    ),
    "PreTrainedModel: _gradient_checkpointing_func of its layers": ("baselines/transformer.py", _checkpointing),
    "Pipeline._forward": ("inference/answering.py", _pipeline_steps),
    "Pipeline._sanitize_parameters": ("tasks/question_answering/inference.py", _pipeline_steps),
    "evaluate: EvaluationModule._build_data_dir, _info, _compute": ("evaluation/hf_modules.py", _metric_folder),
    "AutoModel._model_mapping": ("hub/editions.py", _mapping),
    "transformers.models.auto: the modules and their MODEL_FOR_ mappings": ("models/register.py", _registries),
    "config._attn_implementation": ("training/callbacks/speed.py", _implementation),
    "transformers.optimization.TYPE_TO_SCHEDULER_FUNCTION": ("training/optim.py", _schedules),
    "AcceleratorState._reset_state": ("training/job.py", _state),
    "PartialState._shared_state": ("tasks/object_detection/task.py", _boxes_of_all),
    "peft.utils.constants: the layers that LoRA adapts by default": ("models/adapting/lora.py", _lora_targets),
    "torch.nn.modules.batchnorm._BatchNorm": ("models/adapting/freezing.py", _batch_norm),
    "timm.models.group_parameters": ("training/optim.py", _groups),
    "FSDPModule: _get_fsdp_state, _fsdp_param_group, _orig_dtype, _init_mp_dtypes": (
        "models/sharding.py",
        _frozen_blocks,
    ),
}
"""What is touched: the file that leans on it, and what has to hold."""

ELSEWHERE = {"_option_string_actions", "_actions", "_get_formatter", "_get_subactions", "_exit"}
"""Private names that Python itself has kept since argparse came, in 2009."""


@pytest.mark.parametrize("name", TOUCHED)
def test_it_is_still_where_it_was(name: str) -> None:
    file, holds = TOUCHED[name]
    there = (SOURCE / file).read_text(encoding="utf-8") if (SOURCE / file).is_file() else ""
    private = re.findall(r"\b_\w+", name)
    assert there and all(one in there for one in private), f"say where {name} is leant on now: {file} does it no more"
    assert holds(), f"{name} has changed, and {file} leans on it"


def test_no_private_name_is_touched_unlisted() -> None:
    """An underscore in front of another library's attribute is a loan: it has to stand in the list."""
    listed = set(re.findall(r"\b_\w+", " ".join(TOUCHED))) | ELSEWHERE
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in SOURCE.rglob("*.py")}
    own = {
        name
        for tree in trees.values()
        for node in ast.walk(tree)
        for name in (
            [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [node.attr] if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            and ast.unparse(node.value) == "self"
            else [node.target.id] if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            else []
        )
    }  # fmt: skip
    for file, tree in trees.items():
        for name, line in _touched(tree):
            known = name in own | listed or name.endswith("__")
            assert known, f"{file.relative_to(ROOT)}:{line} touches {name}: list it above"


def test_no_private_name_is_put_in_place_of_a_librarys_unlisted() -> None:
    """A method or attribute that a library's class looks for under its own underscore is a loan as well."""
    listed = set(re.findall(r"\b_\w+", " ".join(TOUCHED)))
    for file in SOURCE.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef) or not node.bases:
                continue
            said = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
            named = (name for one in node.body for name in ast.walk(one) if isinstance(name, ast.Name))
            said |= {name.id for name in named if isinstance(name.ctx, ast.Store)}
            private = {name for name in said if re.match(r"_[a-z]", name)}
            if private:
                module = file.relative_to(SOURCE.parent).with_suffix("").as_posix().replace("/", ".")
                above = getattr(import_module(module.removesuffix(".__init__")), node.name).__mro__
                lent = [base for base in above if base.__module__.split(".")[0] not in ("hfkit", "argparse")]
                for name in sorted(private - listed):
                    assert not any(name in vars(base) for base in lent), f"{module}.{node.name}.{name}: list it above"


def _touched(tree: ast.AST) -> list[tuple[str, int]]:
    """Private names as attributes, as imports from other libraries, and as texts given to getattr and its like."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.append((node.attr, node.lineno))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in ("hfkit", "__future__"):
            found += [(name, node.lineno) for name in (node.module or "").split(".")]
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "setattr", "delattr"):
            found += [(str(text.value), node.lineno) for text in node.args if isinstance(text, ast.Constant)]
    return [(name, line) for name, line in found if re.match(r"_[a-z]", name, re.IGNORECASE)]


def test_private_names_are_found_in_every_way_of_touching_them() -> None:
    source = 'from a._b import _C\nx._d = 1\ngetattr(x, "_e")\nfrom hfkit.a import _f\nx.g\n'
    assert [name for name, _ in _touched(ast.parse(source))] == ["_b", "_C", "_d", "_e"]


def test_the_page_shows_the_list() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for name, (file, _) in TOUCHED.items():
        assert f"| {name} | `{file}` |" in page


def test_generating_says_nothing_of_what_will_be_gone(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """transformers announces in its log what the next major release takes away."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from hfkit.baselines.language.auto import LSTMForCausalLM, TransformerForCausalLM
    from hfkit.baselines.language.configs import LSTMLMConfig, TransformerLMConfig

    tiny: dict[str, Any] = {"vocab_size": 20, "pad_token_id": 0, "eos_token_id": 1}
    models = [
        TransformerForCausalLM(TransformerLMConfig(hidden_size=16, num_attention_heads=2, num_hidden_layers=1, **tiny)),
        LSTMForCausalLM(LSTMLMConfig(hidden_size=16, embedding_size=16, **tiny)),
        GPT2LMHeadModel(GPT2Config(n_embd=16, n_head=2, n_layer=1, **tiny)),
    ]
    logging.getLogger("transformers").addHandler(caplog.handler)
    try:
        for model in models:
            model.eval().generate(torch.tensor([[3, 4, 5]]), max_new_tokens=3, do_sample=False)
            model.save_pretrained(tmp_path / type(model).__name__)
            type(model).from_pretrained(tmp_path / type(model).__name__)
    finally:
        logging.getLogger("transformers").removeHandler(caplog.handler)
    told = [record.getMessage() for record in caplog.records]
    assert not [line for line in told if "deprecat" in line.lower()], told
