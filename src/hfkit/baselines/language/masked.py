"""BERT from scratch (Devlin et al. 2019): the encoder of `transformer.py`, and a head that says hidden words.

With the weights of transformers' BertForMaskedLM it gives the same logits (the second text's vector, of which it has
none, aside). The paper's next-sentence task is left out, as everyone has left it out since RoBERTa.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput

from hfkit.baselines.configs import BaselineBertConfig
from hfkit.baselines.transformer import TokenEmbeddings, Transformer, padding_mask


class BaselineBertForMaskedLM(PreTrainedModel):
    """`forward(input_ids, attention_mask, labels)` takes (batch, tokens) of ids and of 1 and 0; without a mask the
    padding token says where a text ends. `logits` are (batch, tokens, vocabulary). `labels` are ids, and -100 where
    nothing is asked; the loss is the mean over the others."""

    config_class = BaselineBertConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = True
    _input_embed_layer = "tokens"  # of `embeddings`
    _tied_weights_keys = {"lm_head.weight": "embeddings.tokens.weight"}  # noqa: RUF012  # as transformers declares it

    def __init__(self, config: BaselineBertConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.embeddings = TokenEmbeddings(config, padding_idx=None)
        self.embeddings.dropout.p = 0.0  # BERT drops out behind the norm
        self.norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Transformer(config)
        self.transform = nn.Linear(size, size)
        self.transform_norm = nn.LayerNorm(size)
        self.lm_head = nn.Linear(size, config.vocab_size)
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = config.layer_norm_eps
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None, **kwargs: Any
    ) -> MaskedLMOutput:
        mask = input_ids.ne(self.config.pad_token_id).long() if attention_mask is None else attention_mask
        states = self.encoder(self.dropout(self.norm(self.embeddings(input_ids))), padding_mask(mask))
        logits = self.lm_head(self.transform_norm(F.gelu(self.transform(states))))
        loss = None if labels is None else F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return MaskedLMOutput(loss=loss, logits=logits)
