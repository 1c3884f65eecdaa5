"""A library renames an argument, and a model that was published before no longer generates.

Threads: transformers#39336 #48310
"""

from typing import Any

import pytest
import torch
from transformers import GenerationMixin, GPT2Config, GPT2LMHeadModel, PreTrainedConfig, PreTrainedModel

from hfkit.baselines.language.auto import CACHE, LSTMForCausalLM, TransformerForCausalLM
from hfkit.baselines.language.configs import LSTMLMConfig, TransformerLMConfig

pytestmark = pytest.mark.pain("upstream-renames")

TINY: dict[str, Any] = {"vocab_size": 20, "hidden_size": 16, "pad_token_id": 0, "eos_token_id": 1}


class Published(PreTrainedModel, GenerationMixin):
    """A model of somebody's, written for a release that called the cache otherwise than the installed one."""

    config_class = PreTrainedConfig

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config)
        self.inner = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_embd=16, n_head=2, n_layer=1))

    if CACHE == "cache":

        def forward(
            self, input_ids: Any, attention_mask: Any = None, past_key_values: Any = None, **kwargs: Any
        ) -> Any:
            return self.inner(input_ids, attention_mask=attention_mask, past_key_values=past_key_values, **kwargs)

    else:

        def forward(self, input_ids: Any, attention_mask: Any = None, cache: Any = None, **more: Any) -> Any:
            return self.inner(input_ids, attention_mask=attention_mask, past_key_values=cache, **more)


def test_upstream_fails_in_a_models_forward() -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        Published(PreTrainedConfig(eos_token_id=1)).generate(torch.tensor([[3, 4]]), max_new_tokens=2, do_sample=False)


@pytest.mark.parametrize(
    "model",
    [
        TransformerForCausalLM(TransformerLMConfig(num_attention_heads=2, num_hidden_layers=1, **TINY)),
        LSTMForCausalLM(LSTMLMConfig(embedding_size=16, **TINY)),
    ],
    ids=["transformer", "lstm"],
)
@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_hfkits_models_go_by_both_names(model: Any, name: str) -> None:
    model.eval()
    ids = torch.tensor([[3, 4, 5, 6, 7]])
    whole = model(ids).logits[:, -1]
    remembered = getattr(model(ids[:, :4], use_cache=True), CACHE)
    torch.testing.assert_close(model(ids[:, 4:], **{name: remembered}).logits[:, -1], whole)
    first = model.generate(ids, max_new_tokens=4, do_sample=False)
    assert torch.equal(first, model.generate(ids, max_new_tokens=4, do_sample=False, use_cache=False))
