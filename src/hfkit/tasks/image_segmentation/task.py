"""ImageSegmentation: each pixel of a picture gets a class; learnt on tiles, judged on whole pictures."""

import io
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset, DatasetDict, Features, Image, Value, concatenate_datasets
from PIL import Image as Pictures
from transformers import PreTrainedConfig

from hfkit.base.errors import HfkitError
from hfkit.data.vision.augment import seeded, steps
from hfkit.data.vision.decode import decode_again, undecoded
from hfkit.data.vision.masks.values import VOID, png, read_mask
from hfkit.data.vision.reading import ImageReading
from hfkit.data.vision.tiles import blended, resized, turned
from hfkit.data.vision.together import PRESETS, STEPS, tile_of
from hfkit.tasks.classification import in_order_of
from hfkit.tasks.image_segmentation.config import Config
from hfkit.tasks.image_segmentation.losses import by_tile
from hfkit.tasks.image_segmentation.metrics import boundaries, calibration, confusion
from hfkit.tasks.pictures import AT_ONCE, MOST_TILES, MarkedTask, beside, range_of

USUAL = 256
"""Pixels a side of a baseline's tile, where none is asked for."""


@dataclass(frozen=True)
class ImageSegmentation(MarkedTask):
    """Any AutoModelForSemanticSegmentation."""

    labels: list[str]
    loss: str = "both"  # see losses.py, as the next
    class_weights: list[float] | None = None
    augment: list[str] = field(default_factory=list)  # see hfkit.data.vision.together
    tta: str = "none"  # what a finished model's answer is the mean over, see hfkit.data.vision.tiles.turned
    tile_size: int | None = None  # pixels a side; until `for_model` takes the model's, and without one, None
    image_size: int | None = None  # pixels that the longer side is made smaller to; None: as it is
    seed: int = 0  # tiles and augmentation are a function of (seed, epoch, row)
    pixel_range: list[float] | None = None  # black and white of pixels of more than 8 bits; None: training had none
    done: bool = field(default=False, compare=False)  # the model is: `tta` counts
    seen: ImageReading | None = field(default=None, compare=False)  # how a tile becomes numbers, by `for_model`

    READING = ("tta", "tile_size", "image_size", "pixel_range")
    MADE = ("done", "seen")
    name = "image-segmentation"

    @classmethod
    def build(cls, config: Config, data: DatasetDict) -> Self:
        train = data["train"]
        if not {"image", "mask"} <= set(train.column_names):
            what = f"A segmenter learns images and masks, and the rows have {', '.join(train.column_names)}"
            raise HfkitError(what, fix=f"load them with hfkit.load_data(..., task={cls.name!r})")
        labels = list(train.features["label"].feature.names)
        return cls(
            labels,
            config.loss,
            _balanced(train, len(labels)) if config.class_weights == "balanced" else None,
            steps(config.augment, PRESETS, STEPS),
            config.test_time_augmentation,
            config.tile_size,
            config.image_size,
            config.seed,
            range_of(config, data),
        )

    def for_model(self, model_config: PreTrainedConfig, processor: Any) -> Self:
        """A copy with the classes in the model's order (matched by name), its tile and how that becomes numbers."""
        labels = in_order_of(self.labels, model_config)
        size = dict(getattr(processor, "size", None) or {}) if getattr(processor, "do_resize", False) else {}
        own = size.get("height") or size.get("shortest_edge") or USUAL
        tile = self.tile_size or int(own)
        channels = int(getattr(model_config, "num_channels", None) or 3)
        if channels not in (1, 3):
            raise HfkitError(f"The model reads pictures of {channels} channels, and pictures have 1 or 3")
        normal = getattr(processor, "do_normalize", True)
        mean, std = (list(processor.image_mean), list(processor.image_std)) if normal else ([0.0], [1.0])
        seen = ImageReading(tile, tile, channels, mean, std, "bilinear", processor, pixel_range=self.pixel_range)
        weights = dict(zip(self.labels, self.class_weights, strict=True)) if self.class_weights else None
        ordered = [weights[label] for label in labels] if weights else None
        return self.telling(model_config, labels=labels, class_weights=ordered, tile_size=tile, seen=seen)

    def encode(self, dataset: Dataset, processor: Any) -> Dataset:
        """Rows in the same order: `id`, `image` and `mask` as they are stored, the mask with the ids of the model's
        classes; `tiles` (that the picture has room for), `length` (1) and `truncated` (False). Raises HfkitError: the
        split has a class that the task does not know."""
        names = dataset.features["label"].feature.names
        stored = undecoded(dataset, "image", "mask")
        if list(names) != self.labels:
            table = np.full(256, VOID, dtype=np.uint8)
            table[: len(names)] = self.ids_of(names)
            renamed = [{"bytes": png(table[ids_of(mask)]), "path": None} for mask in stored["mask"]]
            masks = Dataset.from_dict({"mask": renamed}, features=Features(mask=Image(decode=False)))
            stored = concatenate_datasets([stored.select_columns("image"), masks], axis=1)
        tiles = [self._tiles(mask) for mask in stored["mask"]]
        return beside(stored, dataset, {"tiles": tiles}, {"tiles": Value("int32")})

    def read(self, dataset: Dataset, rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Rows with bytes: in training `tile` (channels, tile, tile), cut and changed at random; in evaluation
        `picture`, the whole of it, made smaller where `image_size` says so; and `mask`, then of the picture's own size.
        """
        features = super().read(dataset, rows, epoch)
        for row, feature in zip(rows, features, strict=True):
            picture = decode_again(feature.pop("image"), row=feature["id"], pixel_range=self.pixel_range)
            mask, pixels = ids_of(feature["mask"]), self.pixels(picture)
            if epoch is None:
                feature["picture"], feature["mask"] = pixels, torch.from_numpy(mask)
                continue
            size = pixels.shape[2], pixels.shape[1]
            nearest = np.array(Pictures.fromarray(mask).resize(size, Pictures.Resampling.NEAREST))
            with seeded(self.seed, epoch, row):
                feature["tile"], feature["mask"] = self._cut(pixels, torch.from_numpy(nearest))
        return features

    @cached_property
    def _cut(self) -> Any:
        assert self.tile_size is not None
        return tile_of(self.augment, self.tile_size)

    @property
    def _seen(self) -> ImageReading:
        assert self.seen is not None, "for_model gives the task the processor"
        return self.seen

    def _tiles(self, mask: dict[str, Any]) -> int:
        with Pictures.open(io.BytesIO(mask["bytes"]), formats=["PNG"]) as opened:
            width, height = opened.size
        share = min(1.0, self.image_size / max(width, height)) if self.image_size else 1.0
        tile = self.tile_size or USUAL
        return min(max(1, round(width * height * share**2 / tile**2)), MOST_TILES)

    def pixels(self, picture: Pictures.Image) -> torch.Tensor:
        """Bytes (channels, rows, columns), the longer side of `image_size` pixels where the picture is larger."""
        if self.image_size is not None and max(picture.size) > self.image_size:
            share = self.image_size / max(picture.size)
            size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
            picture = picture.resize(size, Pictures.Resampling.BILINEAR, reducing_gap=2.0)
        return self._seen.pixels(picture).permute(2, 0, 1)

    def numbers(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bytes (..., channels, rows, columns), normalised as the processor does it."""
        mean, std = (torch.tensor(values).expand(self._seen.channels) for values in (self._seen.mean, self._seen.std))
        return (pixels.float() / 255 - mean[:, None, None]) / std[:, None, None]

    def collate(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """Of tiles `pixel_values` (tiles, channels, tile, tile), in memory channels last, and `labels` (tiles, tile,
        tile); of whole pictures the lists `pictures`, (channels, rows, columns) each, and `masks`."""
        masks = [feature["mask"] for feature in features]
        if "picture" in features[0]:
            return {"pictures": [self.numbers(feature["picture"]) for feature in features], "masks": masks}
        tiles = self.numbers(torch.stack([feature["tile"] for feature in features]))
        return {"pixel_values": tiles.to(memory_format=torch.channels_last), "labels": torch.stack(masks).long()}

    def weight(self, batch: dict[str, Any]) -> float:
        """Tiles: each one's loss is a mean over its pixels."""
        return float(len(batch["labels"] if "labels" in batch else batch["masks"]))

    def logits(self, model: torch.nn.Module, pixel_values: torch.Tensor) -> torch.Tensor:
        """(tiles, classes, tile, tile) in float32; a model that answers at a quarter of the size is made larger."""
        logits: torch.Tensor = model(pixel_values=pixel_values).logits.float()
        return resized(logits, *pixel_values.shape[-2:])

    def probabilities(
        self, model: torch.nn.Module, picture: torch.Tensor, size: tuple[int, int], tta: str = "none"
    ) -> torch.Tensor:
        """What the model says of a whole picture, (channels, rows, columns) as `numbers` makes it: (classes, *size),
        from overlapping tiles."""

        def run(tiles: torch.Tensor) -> torch.Tensor:
            return self.logits(model, tiles.to(memory_format=torch.channels_last)).softmax(1)

        assert self.tile_size is not None
        at_once = max(1, AT_ONCE // self.tile_size**2)
        ways = list(turned(tta))
        found = sum(back(blended(run, there(picture), self.tile_size, at_once)) for there, back in ways)
        return resized(found[None] / len(ways), *size)[0]  # type: ignore[index]

    def loss_and_predictions(
        self, model: torch.nn.Module, batch: dict[str, Any]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Of tiles the sum of their losses, and each one's `loss`. Of whole pictures also `confusion`, `boundary` and
        `calibration`, see metrics.py, at their own size."""
        if "labels" in batch:
            rows = by_tile(self.logits(model, batch["pixel_values"]), batch["labels"], self.loss, self.class_weights)
            return rows.sum(), {"loss": rows.detach()}
        found: dict[str, list[torch.Tensor]] = {"confusion": [], "boundary": [], "calibration": [], "loss": []}
        for picture, mask in zip(batch["pictures"], batch["masks"], strict=True):
            shares = self.probabilities(model, picture, tuple(mask.shape), self.tta if self.done else "none")
            logits, said = shares.clamp(min=1e-7).log()[None], shares.argmax(0).to(torch.uint8)
            found["confusion"].append(confusion(mask, said, len(self.labels)))
            found["boundary"].append(boundaries(mask, said))
            found["calibration"].append(calibration(mask, shares))
            found["loss"].append(by_tile(logits, mask[None].long(), self.loss, self.class_weights)[0])
        stacked = {name: torch.stack(rows).cpu() for name, rows in found.items()}
        return stacked["loss"].sum(), stacked

    def finished(self) -> Self:
        """A copy that looks at each picture in all the ways that were asked for."""
        return replace(self, done=True)

    def keep(self, run: Any, processor: Any, model: Any, data: DatasetDict, encoded: DatasetDict, table: Any) -> None:
        """The pictures that a report shows."""
        from hfkit.tasks.image_segmentation import overlays

        overlays.keep(run, self, model, encoded["test"], table)


def ids_of(mask: dict[str, Any]) -> np.ndarray:
    """(rows, columns) bytes of a kept mask."""
    return read_mask(mask).pixels.astype(np.uint8)


def _balanced(train: Dataset, classes: int) -> list[float]:
    """Weights of the classes by 1 / their pixels: 1 on average over the pixels, and 1 for a class without any."""
    counts = np.zeros(256)
    for mask in undecoded(train, "mask")["mask"]:
        counts += np.bincount(ids_of(mask).ravel(), minlength=256)
    counts = counts[:classes]
    shares = counts / max(counts.sum(), 1)
    weights = np.divide(1, shares * (counts > 0).sum(), out=np.ones(classes), where=counts > 0)
    return [float(weight) for weight in weights]
