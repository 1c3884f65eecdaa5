"""ObjectDetection: a box around each object of a picture, and its class."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from typing import Any, Self

import numpy as np
import torch
from accelerate import PartialState
from datasets import Dataset, DatasetDict, List, Value
from PIL import Image as Pictures
from transformers import PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.data.vision.augment import seeded, steps
from hfkit.data.vision.boxes.augment import PRESETS, STEPS, changed, cut
from hfkit.data.vision.boxes.merging import merged, views
from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.tasks.classification import in_order_of
from hfkit.tasks.object_detection.config import Config
from hfkit.tasks.object_detection.scores.errors import best_threshold
from hfkit.tasks.pictures import AT_ONCE, MOST_TILES, MarkedTask, beside, range_of

LEAST = 0.01
"""Score below which an answer is none: COCO's figure hardly changes, and files stay small."""


@dataclass(frozen=True)
class ObjectDetection(MarkedTask):
    """Any AutoModelForObjectDetection. What a model sees of a picture, or of a tile of one, is what its image processor
    makes of it; boxes are shares of that picture's sides until then."""

    labels: list[str]
    augment: list[str] = field(default_factory=list)  # see hfkit.data.vision.boxes.augment
    tile_size: int | None = None  # pixels a side; None: pictures are looked at whole
    max_boxes: int = 100
    seed: int = 0  # tiles and augmentation are a function of (seed, epoch, row)
    pixel_range: list[float] | None = None  # black and white of pixels of more than 8 bits; None: training had none
    threshold: float = 0.5  # score from which the pipeline answers; chosen on the validation split
    processor: Any = field(default=None, compare=False)  # by `for_model`, as the next
    masked: bool = field(default=False, compare=False)  # the model can be told which pixels fill a picture up

    READING = ("tile_size", "max_boxes", "pixel_range", "threshold")
    MADE = ("processor", "masked")
    name = "object-detection"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        train = data["train"]
        if not {"image", "boxes", "label"} <= set(train.column_names):
            what = f"A detector learns images and boxes, and the rows have {', '.join(train.column_names)}"
            raise HfkitError(what, fix=f"load them with hfkit.load_data(..., task={cls.name!r})")
        return cls(
            list(train.features["label"].feature.names),
            steps(config.augment, PRESETS, list(STEPS)),
            config.tile_size,
            config.max_boxes,
            config.seed,
            range_of(config, data),
        )

    def for_model(self, model_config: PreTrainedConfig, processor: Any) -> Self:
        """A copy with the classes in the model's order (matched by name), and its image processor."""
        kind: Any = MODEL_FOR_OBJECT_DETECTION_MAPPING.get(type(model_config), None)
        masked = kind is not None and "pixel_mask" in signature(kind.forward).parameters
        labels = in_order_of(self.labels, model_config)
        return self.telling(model_config, labels=labels, processor=processor, masked=masked)

    def encode(self, dataset: Dataset, processor: Any) -> Dataset:
        """Rows in the same order: `id`, `image` as it is stored, `truth`, six numbers a box with the ids of the model's
        classes (see scores/matching.py); `tiles` (that training cuts of the picture, and the whole), `length` (1) and
        `truncated` (False). Raises HfkitError: the split has a class that the task does not know."""
        number = self.ids_of(dataset.features["label"].feature.names)
        held = zip(dataset["boxes"], dataset["label"], dataset["void"], strict=True)
        truth = [
            [value for box, one, void in zip(*row, strict=True) for value in (*box, number[one], void)] for row in held
        ]
        stored = undecoded(dataset, "image")
        tiles = [1] * len(dataset) if self.tile_size is None else [self._tiles(image) for image in stored["image"]]
        kinds = {"truth": List(Value("float64")), "tiles": Value("int32")}
        return beside(stored, dataset, {"truth": truth, "tiles": tiles}, kinds)

    def _tiles(self, image: dict[str, Any]) -> int:
        picture = decode_again(image, pixel_range=self.pixel_range)
        share = picture.width * picture.height / (self.tile_size or 1) ** 2
        return 1 + (min(MOST_TILES, round(share)) if max(picture.size) > (self.tile_size or 0) else 0)

    def read(self, dataset: Dataset, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Rows with the bytes of their `picture`, (channels, height, width), and `truth`, (boxes, 6); in training
        `view`, what the model sees of it, cut and changed at random, with its `boxes` as shares of its sides and their
        `kinds`."""
        features = super().read(dataset, rows, epoch)
        for row, feature in zip(rows, features, strict=True):
            picture = decode_again(feature.pop("image"), row=feature["id"], pixel_range=self.pixel_range)
            truth = torch.tensor(feature["truth"], dtype=torch.float32).view(-1, 6)
            if epoch is None:
                feature["picture"], feature["truth"] = bytes_of(picture), truth
                continue
            with seeded(self.seed, epoch, row):
                tiles, known = feature["tiles"], truth[truth[:, 5] == 0]
                whole = tiles == 1 or float(torch.rand(1)) * tiles < 1
                share = min(1.0, 1.25 * self.longest / max(picture.size)) if whole else 1.0
                if share < 1:  # what is made smaller anyway costs less to change
                    size = [max(1, round(side * share)) for side in picture.size]
                    picture = picture.resize((size[0], size[1]), Pictures.Resampling.BILINEAR, reducing_gap=2.0)
                pixels, boxes, kinds = bytes_of(picture), known[:, :4] * share, known[:, 4].long()
                if not whole:
                    pixels, boxes, left = cut(pixels, boxes, int(self.tile_size or 0))
                    kinds = kinds[left]
                pixels, boxes, left = self._change(pixels, boxes)
            sides = torch.tensor([*pixels.shape[:0:-1]] * 2)
            feature["view"], feature["boxes"], feature["kinds"] = self.seen([pixels])[0], boxes / sides, kinds[left]
        return features

    @cached_property
    def _change(self) -> Any:
        return changed(self.augment)

    @cached_property
    def longest(self) -> int:
        """Pixels of the longer side of what the model sees of a whole picture."""
        size = dict(getattr(self.processor, "size", None) or {})
        return int(max(size.get("height") or 0, size.get("width") or 0, size.get("longest_edge") or 0) or 1333)

    def seen(self, pixels: list[torch.Tensor]) -> torch.Tensor:
        """(pictures, channels, height, width) numbers of pictures of one size, as the image processor makes them."""
        made = self.processor(images=pixels, input_data_format="channels_first", return_tensors="pt")
        pixel_values: torch.Tensor = made["pixel_values"]
        return pixel_values

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """Of views `pixel_values`, (views, channels, height, width), filled up to the largest with zeros, where
        they differ `pixel_mask`, and `labels`, a dict a view as transformers' detectors take it; of whole pictures
        lists of them and of their `truth`."""
        if "view" not in features[0]:
            return {"pictures": [one["picture"] for one in features], "truth": [one["truth"] for one in features]}
        high, wide = (max(one["view"].shape[at] for one in features) for at in (-2, -1))
        pixels = torch.zeros(len(features), features[0]["view"].shape[0], high, wide)
        mask, labels = torch.zeros(len(features), high, wide, dtype=torch.long), []
        for row, one in enumerate(features):
            height, width = one["view"].shape[-2:]
            pixels[row, :, :height, :width], mask[row, :height, :width] = one["view"], 1
            boxes = one["boxes"] * torch.tensor([width / wide, height / high] * 2)
            labels.append({"class_labels": one["kinds"], "boxes": middles(boxes)})
        masked = {"pixel_mask": mask} if self.masked and not bool(mask.all()) else {}
        return {"pixel_values": pixels, "labels": labels} | masked

    def weight(self, batch: dict[str, Any]) -> float:
        """Boxes: a detector's loss is a mean over those of its batch."""
        return float(max(1, sum(len(one["boxes"]) for one in batch["labels"])))

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, Any]
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Of views the loss that the model itself makes, by its boxes. Of whole pictures each one's `loss`, looked at
        whole, `prediction` and `truth`, see scores/matching.py."""
        if "pictures" in batch:
            pairs = zip(batch["pictures"], batch["truth"], strict=True)
            said, losses = zip(*(self.boxes(model, picture, truth) for picture, truth in pairs), strict=True)
            loss = torch.tensor(losses)
            flat = [[one.flatten().float().cpu() for one in rows] for rows in (said, batch["truth"])]
            return loss.sum(), {"prediction": flat[0], "truth": flat[1], "loss": loss}
        inputs = {name: batch[name] for name in ("pixel_values", "pixel_mask", "labels") if name in batch}
        with by_batch():
            loss = model(**inputs).loss
        return loss * self.weight(batch), {}

    def boxes(
        self, model: torch.nn.Module, picture: torch.Tensor, truth: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, float]:
        """(boxes, 6) that the model finds in a picture, bytes (channels, height, width): corners in pixels, score and
        class, the surest first; of tiles and the whole, where it learnt from tiles. And the loss of the whole, where
        the `truth`, (boxes, 6), is given."""
        height, width = picture.shape[-2:]
        device = next(model.parameters()).device
        parts = views(width, height, self.tile_size)
        by_size: dict[tuple[int, int], list[int]] = {}
        for place, (_, _, *size) in enumerate(parts):
            by_size.setdefault((size[0], size[1]), []).append(place)
        said, loss = [torch.zeros(0, 6)] * len(parts), 0.0
        for (wide, high), places in by_size.items():
            step = max(1, AT_ONCE // (self.longest**2))
            for some in (places[first : first + step] for first in range(0, len(places), step)):
                cuts = [picture[:, y : y + high, x : x + wide].cpu() for x, y, *_ in (parts[place] for place in some)]
                inputs: dict[str, Any] = {"pixel_values": self.seen(cuts).to(device)}
                if truth is not None and some == [0]:
                    known = truth[truth[:, 5] == 0]
                    sides = torch.tensor([width, height] * 2, device=truth.device)
                    inputs["labels"] = [{"class_labels": known[:, 4].long(), "boxes": middles(known[:, :4] / sides)}]
                with by_batch():
                    out = model(**inputs)
                loss = float(out.loss) if "labels" in inputs else loss
                found = self.processor.post_process_object_detection(out, LEAST, [(high, wide)] * len(some))
                for place, one in zip(some, found, strict=True):
                    columns = one["boxes"], one["scores"][:, None], one["labels"][:, None]
                    said[place] = torch.cat([column.float().cpu() for column in columns], dim=1)
        return merged(list(zip(parts, said, strict=True)), (width, height), self.max_boxes), loss

    def chosen(self, model_config: PreTrainedConfig, validated: dict[str, Any]) -> Self:
        """A copy with the score from which F1 of the boxes of the validation split is best; the config is told."""
        threshold = best_threshold(validated["truth"], validated["prediction"], len(self.labels))
        return self.telling(model_config, threshold=threshold)

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        """The pictures that a report shows."""
        from hfkit.tasks.object_detection import drawings

        drawings.keep(run, self, encoded["test"], table)


def bytes_of(picture: Pictures.Image) -> torch.Tensor:
    """(3, height, width) bytes."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


def middles(corners: torch.Tensor) -> torch.Tensor:
    """(boxes, 4) of two corners as middle and size."""
    return torch.cat([corners[:, :2] + corners[:, 2:], 2 * (corners[:, 2:] - corners[:, :2])], dim=1) / 2


@contextmanager
def by_batch() -> Iterator[None]:
    """Inside, transformers' losses are means over the boxes of their own batch. They divide by those of all processes,
    a mean over these which they divide by their number once more; the engine weighs batches by their boxes itself."""
    known = PartialState._shared_state
    PartialState._shared_state = {}
    try:
        yield
    finally:
        PartialState._shared_state = known
