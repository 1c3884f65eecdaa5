"""Augmentation: named transformations of torchvision, the same for a sample of an epoch wherever they are made.

torchvision's transformations draw from torch's global generator. It is seeded for every sample from (seed, epoch,
sample) and put back afterwards, so that neither workers, processes nor a resume can change what a sample looks like.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from PIL.Image import Image as Picture
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from hfkit.base.errors import HfkitError, nearest
from hfkit.data.vision.decode import Stored, decode_again, named, pixels_again
from hfkit.data.vision.reading import ImageReading

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "light": ("crop", "flip"),
    "medium": ("resized_crop", "flip", "color"),
    "strong": ("resized_crop", "flip", "randaugment", "erase"),
}
"""What --augment takes instead of a list."""

SMALL = 64  # up to so many pixels a side AutoAugment takes the policy that was found on CIFAR-10, above it ImageNet's
KEPT, OVERHEAD = 256 * 2**20, 1000  # bytes of small frames that a process keeps, and what each takes besides its pixels
SCALE = (0.35, 1.0)
"""Of `resized_crop`: the share of the picture's area. ImageNet's 0.08 leaves too little of small data sets."""


First = Callable[[Stored, object], torch.Tensor]
"""Makes the frame of a stored picture and its row's id: bytes, (height, width, channels)."""


def framed(seen: ImageReading) -> First:
    """The part that evaluation sees, from a picture of twice its sides at least. Small frames are made once in a
    process and kept, up to `KEPT` bytes: to open a file takes longer than all that comes after."""
    kept: dict[object, torch.Tensor] = {}
    small = seen.height * seen.width <= SMALL**2
    most = KEPT // (seen.height * seen.width * seen.channels + OVERHEAD) if small else 0

    def frame(stored: Stored, row: object) -> torch.Tensor:
        key = named(stored) if most else None
        if key in kept:
            return kept[key]
        twice = (2 * seen.width, 2 * seen.height)
        made = seen.frame(decode_again(stored, lambda *whole: twice, row, seen.pixel_range))
        if len(kept) < most:
            kept[key] = made
        return made

    return frame


def boxed(seen: ImageReading) -> First:
    """torchvision's RandomResizedCrop, its box drawn before the picture is decoded. So a JPEG is decoded no larger than
    the box needs, and only the box is resized."""
    draw = v2.RandomResizedCrop((seen.height, seen.width), scale=SCALE).make_params

    def cut(stored: Stored, row: object) -> torch.Tensor:
        whole, box = (0, 0), (0, 0, 0, 0)

        def enough(width: int, height: int) -> tuple[int, int]:
            nonlocal whole, box
            drawn = draw([torch.empty(1, height, width, device="meta")])
            left, top = drawn["left"], drawn["top"]
            whole, box = (width, height), (left, top, left + drawn["width"], top + drawn["height"])
            return seen.width * width // drawn["width"], seen.height * height // drawn["height"]

        pixels = pixels_again(stored, enough, row, seen.pixel_range)
        x, y = pixels.shape[1] / whole[0], pixels.shape[0] / whole[1]
        rows, columns = slice(round(box[1] * y), round(box[3] * y)), slice(round(box[0] * x), round(box[2] * x))
        return seen.resized(seen.coloured(pixels[rows, columns]))

    return cut


def _crop(seen: ImageReading) -> Callable[[torch.Tensor], torch.Tensor]:
    """v2.RandomCrop with padding: what it draws and what it makes, in a fifth of its time on small pictures."""
    room = max(1, seen.height // 8)

    def crop(pixels: torch.Tensor) -> torch.Tensor:
        y, x = (int(torch.randint(0, 2 * room + 1, size=())) - room for _ in range(2))
        height, width = seen.height - abs(y), seen.width - abs(x)
        made = torch.zeros_like(pixels)
        made[max(0, -y) :, max(0, -x) :][:height, :width] = pixels[max(0, y) :, max(0, x) :][:height, :width]
        return made

    return crop


def _mirror(dim: int) -> "Step":
    return lambda seen: lambda pixels: pixels.flip(dim) if float(torch.rand(1)) < 0.5 else pixels


def _on_picture(change: Callable[[Picture], Picture]) -> "Step":
    """A transformation of Pillow's pictures, which there is quicker than of bytes."""

    def step(seen: ImageReading) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda pixels: seen.pixels(change(F.to_pil_image(pixels.permute(2, 0, 1))))

    return step


def _erase(seen: ImageReading) -> Callable[[torch.Tensor], torch.Tensor]:
    """The erased part is the mean, to the nearest byte."""
    mean = [min(max(round(255 * value), 0), 255) for value in seen.mean] * (seen.channels // len(seen.mean))
    erase = v2.RandomErasing(p=0.25, value=mean)
    return lambda pixels: erase(pixels.permute(2, 0, 1)).permute(1, 2, 0)


Step = Callable[[ImageReading], Callable[[torch.Tensor], torch.Tensor]]
STEPS: dict[str, Step] = {
    "crop": _crop,
    "zoom": _on_picture(v2.RandomAffine(0, scale=(0.7, 1.3))),
    "rotate": _on_picture(v2.RandomRotation(15, interpolation=v2.InterpolationMode.BILINEAR)),
    "flip": _mirror(1),
    "vertical_flip": _mirror(0),
    "color": _on_picture(v2.ColorJitter(0.3, 0.3, 0.3)),
    "randaugment": _on_picture(v2.RandAugment()),
    "autoaugment": lambda seen: _on_picture(
        v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10 if seen.height <= SMALL else v2.AutoAugmentPolicy.IMAGENET)
    )(seen),
    "trivialaugment": _on_picture(v2.TrivialAugmentWide()),
    "erase": _erase,
}
"""Name -> what it makes of a framed picture's bytes, (height, width, channels); in the order of their application."""

NAMES = ("resized_crop", *STEPS)
"""All that --augment knows, in the order of their application: `resized_crop` makes the frame."""


def steps(
    asked: Sequence[str], presets: Mapping[str, Sequence[str]] = PRESETS, names: Collection[str] = NAMES
) -> list[str]:
    """Presets spelt out, each name once, in the order in which they are applied: by default those of a picture alone.
    Refuses a name that there is not."""
    wanted: set[str] = set()
    for name in asked:
        if name not in presets and name not in names:
            known = [*presets, *names]
            raise HfkitError(f"There is no augmentation {name!r}", where="--augment", fix=nearest(name, known))
        wanted.update(presets.get(name, (name,)))
    return [name for name in names if name in wanted]


def varied(names: Sequence[str], seen: ImageReading) -> First:
    """A function from a stored picture to what the model sees of it, changed at random by torch's generator: bytes,
    (height, width, channels). `ImageReading.numbers` normalises a whole batch at once."""
    first = boxed(seen) if "resized_crop" in names else framed(seen)
    others = [STEPS[name](seen) for name in names if name in STEPS]

    def change(stored: Stored, row: object) -> torch.Tensor:
        pixels = first(stored, row)
        for step in others:
            pixels = step(pixels)
        return pixels

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
    both are on, either comes half of the time. `mixup` and `cutmix` are the alpha of the Beta distribution that the
    share is drawn from; 0 is off. Pictures are (channels, height, width)."""
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
