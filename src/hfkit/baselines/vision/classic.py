"""The classic networks for pictures: LeNet-5, a multilayer perceptron, VGG, the tutorials' CNN, MobileNet."""

from torch import nn

from hfkit.baselines.vision.configs import CnnConfig, LeNetConfig, MlpConfig, MobileNetConfig, VggConfig

FIELD = 32
"""Pixels a side that LeNet-5 reads: MNIST's 28 with a rim, so that strokes at the edge are seen whole."""

GRID = 4
"""Places a side that the CNN's hidden layer reads at most: what 32 pixels leave after three poolings."""

LAYOUT = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels and stride of MobileNet's blocks, table 1 of the paper."""

SMALL = 64
"""Pixels up to which MobileNet's first layer does not halve the picture."""


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


class Cnn(nn.Sequential):
    """Blocks of 3x3 convolution, batch norm, ReLU and 2x2 pooling, then a hidden layer.

    Large pictures are averaged down to a grid of 4 x 4 before the hidden layer, which would else hold nearly all the
    parameters. Raises ValueError: the poolings leave nothing of the picture."""

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
