"""The from-scratch baselines equal torch.nn, forward and gradient, and padding changes nothing."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hfkit.baselines.attention import MultiHeadAttention, causal_mask, padding_mask, scaled_dot_product_attention
from hfkit.baselines.pooling import masked_mean
from hfkit.baselines.recurrent import CELLS, KERNELS, RecurrentEncoder
from hfkit.baselines.tokenizer import train_tokenizer
from hfkit.baselines.transformer import (
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    TokenEmbeddings,
    sinusoidal_positions,
)

SIZE, HEADS, HIDDEN = 24, 4, 48
TOLERANCE = {"rtol": 0.0, "atol": 1e-5}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    """torch keeps the three projections in one matrix."""
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())


def copy_layer(
    ours: EncoderLayer | DecoderLayer, theirs: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer
) -> None:
    copy_attention(ours.attention, theirs.self_attn)
    theirs.linear1.load_state_dict(ours.feed_forward.expand.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.contract.state_dict())
    norms = [ours.after_attention.norm, ours.after_feed_forward.norm]
    if isinstance(ours, DecoderLayer):
        copy_attention(ours.cross_attention, theirs.multihead_attn)
        norms.insert(1, ours.after_cross_attention.norm)
    for number, norm in enumerate(norms, start=1):
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


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("masking", ["none", "padding", "causal", "both"])
def test_attention_equals_torch(kernel: bool, masking: str) -> None:
    ours, theirs = MultiHeadAttention(SIZE, HEADS, kernel=kernel), nn.MultiheadAttention(SIZE, HEADS, batch_first=True)
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


def test_cross_attention_equals_torch() -> None:
    ours, theirs = MultiHeadAttention(SIZE, HEADS), nn.MultiheadAttention(SIZE, HEADS, batch_first=True)
    copy_attention(ours, theirs)
    (mine, other), (memory, memory_other) = twins(2, 3, SIZE), twins(2, 6, SIZE)
    tokens = torch.tensor([[1] * 6, [1] * 2 + [0] * 4])
    expected, _ = theirs(other, memory_other, memory_other, key_padding_mask=tokens == 0)
    result = ours(mine, memory, padding_mask(tokens))
    same_with_gradients(result, expected, [(mine, other), (memory, memory_other)])


def test_the_formula_returns_weights_that_sum_to_one_and_hide_what_is_masked() -> None:
    query, key, value = torch.randn(3, 2, 5, 8).unbind()
    mask = causal_mask(5)
    mixed, weights = scaled_dot_product_attention(query, key, value, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5))
    assert weights[:, ~mask].eq(0).all()
    torch.testing.assert_close(mixed[:, 0], value[:, 0])  # the first position sees itself alone
    blind, _ = scaled_dot_product_attention(query, key, value, torch.zeros(5, 5, dtype=torch.bool))
    assert blind.isfinite().all()


def test_a_size_that_does_not_split_is_refused() -> None:
    with pytest.raises(ValueError, match="size 10 does not split into 4 heads"):
        MultiHeadAttention(10, 4)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer_equals_torch(norm_first: bool, activation: str) -> None:
    ours = EncoderLayer(SIZE, HEADS, HIDDEN, norm_first=norm_first, activation=activation, dropout=0.0)
    theirs = nn.TransformerEncoderLayer(
        SIZE, HEADS, HIDDEN, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first
    )
    copy_layer(ours, theirs)
    mine, other = twins(2, 6, SIZE)
    tokens = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    expected = theirs(other, src_key_padding_mask=tokens == 0)
    pairs = [(mine, other), (ours.feed_forward.expand.weight, theirs.linear1.weight)]
    same_with_gradients(ours(mine, padding_mask(tokens)), expected, pairs)


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_layer_equals_torch(norm_first: bool) -> None:
    ours = DecoderLayer(SIZE, HEADS, HIDDEN, norm_first=norm_first, dropout=0.0)
    theirs = nn.TransformerDecoderLayer(SIZE, HEADS, HIDDEN, dropout=0.0, batch_first=True, norm_first=norm_first)
    copy_layer(ours, theirs)
    (mine, other), (memory, memory_other) = twins(2, 5, SIZE), twins(2, 6, SIZE)
    tokens = torch.tensor([[1] * 6, [1] * 3 + [0] * 3])
    expected = theirs(other, memory_other, tgt_mask=~causal_mask(5), memory_key_padding_mask=tokens == 0)
    result = ours(mine, memory, memory_mask=padding_mask(tokens))
    same_with_gradients(result, expected, [(mine, other), (memory, memory_other)])


def test_decoder_never_sees_what_comes_after() -> None:
    layers = [DecoderLayer(SIZE, HEADS, HIDDEN) for _ in range(2)]
    decoder = Decoder(layers, SIZE, norm_first=False).eval()
    states, memory = torch.randn(1, 6, SIZE), torch.randn(1, 4, SIZE)
    changed = states.clone()
    changed[:, 4:] = torch.randn(1, 2, SIZE)
    before, after = decoder(states, memory), decoder(changed, memory)
    torch.testing.assert_close(before[:, :4], after[:, :4], **TOLERANCE)
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_encoder_checkpointing_changes_memory_and_no_gradient() -> None:
    encoder = Encoder([EncoderLayer(SIZE, HEADS, HIDDEN, dropout=0.0)], SIZE, norm_first=True)
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
    codes = sinusoidal_positions(50, SIZE)
    assert codes.shape == (50, SIZE)
    assert codes[0, 0::2].eq(0).all()
    assert codes[0, 1::2].eq(1).all()
    position, column = 17, 6
    angle = torch.tensor(position / 10000 ** (column / SIZE))
    torch.testing.assert_close(codes[position, column : column + 2], torch.stack([angle.sin(), angle.cos()]))
    assert sinusoidal_positions(3, 5).shape == (3, 5)  # an odd width


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_embeddings_tell_positions_apart(positions: str) -> None:
    embeddings = TokenEmbeddings(20, SIZE, max_positions=8, positions=positions).eval()
    vectors = embeddings(torch.tensor([[5, 5, 5]]))
    assert vectors.shape == (1, 3, SIZE)
    assert not torch.allclose(vectors[0, 0], vectors[0, 1])


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_cell_equals_torchs_cell(name: str) -> None:
    theirs = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}[name](6, 9)
    ours = CELLS[name](6, 9)
    ours.load_state_dict(theirs.state_dict())  # same names, same shapes
    (mine, other), (state, state_other) = twins(4, 6), twins(4, 9)
    memory = torch.randn(4, 9)
    if name == "lstm":
        result, expected = ours.step(mine, (state, memory)), theirs(other, (state_other, memory))
        torch.testing.assert_close(result[1], expected[1], **TOLERANCE)
        result, expected = result[0], expected[0]
    else:
        (result,), expected = ours.step(mine, (state,)), theirs(other, state_other)
    pairs = [(mine, other), (state, state_other), *zip(ours.parameters(), theirs.parameters(), strict=True)]
    same_with_gradients(result, expected, pairs)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_kernel_equals_our_cell_run_over_time(name: str, bidirectional: bool) -> None:
    encoder = RecurrentEncoder(name, 6, 9, bidirectional=bidirectional)
    lengths = torch.tensor([5, 2, 7])
    mine, other = twins(3, 7, 6)
    outputs, final = encoder(other, lengths)
    forward = CELLS[name](6, 9)
    forward.load_state_dict(weights_of(encoder.kernel, ""))
    expected, last = forward(mine, lengths)
    if bidirectional:
        backward = CELLS[name](6, 9)
        backward.load_state_dict(weights_of(encoder.kernel, "_reverse"))
        reverse, first = backward(mine, lengths, reverse=True)
        expected, last = torch.cat([expected, reverse], dim=-1), torch.cat([last, first], dim=-1)
    torch.testing.assert_close(final, last, **TOLERANCE)
    same_with_gradients(expected, outputs, [(mine, other)])
    assert outputs[1, 2:].eq(0).all()


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


def weights_of(kernel: nn.RNNBase, suffix: str) -> dict[str, Tensor]:
    """The first layer's weights under the cell's names."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {name: getattr(kernel, f"{name}_l0{suffix}").detach() for name in names}


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
