"""Image classification: a picture gets one label, several labels, or a number."""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset, DatasetDict, Features, Image, Value, concatenate_datasets
from transformers import PreTrainedConfig

from hfkit.base.errors import HfkitError
from hfkit.data.labels.problem import SINGLE
from hfkit.data.vision.augment import mixed, seeded, steps, varied
from hfkit.data.vision.decode import decode_again
from hfkit.data.vision.reading import ImageReading
from hfkit.tasks.base import Tensors
from hfkit.tasks.classification import Classification
from hfkit.tasks.image_classification.config import Config

MODEL_INPUTS = ("pixel_values", "features")


@dataclass(frozen=True)
class ImageClassification(Classification):
    """Any AutoModelForImageClassification on one picture. The first five fields are as for texts."""

    labels: list[str]
    problem_type: str = SINGLE
    class_weights: list[float] | None = None
    label_smoothing: float = 0.0
    regression_loss: str = "mse"
    augment: list[str] = field(default_factory=list)  # the transformations in training; see hfkit.data.vision.augment
    mixup: float = 0.0  # alpha of a way to mix a picture with another one of the training rows; 0 is off
    cutmix: float = 0.0  # alpha of the other way
    tta: str = "none"  # what an answer is the mean over: the picture alone (none), or it and its mirror image (flip)
    seed: int = 0  # augmentation is a function of (seed, epoch, row)
    pixel_range: list[float] | None = None  # black and white of pixels of more than 8 bits; None: training had none
    seen: ImageReading | None = field(default=None, compare=False)  # what the model wants of a picture, by `for_model`

    calibration: dict[str, Any] | None = None  # what `hfkit calibrate` chose

    READING = ("tta", "pixel_range", "calibration")
    name = "image-classification"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        train = data["train"]
        if "image" not in train.column_names:
            raise HfkitError("The data set holds no images", where=f"--task {cls.name}", fix="see --image_column")
        learnt = cls.learnt(config, train)
        return cls(
            **learnt,
            augment=steps(config.augment),
            mixup=config.mixup,
            cutmix=config.cutmix,
            tta=config.test_time_augmentation,
            seed=config.seed,
            pixel_range=getattr(getattr(data, "summary", None), "pixel_range", config.pixel_range or None),
        )

    def before_training(self, run: Any, model: torch.nn.Module) -> None:
        from hfkit.tasks.image_classification import gallery

        gallery.write_layers(run, self, model)

    def learner(self, config: Any, model: Any, encoded: DatasetDict, accelerator: Any) -> Any:
        from hfkit.tasks.image_classification.linear_probe import computed

        return computed(config, self, model, encoded, accelerator) if config.linear_probe else None

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        from hfkit.tasks.image_classification import gallery

        gallery.keep(run, self, model, encoded)

    def settings(self) -> dict[str, Any]:
        """All fields as JSON, with the task's name; of `seen` what it says, for whoever reads the run."""
        fields = asdict(replace(self, seen=None)) | {"seen": self.seen and self.seen.settings()}
        return {"name": self.name, **fields}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """The task that `settings` came from; `for_model` gives it the processor again."""
        return cls(**{key: value for key, value in settings.items() if key not in ("name", "seen")})

    def reading(self) -> dict[str, Any]:
        return {name: value for name, value in super().reading().items() if value is not None}

    def for_model(self, model_config: PreTrainedConfig, processor: Any) -> Self:
        """A copy with the labels in the model's order (matched by name), and its processor; the config gets `hfkit`."""
        labels, weights = self.in_order_of(model_config)
        seen = replace(ImageReading.of(processor, model_config), pixel_range=self.pixel_range)
        if not seen.repeatable and (self.augment or self.mixup or self.cutmix):
            what = f"A {type(processor).__name__} reads pictures in a way of its own, which augmentation cannot repeat"
            fix = "train on the pictures as they are: --augment none"
            raise HfkitError(what, where="--augment, --mixup, --cutmix", fix=fix)
        task = replace(self, labels=labels, class_weights=weights, seen=seen)
        model_config.hfkit = {**(getattr(model_config, "hfkit", None) or {}), **task.reading()}
        return task

    def encode(self, dataset: Dataset, processor: Any) -> Dataset:
        """Pictures stay as they are stored: they are decoded when their batch is made. Rows in the same order with
        `id`, `image` (undecoded), `length` (1: a picture is one of anything), `truncated` (False) and, where the split
        has labels, `labels`. Raises HfkitError: the split has a label that the task does not know."""
        rows = len(dataset)
        ids = dataset["id"][:] if "id" in dataset.column_names else [str(row) for row in range(rows)]
        columns: dict[str, Any] = {"id": ids, "length": [1] * rows, "truncated": [False] * rows}
        features = {"id": Value("string"), "length": Value("int32"), "truncated": Value("bool")}
        if "label" in dataset.column_names:
            columns["labels"], features["labels"] = self.label_ids(dataset)
        stored = dataset.select_columns("image").cast_column("image", Image(decode=False))
        return concatenate_datasets([stored, Dataset.from_dict(columns, features=Features(features))], axis=1)

    def truncation(self, encoded: Dataset) -> dict[str, Any]:
        """Nothing is cut: there is no length. The keys are those of texts."""
        return {"rows": 0, "share": 0.0, "max_length": None, "long_text": "head"}

    def read(self, dataset: Dataset, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Rows with `pixel_values` (channels, height, width); in training augmented, and mixed with other rows. Where
        `linear_probe` has put features in the place of pictures, they come as they are."""
        features = super().read(dataset, rows, epoch)
        if "features" in dataset.column_names:
            return features
        if epoch is None or not (self.augment or self.mixup or self.cutmix):
            decoded = partial(decode_again, pixel_range=self.pixel_range)
            pixels = self._seen.look([decoded(row.pop("image"), row=row.get("id", "")) for row in features])
        else:
            keys = [(self.seed, epoch, row) for row in rows]
            pixels = self._seen.numbers(torch.stack(list(map(self._sample, features, keys))))
        for row, feature, numbers in zip(rows, features, pixels, strict=True):
            feature["pixel_values"] = numbers
            if epoch is not None and (self.mixup or self.cutmix):
                self._mix(feature, dataset, row, epoch)
        return features

    def _sample(self, row: dict[str, Any], key: tuple[int, ...]) -> torch.Tensor:
        """Bytes, (height, width, channels)."""
        with seeded(*key):
            return self._change(row.pop("image"), row.get("id", ""))

    @cached_property
    def _change(self) -> Any:
        return varied(self.augment, self._seen)

    @property
    def _seen(self) -> ImageReading:
        assert self.seen is not None, "for_model gives the task the processor"
        return self.seen

    def _mix(self, feature: dict[str, Any], dataset: Dataset, row: int, epoch: int) -> None:
        """Mix the row with one drawn from the whole data set: partners in the batch would depend on processes."""
        rng = np.random.default_rng([self.seed, epoch, row])
        other = dataset[int(rng.integers(len(dataset)))]
        pixels = self._seen.numbers(self._sample(other, (self.seed, epoch, row, 1)))
        feature["pixel_values"], share = mixed(feature["pixel_values"], pixels, self.mixup, self.cutmix, rng)
        feature["labels"] = share * self._soft(feature["labels"]) + (1 - share) * self._soft(other["labels"])

    def _soft(self, labels: Any) -> np.ndarray:
        """A row's label as numbers that can be mixed: the class as a 1 among zeros."""
        if self.problem_type == SINGLE:
            return np.eye(len(self.labels), dtype=np.float32)[labels]
        return np.asarray(labels, dtype=np.float32)

    def collate(self, features: list[dict[str, Any]]) -> Tensors:
        """One batch: `pixel_values` (rows, channels, height, width), in memory channels last: convolutions on a CPU and
        in bf16 on a GPU are faster so. Or `features` (rows, width). `labels` where there are any: (rows,) ids, or
        (rows, labels) where they are mixed."""
        batch: Tensors = {}
        if "features" in features[0]:
            batch["features"] = torch.tensor(np.array([feature["features"] for feature in features]))
        else:
            pixels = torch.stack([feature["pixel_values"].permute(1, 2, 0) for feature in features])
            batch["pixel_values"] = pixels.permute(0, 3, 1, 2)
        if "labels" in features[0]:
            batch["labels"] = self.label_batch(features)
        return batch

    def label_batch(self, features: list[dict[str, Any]]) -> torch.Tensor:
        if isinstance(features[0]["labels"], np.ndarray):
            return torch.tensor(np.array([feature["labels"] for feature in features]), dtype=torch.float32)
        return super().label_batch(features)

    def logits(self, model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
        """(rows, labels) in float32; outside training with `tta` flip the mean with the mirror image's."""
        inputs = {key: batch[key] for key in MODEL_INPUTS if key in batch}
        logits: torch.Tensor = model(**inputs).logits.float()
        if self.tta == "flip" and not model.training and "pixel_values" in inputs:
            mirrored = model(pixel_values=inputs["pixel_values"].flip(-1)).logits.float()
            logits = (logits + mirrored) / 2
        return logits
