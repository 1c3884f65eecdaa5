"""Models that answer questions: pretrained ones with a head for both ends of an answer, kept or new."""

from typing import Any

import torch
from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING

from hfkit.models.adapting.padding import LONG, SHORT, settle_padding
from hfkit.models.loading import Built
from hfkit.tasks import Task
from hfkit.tasks.discover import find
from hfkit.tasks.pretrained import on_opening, pretrained
from hfkit.tasks.question_answering.config import Config
from hfkit.tasks.question_answering.spans.windows import Reader
from hfkit.tasks.question_answering.task import QuestionAnswering
from hfkit.tasks.texts import each


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    heads = find(task.name).heads
    return pretrained(
        config, task, MODEL_FOR_QUESTION_ANSWERING_MAPPING, "model that answers questions",
        keeps_head=lambda settings: (settings.architectures or [""])[0].endswith(heads),
        settle=settle_padding_of_rows,
    )  # fmt: skip


def settle_padding_of_rows(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """See `settle_padding`: how batches of this model are filled."""
    task = QuestionAnswering.from_model(model.config, tokenizer)
    contexts = [SHORT, " ".join(LONG.split()[-5:]), LONG]
    reader = Reader(tokenizer, task.max_length, task.stride)
    rows = each(reader.columns([one[:1] for one in reader.read(["a"] * 3, contexts, contexts)], contexts))

    def answer(filled: QuestionAnswering, batch: dict[str, Any]) -> torch.Tensor:
        """Both logits of every token, and the window's largest: beside that, rounding is measured."""
        logits = torch.stack(filled.logits(model, batch), dim=2)
        here = batch["attention_mask"].bool()
        largest = logits.masked_fill(~here[:, :, None], 0).abs().amax(dim=(1, 2))
        return torch.cat([logits, largest[:, None, None].expand(*here.shape, 1)], dim=2)[here]

    return settle_padding(task, answer, rows, model, tokenizer, name)


opened = on_opening(settle_padding_of_rows)
