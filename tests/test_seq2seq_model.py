"""The encoder and decoder from scratch say what Marian says with its weights, and are asked as transformers' own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, MarianConfig, MarianMTModel

import hfkit  # noqa: F401  # transformers learns of the model
from hfkit.baselines.configs import BaselineSeq2SeqConfig
from hfkit.baselines.language.auto import CACHE
from hfkit.baselines.language.tokenizers import TOKENIZERS, train_for_pairs
from hfkit.baselines.seq2seq import BaselineSeq2SeqForConditionalGeneration
from hfkit.baselines.transformer import TransformerLayer

SIZE, END, PAD = 32, 0, 1
KINDS: dict[str, dict[str, Any]] = {
    "usual": {},
    "paper": {"norm_first": False, "hidden_act": "relu"},
    "learned": {"positions": "learned", "tie_word_embeddings": False},
}
SOURCE = torch.tensor([[9, 4, 17, 8, 30, 5, END], [22, 6, 13, END, PAD, PAD, PAD], [3, END, PAD, PAD, PAD, PAD, PAD]])
TARGET = torch.tensor([[7, 7, 21, 33, 8, 15, END], [12, 4, END, *[-100] * 4], [5, 33, 28, 17, END, -100, -100]])
SAID = [[token for token in row if token != -100] for row in TARGET.tolist()]


def built(**fields: Any) -> BaselineSeq2SeqForConditionalGeneration:
    """A small one, its encoder and decoder of different depths."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": SIZE, "num_encoder_layers": 3, "num_decoder_layers": 2}
    sizes |= {"intermediate_size": 48, "dropout": 0.0, "max_position_embeddings": 24}
    return BaselineSeq2SeqForConditionalGeneration(BaselineSeq2SeqConfig(**{**sizes, **fields})).eval()


def teach(model: Any) -> Any:
    """Let it learn the three rows: what is generated then ends at several places, and repeats little."""
    optimizer = torch.optim.Adam(model.train().parameters(), lr=1e-2)
    for _ in range(30):
        model(**source(), labels=TARGET).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.fixture(scope="module", params=KINDS)
def taught(request: pytest.FixtureRequest) -> BaselineSeq2SeqForConditionalGeneration:
    return teach(built(**KINDS[request.param]))


def source(rows: slice = slice(None)) -> dict[str, Tensor]:
    """Rows of SOURCE, without the columns that are padding in all of them."""
    ids = SOURCE[rows]
    ids = ids[:, : int(ids.ne(PAD).sum(dim=1).max())]
    return {"input_ids": ids, "attention_mask": ids.ne(PAD).long()}


def said(model: Any, rows: slice = slice(None), **options: Any) -> list[list[int]]:
    """What is generated for each row, without its start and padding."""
    found = model.generate(**source(rows), max_new_tokens=12, do_sample=False, **options)
    return [[token for token in row[1:] if token != PAD] for row in found.tolist()]


def marian_and_ours() -> tuple[MarianMTModel, BaselineSeq2SeqForConditionalGeneration]:
    """A Marian that has learnt the three rows, and ours with its weights.

    Marian's position codes have the sines first and then the cosines, ours sine and cosine by turns. That is the same
    network with the hidden units in another order, so its weights are put in that order where they meet hidden units.
    """
    torch.manual_seed(3)
    sizes = {"encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    depths = {"encoder_layers": 3, "decoder_layers": 2, "max_position_embeddings": 24}
    ids = {"pad_token_id": PAD, "eos_token_id": END, "decoder_start_token_id": PAD, "forced_eos_token_id": None}
    kind = {"activation_function": "relu", "scale_embedding": True, "dropout": 0.0}
    theirs = teach(MarianMTModel(MarianConfig(vocab_size=40, d_model=SIZE, **sizes, **depths, **ids, **kind)))
    ours = built(**KINDS["paper"], decoder_start_token_id=PAD)
    order = torch.stack([torch.arange(SIZE // 2), torch.arange(SIZE // 2, SIZE)], dim=1).flatten()
    state, own = theirs.state_dict(), dict(ours.named_parameters())
    with torch.no_grad():
        own.pop("encoder.embeddings.tokens.weight").copy_(state["model.shared.weight"][:, order])
        for name, parameter in own.items():
            value = state[theirs_of(name)]
            writes = not name.endswith(("query.weight", "key.weight", "value.weight", "expand.weight"))
            hidden = writes and not name.endswith(("query.bias", "key.bias", "value.bias", "expand.bias"))
            value = value[order] if hidden else value[:, order] if value.ndim == 2 else value
            parameter.copy_(value)
    return theirs, ours


def theirs_of(name: str) -> str:
    """What Marian calls a parameter of ours."""
    names = {
        "after_cross_attention.norm": "encoder_attn_layer_norm",
        "after_attention.norm": "self_attn_layer_norm",
        "after_feed_forward.norm": "final_layer_norm",
        "cross_attention": "encoder_attn",
        "attention": "self_attn",
        "feed_forward.expand": "fc1",
        "feed_forward.contract": "fc2",
        **{part: f"{part[0]}_proj" for part in ("query", "key", "value")},
        "output": "out_proj",
        "encoder.stack": "model.encoder",
    }
    name = name if name.startswith("encoder") else f"model.{name}"
    for ours, theirs in names.items():
        name = name.replace(f"{ours}.", f"{theirs}.", 1) if f".{ours}." in f".{name}" else name
    return name


def test_with_marians_weights_it_says_what_marian_says() -> None:
    theirs, ours = marian_and_ours()
    batch = {**source(), "labels": TARGET}
    with torch.no_grad():
        expected, found = theirs(**batch), ours(**batch)
    torch.testing.assert_close(found.logits, expected.logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.loss, expected.loss, rtol=0, atol=1e-5)
    assert said(ours) == said(theirs) == SAID
    several = {"num_beams": 4, "num_return_sequences": 3}
    assert said(ours, **several) == said(theirs, **several) != [row for row in SAID for _ in range(3)]


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_layer_equals_torch(norm_first: bool) -> None:
    torch.manual_seed(0)
    config = BaselineSeq2SeqConfig(hidden_size=SIZE, intermediate_size=48, norm_first=norm_first, dropout=0.0)
    ours = TransformerLayer(config, cross=True)
    options: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": norm_first}
    theirs = nn.TransformerDecoderLayer(SIZE, 4, 48, **options)
    with torch.no_grad():
        for mine, other in ((ours.attention, theirs.self_attn), (ours.cross_attention, theirs.multihead_attn)):
            other.in_proj_weight.copy_(torch.cat([mine.query.weight, mine.key.weight, mine.value.weight]))
            other.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key.bias, mine.value.bias]))
            other.out_proj.load_state_dict(mine.output.state_dict())
        theirs.linear1.load_state_dict(ours.feed_forward.expand.state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward.contract.state_dict())
        for number, part in enumerate(("attention", "cross_attention", "feed_forward"), start=1):
            norm = getattr(ours, f"after_{part}").norm
            nn.init.normal_(norm.weight, mean=1.0, std=0.1)  # ones would hide a norm in the wrong place
            getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())
    states, memory = torch.randn(2, 5, SIZE, requires_grad=True), torch.randn(2, 7, SIZE, requires_grad=True)
    seen = torch.tensor([[1] * 7, [1] * 3 + [0] * 4]).bool()
    found = ours(states, causal=True, memory=memory, memory_mask=seen[:, None, None])
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    expected = theirs(states, memory, tgt_mask=causal, memory_key_padding_mask=~seen, tgt_is_causal=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    direction = torch.randn_like(found)
    gradients = [torch.autograd.grad((one * direction).sum(), [states, memory]) for one in (found, expected)]
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)


def test_each_row_is_learnt_and_the_cache_changes_no_token(taught: Any) -> None:
    assert said(taught) == said(taught, use_cache=False) == SAID
    several = {"num_beams": 4, "num_return_sequences": 3}
    assert said(taught, **several) == said(taught, **several, use_cache=False)


def test_what_was_said_is_gone_on_with(taught: Any) -> None:
    """In one go, in two, and with padding in front."""
    model, target = taught, torch.tensor([[END, 7, 7, 21, 13]])
    with torch.no_grad():
        whole = model(**source(slice(1)), decoder_input_ids=target).logits
        first = model(**source(slice(1)), decoder_input_ids=target[:, :2])
        kept = getattr(first, CACHE)
        assert getattr(model(**source(slice(1)), labels=target), CACHE) is None
        for begin, name in ((2, "cache"), (4, "past_key_values")):
            read: dict[str, Any] = {"encoder_outputs": (first.encoder_last_hidden_state,), name: kept}
            found = model(**read, decoder_input_ids=target[:, begin : begin + 2]).logits
            torch.testing.assert_close(found, whole[:, begin : begin + 2], rtol=0, atol=1e-4)
        padded = F.pad(target, (3, 0), value=PAD)
        found = model(**source(slice(1)), decoder_input_ids=padded, decoder_attention_mask=padded.ne(PAD).long())
    torch.testing.assert_close(found.logits[:, 3:], whole, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="decoder_input_ids, or labels"):
        model(**source())


def test_padding_changes_no_answer(taught: Any) -> None:
    """Nor the side that it is on."""
    together, beams = said(taught), said(taught, num_beams=4)
    ids, count = SOURCE[1:2, :4], 3
    padded = {"input_ids": F.pad(ids, (count, 0), value=PAD), "attention_mask": F.pad(torch.ones_like(ids), (count, 0))}
    with torch.no_grad():
        torch.testing.assert_close(
            taught(**padded, labels=TARGET[1:2]).logits,
            taught(**source(slice(1, 2)), labels=TARGET[1:2]).logits,
            rtol=0,
            atol=1e-4,
        )
    for row in range(3):
        one = slice(row, row + 1)
        assert said(taught, one) == [together[row]] and said(taught, one, num_beams=4) == [beams[row]]
        length = len(SAID[row])
        with torch.no_grad():
            alone = taught(**source(one), labels=TARGET[one, :length]).logits
            batch = taught(**source(), labels=TARGET).logits[one, :length]
        torch.testing.assert_close(alone, batch, rtol=0, atol=1e-4)


def test_the_loss_is_the_mean_over_what_is_learnt() -> None:
    model = built()
    found = model(**source(), labels=TARGET)
    before = torch.tensor([[END, *SAID[0][:-1]], [END, *SAID[1], *[PAD] * 3], [END, *SAID[2], PAD]])
    assert torch.equal(model.prepare_decoder_input_ids_from_labels(TARGET), before)
    logits = model(**source(), decoder_input_ids=before).logits
    assert torch.equal(logits, found.logits)
    counts = TARGET != -100
    assert found.loss.item() == pytest.approx(F.cross_entropy(logits[counts], TARGET[counts]).item(), abs=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_what_is_saved_opens_through_its_auto_class(tied: bool, tmp_path: Path) -> None:
    model = built(tie_word_embeddings=tied)
    assert (model.lm_head.weight is model.get_input_embeddings().weight) == tied
    model.save_pretrained(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
    kept = load_file(tmp_path / "model.safetensors")
    assert len(kept) == len(list(model.parameters())) and ("lm_head.weight" in kept) != tied
    opened = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert type(opened) is BaselineSeq2SeqForConditionalGeneration
    assert (opened.lm_head.weight is opened.get_input_embeddings().weight) == tied
    assert opened.generation_config.decoder_start_token_id == END
    assert torch.equal(opened(**source(), labels=TARGET).logits, model(**source(), labels=TARGET).logits)


def test_recomputed_activations_change_no_gradient() -> None:
    """With dropout on; and every parameter gets one."""
    gradients = []
    for recomputes in (False, True):
        model = built(dropout=0.1).train()
        if recomputes:
            model.gradient_checkpointing_enable()
            assert model.encoder.stack.gradient_checkpointing and model.decoder.gradient_checkpointing
        torch.manual_seed(1)
        model(**source(), labels=TARGET).loss.backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for kept, recomputed in zip(*gradients, strict=True):
        assert kept.abs().sum() > 0
        torch.testing.assert_close(kept, recomputed, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", sorted(TOKENIZERS))
def test_its_tokenizer_loses_nothing_and_ends_each_text(kind: str, tmp_path: Path) -> None:
    texts = ["the 3rd of March", "1987-03-03", "3 мая <|endoftext|> 年 é", ""]
    train_for_pairs(texts, 400, 64, kind).save_pretrained(tmp_path)
    tokenizer, config = AutoTokenizer.from_pretrained(tmp_path), BaselineSeq2SeqConfig()
    assert tokenizer.eos_token_id == config.eos_token_id == config.decoder_start_token_id
    assert tokenizer.pad_token_id == config.pad_token_id and tokenizer.model_max_length == 64
    rows = tokenizer([*texts, "ünseen"], padding=True)
    for text, ids, mask in zip([*texts, "ünseen"], rows["input_ids"], rows["attention_mask"], strict=True):
        length = sum(mask)
        assert ids[length - 1 :] == [END, *[PAD] * (len(ids) - length)] and END not in ids[: length - 1]
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer("the 3rd of March", truncation=True, max_length=3)["input_ids"][-1] == END
