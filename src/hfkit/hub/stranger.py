"""A stranger: opens a published model in a process of its own, and says what it answers.

Run as a script, with an order as JSON on standard input and the answer on the last line of standard output. It imports
hfkit only when the order says so: what plain transformers gives is found out with plain transformers.
"""

import json
import sys
from typing import Any

TEXT, IMAGE, LANGUAGE = "text-classification", "image-classification", "text-generation"


def main() -> None:
    """Read the order, answer it."""
    order = json.load(sys.stdin)
    import torch

    torch.set_num_threads(order["threads"])
    print(json.dumps({"logits": logits(**order["question"])}))


def logits(how: str, task: str, model: str, revision: str | None, rows: list[Any]) -> list[list[float]]:
    """The logits of each row alone, in float32: a list of numbers a row.

    Args:
        how: `transformers`, alone; `code`, transformers with the Python files that the repository ships; `hfkit`.
        task: The pipeline's name.
        model: A folder or a Hub id.
        revision: Of a Hub id.
        rows: Texts, pairs of texts, or seeds of pictures (`picture`).
    """
    if how == "hfkit":
        import hfkit

        if task != LANGUAGE:
            pipe = hfkit.pipeline(model, revision=revision, mixed_precision="no", device="cpu")
            pictured = [picture(row) if task == IMAGE else _row(row) for row in rows]
            return [pipe.logits([row])[0].double().tolist() for row in pictured]
    return _plain(task, model, revision, rows, code=how == "code")


def _plain(task: str, model: str, revision: str | None, rows: list[Any], code: bool) -> list[list[float]]:
    import torch
    import transformers

    kinds = {
        TEXT: transformers.AutoModelForSequenceClassification,
        IMAGE: transformers.AutoModelForImageClassification,
        LANGUAGE: transformers.AutoModelForCausalLM,
    }
    options = {"revision": revision, "trust_remote_code": code}
    loaded = kinds[task].from_pretrained(model, dtype=torch.float32, use_safetensors=True, **options).eval()
    reader = (transformers.AutoImageProcessor if task == IMAGE else transformers.AutoTokenizer).from_pretrained(
        model, **options
    )
    found = []
    for row in rows:
        if task == IMAGE:
            inputs = reader(picture(row), return_tensors="pt")
        else:
            texts = row if isinstance(row, list) else [row]
            inputs = reader(*texts, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            answer = loaded(**inputs).logits[0]
        found.append((answer[-1] if task == LANGUAGE else answer).double().tolist())
    return found


def _row(row: Any) -> Any:
    return {"text": row[0], "text_pair": row[1]} if isinstance(row, list) else row


def picture(seed: int) -> Any:
    """A picture that is the same everywhere: coarse coloured noise, 96 pixels wide and 64 high."""
    import random

    from PIL import Image

    numbers = random.Random(seed)
    return Image.frombytes("RGB", (12, 8), numbers.randbytes(12 * 8 * 3)).resize((96, 64), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
