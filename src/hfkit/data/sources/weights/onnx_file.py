"""Weights out of an ONNX file, in float32 and under the names that transformers gives them.

torch's exporter keeps the names of parameters, but for the weight of a linear layer: an anonymous matrix, transposed,
of which only the node that multiplies by it tells the layer: `/encoder/layer.0/output/dense/MatMul`. onnxruntime's
quantizers write `NAME_quantized`, `NAME_scale` and `NAME_zero_point` in the place of `NAME`, and make of a Gemm, whose
matrix has a name, a MatMul of the transposed one.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError
from hfkit.data.sources.weights.model_folder import save_model, save_tokenizer
from hfkit.data.sources.weights.sentence_modules import write_modules

if TYPE_CHECKING:
    import numpy as np

WHOLE, SCALE, ZERO = "_quantized", "_scale", "_zero_point"


def float_tensors(file: Path) -> "dict[str, np.ndarray]":
    """The parameters of an ONNX file: fp32, fp16, QDQ or dynamically quantized, by tensor or by column.

    A number of 8 bits stands for (number - zero point) * scale (ONNX, DequantizeLinear). Linear layers are as torch has
    them, (outputs, inputs), in float32. What has no name is left out, so load it strictly. Raises HfkitError: the
    package onnx is not installed."""
    if importlib.util.find_spec("onnx") is None:
        fix = "pip install 'hfkit[demo]'"
        raise HfkitError("The weights come as ONNX, and the package onnx, which reads it, is not installed", fix=fix)
    import numpy as np
    import onnx

    graph = onnx.load(file, load_external_data=False).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    rounded = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    axes = {node.input[0]: next((one.i for one in node.attribute if one.name == "axis"), 1) for node in rounded}
    for name in [name for name in constants if name.endswith(WHOLE)]:
        stem = name.removesuffix(WHOLE)
        constants[stem] = _plain(constants, name, stem if stem + SCALE in constants else name, axes.get(name, 1))
    named = {
        name: array
        for name, array in constants.items()
        if "." in name and not name.startswith(("/", "onnx::")) and not name.endswith((WHOLE, SCALE, ZERO))
        if array.dtype.kind == "f"
    }
    dequantized = {out: node.input[0] for node in rounded for out in node.output}
    for node in graph.node:
        if node.op_type in ("MatMul", "MatMulInteger"):
            matrix = dequantized.get(node.input[1], node.input[1]).removesuffix(WHOLE)
            layer = node.name.strip("/").rpartition("/")[0].replace("/", ".")
            if matrix in constants and layer and (matrix not in named or "/Gemm_" in node.name):
                named[f"{layer}.weight"] = constants[matrix].T
    return {name: np.array(array, np.float32, order="C") for name, array in named.items()}


def _plain(constants: "dict[str, np.ndarray]", name: str, scales: str, axis: int) -> "np.ndarray":
    """The numbers that quantized ones stand for; `scales` begins the names of their scale and zero point."""
    numbers, scale = constants[name].astype("float32"), constants[scales + SCALE]
    zero = constants.get(scales + ZERO, 0 * scale).astype("float32")
    shape = [1] * numbers.ndim
    if scale.size > 1:
        shape[min(axis, numbers.ndim - 1)] = scale.size
    return (numbers - zero.reshape(shape)) * scale.reshape(shape)


def encoder(
    files: Path,
    folder: Path,
    *,
    prefix: str,
    file: str,
    sentences: dict[str, Any] | None = None,
    auto_model: str = "AutoModel",
    **settings: Any,
) -> None:
    """Makes a transformers folder of an encoder's ONNX `file` with its `tokenizer.json` beside it; `settings` are
    the model's configuration. Parameters without `prefix` before their names (a head) are left out. `sentences`
    is what `write_modules` says of a model of sentences, which lost BERT's `pooler`. `auto_model` is the class of one
    whose head is kept."""
    from tokenizers import Tokenizer

    tensors = float_tensors(files / file)
    weights = {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)}
    bare = {} if sentences is None else {"add_pooling_layer": False}
    config = save_model(folder, auto_model, settings, weights, **bare)
    pieces = files / "tokenizer.json"
    case = Tokenizer.from_file(str(pieces)).normalizer.lowercase
    save_tokenizer(folder, pieces, config.max_position_embeddings, do_lower_case=case)
    if sentences is not None:
        write_modules(folder, config.hidden_size, sentences | {"max_length": config.max_position_embeddings})


def encoder_decoder(files: Path, folder: Path, *, encoder: str, decoder: str, longest: int, **settings: Any) -> None:
    """Makes a transformers folder of a T5 that reads the `longest` number of tokens, in two ONNX files with their
    `tokenizer.json` beside them: for each its name and, after a colon, what stands before its parameters' names. Both
    hold the embeddings of words, of which one is kept. `settings` are the model's configuration."""
    weights = {}
    for part, inside in ((encoder, "encoder."), (decoder, "")):
        file, _, prefix = part.partition(":")
        for name, array in float_tensors(files / file).items():
            weights[inside + name.removeprefix(prefix)] = array
    weights.pop("encoder.embed_tokens.weight", None)
    save_model(folder, "AutoModelForSeq2SeqLM", settings, weights)
    save_tokenizer(folder, files / "tokenizer.json", longest)
