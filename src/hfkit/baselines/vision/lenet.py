"""LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, "Gradient-Based Learning Applied to Document Recognition").

The modern variant, as everyone trains it: ReLU for the scaled tanh, max pooling for the averages with a learnt scale,
all 16 maps of the second convolution see all 6 of the first (the paper connects some), and a linear head with softmax
for the radial basis functions. On 28 x 28 grey pictures with 10 classes it has 61,706 parameters; the paper's has
60,000.
"""

from torch import nn

FIELD = 32
"""Pixels a side that the paper's network reads: MNIST's 28 with a rim, so that strokes at the edge are seen whole."""


class LeNet5(nn.Sequential):
    """(batch, channels, size, size) -> (batch, 84). Pictures below 32 pixels get a rim of zeros, the mean colour."""

    width = 84

    def __init__(self, image_size: int, channels: int) -> None:
        rim = max(0, (FIELD - image_size + 1) // 2)
        side = ((image_size + 2 * rim - 4) // 2 - 4) // 2  # 5 up to 32 pixels
        super().__init__(
            nn.Conv2d(channels, 6, 5, padding=rim),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * side**2, 120),
            nn.ReLU(),
            nn.Linear(120, self.width),
            nn.ReLU(),
        )
