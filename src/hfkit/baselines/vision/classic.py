"""The classic networks for pictures: LeNet-5, AlexNet, VGG, Inception, MobileNet, the tutorials' CNN, a perceptron."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hfkit.baselines.vision.configs import (
    AlexNetConfig,
    CnnConfig,
    InceptionConfig,
    LeNetConfig,
    MlpConfig,
    MobileNetConfig,
    VggConfig,
)

FIELD = 32
"""Pixels a side that LeNet-5 reads: MNIST's 28 with a rim, so that strokes at the edge are seen whole."""

GRID = 4
"""Places a side that the CNN's hidden layer reads at most: what 32 pixels leave after three poolings."""

LAYOUT = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels and stride of MobileNet's blocks, table 1 of the paper."""

SMALL = 64
"""Pixels up to which the networks made for 224 do not make the picture smaller in their first layers."""

BRANCHES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Channels in Inception's blocks between two poolings, table 1 of the paper: 1x1; 3x3 and what it reads; 5x5 and what
it reads; behind the pooling."""


class LeNet5(nn.Sequential):
    """LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998); pictures below 32 pixels get a rim of zeros, the mean colour.

    The modern variant, as everyone trains it: ReLU for the scaled tanh, max pooling for the averages with a learnt
    scale, all 16 maps of the second convolution see all 6 of the first (the paper connects some), and a linear head
    with softmax for the radial basis functions. On 28 x 28 grey pictures with 10 classes it has 61,706 parameters; the
    paper's has 60,000."""

    width = 84

    def __init__(self, config: LeNetConfig) -> None:
        rim = max(0, (FIELD - config.image_size + 1) // 2)
        side = ((config.image_size + 2 * rim - 4) // 2 - 4) // 2  # 5 up to 32 pixels
        super().__init__(
            nn.Conv2d(config.num_channels, 6, 5, padding=rim),
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


class Mlp(nn.Sequential):
    """Pixels in one row, then linear layers with ReLU and dropout between them: it knows nothing of neighbourhood."""

    def __init__(self, config: MlpConfig) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        size = config.num_channels * config.image_size**2
        for number, hidden in enumerate(config.hidden_sizes):
            if number:
                layers.append(nn.Dropout(config.dropout))
            layers += [nn.Linear(size, hidden), nn.ReLU()]
            size = hidden
        super().__init__(*layers)
        self.width = size


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, batch norm, which brings a bias of its own, and ReLU."""
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _pooling() -> nn.MaxPool2d:
    """The largest of 3 x 3 places, every second one: windows overlap. Rounded up, so that small pictures pass."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class Vgg(nn.Sequential):
    """VGG (Simonyan and Zisserman 2014), sized for CIFAR: 3x3 convolutions with batch norm, a pooling after each stage.

    It goes without the paper's two hidden layers of 4,096: those hold 90 % of its 133 million parameters, were made for
    7 x 7 places, and after five poolings 32 pixels leave one. Poolings round up, so that 28 pixels, or 8, pass all
    five. What is left of a larger picture is averaged."""

    def __init__(self, config: VggConfig) -> None:
        layers: list[nn.Module] = []
        inputs = config.num_channels
        for widths in config.stages:
            for width in widths:
                layers += _convolution(inputs, width)
                inputs = width
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.width = inputs


class AlexNet(nn.Sequential):
    """AlexNet (Krizhevsky, Sutskever, Hinton 2012): five convolutions, three overlapping poolings, two hidden layers.

    In one tower, with the channels of "One weird trick" (Krizhevsky 2014), as torchvision has it: without the split
    over two GPUs and the response normalisation; dropout stands behind the hidden layers, as in the paper. Up to 64
    pixels its first convolution, 11x11 with stride 4, is 5x5 with stride 1, as in the author's network for CIFAR-10,
    and a hidden layer reads 2 x 2 places at most, not 6 x 6."""

    def __init__(self, config: AlexNetConfig) -> None:
        small = config.image_size <= SMALL
        places, hidden = (2, 512) if small else (6, 4096)
        hidden = config.hidden_size or hidden
        size, stride = (5, 1) if small else (11, 4)
        super().__init__(
            *(nn.Conv2d(config.num_channels, 64, size, stride, padding=2), nn.ReLU(), _pooling()),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), _pooling()),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), _pooling()),
            *(nn.AdaptiveAvgPool2d(places), nn.Flatten()),
            *(nn.Linear(256 * places**2, hidden), nn.ReLU(), nn.Dropout(config.dropout)),
            *(nn.Linear(hidden, hidden), nn.ReLU()),
        )
        self.width = hidden


class Cnn(nn.Sequential):
    """Blocks of 3x3 convolution, batch norm, ReLU and 2x2 pooling, then a hidden layer, before which large pictures are
    averaged down to a grid of 4 x 4. Raises ValueError: the poolings leave nothing of the picture."""

    def __init__(self, config: CnnConfig) -> None:
        widths, side = config.widths, config.image_size // 2 ** len(config.widths)
        if not side:
            raise ValueError(f"pictures of {config.image_size} pixels are too small for {len(widths)} poolings")
        grid = min(side, GRID)
        pairs = zip([config.num_channels, *widths], widths, strict=False)
        super().__init__(
            *(nn.Sequential(*_convolution(*pair), nn.MaxPool2d(2)) for pair in pairs),
            nn.AdaptiveAvgPool2d(grid) if grid < side else nn.Identity(),
            nn.Flatten(),
            nn.Linear(widths[-1] * grid**2, config.hidden_size),
            nn.ReLU(),
        )
        self.width = config.hidden_size


class MobileNet(nn.Sequential):
    """MobileNet (Howard et al. 2017): a convolution, 13 depthwise separable blocks, the mean over the picture.

    A block splits a convolution in two: one 3x3 filter a channel (depthwise), then a 1x1 mix of the channels
    (pointwise), for an eighth or ninth of the work."""

    def __init__(self, config: MobileNetConfig) -> None:
        thin = config.width_multiplier
        stride = config.stem_stride or (1 if config.image_size <= SMALL else 2)
        inputs = max(1, round(32 * thin))
        layers = _convolution(config.num_channels, inputs, stride=stride)
        for width, stride in LAYOUT:
            outputs = max(1, round(width * thin))
            depthwise = _convolution(inputs, inputs, stride=stride, groups=inputs)
            layers.append(nn.Sequential(*depthwise, *_convolution(inputs, outputs, size=1)))
            inputs = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.width = inputs


class Branches(nn.Module):
    """A block of Inception: convolutions of 1x1, 3x3 and 5x5 and a pooling, side by side; their channels are joined."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        one, narrow, three, thin, five, pooled = widths
        self.one = nn.Sequential(*_convolution(inputs, one, size=1))
        self.three = nn.Sequential(*_convolution(inputs, narrow, size=1), *_convolution(narrow, three))
        self.five = nn.Sequential(*_convolution(inputs, thin, size=1), *_convolution(thin, five, size=5))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *_convolution(inputs, pooled, size=1))
        self.width = one + three + five + pooled

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, `width`, height, width)."""
        return torch.cat([branch(features) for branch in self.children()], dim=1)


class Inception(nn.Sequential):
    """GoogLeNet (Szegedy et al. 2015), the first Inception network: nine blocks of four branches, the mean over the
    picture, one linear layer.

    Batch norm (Ioffe and Szegedy 2015) stands in the place of the paper's two further classifiers half way, which were
    there to let gradients through. Up to 64 pixels the first convolution is 3x3 with stride 1, and the pooling behind
    it is left out."""

    def __init__(self, config: InceptionConfig) -> None:
        def wide(channels: int) -> int:
            return max(1, round(channels * config.width_multiplier))

        small = config.image_size <= SMALL
        first = {} if small else {"size": 7, "stride": 2}
        layers = _convolution(config.num_channels, wide(64), **first)
        layers += [] if small else [_pooling()]
        layers += _convolution(wide(64), wide(64), size=1) + _convolution(wide(64), wide(192))
        inputs = wide(192)
        for stage in BRANCHES:
            layers.append(_pooling())
            for widths in stage:
                block = Branches(inputs, [wide(width) for width in widths])
                layers.append(block)
                inputs = block.width
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.width = inputs
