"""The shell that makes the baselines of `recurrent.py` and `transformer.py` transformers models."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import SequenceClassifierOutput

from hfkit.baselines.configs import BaselineTransformerConfig, RecurrentConfig
from hfkit.baselines.pooling import masked_mean
from hfkit.baselines.recurrent import RecurrentEncoder
from hfkit.baselines.transformer import TokenEmbeddings, Transformer, padding_mask


class BaselineModel(PreTrainedModel):
    """What the baselines share: how weights start, and that the loss is the mean over the batch.

    `forward(input_ids, attention_mask, labels)` takes (batch, tokens) of ids and of 1 and 0, padded on the right;
    without a mask the padding token says where a text ends. `logits` are (batch, labels). With `labels` the loss of
    transformers' sequence classification is there too."""

    base_model_prefix = "encoder"
    # transformers.Trainer would take any **kwargs for "scales its own loss" and then forget accumulation steps.
    accepts_loss_kwargs = False

    def _init_weights(self, module: nn.Module) -> None:
        """Start values; `init` leaves alone what a checkpoint has just filled."""
        if isinstance(module, nn.Linear):
            if module is self.classifier:  # near zero: the first predictions claim nothing
                init.normal_(module.weight, std=0.02)
            else:
                init.xavier_uniform_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=module.embedding_dim**-0.5)
            if module.padding_idx is not None and not getattr(module.weight, "_is_hf_initialized", False):
                init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.RNNBase):
            init_recurrent(module)
        else:  # norms: 1 and 0
            super()._init_weights(module)

    def _mask(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        return input_ids.ne(self.config.pad_token_id).long() if attention_mask is None else attention_mask

    def _output(self, logits: Tensor, labels: Tensor | None) -> SequenceClassifierOutput:
        loss = None if labels is None else self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        return SequenceClassifierOutput(loss=loss, logits=logits)


class OwnMemory(PreTrainedModel):
    """Copies each weight to memory of its own when a folder is read: for an unaligned matrix of a safetensors file the
    recurrent kernel takes another path with other last bits, and the model would not be the one that was saved."""

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()
        return loaded


class RecurrentModel(OwnMemory, BaselineModel):
    """What the recurrent baselines share: token vectors, and an RNN, GRU or LSTM that reads them."""

    _input_embed_layer = "embeddings"

    def __init__(self, config: Any, bidirectional: bool) -> None:
        super().__init__(config)
        width, layers = config.embedding_size, config.num_hidden_layers
        self.embeddings = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.encoder = RecurrentEncoder(config.cell, width, config.hidden_size, layers, bidirectional, config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def _read(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See `RecurrentEncoder`. A row without any token still needs one step; it reads a padding token."""
        return self.encoder(self.dropout(self.embeddings(input_ids)), mask.sum(dim=1).clamp(min=1))


class RecurrentForSequenceClassification(RecurrentModel):
    """RNN, GRU or LSTM; the head reads the mean and the maximum of the states, through which the gradient reaches each
    token directly, and the last one, which alone forgets the start of a long text."""

    config_class = RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config, config.bidirectional)
        self.classifier = nn.Linear(3 * self.encoder.directions * config.hidden_size, config.num_labels or 2)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None, **kwargs: Any
    ) -> SequenceClassifierOutput:
        mask = self._mask(input_ids, attention_mask)
        states, final = self._read(input_ids, mask)
        highest = states.masked_fill(mask[..., None] == 0, torch.finfo(states.dtype).min).amax(dim=1)
        pooled = torch.cat([masked_mean(states, mask), highest, final], dim=-1)
        return self._output(self.classifier(self.dropout(pooled)), labels)


class BaselineTransformerForSequenceClassification(BaselineModel):
    """The encoder of "Attention Is All You Need" with a linear head on the mean of its states."""

    config_class = BaselineTransformerConfig
    supports_gradient_checkpointing = True
    _input_embed_layer = "tokens"  # of `embeddings`

    def __init__(self, config: BaselineTransformerConfig) -> None:
        super().__init__(config)
        self.embeddings = TokenEmbeddings(config, config.pad_token_id)
        self.encoder = Transformer(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels or 2)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None, **kwargs: Any
    ) -> SequenceClassifierOutput:
        mask = self._mask(input_ids, attention_mask)
        states = self.encoder(self.embeddings(input_ids), padding_mask(mask))
        return self._output(self.classifier(self.dropout(masked_mean(states, mask))), labels)


def init_recurrent(kernel: nn.RNNBase) -> None:
    """Orthogonal recurrences keep gradients' size through time; an LSTM starts by remembering (forget bias 1)."""
    for name, parameter in kernel.named_parameters():
        if getattr(parameter, "_is_hf_initialized", False):
            continue
        if name.startswith("weight_ih"):
            init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            for gate in parameter.split(kernel.hidden_size):
                init.orthogonal_(gate)
        else:
            init.zeros_(parameter)
            if isinstance(kernel, nn.LSTM) and name.startswith("bias_ih"):
                init.ones_(parameter[kernel.hidden_size : 2 * kernel.hidden_size])
