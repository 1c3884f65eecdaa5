"""The form of a model that answers questions: a question and a text in, the same text with the answer marked out."""

from collections.abc import Mapping
from typing import Any

from hfkit.base.sanitize import line
from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import mistake, told
from hfkit.runs.run import Run


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def ask(question: str, context: str) -> tuple[str, dict[str, Any]]:
        if not question.strip() or not context.strip():
            raise mistake(gradio, "Write a question and a text first.")
        with told(gradio):
            found = answer(question=question, context=context)
        marks = [{"entity": "answer", "start": found["start"], "end": found["end"]}] if found["answer"] else []
        return found["answer"] or "(the text does not say)", {"text": context, "entities": marks}

    return {
        "fn": ask,
        "inputs": [gradio.Textbox(label="Question"), gradio.Textbox(label="Text", lines=8)],
        "outputs": [gradio.Textbox(label="Answer"), gradio.HighlightedText(label="Where it stands")],
    }


def examples(run: Run, at_most: int) -> list[list[str]]:
    """Test questions for the form: those that were answered right most surely, each about a context of its own."""
    table = run.predictions().select(["text", "text_pair", "reference", "prediction", "score"]).to_pylist()
    right = [row for row in table if row["prediction"] in row["reference"] and len(row["text_pair"]) < 1500]
    ranked = sorted(right, key=lambda row: -row["score"])
    chosen = {row["text_pair"]: row for row in reversed(ranked)}.values()
    return [[line(row["text"], 300), line(row["text_pair"], 1500)] for row in list(chosen)[::-1][:at_most]]


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    """How plain transformers is asked: it has no pipeline for questions any more."""
    settings = info["task_settings"]
    where = [f"question and text have at most {settings['max_length']:,} tokens together"]
    where += [f"the answer at most {longest:,}"] if (longest := settings["max_answer_length"]) else []
    where += ["there is one"] if settings["no_answer"] else []
    return {"code": PLAIN, "same": f"the same answer where {' and '.join(where)}"}


PLAIN = """\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

place = @PLACE@
tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModelForQuestionAnswering.from_pretrained(place)
question, context = "Who wrote it?", "The book was written by Ada in 1843."
inputs = tokenizer(question, context, truncation=True, return_offsets_mapping=True, return_tensors="pt")
places = inputs.pop("offset_mapping")[0].tolist()
inside = [token for token, text in enumerate(inputs.sequence_ids(0)) if text == 1]
with torch.no_grad():
    said = model(**inputs)
start, end = said.start_logits[0, inside], said.end_logits[0, inside]
sums = (start[:, None] + end).masked_fill(torch.ones(len(inside), len(inside)).tril(-1) > 0, -torch.inf)
first, last = divmod(int(sums.argmax()), len(inside))
print(context[places[inside[first]][0] : places[inside[last]][1]].strip())"""


example = 'question="Who wrote it?", context="The book was written by Ada in 1843."'
job = "answering questions"
