"""Tensors out of a file that torch.save wrote before 2020, without unpickling it: nothing in the file can run.

Such a file is five pickles (magic number, version, machine, the object, the storages' keys), then the storages in the
order of their keys, each eight bytes of length and the numbers. `pickletools` lists instructions and runs none.
"""

import pickletools
from io import BytesIO
from typing import Any

import numpy as np

_WIDTHS = {"torch FloatStorage": 4, "torch LongStorage": 8}


def float_tensors(data: bytes) -> list[np.ndarray]:
    """The float32 tensors of a state dict, in its order, from the bytes of the whole file. No two tensors share a
    storage, and all are float32 or int64; the latter (counters of batch norms) are left out."""
    stream = BytesIO(data)
    for _ in range(3):
        _arguments(stream)
    tensors = _tensors(_arguments(stream))
    order = [text for text in _arguments(stream) if text in tensors]
    at = stream.tell()
    found = {}
    for key in order:
        kind, shape, strides = tensors[key]
        length, width = int.from_bytes(data[at : at + 8], "little"), _WIDTHS[kind]
        if width == 4:
            flat = np.frombuffer(data, np.float32, length, at + 8)
            found[key] = np.lib.stride_tricks.as_strided(flat, shape, [4 * step for step in strides]).copy()
        at += 8 + length * width
    return [found[key] for key in tensors if key in found]


def _tensors(arguments: list[Any]) -> dict[str, tuple[str, list[int], list[int]]]:
    """Key of the storage -> its class, and the tensor's shape and strides. A tensor is ("storage", class, key, device,
    length), offset, shape, strides; END stands at the end of a tuple."""
    tensors = {}
    for at, value in enumerate(arguments):
        if value == "storage":
            kind, key = arguments[at + 1 : at + 3]
            first = arguments.index(_END, at) + 2  # behind the storage's tuple and the offset
            middle = arguments.index(_END, first)
            last = arguments.index(_END, middle + 1)
            tensors[key] = kind, arguments[first:middle], arguments[middle + 1 : last]
    return tensors


_END = object()


def _arguments(stream: BytesIO) -> list[Any]:
    """The texts, names and numbers of one pickle's instructions, those it takes from its memo too, and `_END` where a
    tuple ends. The stream then stands behind it."""
    arguments: list[Any] = []
    memo: dict[Any, str] = {}
    last = None
    for code, argument, _ in pickletools.genops(stream):
        if code.name in ("BINPUT", "LONG_BINPUT"):
            if last is not None:
                memo[argument] = last
        elif code.name in ("BINGET", "LONG_BINGET"):
            arguments += [memo[argument]] if argument in memo else []
        elif code.name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            arguments.append(_END)
        elif isinstance(argument, str | int):
            arguments.append(argument)
        last = argument if isinstance(argument, str) else None
    return arguments
