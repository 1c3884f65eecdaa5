"""The form of a model of sentences: a sentence and others in, how near each of them is out."""

from collections.abc import Mapping
from typing import Any

from hfkit.base.sanitize import line
from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import mistake, told
from hfkit.runs.run import Run

LONGEST = 400
"""Characters of an example's text."""


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    """Arguments of a gradio.Interface over a pipeline."""

    def ask(sentence: str, others: str) -> list[list[Any]]:
        texts = [one.strip() for one in others.splitlines() if one.strip()]
        if not sentence.strip() or not texts:
            raise mistake(gradio, "Write a sentence, and others, one a line.")
        with told(gradio):
            found = answer({"source_sentence": sentence, "sentences": texts})
        return [
            [round(one, 4), text] for one, text in sorted(zip(found, texts, strict=True), key=lambda pair: -pair[0])
        ]

    return {
        "fn": ask,
        "inputs": [gradio.Textbox(label="Sentence"), gradio.Textbox(label="Others, one a line", lines=6)],
        "outputs": [gradio.Dataframe(headers=["cosine", "sentence"], label="Nearest first")],
    }


def examples(run: Run, at_most: int) -> list[list[str]]:
    """Test queries for the form, each beside its own text and those of its neighbours."""
    rows = run.predictions().select(["text", "text_pair"]).to_pylist()[: at_most * 4]
    others = [line(row["text_pair"], LONGEST) for row in rows]
    return [[line(rows[at]["text"], LONGEST), "\n".join(others[at : at + 4])] for at in range(0, len(rows), 4)][
        :at_most
    ]


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    """How plain transformers is asked: it has no pipeline that makes one vector of a text."""
    settings = info["task_settings"]
    texts = [str(settings[f"{kind}_prefix"] or "") + text for kind, text in (("query", ASKED), ("document", FOUND))]
    code = PLAIN.replace("@TEXTS@", repr(texts)).replace("@POOLED@", POOLED[settings["pooling"]])
    return {"code": code, "same": "the same vectors; sentence-transformers opens the folder too"}


ASKED, FOUND = "Who wrote it?", "Ada wrote it in 1843."

POOLED = {
    "mean": "(states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)",
    "cls": "states[range(len(states)), mask.argmax(dim=1)]",
    "last": "states[range(len(states)), mask.cumsum(dim=1).argmax(dim=1)]",
}

PLAIN = """\
import torch
from transformers import AutoModel, AutoTokenizer

place = @PLACE@
tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModel.from_pretrained(place)
inputs = tokenizer(@TEXTS@, padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    states, mask = model(**inputs).last_hidden_state, inputs["attention_mask"]
vectors = torch.nn.functional.normalize(@POOLED@, dim=1)
print(vectors[0] @ vectors[1])"""


example = '{"source_sentence": "Who wrote it?", "sentences": ["Ada wrote it in 1843.", "It rains."]}'
job = "finding texts that belong together"
