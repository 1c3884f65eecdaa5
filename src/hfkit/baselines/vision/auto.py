"""The shell that makes the picture baselines transformers models: saved, loaded and run like any other.

What is computed stands in a file of its own for each network; here are the head, the loss and the start values.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import ImageClassifierOutput

from hfkit.baselines.vision.cnn import Cnn
from hfkit.baselines.vision.configs import (
    BaselineResNetConfig,
    BaselineViTConfig,
    CnnConfig,
    LeNetConfig,
    MlpConfig,
    MobileNetConfig,
    VggConfig,
)
from hfkit.baselines.vision.lenet import LeNet5
from hfkit.baselines.vision.mlp import Mlp
from hfkit.baselines.vision.mobilenet import SMALL, MobileNet
from hfkit.baselines.vision.resnet import ResNet
from hfkit.baselines.vision.vgg import Vgg
from hfkit.baselines.vision.vit import PatchEmbeddings, VisionTransformer, natural_patch

# ITU-R 601, what PIL's mode "L" weighs a colour with.
_LUMA = (0.299, 0.587, 0.114)


class ImageBaseline(PreTrainedModel):
    """What the picture baselines share: a network, dropout, a linear head, and how weights start.

    `forward(pixel_values, labels)` takes (batch, num_channels, image_size, image_size); a grey model takes colour too
    and reads its brightness, because `transformers.pipeline` turns every picture to RGB. `logits` are (batch, labels).
    With `labels` the loss of transformers' image classification is there too, by `config.problem_type`.
    """

    main_input_name = "pixel_values"
    base_model_prefix = "backbone"
    # transformers.Trainer would take any **kwargs for "scales its own loss" and then forget accumulation steps.
    accepts_loss_kwargs = False

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.backbone = self.network(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.backbone.width, config.num_labels or 2)
        self.post_init()

    @staticmethod
    def network(config: Any) -> Any:
        """The network of the config: a module from pictures to (batch, `width`) features."""
        raise NotImplementedError

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None, **kwargs: Any) -> ImageClassifierOutput:
        logits = self.classifier(self.dropout(self.backbone(self._checked(pixel_values))))
        loss = None
        if labels is not None:
            loss = self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        return ImageClassifierOutput(loss=loss, logits=logits)

    def _checked(self, pixels: Tensor) -> Tensor:
        channels, size = self.config.num_channels, self.config.image_size
        if channels == 1 and pixels.size(1) == 3:
            pixels = torch.einsum("bchw,c->bhw", pixels, pixels.new_tensor(_LUMA))[:, None]
        if tuple(pixels.shape[1:]) != (channels, size, size):
            raise ValueError(
                f"the model reads pictures of {channels} x {size} x {size} (channels, height, width), and got"
                f" {' x '.join(map(str, pixels.shape[1:]))}: its image processor makes them fit"
            )
        return pixels

    def _init_weights(self, module: nn.Module) -> None:
        """Start values; `init` leaves alone what a checkpoint has just filled.

        Convolutions and hidden layers start as in He et al. 2015 ("Delving Deep into Rectifiers"), normal with variance
        2 / n: a ReLU halves the variance, and this keeps it. For convolutions n counts what one input feeds, as in the
        authors' ResNets, for linear layers what feeds one output.
        """
        if module is self.classifier:  # near zero: the first predictions claim nothing
            init.normal_(module.weight, std=0.02)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            fed = module.weight[0, 0].numel() * module.out_channels / module.groups
            init.normal_(module.weight, std=(2.0 / fed) ** 0.5)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            init.kaiming_normal_(module.weight, nonlinearity="relu")
            init.zeros_(module.bias)
        else:  # norms: 1 and 0, and batch norm's running figures
            super()._init_weights(module)


class MlpForImageClassification(ImageBaseline):
    """A multilayer perceptron on the pixels."""

    config_class = MlpConfig

    @staticmethod
    def network(config: MlpConfig) -> Mlp:
        return Mlp(config.image_size, config.num_channels, config.hidden_sizes, config.dropout)


class LeNetForImageClassification(ImageBaseline):
    """LeNet-5."""

    config_class = LeNetConfig

    @staticmethod
    def network(config: LeNetConfig) -> LeNet5:
        return LeNet5(config.image_size, config.num_channels)


class CnnForImageClassification(ImageBaseline):
    """Three blocks of convolution, batch norm, ReLU and pooling."""

    config_class = CnnConfig

    @staticmethod
    def network(config: CnnConfig) -> Cnn:
        return Cnn(config.image_size, config.num_channels, config.widths, config.hidden_size)


class BaselineResNetForImageClassification(ImageBaseline):
    """A residual network of basic blocks."""

    config_class = BaselineResNetConfig

    @staticmethod
    def network(config: BaselineResNetConfig) -> ResNet:
        return ResNet(config.num_channels, config.depths, config.widths, config.stem, config.shortcut)


class VggForImageClassification(ImageBaseline):
    """VGG with batch norm."""

    config_class = VggConfig

    @staticmethod
    def network(config: VggConfig) -> Vgg:
        return Vgg(config.num_channels, config.stages)


class MobileNetForImageClassification(ImageBaseline):
    """MobileNet."""

    config_class = MobileNetConfig

    @staticmethod
    def network(config: MobileNetConfig) -> MobileNet:
        stride = config.stem_stride or (1 if config.image_size <= SMALL else 2)
        return MobileNet(config.num_channels, config.width_multiplier, stride)


class BaselineViTForImageClassification(ImageBaseline):
    """A Vision Transformer."""

    config_class = BaselineViTConfig
    supports_gradient_checkpointing = True

    @staticmethod
    def network(config: BaselineViTConfig) -> VisionTransformer:
        size, dropout = config.hidden_size, config.dropout
        patch = config.patch_size or natural_patch(config.image_size)
        return VisionTransformer(
            PatchEmbeddings(config.image_size, patch, config.num_channels, size, dropout),
            size,
            config.num_hidden_layers,
            config.num_attention_heads,
            config.intermediate_size,
            dropout,
            config.attention_dropout,
        )

    def _init_weights(self, module: nn.Module) -> None:
        """No ReLU behind these layers: Xavier as in the text Transformer, and patches by what feeds one output."""
        if isinstance(module, PatchEmbeddings):
            # As loud as the patches, which start with variance 1, and as a sinusoid. The paper's 0.02 is for millions
            # of pictures: on thousands the model is deaf to places for most of its training.
            init.trunc_normal_(module.positions, std=0.5)
            init.zeros_(module.class_token)
        elif isinstance(module, nn.Conv2d):
            init.trunc_normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Linear) and module is not self.classifier:
            init.xavier_uniform_(module.weight)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)


IMAGE_MODELS: tuple[type[ImageBaseline], ...] = (
    MlpForImageClassification,
    LeNetForImageClassification,
    CnnForImageClassification,
    BaselineResNetForImageClassification,
    VggForImageClassification,
    MobileNetForImageClassification,
    BaselineViTForImageClassification,
)
"""All of them, for the registration with transformers."""
