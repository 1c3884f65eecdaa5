"""The language models' configs. Apart from their models, so that `AutoConfig` can know them without importing torch."""

from typing import ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


@strict
class LMConfig(PreTrainedConfig):
    """What every language model has."""

    keys_to_ignore_at_inference: ClassVar[list[str]] = ["cache", "past_key_values"]

    vocab_size: int = 20000
    tie_word_embeddings: bool = True
    use_cache: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None


@strict
class TransformerLMConfig(LMConfig):
    """A decoder-only Transformer: GPT-2's layout by default, in the size that a few megabytes of text can fill.

    The paper's own layers are `norm_first: false, hidden_act: "relu", positions: "sinusoidal"`."""

    model_type = "hfkit-transformer-lm"

    hidden_size: int = 256
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    hidden_act: Literal["relu", "gelu", "gelu_new"] = "gelu"
    norm_first: bool = True
    positions: Literal["sinusoidal", "learned"] = "learned"
    dropout: float | int = 0.1
    attention_dropout: float | int = 0.0
    max_position_embeddings: int = 256
    initializer_range: float = 0.02


@strict
class LSTMLMConfig(LMConfig):
    """An LSTM language model; by default the LSTM-200 that WikiText-2's first figures were made with.

    The last layer is as wide as the token vectors (`embedding_size`), which its output is compared with. AWD-LSTM
    (Merity et al. 2018) is `embedding_size: 400, hidden_size: 1150, num_hidden_layers: 3, variational: true`."""

    model_type = "hfkit-lstm-lm"

    embedding_size: int = 200
    hidden_size: int = 200
    num_hidden_layers: int = 2
    dropout: float | int = 0.2
    variational: bool = False
