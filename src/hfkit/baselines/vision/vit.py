"""The Vision Transformer (Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words"), on the text baseline's encoder.

A picture is cut into patches, each patch becomes a vector by one linear layer, and from there on it is a text: the
encoder is `hfkit.baselines.transformer`'s, pre-norm and GELU as in the paper.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hfkit.baselines.transformer import Encoder, EncoderLayer

FEWEST = 7
"""Patches a side that a patch size chosen for the user leaves at least."""


def natural_patch(image_size: int) -> int:
    """The largest patch up to the paper's 16 that divides the picture into at least 7 x 7, else 1 pixel."""
    fitting = [size for size in range(1, 17) if image_size % size == 0 and image_size // size >= FEWEST]
    return max(fitting, default=1)


class PatchEmbeddings(nn.Module):
    """A picture as a row of vectors: the class token, then the patches line by line, with learned positions.

    Args:
        image_size: Height and width in pixels.
        patch_size: Height and width of a patch; must divide `image_size`.
        channels: Channels of the picture.
        size: Width of the vectors.
        dropout: Dropout of the sum.

    Raises:
        ValueError: The patches do not fill the picture.
    """

    def __init__(self, image_size: int, patch_size: int, channels: int, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"patches of {patch_size} pixels do not fill a picture of {image_size}")
        # Stride = kernel: each patch is seen once, so this is one linear layer on its pixels.
        self.project = nn.Conv2d(channels, size, patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, size))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (image_size // patch_size) ** 2, size))
        self.dropout = nn.Dropout(dropout)

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, channels, image_size, image_size) -> (batch, 1 + patches, size)."""
        patches = self.project(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(pixels), -1, -1), patches], dim=1)
        return self.dropout(tokens + self.positions)


class VisionTransformer(nn.Module):
    """Patches, encoder, and the class token's last state; (batch, channels, image_size, image_size) -> (batch, size).

    Args:
        embeddings: The patches' vectors, `size` wide.
        size: Width of the states.
        layers: Encoder layers.
        heads: Attention heads.
        hidden: Width inside the feed-forward layers.
        dropout: Dropout of the sublayers' outputs.
        attention_dropout: Dropout of the attention weights; above 0 it leaves the fast kernel.
    """

    def __init__(
        self,
        embeddings: PatchEmbeddings,
        size: int,
        layers: int,
        heads: int,
        hidden: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embeddings = embeddings
        stack = [
            EncoderLayer(size, heads, hidden, dropout, attention_dropout, norm_first=True, activation="gelu")
            for _ in range(layers)
        ]
        self.encoder = Encoder(stack, size, norm_first=True)
        for module in self.encoder.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-6  # the ViT's; torch's own 1e-5 is the Transformer's
        self.width = size

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder(self.embeddings(pixels))[:, 0]


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


def from_timm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
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
