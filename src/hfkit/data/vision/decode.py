"""Decoding: the bytes of an image file -> an upright picture of 8 bits a channel, or why there is none.

Everything that looks at a picture comes through `decode`: checks at loading, training, evaluation, the pipeline.
"""

import hashlib
import io
import stat
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from mimetypes import MimeTypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import ExifTags, Image

from hfkit.base.errors import HfkitError
from hfkit.data.vision.pixels import BadImage as BadImage
from hfkit.data.vision.pixels import PixelRange, is_deep, is_halved, middle, numbers, plain, turned

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

T = TypeVar("T")

Image.init()  # Pillow would find its readers at the first picture, in several threads at once
with suppress(ImportError):  # a plug-in that may be there
    import_module("pillow_heif").register_heif_opener()

# Pillow reads more; these are the formats whose readers are small, and start no other program (EPS starts one).
FORMATS = tuple(
    name for name in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "HEIF") if name in Image.OPEN
)
SUFFIXES = tuple(
    sorted({ending for ending, name in Image.registered_extensions().items() if name in FORMATS}
           | {".avif", ".heic", ".heif", ".hif"})
)  # fmt: skip
"""Endings that claim a picture: what has one and is none is told. Behind others `is_picture` looks at the bytes."""

_FTYP = (b"avif", b"avis", b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
_KINDS = MimeTypes()  # Python's own list: /etc/mime.types differs from machine to machine
MAX_PIXELS = 178_956_970  # Pillow's own limit, at which it speaks of a decompression bomb: a picture of 0.5 GB
MAX_RATIO = 500
"""Of the longer side to the shorter: processors that resize the shorter side make a strip as much longer."""

MAX_BYTES = 1 << 30  # of a file: the largest picture that is decoded, uncompressed, in 16 bits
Stored = str | Path | bytes | dict[str, Any]
"""An undecoded picture: a path, the bytes of a file, or datasets' {"path", "bytes"}."""

Enough = Callable[[int, int], tuple[int, int]]
"""Width and height of a whole picture, upright -> those with which the caller is content."""

_SIDEWAYS = (5, 6, 7, 8)  # values of EXIF's orientation that turn width into height


@dataclass(frozen=True)
class Facts:
    """What looking at a picture tells before training."""

    width: int  # upright, in pixels, as the height
    height: int
    grey: bool  # no pixel has a colour
    frames: int  # more than one in an animation, of which the first is used
    digest: str  # sha256 of size and pixels: two files with the same picture have the same
    # Of pixels of more than 8 bits the lowest and the highest, with the ends of the middle 99 % in between
    deep: tuple[float, float, float, float] | None = None
    halved: bool = False  # it has 16 bits a colour, of which Pillow reads 8


def decode(stored: Stored, enough: Enough | None = None, pixel_range: PixelRange | None = None) -> Image.Image:
    """The picture, upright as its EXIF orientation says, in RGB, or in L where the file knows no colours.

    Palettes are looked up, CMYK is converted, and what is transparent shows white. Grey pixels of more than 8 bits, and
    numbers with a fraction, are scaled to 8 bits. Of an animation the first frame.

    Args:
        enough: Asked once, before the picture is decoded. A JPEG is then decoded at a half, a quarter or an eighth
            where it stays as large, in a fraction of the time. None: every pixel.
        pixel_range: What becomes 0 and 255 of pixels of more than 8 bits. None: all that 16 bits can hold, and 0 to 1
            for fractions.

    Raises:
        BadImage: No picture, a damaged one, or one of more than `MAX_PIXELS`.
    """
    return _opened(stored, enough, lambda image, data: plain(turned(image), pixel_range))[0]


def decode_pixels(
    stored: Stored, enough: Enough | None = None, pixel_range: PixelRange | None = None
) -> "torch.Tensor":
    """As `decode`, to bytes (rows, columns, 1 or 3). A JPEG in colour that is wanted whole fills a tensor at once: the
    same pixels in four fifths of the time."""
    return _opened(stored, enough, lambda image, data: _bytes(image, data, pixel_range))[0]


def _again(read: Callable[..., T]) -> Callable[..., T]:
    """As `read`, for a picture of loaded data: one that is whole no more, told by its id `row`, is an HfkitError."""

    def again(
        stored: Stored, enough: Enough | None = None, row: object = "", pixel_range: PixelRange | None = None
    ) -> T:
        try:
            return read(stored, enough, pixel_range)
        except BadImage as error:
            named = stored if isinstance(stored, str) else stored.get("path") if isinstance(stored, dict) else None
            what = f"The image {row or named} {error}; it was whole when the data was loaded"
            raise HfkitError(what, fix="put the file back, then give the same command again") from error

    return again


decode_again, pixels_again = _again(decode), _again(decode_pixels)


def examine(stored: Stored) -> Facts:
    """Decodes the picture and says what it is. Raises as `decode`."""
    (halved, image), frames = _opened(stored, None, lambda image, data: (is_halved(image), turned(image)))
    deep = None
    if is_deep(image):
        pixels = numbers(image)
        deep, grey = (float(pixels.min()), *middle(pixels), float(pixels.max())), True
    else:
        pixels = np.asarray(plain(image).convert("RGB"))
        grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
    digest = hashlib.sha256(f"{image.width} {image.height} ".encode() + pixels.tobytes()).hexdigest()
    return Facts(image.width, image.height, grey, frames, digest, deep, halved)


def as_stored(stored: Stored) -> tuple[Image.Image, str]:
    """The picture, upright, with the numbers of its file, and the name of its format. Raises as `decode`."""
    return _opened(stored, None, lambda image, data: (turned(image), str(image.format)))[0]


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, whole or damaged: its ending claims so, or its first bytes are those of one. An
    ending that is known for something else (.txt, .mp4) is believed. TIFF and PPM are not looked for behind other
    endings: cameras' own formats begin like the one, and a text may like the other."""
    ending = path.suffix.lower()
    if ending in SUFFIXES:
        return True
    kind, packed = _KINDS.guess_type(path.name)
    if packed or (kind and not kind.startswith("image/")):
        return False
    formats: list[str] = [name for name in FORMATS if name not in ("TIFF", "PPM") or not ending]
    try:
        with Image.open(path, formats=formats):  # reads the header
            return True
    except Exception:  # each format's reader fails in its own way
        return False


def _held(stored: Stored) -> str | Path | bytes:
    """The bytes that are stored, else the path."""
    if isinstance(stored, dict):
        return stored["bytes"] if stored.get("bytes") is not None else stored.get("path") or b""
    return stored


def data_of(stored: Stored) -> bytes:
    """The file's bytes, as they are. Raises BadImage where there is no such file, or it may not be read."""
    if isinstance(stored := _held(stored), bytes):
        return stored
    try:
        path = Path(stored)
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise BadImage("is no file, but a pipe or device")
        if state.st_size > MAX_BYTES:
            raise BadImage(f"has {state.st_size:,} bytes, more than any picture that is read")
        return path.read_bytes()
    except BadImage:
        raise
    except (OSError, ValueError) as error:
        raise BadImage(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def named(stored: Stored) -> object:
    """What tells a stored picture from others: its path, or a digest of its bytes."""
    held = _held(stored)
    return hashlib.blake2b(held, digest_size=16).digest() if isinstance(held, bytes) else str(held)


def _opened(stored: Stored, enough: Enough | None, take: Callable[[Image.Image, bytes], T]) -> tuple[T, int]:
    """What `take` makes of the opened picture and the bytes of its file, and the number of frames."""
    data = data_of(stored)
    if not data:
        raise BadImage("is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns from half its limit on
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                pixels = f"{image.width:,} x {image.height:,} pixels"
                if image.width * image.height > MAX_PIXELS:
                    raise BadImage(_too_large(pixels))
                if max(image.size) > MAX_RATIO * min(image.size):
                    raise BadImage(f"is a strip of {pixels}: it could be made to fill the memory")
                frames = getattr(image, "n_frames", 1)
                if enough is not None:
                    # Pillow tells a TIFF's size upright already.
                    sideways = image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
                    size = enough(*(image.size[::-1] if sideways else image.size))
                    image.draft(None, size[::-1] if sideways else size)
                return take(image, data), 1 if image.format == "MPO" else frames
    except BadImage:
        raise
    except Image.DecompressionBombError as error:
        raise BadImage(_too_large(str(error).split("(")[1].split(")")[0] if "(" in str(error) else "it")) from error
    except Image.UnidentifiedImageError as error:
        if data[4:8] == b"ftyp" and data[8:12] in _FTYP:
            raise BadImage("is HEIC or AVIF, which pillow-heif reads: pip install pillow-heif") from error
        raise BadImage("is not an image") from error
    except Exception as error:  # each format's reader fails in its own way on damaged bytes
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise BadImage(f"is damaged: {reason}") from error


def _bytes(image: Image.Image, data: bytes, pixel_range: PixelRange | None) -> "torch.Tensor":
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    reduced = getattr(image, "decoderconfig", ())[:1] not in ((), (1,))
    rotated = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    if image.format == "JPEG" and image.mode == "RGB" and not reduced and not rotated:
        with suppress(RuntimeError):  # Pillow also reads a file without its end mark, as `examine` did
            return decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB).permute(1, 2, 0)
    pixels = np.array(plain(turned(image), pixel_range))
    return torch.from_numpy(pixels).view(*pixels.shape[:2], -1)


def _too_large(size: str) -> str:
    return f"is larger than {MAX_PIXELS:,} pixels ({size}): it could be made to fill the memory"


def undecoded(rows: "Dataset", *columns: str) -> "Dataset":
    """These columns alone, the pictures in them as {"bytes", "path"}, which `decode` takes."""
    from datasets import Image as ImageFeature

    rows = rows.select_columns(list(columns))
    for name in [name for name, kind in rows.features.items() if isinstance(kind, ImageFeature)]:
        rows = rows.cast_column(name, ImageFeature(decode=False))
    return rows
