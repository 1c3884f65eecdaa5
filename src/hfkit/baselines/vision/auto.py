"""The shell that makes the picture baselines transformers models: the head, the loss and the start values."""

from typing import Any, ClassVar

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import ImageClassifierOutput

from hfkit.baselines.vision.classic import AlexNet, Cnn, Inception, LeNet5, Mlp, MobileNet, Vgg
from hfkit.baselines.vision.configs import (
    AlexNetConfig,
    BaselineResNetConfig,
    BaselineViTConfig,
    CnnConfig,
    InceptionConfig,
    LeNetConfig,
    MlpConfig,
    MobileNetConfig,
    VggConfig,
)
from hfkit.baselines.vision.grey import brightness
from hfkit.baselines.vision.resnet import ResNet
from hfkit.baselines.vision.vit import VisionTransformer, started


class ImageBaseline(PreTrainedModel):
    """What the picture baselines share: a network, dropout, a linear head, and how weights start.

    `forward(pixel_values, labels)` takes (batch, num_channels, image_size, image_size); a grey model takes colour too
    and reads its brightness, because `transformers.pipeline` turns every picture to RGB. `logits` are (batch, labels).
    With `labels` the loss of transformers' image classification is there too, by `config.problem_type`."""

    network: ClassVar[Any]
    """The network of a config: a module from pictures to (batch, `width`) features."""

    main_input_name = "pixel_values"
    base_model_prefix = "backbone"
    # transformers.Trainer would take any **kwargs for "scales its own loss" and then forget accumulation steps.
    accepts_loss_kwargs = False

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.backbone = type(self).network(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.backbone.width, config.num_labels or 2)
        self.post_init()

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None, **kwargs: Any) -> ImageClassifierOutput:
        logits = self.classifier(self.dropout(self.backbone(self._checked(pixel_values))))
        loss = None if labels is None else self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        return ImageClassifierOutput(loss=loss, logits=logits)

    def _checked(self, pixels: Tensor) -> Tensor:
        channels, size = self.config.num_channels, self.config.image_size
        if channels == 1 and pixels.size(1) == 3:
            pixels = brightness(pixels)
        if tuple(pixels.shape[1:]) != (channels, size, size):
            read = f"{channels} x {size} x {size} (channels, height, width)"
            got = " x ".join(map(str, pixels.shape[1:]))
            raise ValueError(f"the model reads pictures of {read}, and got {got}: its image processor makes them fit")
        return pixels

    def _init_weights(self, module: nn.Module) -> None:
        """Start values; `init` leaves alone what a checkpoint has just filled. Convolutions and hidden layers start as
        in He et al. 2015 ("Delving Deep into Rectifiers"), normal with variance 2 / n: a ReLU halves the variance, and
        this keeps it. For convolutions n counts what one input feeds, as in the authors' ResNets, for linear layers
        what feeds one output."""
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
    config_class, network = MlpConfig, Mlp


class LeNetForImageClassification(ImageBaseline):
    config_class, network = LeNetConfig, LeNet5


class AlexNetForImageClassification(ImageBaseline):
    config_class, network = AlexNetConfig, AlexNet


class InceptionForImageClassification(ImageBaseline):
    config_class, network = InceptionConfig, Inception


class CnnForImageClassification(ImageBaseline):
    config_class, network = CnnConfig, Cnn


class BaselineResNetForImageClassification(ImageBaseline):
    config_class, network = BaselineResNetConfig, ResNet


class VggForImageClassification(ImageBaseline):
    config_class, network = VggConfig, Vgg


class MobileNetForImageClassification(ImageBaseline):
    config_class, network = MobileNetConfig, MobileNet


class BaselineViTForImageClassification(ImageBaseline):
    config_class, network = BaselineViTConfig, VisionTransformer
    supports_gradient_checkpointing = True

    def _init_weights(self, module: nn.Module) -> None:
        if module is self.classifier or not started(module):
            super()._init_weights(module)
