"""Masks: files that say of each pixel what it is -> class ids, whatever way they were written in.

A mask is kept as a grey PNG of class ids, with `VOID` where nothing is known, whatever it came as.
"""

import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from hfkit.base.errors import HfkitError, nearest
from hfkit.data.tables.table import counted
from hfkit.data.vision.decode import Stored, as_stored
from hfkit.data.vision.pixels import BadImage

VOID = 255
"""What stands in a kept mask for pixels that are neither learnt nor judged."""

MOST = 255
"""Classes; an id is a byte."""

FEW = 64
"""Values of a mask, or colours of one, that are taken for classes without a table that says so."""

SMEARED = 48
"""By how much JPEG may have moved 0 or 255."""

BINARY = ("background", "foreground")


@dataclass(frozen=True)
class Mask:
    """What a mask's file holds."""

    pixels: np.ndarray  # (rows, columns): numbers as they stand there, or red * 65,536 + green * 256 + blue
    coloured: bool
    lossy: bool  # a format that changes values was used


def read_mask(stored: Stored, colours: bool = False) -> Mask:
    """The pixels of a mask, upright. Indices of a palette are numbers, and so are pixels in colours that have none,
    unless `colours` are wanted. Transparency is not looked at. Raises BadImage: no picture, or numbers that are no
    whole ones."""
    image, kind = as_stored(stored)
    if colours or image.mode in ("CMYK", "YCbCr", "HSV", "LAB"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if image.mode == "F" and not (np.isfinite(pixels).all() and (pixels == np.round(pixels)).all()):
        raise BadImage("holds numbers with a fraction, which are no classes")
    if image.mode in ("RGB", "RGBA", "RGBX", "RGBa"):
        red, green, blue = np.moveaxis(pixels[..., :3].astype(np.int32), -1, 0)
        if colours or (red != green).any() or (green != blue).any():
            return Mask((red << 16) + (green << 8) + blue, True, kind == "JPEG")
        pixels = red
    elif pixels.ndim == 3:  # grey with transparency
        pixels = pixels[..., 0]
    return Mask(pixels.astype(np.int64 if image.mode in ("I", "F") else np.int32), False, kind == "JPEG")


@dataclass
class Values:
    """What the masks of all splits hold."""

    counts: Counter[int] = field(default_factory=Counter)  # value -> pixels
    coloured: bool = False
    lossy: bool = False

    def add(self, mask: Mask) -> None:
        """Count a mask's values. Raises BadImage: it has more than any mask."""
        found, times = counted_values(mask.pixels)
        if len(found) > 1 << 12:
            raise BadImage(f"has {len(found):,} different values: a photograph, and no mask")
        self.counts.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
        self.coloured |= mask.coloured
        self.lossy |= mask.lossy


def counted_values(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values that there are, ascending, and how often each."""
    if pixels.size and pixels.min() >= 0 and pixels.max() < 1 << 16:  # a tenth of the time that sorting takes
        times = np.bincount(pixels.ravel())
        found = np.flatnonzero(times)
        return found, times[found]
    return np.unique(pixels, return_counts=True)


@dataclass(frozen=True)
class Legend:
    """Which value is which class."""

    names: list[str]  # of the classes, by their ids
    ids: Mapping[int, int]  # value -> class id, or `VOID`
    nearest: bool = False  # other values count as the nearest one

    def apply(self, mask: Mask) -> bytes:
        """The mask as the bytes of a grey PNG of ids."""
        known = np.array(sorted(self.ids))
        ids = np.array([self.ids[value] for value in known.tolist()], dtype=np.uint8)
        if self.nearest:
            known = (known[1:] + known[:-1] + 1) // 2  # from here on it is the next one
            places = np.searchsorted(known, mask.pixels, side="right")
        else:
            places = np.searchsorted(known, mask.pixels)
        return png(ids[places])


def png(ids: np.ndarray) -> bytes:
    """(rows, columns) bytes as the bytes of a file."""
    written = io.BytesIO()
    Image.fromarray(ids).save(written, "PNG", compress_level=3)
    return written.getvalue()


def legend_of(
    values: Values,
    notes: list[str],
    names: Sequence[str] = (),
    table: Mapping[int, str] | None = None,
    void: int | None = None,
) -> Legend:
    """Which value of the masks is which class; what was decided is added to `notes`.

    Args:
        names: Of the classes 0, 1, ...
        table: Value or colour -> name, as a file beside the masks says it.
        void: A value that is neither learnt nor judged. Without one 255 is, where there are two more at least.

    Raises:
        HfkitError: Values that no name is known for, more of them than classes are taken for without a table, or JPEG
            has smeared them so that they cannot be told apart.
    """
    counts = values.counts
    given = [void] if void is not None else [255] if 255 in counts and len(counts) > 2 and not values.coloured else []
    if table:
        return _by_table(counts, table, given)
    plain = set(counts) - set(given)
    if not values.coloured and (len(counts) > FEW or values.lossy) and _is_smeared(counts):
        moved = sum(times for value, times in counts.items() if value not in (0, 255))
        said = f"{moved:,} of {counts.total():,} pixels of masks are neither 0 nor 255, as JPEG leaves them:"
        notes.append(f"{said} each counts as the nearer one")
        return Legend(list(names or BINARY), {0: 0, 255: 1}, nearest=True)
    if (len(plain) > FEW and len(plain) > len(names)) or (values.lossy and len(plain) > len(names) + 2):
        kind = "colours" if values.coloured else "values"
        why = ", and JPEG changes them" if values.lossy else ""
        fix = "save masks as PNG, a value for each class; --class_table names a file that says which is which"
        raise HfkitError(f"The masks hold {len(plain):,} different {kind}{why}: classes cannot be told", fix=fix)
    if given:
        share = sum(counts[value] for value in given) / max(counts.total(), 1)
        notes.append(f"value {given[0]} of the masks is void, neither learnt nor judged: {share:.1%} of the pixels")
    ids = dict.fromkeys(given, VOID) | _ids(sorted(plain), names, values.coloured)
    found = list(names) or _named(sorted(plain), values.coloured)
    never = [name for place, name in enumerate(found) if place not in ids.values()]
    notes += [f"classes that no mask holds: {', '.join(never)}"] if never else []
    return Legend(found, ids)


def _is_smeared(counts: Counter[int]) -> bool:
    """Whether nearly all values are near to 0 or 255, and some at both."""
    near = {end: sum(n for value, n in counts.items() if abs(value - end) <= SMEARED) for end in (0, 255)}
    return all(near.values()) and sum(near.values()) > 0.9 * counts.total() and max(counts) <= 255


def _ids(plain: Sequence[int], names: Sequence[str], coloured: bool) -> dict[int, int]:
    """Values in their order as 0, 1, ...; where names are given, each stands for itself, and 255 beside 0 for 1."""
    if not names or coloured or set(plain) <= {0, 255}:
        binary = not coloured and set(plain) <= {0, 255}
        ids = {0: 0, 255: 1} if binary else {value: place for place, value in enumerate(plain)}
        if names and max(ids.values(), default=0) >= len(names):
            raise HfkitError(
                f"There are {len(ids)} classes in the masks, and {len(names)} names", fix="see --class_names"
            )
        return {value: place for value, place in ids.items() if value in plain}
    if beyond := [value for value in plain if not 0 <= value < len(names)]:
        shown = ", ".join(map(str, beyond[:8]))
        what = f"The masks hold {shown}, and names are known of the classes 0 to {len(names) - 1}"
        raise HfkitError(what, fix="name all classes (--class_names); --ignore_index says which value is void")
    return {value: value for value in plain}


def _named(plain: Sequence[int], coloured: bool) -> list[str]:
    if not coloured and set(plain) in ({0, 255}, {0, 1}, {255}):
        return list(BINARY)
    return [f"#{value:06x}" if coloured else str(value) for value in plain]


def _by_table(counts: Counter[int], table: Mapping[int, str], given: Collection[int]) -> Legend:
    names = list(dict.fromkeys(name for value, name in table.items() if value not in given))
    ids = {value: names.index(name) for value, name in table.items() if value not in given}
    ids |= dict.fromkeys(given, VOID)
    if unknown := {value: times for value, times in counts.items() if value not in ids}:
        shown = ", ".join(f"{value} or #{value:06x} ({times:,} pixels)" for value, times in list(unknown.items())[:5])
        what = f"{counted(len(unknown), 'value')} of the masks that the table of classes does not name: {shown}"
        fix = "add lines for them; --ignore_index says which value is void; save masks as PNG, which keeps values"
        raise HfkitError(what, fix=fix)
    if len(names) > MOST:
        raise HfkitError(f"The table names {len(names):,} classes, and {MOST} can be learnt")
    return Legend(names, ids)


def class_table(text: str, where: str) -> dict[int, str]:
    """Value or colour -> name, of a file with a class a line: `name,value`, `name,red,green,blue` (CamVid's
    class_dict.csv, a header is passed over) or CVAT's `name:red,green,blue::`. Raises HfkitError: a line is neither."""
    found: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, *rest = [part.strip() for part in line.replace(":", ",").split(",") if part.strip()]
        if not all(part.isdecimal() and int(part) < 1 << 24 for part in rest) or len(rest) not in (1, 3):
            if number == 1:
                continue
            what = f"The line says no name with a value or with red, green and blue: {line.strip()[:60]!r}"
            raise HfkitError(what, where=f"{where}, line {number}", fix="such as `road,128,64,128` or `road,7`")
        value = sum(int(part) << 8 * (len(rest) - 1 - place) for place, part in enumerate(rest))
        if found.setdefault(value, name) != name:
            what = f"{found[value]!r} and {name!r} have one value"
            raise HfkitError(what, where=f"{where}, line {number}", fix=nearest(name, [found[value]]))
    if not found:
        raise HfkitError("The file names no class", where=where, fix="a line a class, such as `road,128,64,128`")
    return found
