"""U-Net (Ronneberger, Fischer and Brox 2015): a class for each pixel, from what surrounds it at several scales."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import SemanticSegmenterOutput

from hfkit.baselines.vision.configs import UNetConfig
from hfkit.baselines.vision.grey import brightness
from hfkit.baselines.vision.timm_maps import timm_maps

VOID = 255
"""A label that is not learnt, as in the masks of VOC and Cityscapes."""

GROUP = 16
"""Channels that a group norm takes together, where there are so many (Wu and He 2018)."""


class DoubleConv(nn.Sequential):
    """Twice a 3x3 convolution with its norm and ReLU: (batch, inputs, height, width) to (batch, outputs, ...)."""

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        layers: list[nn.Module] = []
        for width in (inputs, outputs):
            layers.append(nn.Conv2d(width, outputs, 3, padding=1, bias=norm == "none"))
            if norm == "batch":
                layers.append(nn.BatchNorm2d(outputs))
            elif norm == "group":
                layers.append(nn.GroupNorm(max(1, outputs // GROUP), outputs))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class UNet(nn.Module):
    """The way down halves the picture and widens it, the way up doubles it and takes in what the way down saw there.

    Convolutions are padded, so that a mask has its picture's size (the paper's lose a rim), each has a norm, which the
    paper has not, and a picture whose sides the poolings do not divide is filled up with its edge and cut again. On a
    backbone of timm's its maps are the way down, beside one double convolution at the picture's own size."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        widths, norm = list(config.widths), config.norm
        channels, strides = widths, [2**step for step in range(len(widths))]
        if config.backbone:
            self.body, channels, strides = timm_maps(config.backbone, config.backbone_args)
            channels, strides = [widths[0], *channels], [1, *strides]
            widths = (widths + widths[-1:] * len(channels))[: len(channels)]
        self.width, self.divisor = widths[0], strides[-1]
        pairs = list(zip([config.num_channels, *widths], widths, strict=False))
        self.down = nn.ModuleList(DoubleConv(*pair, norm) for pair in (pairs[:1] if config.backbone else pairs))
        upward = list(zip([*widths[1:-1], channels[-1]], widths, channels, pairwise(strides), strict=False))[::-1]
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, coarse // fine, coarse // fine)
            for inputs, outputs, _, (fine, coarse) in upward
        )
        self.up = nn.ModuleList(DoubleConv(outputs + seen, outputs, norm) for _, outputs, seen, _ in upward)
        self.dropout = nn.Dropout2d(config.dropout)

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        pixels = F.pad(pixels, (0, -width % self.divisor, 0, -height % self.divisor), mode="replicate")
        skips: list[Tensor] = [self.down[0](pixels)]
        for block in list(self.down)[1:]:
            skips.append(block(F.max_pool2d(skips[-1], 2)))
        skips += self.body(pixels) if hasattr(self, "body") else []
        pixels = self.dropout(skips.pop())
        for grow, block in zip(self.grow, self.up, strict=True):
            pixels = block(torch.cat([skips.pop(), grow(pixels)], dim=1))
        return pixels[..., :height, :width]


class UNetForSemanticSegmentation(PreTrainedModel):
    """A U-Net with a 1x1 convolution for a head. A grey model takes colour too, and reads its brightness.

    `forward(pixel_values, labels)` takes (batch, num_channels, height, width) and (batch, height, width), of any size;
    `logits` are (batch, labels, height, width). With `labels` there is a loss: cross-entropy, pixels of `VOID` apart.
    """

    config_class = UNetConfig
    main_input_name = "pixel_values"
    base_model_prefix = "backbone"
    accepts_loss_kwargs = False  # see ImageBaseline

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        self.backbone = UNet(config)
        self.classifier = nn.Conv2d(self.backbone.width, config.num_labels or 2, 1)
        self.post_init()

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None, **kwargs: Any) -> SemanticSegmenterOutput:
        if self.config.num_channels == 1 and pixel_values.size(1) == 3:
            pixel_values = brightness(pixel_values)
        logits = self.classifier(self.backbone(pixel_values))
        loss = None if labels is None else F.cross_entropy(logits, labels, ignore_index=VOID)
        return SemanticSegmenterOutput(loss=loss, logits=logits)

    def _init_weights(self, module: nn.Module) -> None:
        """Convolutions start as in He et al. 2015, by what feeds one output, as the paper has it; see ImageBaseline."""
        if module is self.classifier:
            init.normal_(self.classifier.weight, std=0.02)
            init.zeros_(self.classifier.bias)  # type: ignore[arg-type]
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                init.zeros_(module.bias)
        else:
            super()._init_weights(module)
