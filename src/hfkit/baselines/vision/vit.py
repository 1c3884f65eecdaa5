"""The Vision Transformer (Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words"), on the text baseline's encoder.

A picture is cut into patches, each patch becomes a vector by one linear layer, and from there on it is a text: the
encoder is `hfkit.baselines.transformer`'s, pre-norm and GELU as in the paper.
"""

import torch
from torch import Tensor, nn
from transformers import initialization as init

from hfkit.baselines.transformer import Transformer
from hfkit.baselines.vision.configs import BaselineViTConfig

FEWEST = 7
"""Patches a side that a patch size chosen for the user leaves at least."""


def natural_patch(image_size: int) -> int:
    """The largest patch up to the paper's 16 that divides the picture into at least 7 x 7, else 1 pixel."""
    fitting = [size for size in range(1, 17) if image_size % size == 0 and image_size // size >= FEWEST]
    return max(fitting, default=1)


class PatchEmbeddings(nn.Module):
    """A picture as a row of vectors: the class token, then the patches line by line, with learned positions. Raises
    ValueError: the patches do not fill the picture."""

    def __init__(self, config: BaselineViTConfig) -> None:
        super().__init__()
        side, size = config.image_size, config.hidden_size
        patch = config.patch_size or natural_patch(side)
        if side % patch:
            raise ValueError(f"patches of {patch} pixels do not fill a picture of {side}")
        # Stride = kernel: each patch is seen once, so this is one linear layer on its pixels.
        self.project = nn.Conv2d(config.num_channels, size, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, size))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (side // patch) ** 2, size))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, channels, image_size, image_size) -> (batch, 1 + patches, size)."""
        patches = self.project(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(pixels), -1, -1), patches], dim=1)
        return self.dropout(tokens + self.positions)


class VisionTransformer(nn.Module):
    """Patches, encoder, and the class token's last state; (batch, channels, height, width) -> (batch, size)."""

    def __init__(self, config: BaselineViTConfig) -> None:
        super().__init__()
        self.embeddings = PatchEmbeddings(config)
        self.encoder = Transformer(config)
        for module in self.encoder.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-6  # the ViT's; torch's own 1e-5 is the Transformer's
        self.width = config.hidden_size

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder(self.embeddings(pixels))[:, 0]


def started(module: nn.Module) -> bool:
    """Give a layer of the Vision Transformer its start values; whether it is one. No ReLU stands behind these layers:
    Xavier as in the text Transformer, and patches by what feeds one output."""
    if isinstance(module, PatchEmbeddings):
        # As loud as the patches, which start with variance 1, and as a sinusoid. The paper's 0.02 is for millions of
        # pictures: on thousands the model is deaf to places for most of its training.
        init.trunc_normal_(module.positions, std=0.5)
        init.zeros_(module.class_token)
    elif isinstance(module, nn.Conv2d | nn.Linear):
        if isinstance(module, nn.Conv2d):
            init.trunc_normal_(module.weight, std=module.weight[0].numel() ** -0.5)
        else:
            init.xavier_uniform_(module.weight)
        if module.bias is not None:
            init.zeros_(module.bias)
    else:
        return False
    return True
