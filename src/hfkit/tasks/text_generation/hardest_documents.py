"""Passages: the test documents that a language model found hardest and easiest, token by token, for the report."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from datasets import Dataset
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from hfkit.base.atomic import write_json, writing
from hfkit.data.text.windows import IGNORED

FILE = "passages.json"
COUNT = 3  # documents of each kind
TOKENS = 160  # tokens of a document that are kept: a paragraph or two
SHORTEST = 40  # bytes of a document that counts: of a few words, one rare name would make the hardest


def keep(
    folder: Path,
    task: Any,
    tokenizer: PreTrainedTokenizerBase,
    model: torch.nn.Module,
    encoded: Dataset,
    table: pa.Table,
) -> None:
    """Write passages.json to a run: documents with the most and with the least bits per byte, and what each token took.

    `encoded` is the test split, `table` predictions.parquet, a row a document: `id`, `nll` (nats) and `bytes`."""
    sizes, nats = table["bytes"].to_pylist(), table["nll"].to_pylist()
    bits = {row: nll / size / math.log(2) for row, (nll, size) in enumerate(zip(nats, sizes, strict=True)) if size}
    long = {row: value for row, value in bits.items() if sizes[row] >= SHORTEST} or bits
    order = sorted(long, key=lambda row: (-long[row], row))
    count = min(COUNT, len(order) // 2)
    kinds = {"hardest": order[:count], "easiest": order[::-1][:count]}
    found = [
        {"kind": kind, "id": table["id"][row].as_py(), "bits_per_byte": bits[row]}
        | _tokens(task, tokenizer, model, encoded.select([row]))
        for kind, rows in kinds.items()
        for row in rows
    ]
    with writing(folder):
        write_json(folder / FILE, found)


def _tokens(task: Any, tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module, document: Dataset) -> dict[str, Any]:
    """`tokens`: the pieces of the document's beginning, each with its loss in nats, None where it was given; and
    whether there is `more`."""
    window = task.to_evaluate(document)[0]
    ids, targets = window["input_ids"][: TOKENS + 1], window["targets"][: TOKENS + 1]
    device = next(model.parameters()).device
    with torch.inference_mode():
        logits = model.eval()(input_ids=torch.tensor([ids], device=device), use_cache=False).logits[0].float()
    losses = F.cross_entropy(logits.cpu(), torch.tensor(targets), reduction="none", ignore_index=IGNORED).tolist()
    # What was not learnt stands in the input, a place further on; the last token stands nowhere but in the targets.
    following = [*ids[1:], targets[-1]]
    told = [target != IGNORED for target in targets]
    pieces = text_pieces(tokenizer, [token for token in following if token != IGNORED])
    pairs = zip(pieces, losses, told, strict=False)
    tokens = [[piece, round(loss, 4) if counts else None] for piece, loss, counts in pairs]
    return {"tokens": tokens, "more": len(document[0]["input_ids"]) > len(ids) + 1}


def text_pieces(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[str]:
    """What each token adds to the text; one that begins a character adds nothing, the one that ends it all of it."""
    pieces: list[str] = []
    before = ""
    for end in range(1, len(ids) + 1):
        text = str(tokenizer.decode(ids[:end], clean_up_tokenization_spaces=False))
        whole = text.startswith(before) and (end == len(ids) or not text.endswith("\ufffd"))
        pieces.append(text[len(before) :] if whole else "")
        before = text if whole else before
    return pieces
