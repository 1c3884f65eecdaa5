"""The from-scratch baselines equal torch.nn, forward and gradient, and padding changes nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hfkit.baselines.configs import BaselineTransformerConfig
from hfkit.baselines.pooling import masked_mean
from hfkit.baselines.recurrent import KERNELS, RecurrentEncoder
from hfkit.baselines.tokenizer import train_tokenizer
from hfkit.baselines.transformer import (
    MultiHeadAttention,
    TokenEmbeddings,
    Transformer,
    TransformerLayer,
    padding_mask,
    position_codes,
)

SIZE, HEADS, HIDDEN = 24, 4, 48
TOLERANCE = {"rtol": 0.0, "atol": 1e-5}


def settings(**fields: Any) -> BaselineTransformerConfig:
    sizes = {"hidden_size": SIZE, "num_attention_heads": HEADS, "intermediate_size": HIDDEN, "dropout": 0.0}
    return BaselineTransformerConfig(**{**sizes, **fields})


def causal_mask(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    """torch keeps the three projections in one matrix."""
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())


def copy_layer(ours: TransformerLayer, theirs: nn.TransformerEncoderLayer) -> None:
    copy_attention(ours.attention, theirs.self_attn)
    theirs.linear1.load_state_dict(ours.feed_forward.expand.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.contract.state_dict())
    for number, norm in enumerate([ours.after_attention.norm, ours.after_feed_forward.norm], start=1):
        nn.init.normal_(norm.weight, mean=1.0, std=0.1)  # ones would hide a norm in the wrong place
        getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())


def same_with_gradients(ours: Tensor, theirs: Tensor, inputs: list[tuple[Tensor, Tensor]]) -> None:
    """Outputs equal, and so are the gradients that one random direction sends to each pair of inputs."""
    torch.testing.assert_close(ours, theirs, **TOLERANCE)
    direction = torch.randn_like(ours)
    mine = torch.autograd.grad((ours * direction).sum(), [pair[0] for pair in inputs])
    other = torch.autograd.grad((theirs * direction).sum(), [pair[1] for pair in inputs])
    for left, right in zip(mine, other, strict=True):
        torch.testing.assert_close(left, right, **TOLERANCE)


def twins(*shape: int) -> tuple[Tensor, Tensor]:
    values = torch.randn(*shape)
    return values.clone().requires_grad_(), values.clone().requires_grad_()


@pytest.mark.parametrize("masking", ["none", "padding", "causal", "both"])
def test_attention_equals_torch(masking: str) -> None:
    ours, theirs = MultiHeadAttention(SIZE, HEADS), nn.MultiheadAttention(SIZE, HEADS, batch_first=True)
    copy_attention(ours, theirs)
    mine, other = twins(3, 7, SIZE)
    tokens = torch.tensor([[1] * 7, [1] * 4 + [0] * 3, [1] + [0] * 6])
    mask, options = None, {}
    if masking in ("padding", "both"):
        mask, options["key_padding_mask"] = padding_mask(tokens), tokens == 0
    if masking in ("causal", "both"):
        mask = causal_mask(7) if mask is None else causal_mask(7) & mask
        options["attn_mask"] = ~causal_mask(7)
    expected, _ = theirs(other, other, other, need_weights=False, **options)
    pairs = [(mine, other), (ours.output.weight, theirs.out_proj.weight), (ours.output.bias, theirs.out_proj.bias)]
    same_with_gradients(ours(mine, mask=mask), expected, pairs)


def test_gradients_of_the_projections_equal_torch() -> None:
    ours, theirs = MultiHeadAttention(SIZE, HEADS), nn.MultiheadAttention(SIZE, HEADS, batch_first=True)
    copy_attention(ours, theirs)
    inputs = torch.randn(2, 5, SIZE)
    ours(inputs).square().sum().backward()
    theirs(inputs, inputs, inputs)[0].square().sum().backward()
    stacked = torch.cat([ours.query.weight.grad, ours.key.weight.grad, ours.value.weight.grad])
    torch.testing.assert_close(stacked, theirs.in_proj_weight.grad, rtol=1e-5, atol=1e-5)


def test_a_size_that_does_not_split_is_refused() -> None:
    with pytest.raises(ValueError, match="size 10 does not split into 4 heads"):
        MultiHeadAttention(10, 4)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_layer_equals_torch(norm_first: bool, activation: str) -> None:
    ours = TransformerLayer(settings(norm_first=norm_first, hidden_act=activation))
    theirs = nn.TransformerEncoderLayer(
        SIZE, HEADS, HIDDEN, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first
    )
    copy_layer(ours, theirs)
    mine, other = twins(2, 6, SIZE)
    tokens = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    expected = theirs(other, src_key_padding_mask=tokens == 0)
    pairs = [(mine, other), (ours.feed_forward.expand.weight, theirs.linear1.weight)]
    same_with_gradients(ours(mine, padding_mask(tokens)), expected, pairs)


def test_a_causal_stack_never_sees_what_comes_after() -> None:
    decoder = Transformer(settings(norm_first=False), causal=True).eval()
    states = torch.randn(1, 6, SIZE)
    changed = states.clone()
    changed[:, 4:] = torch.randn(1, 2, SIZE)
    before, after = decoder(states), decoder(changed)
    torch.testing.assert_close(before[:, :4], after[:, :4], **TOLERANCE)
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_encoder_checkpointing_changes_memory_and_no_gradient() -> None:
    encoder = Transformer(settings(num_hidden_layers=1))
    inputs = torch.randn(2, 5, SIZE)
    weight = encoder.layers[0].feed_forward.expand.weight
    (plain,) = torch.autograd.grad(encoder(inputs).square().sum(), [weight])
    encoder.gradient_checkpointing = True
    encoder._gradient_checkpointing_func = lambda layer, *args: torch.utils.checkpoint.checkpoint(
        layer, *args, use_reentrant=False
    )
    (again,) = torch.autograd.grad(encoder(inputs).square().sum(), [weight])
    assert torch.equal(plain, again)


def test_sinusoidal_positions_are_the_papers() -> None:
    codes = position_codes(torch.arange(50), SIZE)
    assert codes.shape == (50, SIZE)
    assert codes[0, 0::2].eq(0).all()
    assert codes[0, 1::2].eq(1).all()
    position, column = 17, 6
    angle = torch.tensor(position / 10000 ** (column / SIZE))
    torch.testing.assert_close(codes[position, column : column + 2], torch.stack([angle.sin(), angle.cos()]))
    assert position_codes(torch.arange(3), 5).shape == (3, 5)  # an odd width


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_embeddings_tell_positions_apart(positions: str) -> None:
    embeddings = TokenEmbeddings(settings(vocab_size=20, max_position_embeddings=8, positions=positions), 0).eval()
    vectors = embeddings(torch.tensor([[5, 5, 5]]))
    assert vectors.shape == (1, 3, SIZE)
    assert not torch.allclose(vectors[0, 0], vectors[0, 1])


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_the_kernel_equals_torchs_packed_sequences(name: str) -> None:
    encoder = RecurrentEncoder(name, 6, 9, layers=2, bidirectional=True)
    lengths = torch.tensor([3, 7, 1])
    mine, other = twins(3, 7, 6)
    outputs, final = encoder(mine, lengths)
    packed = pack_padded_sequence(other, lengths, batch_first=True, enforce_sorted=False)
    theirs, state = encoder.kernel(packed)
    expected, _ = pad_packed_sequence(theirs, batch_first=True, total_length=7)
    last = state[0] if name == "lstm" else state
    torch.testing.assert_close(final, last[-2:].transpose(0, 1).flatten(1), **TOLERANCE)
    same_with_gradients(outputs, expected, [(mine, other)])


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_encoder_is_torchs_module_on_unpadded_rows(name: str) -> None:
    encoder = RecurrentEncoder(name, 6, 9, layers=2, bidirectional=True)
    twin = KERNELS[name](6, 9, num_layers=2, batch_first=True, bidirectional=True)
    twin.load_state_dict(encoder.kernel.state_dict())
    mine, other = twins(2, 4, 6)
    outputs, _ = encoder(mine, torch.tensor([4, 4]))
    pairs = [(mine, other), *zip(encoder.kernel.parameters(), twin.parameters(), strict=True)]
    same_with_gradients(outputs, twin(other)[0], pairs)


def test_the_states_do_not_depend_on_padding() -> None:
    encoder = RecurrentEncoder("lstm", 6, 9, layers=2, bidirectional=True)
    inputs, lengths = torch.randn(2, 7, 6), torch.tensor([7, 3])
    noisy = inputs.clone()
    noisy[1, 3:] = 1e6
    for before, after in zip(encoder(inputs, lengths), encoder(noisy, lengths), strict=True):
        assert torch.equal(before, after)


def test_masked_mean_counts_tokens_only() -> None:
    states = torch.tensor([[[1.0], [3.0], [100.0]], [[7.0], [7.0], [7.0]]])
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    assert masked_mean(states, mask).tolist() == [[2.0], [0.0]]


TEXTS = ["A warm film.<br /><br />A funny film!", "cold and tired", "这部电影很好看", "Funny, cold; warm."] * 5


def test_tokenizer_is_the_same_each_time_and_knows_its_limits() -> None:
    one, two = (train_tokenizer(iter(TEXTS), vocab_size=120, max_length=16) for _ in range(2))
    assert one.get_vocab() == two.get_vocab()
    assert len(one) <= 120
    assert (one.pad_token_id, one.model_max_length, one.padding_side) == (0, 16, "right")
    assert one.tokenize("WARM film<br />funny") == ["▁warm", "▁film", "▁funny"]
    assert one.tokenize("很好") == ["▁很", "▁好"]
    assert one.tokenize("ω") == ["▁", "[UNK]"]


def test_tokenizer_marks_texts_and_pairs() -> None:
    tokenizer = train_tokenizer(TEXTS, vocab_size=120)
    single = tokenizer("warm film")
    assert tokenizer.convert_ids_to_tokens(single["input_ids"]) == ["[CLS]", "▁warm", "▁film", "[SEP]"]
    assert set(single) == {"input_ids", "attention_mask"}
    pair = tokenizer("warm", "cold")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(pair) == ["[CLS]", "▁warm", "[SEP]", "▁cold", "[SEP]"]
    assert tokenizer("")["input_ids"] == [tokenizer.cls_token_id, tokenizer.sep_token_id]
