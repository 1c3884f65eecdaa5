"""The from-scratch language models: GPT-2's logits, caches, padding and packing that change nothing, tokenizers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gpt2_weights import from_gpt2
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerBase,
    pipeline,
)

import hfkit  # noqa: F401  (registers the models)
from hfkit.base.errors import HfkitError
from hfkit.baselines.language.auto import (
    LanguageModel,
    LSTMForCausalLM,
    RecurrentState,
    TransformerForCausalLM,
    documents,
)
from hfkit.baselines.language.configs import LSTMLMConfig, TransformerLMConfig
from hfkit.baselines.language.lstm import LockedDropout, LSTMDecoder
from hfkit.baselines.language.tokenizers import END_TOKEN, TOKENIZERS
from hfkit.baselines.transformer import MultiHeadAttention
from hfkit.config import TrainConfig
from hfkit.data.sources import embedded
from hfkit.tasks.text_generation.models import from_scratch

VOCAB, END, PAD = 61, 0, 1
IDS = {"vocab_size": VOCAB, "bos_token_id": END, "eos_token_id": END, "pad_token_id": PAD}
SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "intermediate_size": 64, "max_position_embeddings": 64, **IDS}
# Weights far from zero, so that a wrong mask shows in the logits and one token is clearly the likeliest.
WIDE = {"initializer_range": 0.3}
CLOSE = {"rtol": 0.0, "atol": 1e-5}


def make(kind: str, **fields: Any) -> LanguageModel:
    torch.manual_seed(0)
    if kind == "lstm":
        model: LanguageModel = LSTMForCausalLM(
            LSTMLMConfig(embedding_size=24, hidden_size=32, num_hidden_layers=3, **IDS, **fields)
        )
        for parameter in model.parameters():
            nn.init.uniform_(parameter, -0.7, 0.7)
    else:
        model = TransformerForCausalLM(TransformerLMConfig(positions=kind, **SMALL, **WIDE, **fields))
    return model.eval()


def causal_mask(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


KINDS = pytest.mark.parametrize("kind", ["learned", "sinusoidal", "lstm"])


def tokens(*shape: int, seed: int = 1) -> Tensor:
    return torch.randint(2, VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def gpt2(**fields: Any) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    sizes = {"n_positions": 48, "n_embd": 32, "n_layer": 3, "n_head": 4}
    model = GPT2LMHeadModel(GPT2Config(**{**sizes, **IDS, **WIDE, **fields})).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "ln_" in name:  # zeros and ones would hide one in the wrong place
            nn.init.normal_(parameter, mean=parameter.flatten()[0].item(), std=0.1)
    return model


@pytest.mark.parametrize(
    "fields", [{}, {"n_inner": 50, "n_layer": 1}, {"activation_function": "relu"}, {"n_head": 1, "n_embd": 20}]
)
def test_gpt2s_weights_give_gpt2s_logits_loss_and_gradients(fields: dict[str, Any]) -> None:
    theirs = gpt2(**fields)
    ours = from_gpt2(theirs)
    ids = tokens(3, 48)
    labels = ids.masked_fill(tokens(3, 48, seed=2) % 3 == 0, -100)
    mine, other = ours(ids, labels=labels), theirs(ids, labels=labels)
    torch.testing.assert_close(mine.logits, other.logits, rtol=0.0, atol=1e-4)
    torch.testing.assert_close(mine.loss, other.loss)
    pairs = [
        (ours.embeddings.tokens.weight, theirs.transformer.wte.weight),
        (ours.decoder.layers[0].attention.output.bias, theirs.transformer.h[0].attn.c_proj.bias),
    ]
    mine_grads = torch.autograd.grad(mine.loss, [pair[0] for pair in pairs])
    other_grads = torch.autograd.grad(other.loss, [pair[1] for pair in pairs])
    for left, right in zip(mine_grads, other_grads, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"do_sample": False},
        {"do_sample": False, "use_cache": False},
        {"do_sample": False, "num_beams": 3, "num_return_sequences": 2},
        {"do_sample": False, "repetition_penalty": 1.3, "no_repeat_ngram_size": 3},
        {"do_sample": True, "temperature": 0.8, "top_k": 20, "top_p": 0.95},
    ],
    ids=lambda options: "-".join(options),
)
def test_generation_is_gpt2s_token_for_token(options: dict[str, Any]) -> None:
    theirs = gpt2()
    ours = from_gpt2(theirs)
    prompts = tokens(2, 7)
    answers = []
    for model in (theirs, ours):
        torch.manual_seed(3)
        answers.append(model.generate(prompts, max_new_tokens=30, **options))
    assert torch.equal(*answers)
    assert answers[0].size(1) > 10


@pytest.mark.parametrize(
    "fields",
    [
        {"scale_attn_by_inverse_layer_idx": True},
        {"layer_norm_epsilon": 1e-3},
        {"activation_function": "silu"},
        {"add_cross_attention": True},
    ],
)
def test_a_gpt2_that_computes_otherwise_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(HfkitError, match=next(iter(fields))):
        from_gpt2(gpt2(**fields))


@KINDS
def test_the_cache_changes_no_logit(kind: str) -> None:
    model, ids = make(kind), tokens(2, 12)
    whole = model(ids, use_cache=False)
    assert whole.past_key_values is None
    cache, steps = None, []
    for start, end in ((0, 5), (5, 6), (6, 10), (10, 12)):
        answer = model(ids[:, start:end], past_key_values=cache, use_cache=True)
        cache = answer.past_key_values
        steps.append(answer.logits)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole.logits, **CLOSE)
    assert cache.get_seq_length() == 12
    assert model.train()(ids).past_key_values is None  # nothing is generated in training


@KINDS
@pytest.mark.parametrize("beams", [1, 3])
def test_generation_with_and_without_cache_agrees(kind: str, beams: int) -> None:
    model, ids = make(kind), tokens(2, 6)
    with_cache, without = (
        model.generate(ids, max_new_tokens=20, do_sample=False, num_beams=beams, use_cache=use) for use in (True, False)
    )
    assert torch.equal(with_cache, without)
    assert len(with_cache.unique()) > 3  # not one token again and again


@KINDS
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_padded_batch_answers_as_one_by_one(kind: str, side: str) -> None:
    model = make(kind)
    rows = [tokens(1, length, seed=length) for length in (3, 9, 1, 6)]
    padding = [(9 - row.size(1), 0) if side == "left" else (0, 9 - row.size(1)) for row in rows]
    batch = torch.cat([F.pad(row, pad, value=PAD) for row, pad in zip(rows, padding, strict=True)])
    mask = torch.cat([F.pad(torch.ones_like(row), pad) for row, pad in zip(rows, padding, strict=True)])
    logits = model(batch, attention_mask=mask).logits
    for number, row in enumerate(rows):
        torch.testing.assert_close(logits[number][mask[number] == 1], model(row).logits[0], **CLOSE)
    if side == "left":
        together = model.generate(batch, attention_mask=mask, max_new_tokens=12, do_sample=False)
        for answer, row in zip(together, rows, strict=True):
            alone = model.generate(row, max_new_tokens=12, do_sample=False)[0, row.size(1) :]
            assert torch.equal(answer[9 : 9 + len(alone)], alone)


def packed(lengths: list[int]) -> Tensor:
    return torch.cat([torch.arange(length) for length in lengths])[None]


@KINDS
@pytest.mark.parametrize("use_cache", [False, True])
def test_a_packed_document_answers_as_alone_and_does_not_hear_its_neighbours(kind: str, use_cache: bool) -> None:
    model = make(kind)
    rows = [[5, 1, 7, 3], [10, 6]]
    positions = torch.cat([packed(lengths) for lengths in rows])
    ids = tokens(2, 16)
    logits = model(ids, position_ids=positions, use_cache=use_cache).logits
    alone = [
        model(piece[None]).logits[0] for row, lengths in zip(ids, rows, strict=True) for piece in row.split(lengths)
    ]
    torch.testing.assert_close(logits.flatten(0, 1), torch.cat(alone), **CLOSE)
    changed = ids.clone()
    changed[0, :6] = tokens(6, seed=9)  # the first two documents
    changed[0, 13:] = tokens(3, seed=9)  # the last one
    after = model(changed, position_ids=positions, use_cache=use_cache).logits
    assert torch.equal(after[0, 6:13], logits[0, 6:13])
    assert torch.equal(after[1], logits[1])
    assert not torch.allclose(after[0, :6], logits[0, :6])


@KINDS
def test_the_state_of_a_padded_or_packed_row_is_its_last_documents(kind: str) -> None:
    model, row, more = make(kind), tokens(1, 4), tokens(1, 2, seed=5)
    expected = model(torch.cat([row, more], dim=1)).logits[:, 4:]
    batch = torch.cat([torch.full((1, 3), PAD), row], dim=1)
    mask = torch.tensor([[0] * 3 + [1] * 4])
    cache = model(batch, attention_mask=mask, use_cache=True).past_key_values
    longer = torch.cat([mask, torch.ones(1, 2, dtype=torch.long)], dim=1)
    answer = model(more, attention_mask=longer, past_key_values=cache)
    torch.testing.assert_close(answer.logits, expected, **CLOSE)
    if kind == "lstm":  # a text that is padded on the right ends before the row does
        batch, mask = batch.roll(4, dims=1), mask.roll(4, dims=1)
        cache = model(batch, attention_mask=mask, use_cache=True).past_key_values
        torch.testing.assert_close(model(more, past_key_values=cache).logits, expected, **CLOSE)


def test_a_block_diagonal_mask_does_what_positions_do() -> None:
    model, ids, positions = make("learned"), tokens(1, 9), packed([4, 5])
    number = documents(positions)
    block = (number[:, None, :, None] == number[:, None, None, :]) & causal_mask(9)
    by_positions = model(ids, position_ids=positions).logits
    assert torch.equal(model(ids, attention_mask=block, position_ids=positions).logits, by_positions)
    additive = torch.zeros(block.shape).masked_fill(~block, torch.finfo(torch.float32).min)
    assert torch.equal(model(ids, attention_mask=additive, position_ids=positions).logits, by_positions)


def test_causal_attention_is_the_causal_mask() -> None:
    torch.manual_seed(0)
    attention, inputs = MultiHeadAttention(24, 4), torch.randn(2, 7, 24)
    torch.testing.assert_close(attention(inputs, causal=True), attention(inputs, mask=causal_mask(7)), **CLOSE)


@KINDS
def test_the_loss_is_transformers_convention(kind: str) -> None:
    model, ids = make(kind), tokens(2, 8)
    labels = ids.clone()
    labels[0, :5] = -100
    answer = model(ids, labels=labels)
    summed = F.cross_entropy(answer.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
    torch.testing.assert_close(answer.loss, summed / 10)
    torch.testing.assert_close(model(ids, labels=labels, num_items_in_batch=40).loss, summed / 40)
    assert torch.equal(model(ids, logits_to_keep=2).logits, answer.logits[:, -2:])


@KINDS
def test_saved_and_reloaded_it_is_the_same_with_its_weights_tied(kind: str, tmp_path: Path) -> None:
    model, ids = make(kind), tokens(2, 9)
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(again) is type(model)
    assert again.lm_head.weight is again.get_input_embeddings().weight
    assert torch.equal(again(ids).logits, model(ids).logits)
    assert again.generation_config.eos_token_id == END
    model.resize_token_embeddings(VOCAB + 3)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    torch.testing.assert_close(model(ids).logits[..., :VOCAB], again(ids).logits, **CLOSE)


def test_untied_it_has_an_output_layer_of_its_own(tmp_path: Path) -> None:
    model = make("learned", tie_word_embeddings=False)
    assert model.lm_head.weight is not model.get_input_embeddings().weight
    model.save_pretrained(tmp_path)
    assert torch.equal(AutoModelForCausalLM.from_pretrained(tmp_path).lm_head.weight, model.lm_head.weight)


def test_checkpointing_changes_memory_and_no_gradient() -> None:
    model, ids = make("learned", dropout=0.0).train(), tokens(2, 9)
    weight = model.decoder.layers[0].feed_forward.expand.weight
    (plain,) = torch.autograd.grad(model(ids, labels=ids).loss, [weight])
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
    assert model.decoder.gradient_checkpointing
    (again,) = torch.autograd.grad(model(ids, labels=ids, position_ids=packed([9])).loss, [weight])
    torch.testing.assert_close(plain, again, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("fields", [{}, {"norm_first": False}, {"positions": "sinusoidal"}])
def test_the_transformer_starts_with_no_opinion_and_learns_a_batch_by_heart(fields: dict[str, Any]) -> None:
    torch.manual_seed(0)
    learns_by_heart(TransformerForCausalLM(TransformerLMConfig(**SMALL, dropout=0.0, **fields)), 3e-3)


@pytest.mark.parametrize("fields", [{}, {"num_hidden_layers": 1}, {"variational": True}])
def test_the_lstm_starts_with_no_opinion_and_learns_a_batch_by_heart(fields: dict[str, Any]) -> None:
    torch.manual_seed(0)
    learns_by_heart(
        LSTMForCausalLM(LSTMLMConfig(embedding_size=64, hidden_size=64, dropout=0.0, **IDS, **fields)), 1e-2
    )


def learns_by_heart(model: LanguageModel, learning_rate: float) -> None:
    ids = tokens(4, 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    losses = []
    for _ in range(80):
        loss = model(ids, labels=ids).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] == pytest.approx(torch.tensor(VOCAB).log().item(), abs=0.3)
    assert losses[-1] < 0.5


def test_residual_paths_start_smaller_the_deeper_the_model() -> None:
    torch.manual_seed(0)
    model = TransformerForCausalLM(TransformerLMConfig(**{**SMALL, "num_hidden_layers": 8, "hidden_size": 64}))
    layer = model.decoder.layers[0]
    assert layer.attention.query.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert layer.attention.output.weight.std().item() == pytest.approx(0.02 / 4, rel=0.1)
    assert layer.feed_forward.contract.weight.std().item() == pytest.approx(0.02 / 4, rel=0.1)


def test_a_text_past_the_last_position_is_refused() -> None:
    with pytest.raises(ValueError, match="has learned 64 positions"):
        make("learned")(tokens(1, 65))
    assert make("sinusoidal")(tokens(1, 65)).logits.isfinite().all()


def test_the_lstm_is_torchs_stack_and_its_state_goes_on() -> None:
    torch.manual_seed(0)
    ours, theirs = LSTMDecoder([6, 6, 6]), nn.LSTM(6, 6, num_layers=2, batch_first=True)
    for number, layer in enumerate(ours.layers):
        for name, parameter in layer.named_parameters():
            parameter.data.copy_(getattr(theirs, name.replace("l0", f"l{number}")))
    inputs = torch.randn(3, 8, 6)
    expected, (hidden, memory) = theirs(inputs)
    outputs, ends = ours(inputs)
    torch.testing.assert_close(outputs, expected, **CLOSE)
    for number, (output, cell) in enumerate(ends):
        torch.testing.assert_close(output[0], hidden[number], **CLOSE)
        torch.testing.assert_close(cell[0], memory[number], **CLOSE)


def test_generates_empty_cache_of_another_kind_gives_way_to_the_lstms_state() -> None:
    answer = make("lstm")(tokens(2, 6), past_key_values=DynamicCache())
    assert isinstance(answer.past_key_values, RecurrentState)


def test_locked_dropout_drops_a_unit_for_the_whole_text() -> None:
    torch.manual_seed(0)
    dropped = LockedDropout(0.4)(torch.ones(50, 7, 40))
    assert (dropped == dropped[:, :1]).all()
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.6)]
    assert (dropped == 0).float().mean().item() == pytest.approx(0.4, abs=0.03)
    assert torch.equal(LockedDropout(0.4).eval()(torch.ones(2, 3, 4)), torch.ones(2, 3, 4))


TEXTS = ["A warm film, and a funny one.\n", "Cold  and\ttired.", "这部电影很好看", "Don't look back in 1999!"] * 5
TRAINED = {name: train(TEXTS, vocab_size=400, max_length=32) for name, train in TOKENIZERS.items()}


@pytest.mark.parametrize("name", TRAINED)
@settings(deadline=None, max_examples=150, derandomize=True)
@given(text=st.text(max_size=40))
def test_every_text_comes_back_as_it_was(name: str, text: str) -> None:
    tokenizer = TRAINED[name]
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("name", TRAINED)
def test_tokenizers_know_their_end_and_their_limits(name: str, tmp_path: Path) -> None:
    tokenizer = TRAINED[name]
    again = TOKENIZERS[name](iter(TEXTS), vocab_size=400, max_length=32)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert 256 < len(tokenizer) <= 400
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        assert (one.eos_token_id, one.bos_token_id, one.pad_token_id) == (0, 0, 1)
        assert (one.model_max_length, one.padding_side) == (32, "left")
        text = f" {END_TOKEN}  hm \r\n\x00 ,. é🙂\u200d<0x41> "  # an end that is written is no end
        ids = one(text)["input_ids"]
        assert 0 not in ids
        assert one.decode(ids) == text
        assert one(["", "warm"], padding=True)["attention_mask"][0][0] == 0


def test_tokens_are_bytes_joined_or_characters() -> None:
    assert TRAINED["bpe"].tokenize("a film") == ["a", "Ġfilm"]
    assert TRAINED["char"].tokenize("warm 影ω") == [*"warm 影", "<0xCF>", "<0x89>"]
    few = TOKENIZERS["char"](["aaabbc d"], vocab_size=261)
    assert few.tokenize("a b c") == ["a", " ", "b", " ", "<0x63>"]  # the three most frequent, of equals the first


@pytest.fixture
def build() -> Callable[..., tuple[Any, PreTrainedTokenizerBase]]:
    def call(name: str, tokenizer: str = "bpe", max_length: int | None = None, **knobs: Any) -> tuple[Any, Any]:
        config = TrainConfig(task="text-generation", model=f"baseline:{name}", vocab_size=300, **knobs)
        return from_scratch(config, TEXTS, tokenizer, max_length)

    return call


@pytest.mark.parametrize("name", ["transformer_lm", "lstm_lm"])
@pytest.mark.parametrize("tokenizer", ["bpe", "char"])
def test_a_baseline_by_name_speaks_in_transformers_pipeline(
    build: Callable[..., Any], name: str, tokenizer: str, tmp_path: Path
) -> None:
    sizes = '{"hidden_size": 16, "num_hidden_layers": 2}'
    model, processor = build(name, tokenizer, max_length=40, dropout=0.25, model_args=sizes)
    assert model.config.vocab_size == len(processor)
    assert (model.config.hidden_size, model.config.dropout) == (16, 0.25)
    assert (model.config.eos_token_id, model.config.pad_token_id) == (0, 1)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    speak = pipeline("text-generation", model=str(tmp_path), device="cpu")
    torch.manual_seed(0)
    texts = [found[0]["generated_text"] for found in speak(["A warm", "Cold and"], max_new_tokens=5, batch_size=2)]
    assert texts[0].startswith("A warm") and texts[1].startswith("Cold and")


def test_the_context_is_the_models_and_the_tokenizers(build: Callable[..., Any]) -> None:
    for knobs in ({"max_length": 48}, {"model_args": '{"max_position_embeddings": 48}'}):
        model, tokenizer = build("transformer_lm", **knobs)
        assert model.config.max_position_embeddings == tokenizer.model_max_length == 48
    assert build("lstm_lm")[1].model_max_length == 256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "transfomer_lm"}, "did you mean transformer_lm"),
        ({"name": "lstm_lm", "tokenizer": "chars"}, "did you mean char"),
        ({"name": "lstm_lm", "model_args": '{"hiden_size": 3}'}, "did you mean hidden_size"),
        ({"name": "transformer_lm", "model_args": '{"hidden_size": 30}'}, "does not split into 4 heads"),
    ],
)
def test_a_baseline_that_cannot_be_is_refused(
    build: Callable[..., Any], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(HfkitError, match=message):
        build(**arguments)


def test_the_embedded_smollm2_chats() -> None:
    folder = embedded.model_path("smollm2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert (type(model).__name__, model.num_parameters()) == ("LlamaForCausalLM", 134_515_008)
    assert (model.dtype, tokenizer.model_max_length) == (torch.float32, 8192)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answer = model.generate(**inputs, max_new_tokens=10, do_sample=False)[0, inputs["input_ids"].size(1) :]
    assert tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"
