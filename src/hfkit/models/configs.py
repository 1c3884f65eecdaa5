"""The config of a pooled model. Apart from the model, so that `AutoConfig` can know it without importing torch."""

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig


@strict
class PooledConfig(PreTrainedConfig):
    """Any backbone's config, and what the head on the mean of its token vectors needs: `pooling` is "mean", that over
    the tokens that are not padding; `classifier_dropout` comes before the linear head."""

    model_type = "hfkit-pooled"
    sub_configs: ClassVar[dict[str, Any]] = {"backbone_config": AutoConfig}

    backbone_config: dict[str, Any] | PreTrainedConfig | None = None
    pooling: str = "mean"
    classifier_dropout: float | int = 0.1
    pad_token_id: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if isinstance(self.backbone_config, dict):
            self.backbone_config = AutoConfig.for_model(**self.backbone_config)
        if self.pad_token_id is None:
            self.pad_token_id = getattr(self.backbone_config, "pad_token_id", None)
        super().__post_init__(**kwargs)

    @property
    def hidden_size(self) -> int:
        """Width of the backbone's token vectors."""
        return int(self.backbone_config.hidden_size)  # type: ignore[union-attr]
