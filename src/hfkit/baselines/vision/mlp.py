"""A multilayer perceptron on the pixels: it knows nothing of neighbourhood, and shows what that costs."""

from collections.abc import Sequence

from torch import nn


class Mlp(nn.Sequential):
    """Pixels in one row, then linear layers with ReLU; (batch, channels, size, size) -> (batch, last hidden size).

    Args:
        image_size: Height and width in pixels.
        channels: Channels of the picture.
        hidden_sizes: Widths of the hidden layers, at least one.
        dropout: Dropout between the hidden layers.
    """

    def __init__(self, image_size: int, channels: int, hidden_sizes: Sequence[int], dropout: float = 0.0) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        size = channels * image_size**2
        for number, hidden in enumerate(hidden_sizes):
            if number:
                layers.append(nn.Dropout(dropout))
            layers += [nn.Linear(size, hidden), nn.ReLU()]
            size = hidden
        super().__init__(*layers)
        self.width = size
