"""The form of a tagger: a text in, the same text with its names marked out."""

from collections.abc import Mapping
from typing import Any

from hfkit.base.sanitize import line
from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import mistake, told
from hfkit.runs.run import Run
from hfkit.tasks.token_classification.words.schemes import has_scheme


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    def ask(text: str) -> dict[str, Any]:
        if not text.strip():
            raise mistake(gradio, "Write a text first.")
        with told(gradio):
            names = answer(text)
        marked = [{"entity": one["entity_group"], "start": one["start"], "end": one["end"]} for one in names]
        return {"text": text, "entities": marked}

    text, names = gradio.Textbox(label="Text", lines=5), gradio.HighlightedText(label="Names")
    return {"fn": ask, "inputs": [text], "outputs": [names]}


def examples(run: Run, at_most: int) -> list[list[str]]:
    """Test texts for the form: those with the most types of names, all of them found."""
    table = run.predictions().select(["text", "label", "prediction"]).to_pylist()
    right = [row for row in table if row["label"] == row["prediction"] and 20 <= len(row["text"]) <= 400]
    ranked = sorted(right, key=lambda row: -len(set(row["label"])))
    return [[line(row["text"], 400)] for row in ranked[:at_most]]


example = '"Write your text here."'


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    """How plain transformers is asked: its own pipeline takes "O", "'" and "Neil" for three words."""
    length = info["task_settings"].get("max_length")
    most = f", in texts of up to {length:,} tokens" if length else ""
    return {"code": PLAIN, "same": f"the same tags for words that are given one by one{most}"}


PLAIN = """\
from transformers import AutoModelForTokenClassification, AutoTokenizer

place = @PLACE@
tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModelForTokenClassification.from_pretrained(place)
words = ["Write", "your", "words", "here", "."]
inputs = tokenizer(words, is_split_into_words=True, truncation=True, return_tensors="pt")
firsts = [inputs.word_ids().index(word) for word in range(len(words))]
print([model.config.id2label[int(tag)] for tag in model(**inputs).logits[0, firsts].argmax(dim=1)])"""


def job(info: Mapping[str, Any]) -> str:
    return "recognition of names" if has_scheme(map(str, info["task_settings"]["labels"])) else "tagging of words"
