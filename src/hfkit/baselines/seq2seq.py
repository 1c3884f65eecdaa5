"""The shell that makes the encoder and decoder of "Attention Is All You Need" a model of transformers that reads one
text and writes another. With Marian's weights it says what Marian says.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache, EncoderDecoderCache, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from hfkit.baselines.configs import BaselineSeq2SeqConfig
from hfkit.baselines.language.auto import CACHE, earlier_mask, positions_from_mask
from hfkit.baselines.transformer import TokenEmbeddings, Transformer, padding_mask


class Encoder(nn.Module):
    """Token vectors, which the decoder and the output layer share (section 3.4 of the paper), and the layers above."""

    main_input_name = "input_ids"  # `generate` asks for it

    def __init__(self, config: BaselineSeq2SeqConfig) -> None:
        super().__init__()
        self.embeddings = TokenEmbeddings(config, padding_idx=None)
        self.stack = Transformer(config, layers=config.num_encoder_layers)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any) -> BaseModelOutput:
        """(batch, tokens) of ids and of 1 and 0 -> `last_hidden_state`, (batch, tokens, size). `generate`, which calls
        this alone, asks for more that is left out: `return_dict`, `output_attentions`."""
        if attention_mask is None:
            return BaseModelOutput(last_hidden_state=self.stack(self.embeddings(input_ids)))
        vectors = self.embeddings(input_ids, positions_from_mask(attention_mask))
        return BaseModelOutput(last_hidden_state=self.stack(vectors, padding_mask(attention_mask)))


class BaselineSeq2SeqForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """`forward` is Marian's and T5's; start values are the paper's implementation's."""

    config_class = BaselineSeq2SeqConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _tied_weights_keys = {"lm_head.weight": "encoder.embeddings.tokens.weight"}  # noqa: RUF012  # as it is declared
    # transformers.Trainer would take any **kwargs for "scales its own loss" and then forget accumulation steps.
    accepts_loss_kwargs = False

    def __init__(self, config: BaselineSeq2SeqConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config)
        self.decoder = Transformer(config, causal=True, layers=config.num_decoder_layers, cross=True)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.embeddings.tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.encoder.embeddings.tokens = value  # type: ignore[assignment]

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """(batch, tokens) of what is to be said -> of what was said before each; -100 becomes padding."""
        before = labels.new_full(labels.shape, self.config.decoder_start_token_id)
        before[:, 1:] = labels[:, :-1].masked_fill(labels[:, :-1] == -100, self.config.pad_token_id)
        return before

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        cache: Any = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> Seq2SeqLMOutput:
        """As Marian's; the source is (batch, source tokens), the target (batch, tokens).

        A mask has 1 for tokens and 0 for padding, on either side; positions count the tokens alone. Without one all are
        tokens. In the place of the source stand `encoder_outputs`, what the encoder has made of it. The target so far,
        `decoder_input_ids`, begins with the start token; None are the labels, moved by one. `cache` or
        `past_key_values` is what was read and said before; beside labels none is made. `labels` are what is to be said,
        with -100 where nothing is to be learned; the loss is the mean over the rest. Raises ValueError: there is no
        target; or see `TokenEmbeddings`."""
        if encoder_outputs is None:
            encoder_outputs = self.encoder(input_ids, attention_mask)
        if decoder_input_ids is None:
            if labels is None:
                raise ValueError("a decoder needs decoder_input_ids, or labels to make them of; `generate` gives them")
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        cache = past_key_values if cache is None else cache
        wanted = self.config.use_cache if use_cache is None else use_cache
        if cache is None and wanted and labels is None and not self.training:
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        states = self._write(decoder_input_ids, decoder_attention_mask, encoder_outputs[0], attention_mask, cache)
        logits = self.lm_head(states)
        loss = None if labels is None else F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        return Seq2SeqLMOutput(loss=loss, logits=logits, encoder_last_hidden_state=encoder_outputs[0], **{CACHE: cache})

    def _write(
        self, input_ids: Tensor, attention_mask: Tensor | None, memory: Tensor, memory_mask: Tensor | None, cache: Any
    ) -> Tensor:
        """(batch, tokens, size): what the decoder makes of the target's tokens, of which `cache` knows earlier ones."""
        past = 0 if cache is None else cache.get_seq_length()
        tokens, device = input_ids.size(1), input_ids.device
        positions = torch.arange(past, past + tokens, device=device)[None]
        mask = None  # the causal mask alone, which the kernel makes itself
        if past or attention_mask is not None:
            mask = earlier_mask(attention_mask, past, tokens, device)
        if attention_mask is not None:
            positions = positions_from_mask(attention_mask)[:, -tokens:]
        seen = None if memory_mask is None else padding_mask(memory_mask)
        return self.decoder(self.encoder.embeddings(input_ids, positions), mask, cache, memory, seen)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=module.embedding_dim**-0.5)
