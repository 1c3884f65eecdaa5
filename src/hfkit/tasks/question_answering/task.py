"""Question answering: where in a context the answer to a question begins and ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import counted
from hfkit.data.text.truncation import MODEL_INPUTS, limit
from hfkit.data.text.windows import padded
from hfkit.tasks.base import mapped
from hfkit.tasks.question_answering.config import Config
from hfkit.tasks.question_answering.spans.overlap import score
from hfkit.tasks.question_answering.spans.search import LOWEST, Found, Scores, best_threshold
from hfkit.tasks.question_answering.spans.windows import LENGTH, OUTSIDE, Reader
from hfkit.tasks.question_answering.spans.written import NOWHERE
from hfkit.tasks.texts import AT_ONCE, TextTask, means, settle_tokens

_WINDOWS = List(List(Value("int32")))


@dataclass(frozen=True)
class QuestionAnswering(TextTask):
    """Any AutoModelForQuestionAnswering on questions (`text`) about contexts (`text_pair`)."""

    max_length: int | None = None  # tokens of a window with its special tokens; `for_model` takes the model's limit
    stride: int | None = None  # tokens of the context that two windows share; None: see `Reader`
    max_answer_length: int | None = None  # tokens that an answer may have; None: any number
    no_answer: bool = False  # a question may have no answer:
    threshold: float = 0.0  # then it has none where the logit of no answer is more than this above the best answer's
    pad_token_id: int = 0  # what fills the shorter windows of a batch
    pad_token_type_id: int = 0
    padding: str = "right"  # and on which side

    READING = ("max_length", "stride", "max_answer_length", "no_answer", "threshold", "padding")
    name = "question-answering"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        columns = data["train"].column_names
        if not {"text", "text_pair", "answers", "starts"} <= set(columns):
            what = f"Answers are learnt of questions and contexts, and the rows have {', '.join(columns)}"
            raise HfkitError(what, fix="load them with hfkit.load_data(..., task='question-answering')")
        lacking = not all(data["train"]["answers"][:])
        allowed = lacking if config.no_answer == "auto" else config.no_answer == "yes"
        return cls(config.max_length, config.stride, config.max_answer_length, allowed)

    def model_kwargs(self) -> dict[str, Any]:
        """Fields of the model's config: two outputs a token, whatever its head had before."""
        labels = {"id2label": {0: "start", 1: "end"}, "label2id": {"start": 0, "end": 1}}
        return {"num_labels": 2, **labels, "hfkit": self.reading()}

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with the model's limit and its padding, see `settle_tokens`. Raises HfkitError: `max_length` is above
        what the model can read; and what `Reader` refuses."""
        settle_tokens(model_config, processor)
        length = limit(self.max_length, model_config, processor, LENGTH)
        Reader(processor, length, self.stride)
        return self.fitted(model_config, processor, max_length=length, pad_token_type_id=processor.pad_token_type_id)

    def chosen(self, model_config: PreTrainedConfig, validated: dict[str, Any]) -> Self:
        """A copy with the threshold of no answer under which F1 on the validation rows is best; the config is told."""
        if not self.no_answer:
            return self
        right = validated["reference"]
        answered = [
            score(list(one), said, may_lack=True)[1] for one, said in zip(right, validated["best"], strict=True)
        ]
        empty = [score(list(one), "", may_lack=True)[1] for one in right]
        threshold = best_threshold(validated["no_answer_score"].tolist(), answered, empty)
        return self.telling(model_config, threshold=threshold)

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """The windows of a split's rows. Returns a Dataset in the same order with `id`; for each window, numbers a
        token, `input_ids`, `begins` and `ends` (as in `Window`) and, where the model reads them, `token_type_ids`; for
        each window `nulls`, the token of no answer, and `targets`, the first and last token of the first answer;
        `context`; `reference`, the right answers, and `reference_start`, where the first one that stands there begins;
        `length` (tokens, of all windows) and `truncated` (never)."""
        reader = Reader(processor, self.max_length, self.stride)

        def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            read = reader.read(batch["text"], batch["text_pair"], batch["id"])
            targets, at = [], []
            for windows, answers, starts in zip(read, batch["answers"], batch["starts"], strict=True):
                first = next((pair for pair in zip(starts, answers, strict=True) if pair[0] != NOWHERE), (NOWHERE, ""))
                targets.append([window.span(first[0], first[0] + len(first[1])) for window in windows])
                at.append(first[0])
            found = reader.columns(read, batch["text_pair"])
            found |= {"targets": targets, "reference": batch["answers"], "reference_start": at}
            return {"id": batch["id"], **found, "truncated": [False] * len(read)}

        kinds = dict.fromkeys(("input_ids", "begins", "ends", "token_type_ids", "targets"), _WINDOWS)
        kinds |= {"nulls": List(Value("int32")), "length": Value("int32"), "truncated": Value("bool")}
        kinds |= {"id": Value("string"), "context": Value("string"), "reference": List(Value("string"))}
        kinds["reference_start"] = Value("int32")
        names = rows({name: [] for name in ("id", "text", "text_pair", "answers", "starts")})
        return mapped(dataset, rows, {name: kinds[name] for name in names})

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """Nothing is cut; `notes` count what is read in windows, and answers that stand whole in none of them."""
        longest, apart, beyond = self.max_answer_length, 0, 0
        for targets, nulls, start in zip(
            *(encoded[n][:] for n in ("targets", "nulls", "reference_start")), strict=True
        ):
            held = [b - a + 1 for (a, b), null in zip(targets, nulls, strict=True) if (a, b) != (null, null)]
            apart += start != NOWHERE and not held
            beyond += bool(longest and held and min(held) > longest)
        longer = sum(len(nulls) > 1 for nulls in encoded["nulls"])
        counts = (
            (longer, "row", f"of more than {self.max_length} tokens: read in overlapping windows, whole"),
            (apart, "answer", "whole in no window: learnt as no answer, and not to be found"),
            (beyond, "answer", f"of more than {longest} tokens (--max_answer_length): not to be found"),
        )
        notes = [f"{counted(count, noun)} {told}" for count, noun, told in counts if count]
        return {"rows": 0, "share": 0.0, "max_length": self.max_length, "notes": notes}

    def to_train(self, encoded: Dataset) -> Dataset:
        """Each window a row: a batch holds no more than it says."""
        if all(len(nulls) == 1 for nulls in encoded["nulls"]):
            return encoded
        of_windows = {name for name, kind in encoded.features.items() if kind == _WINDOWS} | {"nulls"}

        def apart(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            places = [(row, window) for row, nulls in enumerate(batch["nulls"]) for window in range(len(nulls))]
            found = {
                name: [[values[row][at]] if name in of_windows else values[row] for row, at in places]
                for name, values in batch.items()
            }
            names = [f"{batch['id'][row]}#{at}" for row, at in places]
            lengths = [len(ids) for (ids,) in found["input_ids"]]
            return found | {"id": names, "length": lengths, "context": [""] * len(places)}

        return mapped(encoded, apart, encoded.features)

    def by_example(self, encoded: Dataset, rows: Dataset, predictions: dict[str, Any]) -> dict[str, Any]:
        """The predictions, with the threshold as it is now."""
        scores, best = predictions["no_answer_score"], predictions["best"]
        said = [self.decided(*pair) for pair in zip(scores.tolist(), best, strict=True)]
        return predictions | {"prediction": np.array(said, dtype=object)}

    def decided(self, no_answer_score: float, best: str) -> str:
        """The answer, empty where there is none."""
        return "" if self.no_answer and no_answer_score > self.threshold else best

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch, padded to its longest window. Returns `input_ids`, `attention_mask`, perhaps `token_type_ids`,
        `begins` and `ends` (windows, tokens); `nulls` (windows,) and `targets` (windows, 2), tokens; `counts` (rows,)
        windows of each row; and, no tensors, `contexts` and `references` of the rows."""
        sizes = [len(window) for feature in features for window in feature["input_ids"]]
        left, width = self.padding == "left", max(sizes)
        shift = torch.tensor([width - size if left else 0 for size in sizes])
        batch: dict[str, Any] = {"attention_mask": padded([[1] * size for size in sizes], 0, left)}
        fills = {"input_ids": self.pad_token_id, "token_type_ids": self.pad_token_type_id}
        for name, fill in (fills | {"begins": OUTSIDE, "ends": OUTSIDE}).items():
            if name in features[0]:
                batch[name] = padded([window for f in features for window in f[name]], fill, left)
        batch["nulls"] = torch.tensor([null for feature in features for null in feature["nulls"]]) + shift
        if "targets" in features[0]:
            batch["targets"] = torch.tensor([target for f in features for target in f["targets"]]) + shift[:, None]
            batch["references"] = [feature["reference"] for feature in features]
            batch["reference_start"] = torch.tensor([feature["reference_start"] for feature in features])
        batch["counts"] = torch.tensor([len(feature["nulls"]) for feature in features])
        return batch | {"contexts": [feature["context"] for feature in features]}

    def weight(self, batch: dict[str, Any]) -> float:
        """Windows that are learnt."""
        return float(len(batch["nulls"]))

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, Any]
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """The SUM over windows of the mean of the two cross-entropies, of where the answer begins and where it ends,
        over all tokens but what fills the batch; and in evaluation of each row `best`, its best answer, where that
        stands and its `score`, `no_answer_score` (the logit of no answer above the best answer's), `prediction` (empty
        where there is no answer), `reference`, and `loss`, the mean over its windows."""
        logits = self.logits(model, batch)
        ends = zip(logits, batch["targets"].unbind(1), strict=True)
        losses = torch.stack([F.cross_entropy(*end, reduction="none") for end in ends]).mean(dim=0)
        if model.training:
            return losses.sum(), {}
        each = list(zip(self.scores(batch, logits), batch["contexts"], strict=True))
        best = [self.best(scores, context) for scores, context in each]
        said = [context[one.begin : one.end] for one, (_, context) in zip(best, each, strict=True)]
        empty = [scores.no_answer - one.logit for one, (scores, _) in zip(best, each, strict=True)]
        return losses.sum(), {
            "reference": batch["references"],
            "reference_start": batch["reference_start"],
            "prediction": list(map(self.decided, empty, said)),
            "best": said,
            "start": torch.tensor([one.begin for one in best]),
            "end": torch.tensor([one.end for one in best]),
            "score": torch.tensor([one.score for one in best]),
            "no_answer_score": torch.tensor(empty),
            "loss": means(losses, batch["counts"]),
        }

    def best(self, scores: Scores, context: str) -> Found:
        """The best answer; an empty one that nothing speaks for, where the context holds none."""
        return next(iter(scores.best(context, self.max_answer_length)), Found(0, 0, 0.0, scores.no_answer))

    def scores(self, batch: dict[str, Any], logits: tuple[torch.Tensor, torch.Tensor]) -> Iterator[Scores]:
        """The logits of each row's windows, on the CPU."""
        sizes = batch["counts"].tolist()
        tensors = (*logits, batch["begins"], batch["ends"], batch["nulls"])
        yield from (Scores(*each) for each in zip(*(one.detach().cpu().split(sizes) for one in tensors), strict=True))

    def logits(self, model: torch.nn.Module, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """What the model says of where an answer begins and where it ends: (windows, tokens) each, in float32; of what
        fills the batch -inf."""
        start = torch.full(batch["input_ids"].shape, LOWEST, device=batch["input_ids"].device)
        end = start.clone()
        inputs = {name: batch[name] for name in MODEL_INPUTS if name in batch}
        for rows, part in self.parts(inputs, AT_ONCE):
            said, width = model(**part), part["input_ids"].shape[1]
            for whole, told in ((start, said.start_logits), (end, said.end_logits)):
                whole[rows, :width] = told.float()
        gone = batch["attention_mask"] == 0
        return start.masked_fill(gone, LOWEST), end.masked_fill(gone, LOWEST)
