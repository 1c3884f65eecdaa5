"""A stranger: opens a published model in a process of its own, and says what it answers.

Run as a script, with an order as JSON on standard input and the answer on the last line of standard output. It imports
hfkit only when the order says so: what plain transformers gives is found out with plain transformers.
"""

import base64
import inspect
import io
import json
import random
import sys
from typing import Any

import torch

TEXTS = ["One text.", "And another one."]
"""What a picture is held beside, where texts are read with it."""


def main() -> None:
    """Read the order, answer it."""
    order = json.load(sys.stdin)
    torch.set_num_threads(order["threads"])
    print(json.dumps({"logits": logits(**order["question"])}))


def logits(how: str, kind: dict[str, Any], model: str, revision: str | None, rows: list[Any]) -> list[list[float]]:
    """The logits of each row alone, in float32: a list of numbers a row.

    `how` is `transformers`, alone; `code`, transformers with the Python files that the repository ships; or `hfkit`.
    `kind` has `auto_model`, the Auto class's name; `images`, whether it reads pictures; `captions`, whether texts too;
    `last`, whether what it says stands in the last position; `words`, whether rows are lists of words, each answered by
    its first piece. `model` is a folder or a Hub id; rows are texts, pairs of texts, or what `picture` makes pictures
    of."""
    if how == "hfkit" and not kind["last"]:
        import hfkit

        pipe = hfkit.pipeline(model, revision=revision, mixed_precision="no", device="cpu")
        return [pipe.logits([_given(kind, row)])[0].double().flatten().tolist() for row in rows]
    loaded, reader = _loaded(how, kind, model, revision)
    return [_answer(kind, loaded, reader, row) for row in rows]


def _answer(kind: dict[str, Any], loaded: Any, reader: Any, row: Any) -> list[float]:
    firsts: Any = slice(None)
    if kind["captions"]:  # a picture beside two texts
        fill = True if "attention_mask" in reader.tokenizer.model_input_names else "max_length"
        inputs = reader(text=TEXTS, images=_given(kind, row), padding=fill, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            return list(loaded(**inputs).logits_per_image.double().flatten().tolist())
    if kind["images"]:
        inputs = reader(_given(kind, row), return_tensors="pt")
    elif kind["words"]:
        inputs = reader(row, is_split_into_words=True, truncation=True, return_tensors="pt")
        of = inputs.word_ids(0)
        firsts = [of.index(word) for word in range(len(row))]
        if "word_starts" in inspect.signature(loaded.forward).parameters:
            inputs["word_starts"] = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
            inputs["word_starts"][0, firsts] = True
    else:
        inputs = reader(*(row if isinstance(row, list) else [row]), truncation=True, return_tensors="pt")
        if kind["last"] and loaded.config.is_encoder_decoder:
            inputs["labels"] = inputs["input_ids"]  # what it is asked to say, after reading it
    with torch.inference_mode():
        told = loaded(**inputs)
        said = [value for name, value in told.items() if name.endswith("logits")] or [told.last_hidden_state]
    answer = torch.stack(said, dim=-1)[0]
    return (answer[-1] if kind["last"] else answer[firsts]).double().flatten().tolist()


def _loaded(how: str, kind: dict[str, Any], model: str, revision: str | None) -> tuple[Any, Any]:
    """The model, ready to answer, and its tokenizer or image processor."""
    if how == "hfkit":
        from hfkit.models.loading import load_model

        return load_model(model, revision)
    import transformers

    options: dict[str, Any] = {"revision": revision, "trust_remote_code": how == "code"}
    auto_model = getattr(transformers, kind["auto_model"])
    loaded = auto_model.from_pretrained(model, dtype=torch.float32, use_safetensors=True, **options)
    reader: Any = transformers.AutoImageProcessor if kind["images"] else transformers.AutoTokenizer
    reader = transformers.AutoProcessor if kind["captions"] else reader
    return loaded.eval(), reader.from_pretrained(model, **options)


def _given(kind: dict[str, Any], row: Any) -> Any:
    """A row as hfkit's pipelines and image processors take it."""
    if kind["images"]:
        return picture(row)
    if kind["words"]:
        return {"tokens": row}
    return {"text": row[0], "text_pair": row[1]} if isinstance(row, list) else row


def picture(row: int | str) -> Any:
    """A picture of the run, in base64; or of a seed one that is the same everywhere: coarse noise, 96 by 64."""
    from PIL import Image

    if isinstance(row, str):
        return Image.open(io.BytesIO(base64.b64decode(row))).convert("RGB")
    noise = random.Random(row).randbytes(12 * 8 * 3)
    return Image.frombytes("RGB", (12, 8), noise).resize((96, 64), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
