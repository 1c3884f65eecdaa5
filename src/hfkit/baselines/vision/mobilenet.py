"""MobileNet (Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision").

Its block splits a convolution in two: one 3x3 filter a channel (depthwise), then a 1x1 mix of the channels
(pointwise), for an eighth or ninth of the work.
"""

from torch import nn

LAYOUT = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels and stride of the blocks, table 1 of the paper."""

SMALL = 64
"""Pixels up to which the first layer does not halve the picture."""


class DepthwiseSeparable(nn.Sequential):
    """Depthwise 3x3, then pointwise 1x1, each with batch norm and ReLU; (batch, inputs, h, w) -> (batch, outputs, ...).

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: Of the depthwise convolution; 2 halves the picture.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class MobileNet(nn.Sequential):
    """A convolution, 13 depthwise separable blocks, the mean; (batch, channels, h, w) -> (batch, 1024 * multiplier).

    Args:
        channels: Channels of the picture.
        multiplier: The paper's alpha: thins every layer.
        stem_stride: Of the first convolution.
    """

    def __init__(self, channels: int, multiplier: float = 1.0, stem_stride: int = 2) -> None:
        inputs = max(1, round(32 * multiplier))
        stem = [
            nn.Conv2d(channels, inputs, 3, stem_stride, 1, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
        ]
        blocks = []
        for width, stride in LAYOUT:
            outputs = max(1, round(width * multiplier))
            blocks.append(DepthwiseSeparable(inputs, outputs, stride))
            inputs = outputs
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.width = inputs
