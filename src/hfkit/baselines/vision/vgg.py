"""VGG (Simonyan and Zisserman 2014, "Very Deep Convolutional Networks"), sized for CIFAR and with batch norm.

The paper's 3x3 convolutions and poolings, without its two hidden layers of 4,096: those hold 90 % of its 133 million
parameters, were made for 7 x 7 places, and after five poolings 32 pixels leave one.
"""

from collections.abc import Sequence

from torch import nn


class Vgg(nn.Sequential):
    """Stages of convolution, batch norm and ReLU, a pooling after each; (batch, channels, h, w) -> (batch, last width).

    Poolings round up, so that 28 pixels, or 8, pass all five. What is left of a larger picture is averaged.

    Args:
        channels: Channels of the picture.
        stages: Widths of the convolutions between two poolings.
    """

    def __init__(self, channels: int, stages: Sequence[Sequence[int]]) -> None:
        layers: list[nn.Module] = []
        inputs = channels
        for widths in stages:
            for width in widths:
                layers += [
                    nn.Conv2d(inputs, width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                ]
                inputs = width
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.width = inputs
