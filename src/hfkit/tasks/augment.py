"""Augmentation: named transformations of torchvision, the same for a sample of an epoch wherever they are made.

torchvision's transformations draw from torch's global generator. It is seeded for every sample from (seed, epoch,
sample) and put back afterwards, so that neither workers, processes nor a resume can change what a sample looks like.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from hfkit.errors import HfkitError, nearest
from hfkit.tasks.image_reading import ImageReading

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "light": ("crop", "flip"),
    "medium": ("resized_crop", "flip", "color"),
    "strong": ("resized_crop", "flip", "randaugment", "erase"),
}
"""What --augment takes instead of a list."""

SMALL = 64
"""Up to so many pixels a side AutoAugment takes the policy that was found on CIFAR-10, above it ImageNet's."""

SCALE = (0.35, 1.0)
"""Of `resized_crop`: the share of the picture's area. ImageNet's 0.08 leaves too little of small data sets."""


class ResizedCrop(v2.RandomResizedCrop):
    """torchvision's, with its boxes, but resized as a tensor of bytes: that takes a third of Pillow's time."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Image.Image:
        """An RGB or grey picture -> its box, in the size of the frame."""
        left, top = params["left"], params["top"]
        pixels = np.array(inpt.crop((left, top, left + params["width"], top + params["height"])))
        planes = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)
        resized = F.resize(planes, self.size, interpolation=self.interpolation, antialias=self.antialias)
        seen = resized.permute(1, 2, 0).numpy()
        return Image.fromarray(seen if inpt.mode == "RGB" else seen[..., 0])


Step = Callable[[ImageReading], Any]
ON_PICTURES: dict[str, Step] = {
    "resized_crop": lambda seen: ResizedCrop(
        (seen.height, seen.width), scale=SCALE, interpolation=seen.resampling, antialias=True
    ),
    "crop": lambda seen: v2.RandomCrop((seen.height, seen.width), padding=max(1, seen.height // 8)),
    "zoom": lambda seen: v2.RandomAffine(0, scale=(0.7, 1.3)),
    "rotate": lambda seen: v2.RandomRotation(15, interpolation=v2.InterpolationMode.BILINEAR),
    "flip": lambda seen: v2.RandomHorizontalFlip(),
    "vertical_flip": lambda seen: v2.RandomVerticalFlip(),
    "color": lambda seen: v2.ColorJitter(0.3, 0.3, 0.3),
    "randaugment": lambda seen: v2.RandAugment(),
    "autoaugment": lambda seen: v2.AutoAugment(
        v2.AutoAugmentPolicy.CIFAR10 if seen.height <= SMALL else v2.AutoAugmentPolicy.IMAGENET
    ),
    "trivialaugment": lambda seen: v2.TrivialAugmentWide(),
}
"""Name -> the transformation, in the order in which they are applied. `resized_crop` makes the frame itself."""

ON_NUMBERS: dict[str, Step] = {"erase": lambda seen: v2.RandomErasing(p=0.25)}
"""The same for what comes after the normalisation: the erased part is the mean."""


def steps(asked: Sequence[str]) -> list[str]:
    """Presets spelt out, each name once, in the order in which they are applied.

    Raises:
        HfkitError: A name that is neither a preset nor a transformation.
    """
    wanted: set[str] = set()
    for name in asked:
        if name not in PRESETS and name not in ON_PICTURES and name not in ON_NUMBERS:
            known = [*PRESETS, *ON_PICTURES, *ON_NUMBERS]
            raise HfkitError(f"There is no augmentation {name!r}", where="--augment", fix=nearest(name, known))
        wanted.update(PRESETS.get(name, (name,)))
    return [name for name in [*ON_PICTURES, *ON_NUMBERS] if name in wanted]


def varied(names: Sequence[str], seen: ImageReading) -> Callable[[Image.Image], torch.Tensor]:
    """A function from an RGB picture to what the model sees of it, changed at random by torch's generator."""
    before = v2.Compose([ON_PICTURES[name](seen) for name in names if name in ON_PICTURES] or [v2.Identity()])
    after = v2.Compose([ON_NUMBERS[name](seen) for name in names if name in ON_NUMBERS] or [v2.Identity()])
    frames_itself = "resized_crop" in names

    def change(image: Image.Image) -> torch.Tensor:
        framed = before(image if frames_itself else seen.frame(image))
        numbers: torch.Tensor = after(seen.numbers(framed))
        return numbers

    return change


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Inside, torch's generator is a function of `key` alone; afterwards it is what it was. No other is touched."""
    before = torch.default_generator.get_state()
    # The CPU's generator alone: torch.manual_seed would seed those of the GPUs too.
    torch.default_generator.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


def mixed(
    one: torch.Tensor, other: torch.Tensor, mixup: float, cutmix: float, rng: np.random.Generator
) -> tuple[torch.Tensor, float]:
    """Two pictures as one, and the first one's share of it, which is its share of the label.

    Mixup (Zhang et al. 2018) adds them up, CutMix (Yun et al. 2019) pastes a box of the second into the first. Where
    both are on, either comes half of the time.

    Args:
        one, other: (channels, height, width).
        mixup, cutmix: The alpha of the Beta distribution that the share is drawn from; 0 is off.
        rng: The sample's own.
    """
    paste = cutmix > 0 and (mixup == 0 or rng.random() < 0.5)
    alpha = cutmix if paste else mixup
    share = float(rng.beta(alpha, alpha))
    if not paste:
        return share * one + (1 - share) * other, share
    height, width = one.shape[-2:]
    high, wide = round(height * (1 - share) ** 0.5), round(width * (1 - share) ** 0.5)
    y, x = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
    pasted = one.clone()
    pasted[..., y : y + high, x : x + wide] = other[..., y : y + high, x : x + wide]
    return pasted, 1 - high * wide / (height * width)
