"""The pooled model: any backbone, the mean of its tokens, a linear head."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedConfig

from hfkit.models.configs import PooledConfig
from hfkit.models.pooled import PooledForSequenceClassification

SIZES = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
BACKBONES = {
    "bert": {**SIZES, "intermediate_size": 64},
    "roberta": {**SIZES, "intermediate_size": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
    "distilbert": {"vocab_size": 60, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "pad_token_id": 0},
    "deberta-v2": {**SIZES, "intermediate_size": 64},
    "gpt2": {"vocab_size": 60, "n_embd": 32, "n_layer": 2, "n_head": 2},
}


def pooled(backbone: PreTrainedConfig, labels: int = 3) -> PooledForSequenceClassification:
    torch.manual_seed(0)
    return PooledForSequenceClassification(PooledConfig(backbone_config=backbone, num_labels=labels)).eval()


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    return {"input_ids": torch.randint(3, 60, (2, 7)) * mask, "attention_mask": mask}


@pytest.mark.parametrize("family", sorted(BACKBONES))
def test_any_backbone_pools_saves_and_reloads_bit_equal(
    family: str, batch: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    model = pooled(AutoConfig.for_model(family, **BACKBONES[family]))
    logits = model(**batch).logits
    assert logits.shape == (2, 3)
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert isinstance(again, PooledForSequenceClassification)
    assert isinstance(again.config.backbone_config, AutoConfig.for_model(family).__class__)
    assert torch.equal(again.eval()(**batch).logits, logits)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "deberta-v2"])
def test_every_parameter_gets_a_gradient(family: str, batch: dict[str, torch.Tensor]) -> None:
    """DistributedDataParallel refuses parameters without one, such as a pooler that nothing reads."""
    model = pooled(AutoConfig.for_model(family, **BACKBONES[family])).train()
    model(**batch, labels=torch.tensor([0, 2])).loss.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_the_head_reads_the_mean_of_the_tokens_that_are_not_padding(batch: dict[str, torch.Tensor]) -> None:
    model = pooled(AutoConfig.for_model("bert", **BACKBONES["bert"]))
    alone = {name: value[1:, :4] for name, value in batch.items()}
    torch.testing.assert_close(model(**batch).logits[1:], model(**alone).logits, rtol=0, atol=1e-6)
    states = model.backbone(**alone).last_hidden_state
    torch.testing.assert_close(model(**alone).logits, model.classifier(states.mean(dim=1)), rtol=0, atol=1e-6)
    segments = torch.ones_like(batch["input_ids"])
    assert not torch.equal(model(**batch, token_type_ids=segments).logits, model(**batch).logits)


@pytest.mark.parametrize(
    ("problem", "labels"),
    [
        ("single_label_classification", torch.tensor([2, 0])),
        ("multi_label_classification", torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])),
        ("regression", torch.rand(2, 3)),
    ],
)
def test_the_loss_is_transformers_own(problem: str, labels: torch.Tensor, batch: dict[str, torch.Tensor]) -> None:
    model = pooled(AutoConfig.for_model("bert", **BACKBONES["bert"]))
    model.config.problem_type = problem
    output = model(**batch, labels=labels)
    functions = {
        "single_label_classification": torch.nn.functional.cross_entropy,
        "multi_label_classification": torch.nn.functional.binary_cross_entropy_with_logits,
        "regression": torch.nn.functional.mse_loss,
    }
    torch.testing.assert_close(output.loss, functions[problem](output.logits, labels))
    assert not model.accepts_loss_kwargs


def test_a_backbone_keeps_the_fast_kernel(tiny_bert: Path) -> None:
    model = pooled(AutoConfig.from_pretrained(tiny_bert))
    assert model.backbone.config._attn_implementation == "sdpa"
    assert AutoTokenizer.from_pretrained(tiny_bert).model_max_length == 64
