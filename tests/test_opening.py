"""What opens: tokenizers without files, folders as timm saves them, and pictures of another size."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    ByT5Tokenizer,
    CanineConfig,
    CanineForSequenceClassification,
    CanineTokenizer,
    PerceiverConfig,
    PerceiverForSequenceClassification,
    PerceiverTokenizer,
    T5Config,
    T5ForSequenceClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

import hfkit
from hfkit.models.adapting.image_sizes import at_size
from hfkit.models.loading import load_model

LABELS = {0: "neg", 1: "pos"}


def of_letters(kind: str) -> tuple[Any, Any]:
    """A classifier of characters or bytes, whose tokenizer has no vocabulary file."""
    sizes: dict[str, Any] = {"num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 1}
    if kind == "canine":
        sizes |= {"hidden_size": 32, "max_position_embeddings": 256, "num_hash_functions": 4, "num_hash_buckets": 256}
        config = CanineConfig(**sizes, local_transformer_stride=16, id2label=LABELS)
        return CanineForSequenceClassification(config), CanineTokenizer(model_max_length=256)
    if kind == "perceiver":
        latent = {"num_latents": 8, "d_latents": 32, "d_model": 32, "num_blocks": 1, "num_self_attends_per_block": 1}
        heads = {"num_self_attention_heads": 2, "num_cross_attention_heads": 2}
        perceiver = PerceiverConfig(**latent, **heads, max_position_embeddings=64, id2label=LABELS)
        return PerceiverForSequenceClassification(perceiver), PerceiverTokenizer(model_max_length=64)
    t5 = T5Config(vocab_size=384, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, id2label=LABELS)
    t5.decoder_start_token_id = 0
    return T5ForSequenceClassification(t5), ByT5Tokenizer()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["canine", "byt5", "perceiver"])
def test_a_tokenizer_without_files(kind: str, tmp_path: Path) -> None:
    for part in of_letters(kind):
        part.save_pretrained(tmp_path)
    classify = hfkit.pipeline(tmp_path, device="cpu", mixed_precision="no")
    texts = ["warm", "a cold </s> film", "slow and warm"]
    together = [answer["score"] for answer in classify(texts)]
    assert together == pytest.approx([classify(text)[0]["score"] for text in texts], abs=1e-4)


def test_a_folder_as_timm_saves_it(tmp_path: Path) -> None:
    import timm

    model = timm.create_model("test_resnet", num_classes=3).eval()
    timm.models.save_for_hf(model, str(tmp_path), safe_serialization=True)
    opened, _ = load_model(tmp_path)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(opened(pixel_values=pictures).logits, model(pictures))


def test_a_vit_reads_pictures_of_another_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = ViTForImageClassification(ViTConfig(**sizes, image_size=32, patch_size=8, num_labels=3)).eval()
    large = at_size(model, 64).eval()
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        wanted = model(pixel_values=pictures, interpolate_pos_encoding=True).logits
        torch.testing.assert_close(large(pixel_values=pictures).logits, wanted, rtol=1e-4, atol=1e-5)
    large.save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(tmp_path)
    again, _ = load_model(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(again(pixel_values=pictures).logits, wanted, rtol=1e-4, atol=1e-5)
