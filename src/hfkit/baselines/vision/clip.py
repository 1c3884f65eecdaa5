"""CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision") of our own parts.

The Vision Transformer looks at a picture, a causal Transformer reads a text, and each gives a vector of length 1. How
well the two fit is their cosine, times a learnt scale.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from hfkit.baselines.transformer import TokenEmbeddings, Transformer
from hfkit.baselines.vision.configs import BaselineClipConfig
from hfkit.baselines.vision.grey import brightness
from hfkit.baselines.vision.vit import VisionTransformer, started


@dataclass
class ClipOutput(ModelOutput):
    """What transformers' models of the kind answer with, by the same names."""

    loss: Tensor | None = None
    logits_per_image: Tensor | None = None
    logits_per_text: Tensor | None = None
    text_embeds: Tensor | None = None
    image_embeds: Tensor | None = None


class BaselineClipModel(PreTrainedModel):
    """Two towers, as transformers' CLIPModel has them: with its weights it has its logits.

    `forward(input_ids, pixel_values, attention_mask)` takes texts, padded on the right, and pictures, of which there
    may be more or fewer; `logits_per_image` are (pictures, texts), `image_embeds` and `text_embeds` have length 1. With
    `return_loss` the mean of both cross-entropies of CLIP's paper is there too."""

    config_class = BaselineClipConfig
    main_input_name = "input_ids"
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    _input_embed_layer = "tokens"  # of `embeddings`

    def __init__(self, config: BaselineClipConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.vision = VisionTransformer(config)  # type: ignore[arg-type]
        # CLIP norms the patches before the first layer.
        patches: Any = nn.Sequential(self.vision.embeddings, nn.LayerNorm(width, eps=1e-6))
        self.vision.embeddings = patches
        self.embeddings = TokenEmbeddings(config, None)
        self.text = Transformer(config, causal=True, layers=config.num_text_layers)
        self.visual_projection = nn.Linear(width, config.projection_dim, bias=False)
        self.text_projection = nn.Linear(width, config.projection_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(float(config.logit_scale_init_value)))
        bias = config.logit_bias_init_value
        self.logit_bias = None if bias is None else nn.Parameter(torch.tensor(float(bias)))
        self.post_init()

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """(pictures, channels, image_size, image_size) -> (pictures, projection_dim), of any length."""
        channels, size = self.config.num_channels, self.config.image_size
        pixels = brightness(pixel_values) if channels == 1 and pixel_values.size(1) == 3 else pixel_values
        if tuple(pixels.shape[1:]) != (channels, size, size):
            got = " x ".join(map(str, pixels.shape[1:]))
            raise ValueError(f"the model reads pictures of {channels} x {size} x {size}, and got {got}")
        projected: Tensor = self.visual_projection(self.vision(pixels))
        return projected

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(texts, tokens) -> (texts, projection_dim), of any length: the state of each text's last token, which is the
        only one that has seen all of them. What fills a text up stands behind it, where nothing looks."""
        mask = input_ids.ne(self.config.pad_token_id) if attention_mask is None else attention_mask
        states = self.text(self.embeddings(input_ids))
        last = mask.sum(dim=1).clamp(min=1) - 1
        projected: Tensor = self.text_projection(states[torch.arange(len(states), device=states.device), last])
        return projected

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor,
        attention_mask: Tensor | None = None,
        return_loss: bool | None = None,
        **kwargs: Any,
    ) -> ClipOutput:
        pictures = F.normalize(self.get_image_features(pixel_values), dim=1)
        texts = F.normalize(self.get_text_features(input_ids, attention_mask), dim=1)
        logits = texts @ pictures.T * self.logit_scale.exp()
        logits = logits if self.logit_bias is None else logits + self.logit_bias
        loss = None
        if return_loss:
            own = torch.arange(len(logits), device=logits.device)
            loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        return ClipOutput(
            loss=loss, logits_per_image=logits.T, logits_per_text=logits, text_embeds=texts, image_embeds=pictures
        )

    def _init_weights(self, module: nn.Module) -> None:
        """As the Vision Transformer and the text Transformer start where they stand alone."""
        if isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=module.embedding_dim**-0.5)
        elif not started(module):
            super()._init_weights(module)
