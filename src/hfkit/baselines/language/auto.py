"""The shell that makes the language models of `transformer.py` and `lstm.py` transformers models."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast

from hfkit.baselines.auto import OwnMemory, init_recurrent
from hfkit.baselines.language.configs import LSTMLMConfig, TransformerLMConfig
from hfkit.baselines.language.lstm import LSTMDecoder, State
from hfkit.baselines.transformer import TokenEmbeddings, Transformer

# The memory of what was read is called `cache` since transformers 5.24, and `past_key_values` before. `forward` takes
# both names; an answer has the one that the installed `generate` looks for.
CACHE = "cache" if "cache" in CausalLMOutputWithPast.__dataclass_fields__ else "past_key_values"


class LanguageModel(PreTrainedModel, GenerationMixin):
    """What the language models share: the output layer, tied to the token vectors, and the loss."""

    base_model_prefix = "decoder"

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Any = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """As GPT-2's; rows are (batch, tokens).

        `attention_mask` has 1 for tokens and 0 for padding, on either side; positions then count the tokens alone.
        Where `position_ids` begin again, documents of one row are kept apart, with and without `use_cache`. `cache` or
        `past_key_values` is what was read before; in training none is made: it serves generating. `labels` are the
        `input_ids`, with -100 where nothing is to be learned: they are shifted inside. The loss is the mean over what
        is learned, or the sum divided by `num_items_in_batch`. With `logits_to_keep` only the last so many tokens are
        answered for; 0 is all."""
        cache = past_key_values if cache is None else cache
        wanted = self.config.use_cache if use_cache is None else use_cache
        keeps = cache is not None or (wanted and not self.training)
        states, cache = self._read(input_ids, attention_mask, position_ids, cache, keeps)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(states[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutputWithPast(loss=loss, logits=logits, **{CACHE: cache})

    def _read(
        self, input_ids: Tensor, attention_mask: Tensor | None, position_ids: Tensor | None, cache: Any, keeps: bool
    ) -> tuple[Tensor, Any]:
        """(batch, tokens, width of the output layer), and what to go on from where somebody `keeps` it."""
        raise NotImplementedError


class TransformerForCausalLM(LanguageModel):
    """A decoder-only Transformer. Start values are GPT-2's."""

    config_class = TransformerLMConfig
    supports_gradient_checkpointing = True
    _input_embed_layer = "tokens"  # of `embeddings`
    _tied_weights_keys = {"lm_head.weight": "embeddings.tokens.weight"}  # noqa: RUF012  # as transformers declares it
    _supports_sdpa = True

    def __init__(self, config: TransformerLMConfig) -> None:
        super().__init__(config)
        self.embeddings = TokenEmbeddings(config, padding_idx=None)
        self.decoder = Transformer(config, causal=True)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def _read(
        self, input_ids: Tensor, attention_mask: Tensor | None, position_ids: Tensor | None, cache: Any, keeps: bool
    ) -> tuple[Tensor, Any]:
        if cache is None and keeps:
            cache = DynamicCache()
        past = 0 if cache is None else cache.get_seq_length()
        mask = None  # the causal mask alone, which the kernel makes itself
        if past or attention_mask is not None or position_ids is not None:
            tokens = input_ids.size(1)
            if position_ids is None and attention_mask is not None and attention_mask.ndim == 2:
                position_ids = positions_from_mask(attention_mask)[:, -tokens:]
            elif position_ids is None:
                position_ids = torch.arange(past, past + tokens, device=input_ids.device)[None]
            mask = _mask(attention_mask, position_ids, past)
        return self.decoder(self.embeddings(input_ids, position_ids), mask, cache), cache

    def _init_weights(self, module: nn.Module) -> None:
        """Radford et al. 2019: normal, and smaller where a layer adds to the residual path, which all of them fill."""
        layers: list[Any] = list(self.decoder.layers)
        filling = {part for layer in layers for part in (layer.attention.output, layer.feed_forward.contract)}
        if isinstance(module, nn.Linear) and module in filling:
            init.normal_(module.weight, std=self.config.initializer_range * (2 * len(layers)) ** -0.5)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)


# Where documents begin and end in a row is read off the positions, packed rows and padded ones alike: one that does not
# follow the one before it begins a document. Documents that share a row count from 0 each, and padding, whose positions
# stand still, is a row of documents of one token that nobody looks at.


def positions_from_mask(attention_mask: Tensor) -> Tensor:
    """(batch, tokens) of 1 for tokens and 0 for padding on either side -> each token's position, padding's 0 first."""
    return (attention_mask.long().cumsum(dim=-1) - 1).clamp(min=0)


def documents(position_ids: Tensor) -> Tensor:
    """(batch, tokens) of positions -> (batch, tokens), the number of the document in its row, from 0."""
    return (position_ids.diff(dim=-1, prepend=position_ids[:, :1] - 1) != 1).cumsum(dim=-1)


def earlier_mask(attention_mask: Tensor | None, past: int, tokens: int, device: torch.device) -> Tensor:
    """Each token sees itself, so that none is ever blind, and every earlier one that is not padding; boolean, broadcast
    to (batch, 1, tokens, past + tokens)."""
    key = torch.arange(past + tokens, device=device)
    at = key[past:, None]
    if attention_mask is None:
        return (key <= at)[None, None]
    return ((attention_mask[:, None, : len(key)].bool() & (key < at)) | (key == at))[:, None]


def _mask(attention_mask: Tensor | None, position_ids: Tensor, past: int) -> Tensor:
    """Where each token may look, within its document; boolean, broadcast to (batch, heads, tokens, past + tokens)."""
    if attention_mask is not None and attention_mask.ndim == 4:  # whoever made it knows better
        return attention_mask if attention_mask.dtype == torch.bool else attention_mask == 0
    mask = earlier_mask(attention_mask, past, position_ids.size(1), position_ids.device)
    if past:
        return mask
    number = documents(position_ids)[:, None]
    return mask & (number[..., :, None] == number[..., None, :])


class LSTMForCausalLM(OwnMemory, LanguageModel):
    """An LSTM language model. `generate` carries its state where other models carry keys and values."""

    config_class = LSTMLMConfig
    _input_embed_layer = "embeddings"
    _tied_weights_keys = {"lm_head.weight": "embeddings.weight"}  # noqa: RUF012

    def __init__(self, config: LSTMLMConfig) -> None:
        super().__init__(config)
        size = config.embedding_size
        self.embeddings = nn.Embedding(config.vocab_size, size)
        widths = [size, *[config.hidden_size] * (config.num_hidden_layers - 1), size]
        self.decoder = LSTMDecoder(widths, config.dropout, config.variational)
        self.lm_head = nn.Linear(size, config.vocab_size)
        self.post_init()

    def _read(
        self, input_ids: Tensor, attention_mask: Tensor | None, position_ids: Tensor | None, cache: Any, keeps: bool
    ) -> tuple[Tensor, Any]:
        # `generate` hands in an empty cache of keys and values: what comes back takes its place.
        state = cache if isinstance(cache, RecurrentState) else None
        number, last = (None, None) if state is not None else _documents(attention_mask, position_ids)
        vectors = self.embeddings(input_ids)
        states, ends = self.decoder(vectors, number, last, None if state is None else state.layers)
        length = input_ids.size(1) + (0 if state is None else state.length)
        return states, RecurrentState(ends, length) if keeps else None

    def _init_weights(self, module: nn.Module) -> None:
        """Start values; `init` leaves alone what a checkpoint has just filled. Token vectors as in AWD-LSTM."""
        if isinstance(module, nn.Embedding | nn.Linear):
            init.uniform_(module.weight, -0.1, 0.1)
            if isinstance(module, nn.Linear):
                init.zeros_(module.bias)
        elif isinstance(module, nn.RNNBase):
            init_recurrent(module)


@dataclass(eq=False)
class RecurrentState:
    """Output and memory of each layer after `length` tokens, padding included, with what `generate` asks of a cache."""

    layers: State
    length: int
    is_compileable: ClassVar[bool] = False
    is_croppable: ClassVar[bool] = False

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens read so far."""
        return self.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep the rows that beam search goes on with."""
        self.layers = [(hidden[:, beam_idx], memory[:, beam_idx]) for hidden, memory in self.layers]


def _documents(attention_mask: Tensor | None, position_ids: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Documents and ends for `LSTMDecoder`, or None where each row is one document: the kernel then runs undivided."""
    if position_ids is None:
        if attention_mask is None:
            return None, None
        position_ids = positions_from_mask(attention_mask)
    number = documents(position_ids)
    if not number.any():
        return None, None
    if attention_mask is None:
        return number, None
    at = torch.arange(attention_mask.size(1), device=attention_mask.device)
    return number, (attention_mask * at).argmax(dim=1)
