"""ImageReading: how a model wants its pictures, taken from the processor that is saved with it.

Evaluation and the pipeline give pictures to the processor itself, as plain transformers does. Training needs the parts:
the frame (resize and crop), and numbers from pixels (mean and deviation).
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

ROUNDED = 3  # steps of 256 by which two ways to resize and round may differ


@dataclass(frozen=True)
class ImageReading:
    """What the model sees of a picture."""

    height: int  # of the frame, in pixels, as the width
    width: int
    channels: int  # 1 for a grey model, else 3
    mean: list[float]  # of each channel, where pixels go from 0 to 1; so std
    std: list[float]
    interpolation: str  # of the resize: bilinear, bicubic, ...
    processor: Any  # the transformers image processor
    # The frame is the whole picture, resized; else the processor is asked for it, which takes longer
    whole: bool = False
    repeatable: bool = True  # what `frame` and `numbers` make is what `look` makes
    pixel_range: list[float] | None = None  # what becomes black and white of pixels of more than 8 bits, as in training

    @classmethod
    def of(cls, processor: Any, model_config: Any = None) -> "ImageReading":
        """Reads a processor of timm or of transformers."""
        channels = int(getattr(model_config, "num_channels", None) or 3)
        timm = getattr(processor, "data_config", None)
        if timm is not None:
            _, height, width = timm["input_size"]
            mean, std = list(map(float, timm["mean"])), list(map(float, timm["std"]))
            return cls(height, width, channels, mean, std, str(timm["interpolation"]), processor)
        size = dict(getattr(processor, "size", None) or {"height": 224, "width": 224})
        crop = dict(getattr(processor, "crop_size", None) or {}) if getattr(processor, "do_center_crop", False) else {}
        edge = size.get("shortest_edge") or size.get("longest_edge")
        height = int(crop.get("height") or size.get("height") or edge or 224)
        width = int(crop.get("width") or size.get("width") or edge or 224)
        normal = getattr(processor, "do_normalize", True)
        resample = getattr(processor, "resample", None)
        name = Image.Resampling(int(resample)).name.lower() if resample is not None else "bilinear"
        mean, std = (list(processor.image_mean), list(processor.image_std)) if normal else ([0.0], [1.0])
        whole = not getattr(processor, "do_center_crop", False)
        with torch.device("cpu"):  # the model may be made on no device at all
            return cls(height, width, channels, mean, std, name, processor, whole)._proven()

    def _proven(self) -> "ImageReading":
        """This, or what it has to be: some processors crop, scale or turn the channels in ways of their own."""
        if self.channels not in (1, 3) or self._repeats():  # no picture has another number: the model is refused
            return self
        try:
            black, white = (self.look([Image.new("RGB", (64, 64), colour)])[0] for colour in ("black", "white"))
        except Exception:  # each processor fails in its own way
            return replace(self, repeatable=False)
        std = (1 / (white - black).flatten(1).mean(dim=1)).tolist()
        mean = [-low * scale for low, scale in zip(black.flatten(1).mean(dim=1).tolist(), std, strict=True)]
        height, width = black.shape[-2:]
        asked = replace(self, height=height, width=width, mean=mean, std=std, whole=False)
        return asked if asked._repeats() else replace(self, repeatable=False)

    def _repeats(self) -> bool:
        """Whether training can be shown what evaluation sees: tried with a picture that betrays any other crop."""
        y, x = np.mgrid[:240, :320]
        planes = [x * 255 // 319, y * 255 // 239, 255 - x * 255 // 319]
        ramps = Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))
        try:
            seen, made = self.look([ramps])[0], self.numbers(self.frame(ramps))
        except Exception:  # each processor fails in its own way
            return False
        steps = (seen - made).abs().amax() * 255 * min(self.std) if seen.shape == made.shape else torch.inf
        return bool(steps < ROUNDED)

    def settings(self) -> dict[str, Any]:
        """All but the processor, as JSON."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "processor"}

    def look(self, images: list[Image.Image]) -> torch.Tensor:
        """RGB pictures -> (images, channels, height, width), as evaluation and the pipeline see them."""
        pixels: torch.Tensor = self.processor(images=self._coloured(images), return_tensors="pt")["pixel_values"]
        return pixels

    def frame(self, image: Image.Image) -> torch.Tensor:
        """The part of the picture that `look` would show: bytes, (height, width, channels)."""
        (image,) = self._coloured([image])
        steps = getattr(self.processor, "val_transforms", None)
        if steps is not None:
            for step in steps.transforms:
                if type(step).__name__ in ("ToTensor", "MaybeToTensor", "PILToTensor", "MaybePILToTensor", "ToNumpy"):
                    break
                image = step(image)
            return self.pixels(image)
        if self.whole:
            return self.resized(self.pixels(image))
        numbers = ("do_rescale", "do_normalize", "include_top")  # the last one is EfficientNet's second normalisation
        left_out = {step: False for step in numbers if hasattr(self.processor, step)}
        pixels = self.processor(images=[image], **left_out, return_tensors="pt")
        made = torch.as_tensor(pixels["pixel_values"][0]).round().clamp(0, 255).to(torch.uint8)
        return made.permute(1, 2, 0)

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """All of a picture as the model's channels: bytes, (rows, columns, channels)."""
        (image,) = self._coloured([image])
        return torch.from_numpy(np.array(image)).view(image.height, image.width, self.channels)

    def coloured(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bytes (rows, columns, 1 or 3) -> as many channels as the model has."""
        if pixels.shape[2] == self.channels:
            return pixels
        return pixels.expand(-1, -1, 3) if self.channels == 3 else self.pixels(Image.fromarray(pixels.numpy()))

    def resized(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bytes (rows, columns, channels) -> (height, width, channels). Bytes whose channels come last, also by the
        strides of a batch of one, take torch a third of Pillow's time."""
        if pixels.shape[:2] == (self.height, self.width):
            return pixels
        planes, size = pixels[None].permute(0, 3, 1, 2), [self.height, self.width]
        if self.resampling in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):  # what F.resize calls, sooner
            made = interpolate(planes, size, mode=self.resampling.value, antialias=True)
        else:
            made = F.resize(planes, size, self.resampling)
        return made.permute(0, 2, 3, 1)[0]

    def numbers(self, pixels: torch.Tensor) -> torch.Tensor:
        """Framed bytes (..., height, width, channels) -> (..., channels, height, width), normalised. In memory the
        channels stay last."""
        scale, shift = self._row
        rows = pixels.flatten(-2).to(torch.float32).mul_(scale).add_(shift)
        return rows.view(pixels.shape).movedim(-1, -3)

    @cached_property
    def _row(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Factor and summand of each number in a row of pixels: torch is ten times slower along three channels."""
        mean, std = (torch.tensor(values).expand(self.channels) for values in (self.mean, self.std))
        return (1 / (255 * std)).repeat(self.width), (-mean / std).repeat(self.width)

    @cached_property
    def resampling(self) -> InterpolationMode:
        """The interpolation by torchvision's name; what timm chooses at random counts as bicubic."""
        known = {mode.value: mode for mode in InterpolationMode}
        return known.get(self.interpolation, InterpolationMode.BICUBIC)

    def _coloured(self, images: list[Image.Image]) -> list[Image.Image]:
        mode = "L" if self.channels == 1 else "RGB"
        return [image if image.mode == mode else image.convert(mode) for image in images]
