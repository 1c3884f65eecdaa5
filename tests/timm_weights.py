"""timm's and torchvision's weights in our picture networks: the proof that they compute what they should."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch import Tensor


def tiny_classifier(folder: Path) -> dict[str, Tensor]:
    """A folder as the Hub has timm's classifiers; its weights."""
    torch.manual_seed(0)
    weights = timm.create_model("test_resnet", num_classes=5).state_dict()
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    shown = {"input_size": [3, 160, 160], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "num_classes": 5}
    shown |= {"architecture": "test_resnet", "interpolation": "bicubic", "crop_pct": 0.95, "classifier": "fc"}
    told = {"architecture": "test_resnet", "num_classes": 5, "pretrained_cfg": shown}
    (folder / "config.json").write_text(json.dumps(told))
    return weights


def resnet_from_timm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of timm's or torchvision's resnet18 or resnet34, for our shell: the head has another name."""
    return {
        f"classifier.{name[3:]}" if name.startswith("fc.") else f"backbone.{name}": weights[name] for name in weights
    }


_NAMES = {
    r"^head\.": "classifier.",
    r"^cls_token$": "backbone.embeddings.class_token",
    r"^pos_embed$": "backbone.embeddings.positions",
    r"^patch_embed\.proj\.": "backbone.embeddings.project.",
    r"^norm\.": "backbone.encoder.norm.",
    r"^blocks\.": "backbone.encoder.layers.",
    r"\.norm1\.": ".after_attention.norm.",
    r"\.norm2\.": ".after_feed_forward.norm.",
    r"\.attn\.proj\.": ".attention.output.",
    r"\.attn\.": ".attention.",
    r"\.mlp\.fc1\.": ".feed_forward.expand.",
    r"\.mlp\.fc2\.": ".feed_forward.contract.",
}


def vit_from_timm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a timm `vit_*_patch*` for our shell: other names, and its one matrix of Q, K and V in three."""
    ours: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        for pattern, new in _NAMES.items():
            name = re.sub(pattern, new, name)
        if ".qkv." in name:
            for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                ours[name.replace("qkv", part)] = third
        else:
            ours[name] = tensor
    return ours
