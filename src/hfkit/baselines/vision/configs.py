"""The picture baselines' configs, apart from their models, so that `AutoConfig` can know them without importing torch.
The defaults are CIFAR-10's; `build_model` puts the data's own in their place.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


@strict
class ImageConfig(PreTrainedConfig):
    """What every picture baseline needs: pixels a side, 1 (grey) or 3 (colour) channels, and dropout before the head,
    which an MLP and a ViT have in each layer too."""

    image_size: int = 32
    num_channels: int = 3
    dropout: float | int = 0.0


@strict
class MlpConfig(ImageConfig):
    """Fully connected layers on the pixels; 784-256-128-10 on MNIST."""

    model_type = "hfkit-mlp"

    hidden_sizes: Sequence[int] = (256, 128)
    dropout: float | int = 0.2


@strict
class LeNetConfig(ImageConfig):
    """LeNet-5. Nothing but the picture's size to choose."""

    model_type = "hfkit-lenet"


@strict
class CnnConfig(ImageConfig):
    """Blocks of convolution, batch norm, ReLU and pooling, `widths` channels each, then one hidden layer."""

    model_type = "hfkit-cnn"

    widths: Sequence[int] = (32, 64, 128)
    hidden_size: int = 256
    dropout: float | int = 0.5


@strict
class BaselineResNetConfig(ImageConfig):
    """A residual network of basic blocks; ResNet-20 by default. `depths` are the blocks in each stage (n, n, n for 6n +
    2 layers); `widths` their channels.

    The stem is "cifar" (one 3x3 convolution) or "imagenet" (7x7 and a pooling). Where the shape changes, shortcut "A"
    adds zero channels, which the paper takes on CIFAR-10, and "B" has a 1x1 convolution."""

    model_type = "hfkit-resnet"

    depths: Sequence[int] = (3, 3, 3)
    widths: Sequence[int] = (16, 32, 64)
    stem: Literal["cifar", "imagenet"] = "cifar"
    shortcut: Literal["A", "B"] = "A"


@strict
class BaselineViTConfig(ImageConfig):
    """A Vision Transformer, small: 1.2 million parameters.

    Without a patch size the largest one up to the paper's 16 is taken that divides the picture into at least 7 x 7
    patches: 4 pixels at 28 and at 32, 16 at 224."""

    model_type = "hfkit-vit"

    patch_size: int | None = None
    hidden_size: int = 128
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    intermediate_size: int = 512
    dropout: float | int = 0.1
    attention_dropout: float | int = 0.0
    norm_first: ClassVar[bool] = True
    hidden_act: ClassVar[str] = "gelu"


@strict
class BaselineClipConfig(ImageConfig):
    """CLIP, small: a Vision Transformer and a causal text Transformer of one width, 1.6 million parameters beside the
    token vectors. `logit_scale_init_value` is the log of what cosines are multiplied by at first, 1 / 0.07 as in the
    paper; with a `logit_bias_init_value` something is added to them too, as SigLIP has it."""

    model_type = "hfkit-clip"

    patch_size: int | None = None
    vocab_size: int = 8000
    max_position_embeddings: int = 77
    hidden_size: int = 128
    num_hidden_layers: int = 4
    num_text_layers: int = 3
    num_attention_heads: int = 4
    intermediate_size: int = 512
    projection_dim: int = 128
    hidden_act: Literal["gelu", "quick_gelu"] = "gelu"
    attention_dropout: float | int = 0.0
    pad_token_id: int = 0
    logit_scale_init_value: float = 2.6592
    logit_bias_init_value: float | None = None
    norm_first: ClassVar[bool] = True
    positions: ClassVar[str] = "learned"


@strict
class VggConfig(ImageConfig):
    """VGG with batch norm; configuration A (VGG-11) by default. `stages` are the channels between two poolings."""

    model_type = "hfkit-vgg"

    stages: Sequence[Sequence[int]] = ((64,), (128,), (256, 256), (512, 512), (512, 512))


@strict
class MobileNetConfig(ImageConfig):
    """MobileNet (the first). `width_multiplier` is the paper's alpha.

    Without a stride for the first layer it is 1 up to 64 pixels, where halving would leave too little, and the
    paper's 2 above."""

    model_type = "hfkit-mobilenet"

    width_multiplier: float | int = 1.0
    stem_stride: int | None = None


@strict
class AlexNetConfig(ImageConfig):
    """AlexNet, in one tower. Without a `hidden_size` its two hidden layers have 512 units up to 64 pixels, where the
    convolutions leave few places, and the paper's 4,096 above."""

    model_type = "hfkit-alexnet"

    hidden_size: int | None = None
    dropout: float | int = 0.5


@strict
class InceptionConfig(ImageConfig):
    """GoogLeNet, the first Inception network, with batch norm. `width_multiplier` scales all channels."""

    model_type = "hfkit-inception"

    width_multiplier: float | int = 1.0
    dropout: float | int = 0.2


@strict
class UNetConfig(PreTrainedConfig):
    """A U-Net: `widths` are the channels of each scale, the first that of the picture's own size; 0.48 million
    parameters by default, where the paper has 64 to 1,024 and 31 million.

    `norm` is "batch", as most who train it have: after 48 updates on noisy discs its loss was a fifth of the others';
    "group", which sees one picture at a time, so that an update does not depend on how its batch is cut;
    or "none", as the paper. Dropout is that of whole channels at the smallest scale. `backbone` is timm's name of a
    network that stands in the way down's place, made with `backbone_args`; it keeps its own norms."""

    model_type = "hfkit-unet"

    num_channels: int = 3
    widths: Sequence[int] = (16, 32, 64, 128)
    backbone: str | None = None
    backbone_args: dict[str, Any] | None = None
    norm: Literal["batch", "group", "none"] = "batch"
    dropout: float | int = 0.0


@strict
class DetectorConfig(PreTrainedConfig):
    """An anchor-free detector: `widths` are the plain backbone's channels at the strides 2, 4, 8, ...; 0.62 million
    parameters by default. `backbone` is timm's name of one that stands in its place, made with `backbone_args`.

    Places stand `stride` pixels apart: 4, so that small objects have one of their own. `num_queries` places, the surest
    ones, are answered with. `norm` is "batch" or "group", as in `UNetConfig`; a backbone of timm's keeps its own."""

    model_type = "hfkit-detector"

    num_channels: int = 3
    widths: Sequence[int] = (16, 32, 64, 96, 128)
    backbone: str | None = None
    backbone_args: dict[str, Any] | None = None
    hidden_size: int = 64
    stride: int = 4
    num_queries: int = 300
    norm: Literal["batch", "group"] = "batch"
    dropout: float | int = 0.0
