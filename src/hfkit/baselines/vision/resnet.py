"""Residual networks of basic blocks (He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition").

Both layouts of the paper: 6n + 2 layers for CIFAR-10 (section 4.2: ResNet-20, 32, 44, 56), and the ImageNet ones
(table 1: ResNet-18 and 34). Modules have torchvision's names, so that its weights and timm's fit as they are.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F

from hfkit.baselines.vision.configs import BaselineResNetConfig


class PaddedShortcut(nn.Module):
    """Option A: every `stride`-th pixel, and zeros for the new channels. It costs no parameter."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.missing = outputs - inputs
        self.stride = stride

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, h / stride, w / stride), rounded up."""
        return F.pad(pixels[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, the first with the stride, and the way around them: relu(x + F(x)), figure 2 of the paper.
    `shortcut` is "A" or "B", the way around where the shape changes: zero channels, or a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, shortcut: str = "B") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            if shortcut == "A":
                self.downsample = PaddedShortcut(inputs, outputs, stride)
            else:
                narrow = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
                self.downsample = nn.Sequential(narrow, nn.BatchNorm2d(outputs))

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, h / stride, w / stride), rounded up."""
        residual = F.relu(self.bn1(self.conv1(pixels)))
        residual = self.bn2(self.conv2(residual))
        return F.relu(self.downsample(pixels) + residual)


class ResNet(nn.Sequential):
    """Stem, stages of basic blocks, mean over the picture; from the second on a stage begins by halving the picture.

    The stem is "cifar", one 3x3 convolution, or "imagenet", 7x7 with stride 2 and a pooling with stride 2."""

    def __init__(self, config: BaselineResNetConfig) -> None:
        inputs, large = config.widths[0], config.stem == "imagenet"
        size, stride = (7, 2) if large else (3, 1)
        stem = nn.Conv2d(config.num_channels, inputs, size, stride, padding=size // 2, bias=False)
        parts: OrderedDict[str, nn.Module] = OrderedDict(conv1=stem, bn1=nn.BatchNorm2d(inputs), relu=nn.ReLU())
        if large:
            parts["maxpool"] = nn.MaxPool2d(3, 2, padding=1)
        for number, (depth, outputs) in enumerate(zip(config.depths, config.widths, strict=True), start=1):
            blocks = []
            for stride in [2 if number > 1 else 1] + [1] * (depth - 1):
                blocks.append(BasicBlock(inputs, outputs, stride, config.shortcut))
                inputs = outputs
            parts[f"layer{number}"] = nn.Sequential(*blocks)
        super().__init__(parts | {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()})
        self.width = inputs
