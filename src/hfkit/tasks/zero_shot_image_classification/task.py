"""Zero-shot image classification: vectors of pictures and texts, learnt so that what belongs together is near."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset, DatasetDict, Features, List, Value, concatenate_datasets
from transformers import PreTrainedConfig

from hfkit.base.errors import HfkitError
from hfkit.data.labels.problem import SINGLE
from hfkit.data.text.keys import key_of
from hfkit.data.text.truncation import Truncation
from hfkit.data.text.windows import padded
from hfkit.data.vision.augment import seeded, steps, varied
from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.data.vision.reading import ImageReading
from hfkit.tasks.base import check_reads
from hfkit.tasks.pictures import PictureTask, beside, range_of
from hfkit.tasks.zero_shot_image_classification.config import TEMPLATE, Config
from hfkit.tasks.zero_shot_image_classification.vectors.losses import Bounded, Parts, joint_loss, scale_row
from hfkit.tasks.zero_shot_image_classification.vectors.matching import matched
from hfkit.training.callbacks import Callback


@dataclass(frozen=True)
class ImageText(PictureTask):
    """Any model with a tower for pictures, one for texts and a learnt scale: CLIP, SigLIP.

    Attributes:
        labels: The classes that pictures are told by; none where rows have captions alone.
        unseen: Those of them that no training picture has.
        captioned: Rows have captions; else pictures are learnt with the first template and their class.
        templates: Sentences around a class's name; a class is the mean of their vectors (Radford et al. 2021, 3.1.4).
        loss: softmax, sigmoid, or auto until `for_model`.
        max_length: Tokens of a text; None until `for_model` takes the model's limit.
        untuned, revision: The model that training began with, which stands beside what came of it.
    """

    labels: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    captioned: bool = True
    templates: list[str] = field(default_factory=lambda: [TEMPLATE])
    loss: str = "auto"
    max_length: int | None = None
    augment: list[str] = field(default_factory=list)
    seed: int = 0  # captions and augmentation are a function of (seed, epoch, row)
    pixel_range: list[float] | None = None  # black and white of pixels of more than 8 bits; None: training had none
    untuned: str | None = None
    revision: str | None = None
    seen: ImageReading | None = field(default=None, compare=False)  # what the model wants of a picture
    processor: Any = field(default=None, compare=False)
    fill: int | None = field(
        default=None, compare=False
    )  # tokens that every text is filled up to, where there are such
    pad_token_id: int = field(default=0, compare=False)

    READING = ("labels", "templates", "max_length", "pixel_range", "unseen", "captioned")
    MADE = ("seen", "processor", "fill", "pad_token_id")
    name = "zero-shot-image-classification"
    joint = True

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        check_reads(cls.name, data)
        train = data["train"]
        if "image" not in train.column_names or not {"captions", "label"} & set(train.column_names):
            what = f"Pictures and captions or classes are learnt, and the rows have {', '.join(train.column_names)}"
            raise HfkitError(what, fix=f"load them with hfkit.load_data(..., task={cls.name!r})")
        labels = list(train.features["label"].names) if "label" in train.column_names else []
        learnt = {labels[number] for number in set(train["label"])} if labels else set()
        return cls(
            labels,
            [name for name in labels if name not in learnt],
            "captions" in train.column_names,
            list(config.templates),
            config.loss,
            config.max_length,
            steps(config.augment),
            config.seed,
            range_of(config, data),
            None if config.trust_remote_code or config.model.startswith("baseline:") else config.model,
            config.model_revision,
        )

    def settings(self) -> dict[str, Any]:
        """All settings as JSON; `problem_type` where there are classes."""
        kind = {"problem_type": SINGLE} if self.labels else {}
        return {"name": self.name} | kind | super().settings()

    @property
    def classes(self) -> list[str] | None:
        return self.labels or None

    def judging(self, data: DatasetDict) -> Self:
        """With the classes of the data, of which those count as unseen that were not learnt."""
        (rows, *_), learnt = data.values(), set(self.labels) - set(self.unseen)
        names = list(rows.features["label"].names) if "label" in rows.column_names else []
        return replace(self, labels=names, unseen=[name for name in names if name not in learnt])

    def for_model(self, model_config: PreTrainedConfig, processor: Any) -> Self:
        """A copy that fits the model: its loss, its limit of a text, how it looks at a picture."""
        tokenizer = processor.tokenizer
        texts, pictures = (getattr(model_config, name, model_config) for name in ("text_config", "vision_config"))
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        length = Truncation.settle(self.max_length, "head", 0, False, texts, tokenizer).max_length
        biased = "siglip" in model_config.model_type or getattr(model_config, "logit_bias_init_value", None) is not None
        if self.loss == "sigmoid" and not biased:
            what = "The model has no bias beside its scale, without which a sigmoid cannot say that a pair is rare"
            raise HfkitError(what, where="--loss sigmoid", fix="--loss softmax, or a model such as SigLIP")
        seen = replace(ImageReading.of(processor.image_processor, pictures), pixel_range=self.pixel_range)
        if not seen.repeatable and self.augment:
            what = f"A {type(processor.image_processor).__name__} reads pictures in a way of its own"
            raise HfkitError(what, where="--augment", fix="train on the pictures as they are: --augment none")
        return self.telling(
            model_config,
            loss={"auto": "sigmoid" if biased else "softmax"}.get(self.loss, self.loss),
            max_length=length,
            seen=seen,
            processor=processor,
            # SigLIP's texts end where they are filled up to, and none says where its own end is.
            fill=None if "attention_mask" in tokenizer.model_input_names else texts.max_position_embeddings,
            pad_token_id=tokenizer.pad_token_id or 0,
        )

    def prompts(self, labels: list[str] | None = None, templates: list[str] | None = None) -> list[str]:
        """Every class in every template, those of a class together."""
        every = self.labels if labels is None else labels
        return [one.replace("{}", label) for label in every for one in templates or self.templates]

    def tokens(self, texts: list[str]) -> dict[str, list[Any]]:
        """`input_ids`, `length` and `truncated` of texts."""
        return Truncation(self.max_length).encode(self.processor.tokenizer, texts)

    def encode(self, dataset: Dataset, processor: Any) -> Dataset:
        """Pictures as they are stored, and captions as tokens. Rows in the same order with `id`, `image`, `texts`
        (token ids of each caption; of a row without one of its class in the first template), `captions` (their number),
        `keys` of the texts, `labels` where there are classes, `length`, tokens of the longest, and `truncated`, whether
        one was cut."""
        names = dataset.column_names
        labels: list[int] = []
        if "label" in names and self.labels:
            own = dataset.features["label"].names
            if unknown := [name for name in own if name not in self.labels]:
                raise HfkitError(f"The model was judged by no class {', '.join(unknown[:10])}")
            labels = [self.labels.index(own[number]) for number in dataset["label"][:]]
        captions: list[list[str]] = list(dataset["captions"][:]) if "captions" in names else []
        if not captions and not labels:
            raise HfkitError("The rows have neither captions nor classes that the model was judged by")
        texts = captions or [[self.templates[0].replace("{}", self.labels[number])] for number in labels]
        made = self.tokens([text for own in texts for text in own])
        ends = np.cumsum([0, *map(len, texts)]).tolist()
        parts = [slice(*ends[row : row + 2]) for row in range(len(dataset))]
        columns: dict[str, Any] = {
            "texts": [made["input_ids"][part] for part in parts],
            "captions": [len(own) for own in captions] or [0] * len(dataset),
            "keys": [[key_of(text) for text in own] for own in texts],
            "length": [max(made["length"][part]) for part in parts],
            "truncated": [any(made["truncated"][part]) for part in parts],
        } | ({"labels": labels} if labels else {})
        kinds = {
            "texts": List(List(Value("int32"))), "captions": Value("int32"), "keys": List(Value("int64")),
            "length": Value("int32"), "truncated": Value("bool"),
        } | ({"labels": Value("int64")} if labels else {})  # fmt: skip
        return beside(undecoded(dataset, "image"), dataset, columns, kinds)

    def to_evaluate(self, encoded: Dataset) -> Dataset:
        """The rows, each with its share of the classes' sentences, which are so read once and no more."""
        prompts = self.tokens(self.prompts())["input_ids"] if self.labels else []
        dealt = [list(range(row, len(prompts), len(encoded))) for row in range(len(encoded))]
        columns = {"dealt": dealt, "sentences": [[prompts[number] for number in own] for own in dealt]}
        kinds = Features({"dealt": List(Value("int32")), "sentences": List(List(Value("int32")))})
        return concatenate_datasets([encoded, Dataset.from_dict(columns, features=kinds)], axis=1)

    def together(self, rows: Dataset, predictions: dict[str, Any]) -> dict[str, Any]:
        """See `matched`; of rows with classes also whether theirs is one that was not learnt."""
        prompts = len(self.labels) * len(self.templates)
        found = matched(rows, predictions, prompts, len(self.labels))
        if "labels" in rows.column_names and found:
            found["unseen"] = np.array([self.labels[number] in self.unseen for number in rows["labels"][:]])
        return found

    def read(self, dataset: Dataset, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Rows with `pixel_values`, (channels, height, width); in training augmented, and with one caption, drawn."""
        features = super().read(dataset, rows, epoch)
        assert self.seen is not None, "for_model gives the task the processor"
        if epoch is None or not self.augment:
            pictures = [decode_again(one["image"], row=one["id"], pixel_range=self.pixel_range) for one in features]
            pixels = self.seen.look(pictures)
        else:
            frames = []
            for row, one in zip(rows, features, strict=True):
                with seeded(self.seed, epoch, row):
                    frames.append(self._change(one["image"], one["id"]))
            pixels = self.seen.numbers(torch.stack(frames))
        for row, one, numbers in zip(rows, features, pixels, strict=True):
            del one["image"]
            one["pixel_values"] = numbers
            if epoch is not None:
                drawn = np.random.default_rng([self.seed, epoch, row]).integers(len(one["texts"]))
                one["text"], one["key"] = one.pop("texts")[drawn], one["keys"][drawn]
        return features

    @cached_property
    def _change(self) -> Any:
        return varied(self.augment, self.seen)  # type: ignore[arg-type]

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch: `pixel_values`, and `input_ids` and perhaps `attention_mask`, (texts, tokens). In training, a text
        a picture, `keys` of the texts and `right`, (rows, most), those of all captions of each picture, filled with -1;
        else `counts`, texts of each picture: its captions and what it was dealt."""
        batch: dict[str, Any] = {"pixel_values": torch.stack([one["pixel_values"] for one in features])}
        if "text" in features[0]:
            batch["keys"] = torch.tensor([one["key"] for one in features])
            batch["right"] = padded([one["keys"] for one in features], -1)
            return batch | self.filled([one["text"] for one in features])
        texts = [one["texts"][: one["captions"]] + one["sentences"] for one in features]
        batch["counts"] = torch.tensor([len(own) for own in texts])
        # A model wants some text; what it makes of this one belongs to nobody.
        return batch | self.filled([text for own in texts for text in own] or [[self.pad_token_id]])

    def filled(self, texts: list[list[int]]) -> dict[str, torch.Tensor]:
        """Texts as the model takes them."""
        if self.fill:
            texts = [text + [self.pad_token_id] * (self.fill - len(text)) for text in texts]
            return {"input_ids": torch.tensor(texts)}
        mask = padded([[1] * len(text) for text in texts], 0)
        return {"input_ids": padded(texts, self.pad_token_id), "attention_mask": mask}

    def weight(self, batch: dict[str, Any]) -> float:
        """Pictures."""
        return float(len(batch["pixel_values"]))

    def vectors(self, model: torch.nn.Module, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Those of a batch's pictures and of its texts, at length 1, in float32."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "pixel_values") if name in batch}
        found = model(**inputs)
        pictures, texts = (
            torch.nn.functional.normalize(one.float(), dim=1) for one in (found.image_embeds, found.text_embeds)
        )
        return pictures, texts

    def represent(self, model: torch.nn.Module, batch: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """See `losses.Parts`."""
        pictures, texts = self.vectors(model, batch)
        found = torch.cat([pictures, texts, scale_row(model, pictures.shape[1])])
        return found, {name: batch[name] for name in ("keys", "right")}

    def joint_loss(self, parts: Parts) -> torch.Tensor:
        return joint_loss(self.loss, parts).sum()

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, Any]
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """The vectors of each picture and of its texts, and the model's scale; no loss."""
        pictures, texts = self.vectors(model, batch)
        counts = batch["counts"].tolist()
        flat = [one.flatten().cpu() for one in texts[: sum(counts)].split(counts)]
        scale = scale_row(model, 2)[0, :1].detach().exp().expand(len(pictures))
        return pictures.new_zeros(()), {"image": pictures, "texts": flat, "scale": scale}

    def logged(self, model: torch.nn.Module) -> dict[str, float]:
        """The temperature: what cosines are divided by."""
        return {"temperature": round(float((-scale_row(model, 2)[0, 0].detach()).exp()), 6)}

    def callbacks(self, config: Any, run: Any, encoded: DatasetDict, processor: Any) -> list[Callback]:
        return [Bounded()] if self.loss == "softmax" else []

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        """The pictures that a report shows, with the captions that were found."""
        from hfkit.tasks.zero_shot_image_classification import gallery

        gallery.keep(run, self, data["test"], encoded["test"], table)
