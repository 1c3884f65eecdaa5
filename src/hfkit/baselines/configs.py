"""The baselines' configs. Apart from their models, so that `AutoConfig` can know them without importing torch."""

from typing import ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


@strict
class ReaderConfig(PreTrainedConfig):
    """What a recurrent network needs to read a text, of any length. The defaults are what a few thousand reviews and a
    CPU can bear. `word_vectors` tells where the token vectors come from and how many, where a file was given."""

    cell: Literal["rnn", "gru", "lstm"] = "lstm"
    vocab_size: int = 20000
    embedding_size: int = 128
    hidden_size: int = 128
    num_hidden_layers: int = 1
    dropout: float | int = 0.5
    pad_token_id: int = 0
    word_vectors: str | None = None


@strict
class RecurrentConfig(ReaderConfig):
    """An RNN, GRU or LSTM that reads a text."""

    model_type = "hfkit-recurrent"

    bidirectional: bool = False


@strict
class RecurrentTaggerConfig(ReaderConfig):
    """A bidirectional LSTM that says a label of each word, with a CRF over them or without (Huang et al. 2015)."""

    model_type = "hfkit-recurrent-tagger"

    crf: bool = True


@strict
class BaselineTransformerConfig(PreTrainedConfig):
    """The encoder of "Attention Is All You Need", small. Pre-norm and GELU by default, which trains without a long
    warm-up; the paper's own settings are `norm_first: false, hidden_act: "relu"`."""

    model_type = "hfkit-transformer"

    vocab_size: int = 20000
    hidden_size: int = 128
    num_hidden_layers: int = 2
    num_attention_heads: int = 4
    intermediate_size: int = 512
    hidden_act: Literal["relu", "gelu"] = "gelu"
    norm_first: bool = True
    positions: Literal["sinusoidal", "learned"] = "sinusoidal"
    dropout: float | int = 0.3
    attention_dropout: float | int = 0.0
    max_position_embeddings: int = 512
    pad_token_id: int = 0


@strict
class BaselineBertConfig(BaselineTransformerConfig):
    """BERT (Devlin et al. 2019), small: post-norm, GELU, learned positions, the output tied to the token vectors."""

    model_type = "hfkit-bert"

    norm_first: bool = False
    positions: Literal["sinusoidal", "learned"] = "learned"
    dropout: float | int = 0.1
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    tie_word_embeddings: bool = True


@strict
class BaselineSeq2SeqConfig(PreTrainedConfig):
    """The encoder and decoder of "Attention Is All You Need", small. Both and the output share the token vectors.

    Pre-norm and GELU by default, as above; the paper's own settings are `norm_first: false, hidden_act: "relu"`.
    Learned positions are one table for both sides too. The ids are those of the tokenizers that hfkit trains: a target
    begins after the end token, as a text does there."""

    model_type = "hfkit-seq2seq"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["cache", "past_key_values"]
    # Whoever asks for the layers, such as transformers' cache, means those that generate.
    attribute_map: ClassVar[dict[str, str]] = {"num_hidden_layers": "num_decoder_layers"}

    vocab_size: int = 20000
    hidden_size: int = 256
    num_encoder_layers: int = 3
    num_decoder_layers: int = 3
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    hidden_act: Literal["relu", "gelu"] = "gelu"
    norm_first: bool = True
    positions: Literal["sinusoidal", "learned"] = "sinusoidal"
    dropout: float | int = 0.1
    attention_dropout: float | int = 0.0
    max_position_embeddings: int = 512
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = True
    use_cache: bool = True
    bos_token_id: int | None = 0
    eos_token_id: int | list[int] | None = 0
    pad_token_id: int = 1
    decoder_start_token_id: int = 0
