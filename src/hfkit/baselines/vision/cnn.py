"""The tutorials' convolutional network: blocks of convolution, batch norm, ReLU and pooling, then a hidden layer."""

from collections.abc import Sequence

from torch import nn

GRID = 4
"""Places a side that the hidden layer reads at most: what 32 pixels leave after three poolings."""


class Block(nn.Sequential):
    """3x3 convolution, batch norm, ReLU, 2x2 pooling; (batch, inputs, h, w) -> (batch, outputs, h // 2, w // 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),  # batch norm brings a bias of its own
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )


class Cnn(nn.Sequential):
    """(batch, channels, size, size) -> (batch, hidden_size).

    Large pictures are averaged down to a grid of 4 x 4 before the hidden layer, which would else hold nearly all the
    parameters.

    Args:
        image_size: Height and width in pixels, at least 2 to the number of blocks.
        channels: Channels of the picture.
        widths: Channels of each block.
        hidden_size: Width of the hidden layer.

    Raises:
        ValueError: The poolings leave nothing of the picture.
    """

    def __init__(self, image_size: int, channels: int, widths: Sequence[int], hidden_size: int) -> None:
        side = image_size // 2 ** len(widths)
        if not side:
            raise ValueError(f"pictures of {image_size} pixels are too small for {len(widths)} poolings")
        grid = min(side, GRID)
        blocks = [Block(*pair) for pair in zip([channels, *widths], widths, strict=False)]
        super().__init__(
            *blocks,
            nn.AdaptiveAvgPool2d(grid) if grid < side else nn.Identity(),
            nn.Flatten(),
            nn.Linear(widths[-1] * grid**2, hidden_size),
            nn.ReLU(),
        )
        self.width = hidden_size
