"""Made pictures with captions: discs and squares in four colours, and tiny models that read both."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    ViTImageProcessor,
)

COLOURS = {"red": (220, 50, 40), "blue": (40, 60, 220), "green": (40, 170, 60), "yellow": (220, 200, 40)}
SHAPES = ("disc", "square")
CLASSES = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
WORDS = ["<pad>", "<s>", "</s>", "<unk>", "a", "of", "the", "in", "is", "photo", "here", ".", *COLOURS, *SHAPES]


def picture(number: int) -> Image.Image:
    """The class is CLASSES[number % 8]; no two numbers give the same pixels."""
    colour, shape = CLASSES[number % 8].split()
    rng = np.random.default_rng(number)
    pixels = rng.integers(90, 160, (16, 16, 3), dtype=np.uint8)
    y, x = np.mgrid[:16, :16]
    x, y = abs(x - 8 + number % 3), abs(y - 8)
    inside = x**2 + y**2 < 25 if shape == "disc" else np.maximum(x, y) < 5
    pixels[inside] = COLOURS[colour]
    return Image.fromarray(pixels)


def rows(count: int = 96, first: int = 0) -> list[dict[str, Any]]:
    """`file_name`, two `captions`, and the class as `label`."""
    found = []
    for number in range(first, first + count):
        name = CLASSES[number % 8]
        colour, shape = name.split()
        captions = [f"a {name}", f"the {shape} is {colour} ."]
        found.append({"file_name": f"images/{number}.png", "captions": captions, "label": name})
    return found


def write(folder: Path, lines: list[dict[str, Any]], name: str = "captions.jsonl") -> Path:
    """The pictures that the rows name, and the rows beside them."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for line in lines:
        number = int(Path(line["file_name"]).stem)
        picture(number).save(folder / "images" / f"{number}.png")
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder / name


def tokenizer(mask: bool = True) -> PreTrainedTokenizerFast:
    """A word a token, between <s> and </s>; without a mask as SigLIP's, whose texts have 64 tokens."""
    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    names = ["input_ids", "attention_mask"] if mask else ["input_ids"]
    return PreTrainedTokenizerFast(
        tokenizer_object=made, model_input_names=names, model_max_length=16 if mask else 64, **special
    )


def tower() -> dict[str, Any]:
    return {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def processor(mask: bool = True) -> CLIPProcessor:
    return CLIPProcessor(ViTImageProcessor(size={"height": 16, "width": 16}), tokenizer(mask))


def tiny_clip(folder: Path) -> Path:
    torch.manual_seed(0)
    texts = tower() | {"vocab_size": len(WORDS), "max_position_embeddings": 16, "projection_dim": 16}
    texts |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    pictures = tower() | {"image_size": 16, "patch_size": 4, "projection_dim": 16}
    CLIPModel(CLIPConfig(text_config=texts, vision_config=pictures, projection_dim=16)).save_pretrained(folder)
    processor().save_pretrained(folder)
    return folder


def tiny_siglip(folder: Path) -> Path:
    torch.manual_seed(0)
    texts = tower() | {"vocab_size": len(WORDS), "max_position_embeddings": 64, "projection_size": 32}
    texts |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    pictures = tower() | {"image_size": 16, "patch_size": 4}
    SiglipModel(SiglipConfig(text_config=texts, vision_config=pictures)).save_pretrained(folder)
    processor(mask=False).save_pretrained(folder)
    return folder
