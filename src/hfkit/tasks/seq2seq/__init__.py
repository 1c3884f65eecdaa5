"""Seq2seq: a text that a text becomes, as its translation or its summary does."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("translation", "summarization", "text2text-generation"),
    task="Seq2Seq",
    auto_model="AutoModelForSeq2SeqLM",
    heads=("ForConditionalGeneration", "MarianMTModel"),
    reads=("source", "target"),
)
