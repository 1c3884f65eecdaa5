"""The form of a model that makes one text of another: a text in, a text out."""

from collections.abc import Mapping
from typing import Any

from hfkit.base.sanitize import line
from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import mistake, told
from hfkit.runs.run import Run

LABELS = {"translation": "Translation", "summarization": "Summary"}

LONGEST = 1000  # characters of an example


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    """Arguments of a gradio.Interface over a pipeline."""

    def ask(text: str) -> str:
        if not text.strip():
            raise mistake(gradio, "Write a text first.")
        with told(gradio):
            (found,) = answer(text)
        return str(next(iter(found.values())))

    label = LABELS.get(answer.task, "Answer")
    return {
        "fn": ask,
        "inputs": [gradio.Textbox(label="Text", lines=6)],
        "outputs": [gradio.Textbox(label=label, lines=6)],
    }


def examples(run: Run, at_most: int) -> list[list[str]]:
    """Sources of test rows for the form, the short ones first."""
    sources = sorted(set(run.predictions()["source"].to_pylist()), key=lambda text: (len(text) > LONGEST, text))
    return [[line(text, LONGEST)] for text in sources[:at_most]]


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    """How plain transformers is asked: it has no pipeline for this any more."""
    settings = info["task_settings"]
    code = PLAIN.replace("@TEXT@", repr(str(settings["source_prefix"]) + "A text to begin with."))
    return {"code": code, "same": f"the same answer where a text has at most {settings['max_length']:,} tokens"}


PLAIN = """\
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

place = @PLACE@
tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModelForSeq2SeqLM.from_pretrained(place)
inputs = tokenizer(@TEXT@, truncation=True, return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True))"""


def job(info: Mapping[str, Any]) -> str:
    return {"translation": "translation", "summarization": "summarization"}.get(info["task"], "rewriting texts")


example = '"A text to begin with."'
