"""Sentence similarity: a text's vector, learnt so that texts which belong together lie near each other."""

from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict, Features, List, Value
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.atomic import write_json
from hfkit.base.errors import HfkitError
from hfkit.baselines.pooling import pooled
from hfkit.data.text.keys import key_of
from hfkit.data.text.truncation import Truncation
from hfkit.data.text.windows import padded
from hfkit.tasks.base import check_reads, mapped
from hfkit.tasks.sentence_similarity.config import Config
from hfkit.tasks.sentence_similarity.vectors.found import FILE, keep
from hfkit.tasks.sentence_similarity.vectors.losses import joint_loss
from hfkit.tasks.sentence_similarity.vectors.ranking import ranked
from hfkit.tasks.texts import TextTask, settle_tokens

_IDS = List(Value("int32"))
_KINDS = {
    "id": Value("string"), "query": _IDS, "documents": List(_IDS), "document_ids": List(Value("string")),
    "keys": List(Value("int64")), "right": List(Value("int64")), "grades": List(Value("float32")),
    "length": Value("int32"), "truncated": Value("bool"),
}  # fmt: skip

Parts = list[tuple[torch.Tensor, dict[str, torch.Tensor]]]


@dataclass(frozen=True)
class SentenceSimilarity(TextTask):
    """Any AutoModel that reads texts, on queries (`text`) and their `documents`, or on pairs with a `score`.

    Attributes:
        task: Which of the names the job has.
        loss: ranking (Henderson et al. 2017, over all documents of an update; van den Oord et al. 2018), cosine or
            margin.
        max_length: Tokens of a text. None until `for_model` takes the model's limit.
        pooling: mean, cls or last; None until `for_model`.
        normalize: Vectors have length 1.
        query_prefix, document_prefix: What stands in front of every text; None until `for_model`. Both texts of a pair
            with a score are queries.
        matryoshka_dims: First dimensions that are learnt to do alone (Kusupati et al. 2022), beside all of them.
        temperature: Cosines are divided by it before the softmax.
        margin: By how much a negative's cosine has to stay below.
        untuned, revision: The model that training began with, which stands beside what came of it.
        pad_token_id, padding: What fills the shorter texts of a batch, and on which side.
    """

    task: str = "sentence-similarity"
    loss: str = "ranking"
    max_length: int | None = None
    pooling: str | None = None
    normalize: bool = True
    query_prefix: str | None = None
    document_prefix: str | None = None
    matryoshka_dims: tuple[int, ...] = ()
    temperature: float = 0.05
    margin: float = 0.3
    untuned: str | None = None
    revision: str | None = None
    pad_token_id: int = 0
    padding: str = "right"

    READING = (
        "task", "max_length", "pooling", "normalize", "query_prefix", "document_prefix", "matryoshka_dims", "padding",
    )  # fmt: skip
    joint = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name that was asked for."""
        return self.task

    @property
    def graded(self) -> bool:
        """Whether rows are pairs with a score."""
        return self.loss == "cosine"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        """See `hfkit.build_task`. Raises HfkitError: the rows are not what the loss learns of."""
        check_reads(config.task, data)
        columns = set(data["train"].column_names)
        loss = config.loss if config.loss != "auto" else "cosine" if "score" in columns else "ranking"
        if ("score" if loss == "cosine" else "documents") not in columns:
            what = f"--loss {loss} does not learn of rows with the columns {', '.join(sorted(columns))}"
            raise HfkitError(what, fix=f"load them with hfkit.load_data(..., task={config.task!r})")
        if loss == "margin" and any(len(row) < 2 for row in data["train"]["documents"]):
            raise HfkitError("--loss margin: some training rows have no negative", fix="add one, or --loss ranking")
        names = ("task", "max_length", "normalize", "query_prefix", "document_prefix", "temperature", "margin")
        given = {name: getattr(config, name) for name in names}
        dims = tuple(sorted(set(config.matryoshka_dims), reverse=True))
        pooling = None if config.pooling == "auto" else config.pooling
        untuned = None if config.trust_remote_code else config.model  # which is opened again without anybody's code
        return cls(
            **given, loss=loss, pooling=pooling, matryoshka_dims=dims, untuned=untuned, revision=config.model_revision
        )

    def settings(self) -> dict[str, Any]:
        """All settings as JSON, with the task's name."""
        return super().settings() | {"matryoshka_dims": list(self.matryoshka_dims)}

    def reading(self) -> dict[str, Any]:
        return super().reading() | {"matryoshka_dims": list(self.matryoshka_dims)}

    def for_model(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> Self:
        """A copy with what the model says where the flags said nothing, and its limit and padding. Raises HfkitError:
        `max_length` is above what the model can read, or a prefix fills it; more dimensions are asked for than the
        model's vectors have."""
        saved = settle_tokens(model_config, processor)
        told: dict[str, Any] = {
            name: value if value is not None else saved.get(name, usual)
            for name, value, usual in (
                ("pooling", self.pooling, "mean"),
                ("query_prefix", self.query_prefix, ""),
                ("document_prefix", self.document_prefix, ""),
            )
        }
        asked = self.max_length or saved.get("max_length")
        length = Truncation.settle(asked, "head", 0, False, model_config, processor).max_length
        dims = tuple(self.matryoshka_dims)
        if dims and max(dims) >= model_config.hidden_size:
            what = f"The model's vectors have {model_config.hidden_size} dimensions"
            fix = "give fewer: all of them are learnt anyway"
            raise HfkitError(what, where=f"--matryoshka_dims {max(dims)}", fix=fix)
        for prefix in filter(None, (told["query_prefix"], told["document_prefix"])):
            if length and len(processor(prefix, verbose=False)["input_ids"]) >= length:
                raise HfkitError(f"The prefix {prefix[:60]!r} fills the {length} tokens of a text", fix="--max_length")
        return self.fitted(model_config, processor, **told, max_length=length, matryoshka_dims=dims)

    def tokens(self, texts: list[str], processor: PreTrainedTokenizerBase, kind: str | None) -> dict[str, list[Any]]:
        """`input_ids`, `length` and `truncated` of texts that are each a `query`, a `document`, or neither."""
        prefix = {"query": self.query_prefix, "document": self.document_prefix}.get(kind or "") or ""
        return Truncation(self.max_length).encode(processor, [(prefix + text).strip() for text in texts])

    def encode(self, dataset: Dataset, processor: PreTrainedTokenizerBase) -> Dataset:
        """The texts of a split's rows, in the same order.

        Returns:
            A Dataset with `id`; `query` and, of each document, `documents`, token ids; `document_ids`; `keys` of the
            documents, which are equal where their texts are; `right`, the keys of all documents that are right for the
            query in any row, and its own: none of them is a negative; `grades`, of a pair its score; `length`, tokens
            of all texts; `truncated`, whether one was cut.
        """
        graded = "score" in dataset.column_names
        if graded != self.graded:
            which = ("queries and documents", "pairs with a score")
            what = f"The rows are {which[graded]}, and the model learns of {which[self.graded]} (loss {self.loss})"
            raise HfkitError(what, fix="give such rows, or train with another --loss")
        right: dict[int, set[int]] = {}
        for text, first, row in () if graded else zip(
            dataset["text"], dataset["documents"], dataset["grades"], strict=True
        ):  # fmt: skip
            known = right.setdefault(key_of(text), {key_of(text)})
            known.update(key_of(one) for one, grade in zip(first, row, strict=True) if grade > 0)

        def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            documents = [[text] for text in batch["text_pair"]] if graded else batch["documents"]
            flat = self.tokens([one for row in documents for one in row], processor, "query" if graded else "document")
            asked = self.tokens(batch["text"], processor, "query")
            found: dict[str, list[Any]] = {name: [] for name in _KINDS}
            at = 0
            for row, texts in enumerate(documents):
                here = slice(at, at := at + len(texts))
                found["id"].append(batch["id"][row])
                found["query"].append(asked["input_ids"][row])
                found["documents"].append(flat["input_ids"][here])
                found["document_ids"].append([batch["id"][row]] if graded else batch["document_ids"][row])
                found["keys"].append([key_of(text) for text in texts])
                found["right"].append([] if graded else sorted(right[key_of(batch["text"][row])]))
                found["grades"].append([batch["score"][row]] if graded else batch["grades"][row])
                found["length"].append(asked["length"][row] + sum(flat["length"][here]))
                found["truncated"].append(asked["truncated"][row] or any(flat["truncated"][here]))
            return found

        return mapped(dataset, rows, _KINDS)

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """How many rows lost something of a text to `max_length`."""
        cut = sum(encoded["truncated"][:])
        return {"rows": cut, "share": cut / max(1, len(encoded)), "max_length": self.max_length}

    def to_evaluate(self, encoded: Dataset) -> Dataset:
        """Each query, and each document once, as a row of its own; pairs with a score as they are."""
        if self.graded:
            return encoded
        found: dict[str, list[Any]] = {
            "id": encoded["id"][:], "input_ids": encoded["query"][:], "is_query": [True] * len(encoded),
            "right": encoded["right"][:], "keys": encoded["keys"][:], "grades": encoded["grades"][:],
        }  # fmt: skip
        seen: set[int] = set()
        for texts, keys, ids in zip(encoded["documents"], encoded["keys"], encoded["document_ids"], strict=True):
            for text, key, id in zip(texts, keys, ids, strict=True):
                if key not in seen:
                    seen.add(key)
                    for name, value in zip(found, (id, text, False, [], [key], []), strict=True):
                        found[name].append(value)
        kinds = {name: _KINDS[name] for name in ("id", "right", "keys", "grades")}
        kinds |= {"input_ids": _IDS, "is_query": Value("bool"), "length": Value("int32")}
        return Dataset.from_dict(found | {"length": list(map(len, found["input_ids"]))}, features=Features(kinds))

    def together(self, rows: Dataset, predictions: dict[str, Any]) -> dict[str, Any]:
        """Of vectors of queries and documents, the ranking of all documents for each query."""
        return (
            predictions if self.graded else ranked(rows, predictions["vector"], self.matryoshka_dims, self.temperature)
        )

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        """Write found.json: the queries that went worst."""
        keep(run.path, data["test"], table) if not self.graded else write_json(run.path / FILE, [])

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch: `texts`, and of rows `documents`, are what the model takes, (texts, tokens) each; `counts` (rows,)
        documents of each row, `keys` and `grades` (documents,), `right` (rows, most), filled with -1."""
        if "input_ids" in features[0]:
            return {"texts": self._filled([one["input_ids"] for one in features])}
        return {
            "texts": self._filled([one["query"] for one in features]),
            "documents": self._filled([text for one in features for text in one["documents"]]),
            "counts": torch.tensor([len(one["documents"]) for one in features]),
            "keys": torch.tensor([key for one in features for key in one["keys"]]),
            "grades": torch.tensor([grade for one in features for grade in one["grades"]]),
            "right": padded([one["right"] for one in features], -1),
        }

    def _filled(self, texts: list[list[int]]) -> dict[str, torch.Tensor]:
        left = self.padding == "left"
        mask = padded([[1] * len(text) for text in texts], 0, left)
        return {"input_ids": padded(texts, self.pad_token_id, left), "attention_mask": mask}

    def weight(self, batch: dict[str, Any]) -> float:
        """Rows."""
        return float(len(batch["counts"]))

    def represent(self, model: torch.nn.Module, batch: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The vectors of a batch's queries, then of its documents, of any length; and what the loss reads beside."""
        found = torch.cat([self.vectors(model, batch[name]) for name in ("texts", "documents")])
        return found, {name: batch[name] for name in ("counts", "keys", "grades", "right")}

    def joint_loss(self, parts: Parts) -> torch.Tensor:
        """See `losses`."""
        return joint_loss(self, parts).sum()

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, Any]
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """The SUM of the losses of a batch that is an update of its own; of pairs with a score `prediction`, the
        cosine, `label`, the score, and `loss`. Of texts to be ranked the `vector` of each, and no loss."""
        if "documents" not in batch:
            vectors = F.normalize(self.vectors(model, batch["texts"]), dim=1)
            return vectors.new_zeros(()), {"vector": vectors}
        found, facts = self.represent(model, batch)
        losses = joint_loss(self, [(found, facts)])
        if not self.graded:
            return losses.sum(), {"loss": losses}
        first, second = found.chunk(2)
        cosines = F.cosine_similarity(first, second, dim=1)
        return losses.sum(), {"prediction": cosines, "label": facts["grades"], "loss": losses}

    def vectors(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """(texts, hidden) in float32, of any length."""
        found, order = [], []
        for rows, part in self.parts(inputs):
            states = model(**part).last_hidden_state.float()
            found.append(pooled(states, part["attention_mask"], self.pooling or "mean"))
            order.append(rows)
        return found[0] if len(found) == 1 else torch.cat(found)[torch.cat(order).argsort(stable=True)]
