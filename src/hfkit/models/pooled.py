"""A linear head on the mean of any backbone's token vectors."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from hfkit.baselines.pooling import masked_mean
from hfkit.models.configs import PooledConfig

_HUB = ("revision", "cache_dir", "token", "local_files_only", "subfolder")


@dataclass
class PooledOutput(SequenceClassifierOutput):
    """With the mean of the token vectors, (batch, size), which the head reads."""

    pooled: Tensor | None = None


class PooledForSequenceClassification(PreTrainedModel):
    """Backbone, masked mean, dropout, linear layer. BERT's own head reads one token through a layer made for
    next-sentence prediction; the mean reads them all, and starts with nothing to unlearn."""

    config_class = PooledConfig
    base_model_prefix = "backbone"
    supports_gradient_checkpointing = True
    # The backbone decides for itself; a shell that said no would forbid it the fast kernels.
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = True
    accepts_loss_kwargs = False

    def __init__(self, config: PooledConfig, backbone: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        self.backbone = AutoModel.from_config(config.backbone_config) if backbone is None else backbone
        if getattr(self.backbone, "pooler", None) is not None:
            self.backbone.pooler = None  # its weights would get no gradient, which DistributedDataParallel refuses
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels or 2)
        self.post_init()

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, path: Any, *args: Any, config: Any = None, output_loading_info: bool = False, **kwargs: Any
    ) -> Any:
        """As everywhere in transformers; given our config and another model's folder, our head is put on its backbone,
        which `AutoModel` reads: matched by name, a BertForMaskedLM's weights (`bert.`) would all be left out of ours
        (`backbone.`)."""
        saved = PreTrainedConfig.get_config_dict(path, **{key: kwargs[key] for key in _HUB if key in kwargs})[0]
        if config is None or saved.get("model_type") == cls.config_class.model_type:
            kwargs |= {"config": config, "output_loading_info": output_loading_info}
            return super().from_pretrained(path, *args, **kwargs)
        kwargs |= {"config": config.backbone_config, "output_loading_info": True}
        backbone, info = AutoModel.from_pretrained(path, *args, **kwargs)
        model = cls(config, backbone).eval()
        lacked = {f"backbone.{name}" for name in info["missing_keys"] if not name.startswith("pooler.")}
        info["missing_keys"] = lacked | {"classifier.weight", "classifier.bias"}
        info["mismatched_keys"] = [(f"backbone.{name}", *sizes) for name, *sizes in info["mismatched_keys"]]
        return (model, info) if output_loading_info else model

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> PooledOutput:
        """(batch, tokens) of ids and of 1 and 0 -> `.logits` (batch, labels); `.loss` when `labels` are given."""
        if token_type_ids is not None:  # not every backbone knows them
            kwargs["token_type_ids"] = token_type_ids
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "inputs_embeds": inputs_embeds}
        states = self.backbone(**inputs, **kwargs).last_hidden_state
        mask = states.new_ones(states.shape[:2]) if attention_mask is None else attention_mask
        pooled = masked_mean(states, mask)
        logits = self.classifier(self.dropout(pooled))
        loss = None if labels is None else self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        return PooledOutput(loss=loss, logits=logits, pooled=pooled)

    def _init_weights(self, module: nn.Module) -> None:
        """The backbone starts its own layers; only the head is ours."""
        if module is self.classifier:
            super()._init_weights(module)
