"""Pairs: pictures and their masks in two folders, told by what the folders are called, matched by the files' names."""

import re
from collections.abc import Iterator
from pathlib import Path

from hfkit.base.errors import HfkitError
from hfkit.data.sources.image_folders import MASKS, PICTURES, SPLITS, image_sets, pictures_below
from hfkit.data.tables.table import Table, counted

_FIX = "FOLDER/image/1.png with FOLDER/mask/1.png; or FOLDER/train/image/1.png and so on, test and val beside it"
_AFFIX = re.compile(r"^(?:mask|label|gt|seg)[_ -]|[_ -](?:masks?|labels?|gt|seg|segmentation|groundtruth|manual1|l)$")


def pair_tables(root: Path, skip: bool = False) -> dict[str, Table] | None:
    """The pictures of a folder with their masks, by split: `image` and `mask` (paths), and `id` (the picture's path
    below `root`). None where the folder has no two folders of such names.

    `root` holds image/ and mask/ (or what else `PICTURES` and `MASKS` name), alone, in a folder for each split, or with
    folders for the splits in both; or VOC's JPEGImages/ and SegmentationClass/ with ImageSets/Segmentation/. A mask may
    be called as its picture, or 7_mask.png for 7.png. What has no partner is refused, with `skip` left out and counted.
    Raises HfkitError: that; a link; or no pair at all."""
    if lists := image_sets(root, "Segmentation"):
        return {split: _listed(root, file, set(names), skip) for split, (file, names) in lists.items()}
    found = dict(_folders(root))
    if not found:
        return None
    tables: dict[str, Table] = {}
    for split, (pictures, masks) in found.items():
        if split in SPLITS and SPLITS[split] in [SPLITS.get(other) for other in tables]:
            raise HfkitError(f"Two folders claim to be the split {SPLITS[split]!r}", where=str(root), fix=_FIX)
        tables[split] = _table(root, pictures, masks, skip)
    return tables


def _folders(root: Path) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """Each split with its folders of pictures and of masks."""
    below = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    if pair := _pair(root, below):
        parts = [
            {entry.name.lower(): entry for entry in folder.iterdir() if entry.is_dir() and entry.name.lower() in SPLITS}
            for folder in pair
        ]
        shared = sorted(set(parts[0]) & set(parts[1]))
        if shared:
            yield from ((split, (parts[0][split], parts[1][split])) for split in shared)
        else:
            yield "train", pair
        return
    for entry in below:
        inner = [folder for folder in sorted(entry.iterdir()) if folder.is_dir()]
        if (entry.name.lower() in SPLITS or len(below) == 1) and (pair := _pair(entry, inner)):
            yield entry.name.lower() if entry.name.lower() in SPLITS else "train", pair


def _pair(place: Path, below: list[Path]) -> tuple[Path, Path] | None:
    kinds = [[entry for entry in below if entry.name.lower() in names] for names in (PICTURES, MASKS)]
    if not all(kinds):
        return None
    for kind, called in zip(kinds, ("pictures", "masks"), strict=True):
        if len(kind) > 1:
            what = f"It cannot be told which folder holds the {called}: {', '.join(entry.name for entry in kind)}"
            raise HfkitError(what, where=str(place), fix="take the others out, or rename them")
    if links := [entry[0] for entry in kinds if entry[0].is_symlink()]:
        raise HfkitError("A symbolic link is not followed: it could lead anywhere", where=str(links[0]))
    return kinds[0][0], kinds[1][0]


def _listed(root: Path, file: Path, names: set[str], skip: bool) -> Table:
    """The pairs that a list of VOC's names; the others are another split's, or have boxes alone."""
    place = file.parent.parent.parent
    pictures, masks = place / "JPEGImages", place / "SegmentationClass"
    if not pictures.is_dir() or not masks.is_dir():
        raise HfkitError("JPEGImages or SegmentationClass is missing beside ImageSets", where=str(place), fix=_FIX)
    there = {picture.stem for picture in pictures_below(pictures, [])}
    if missing := sorted(names - there):
        what = f"{counted(len(missing), 'name')} without a picture: {', '.join(missing[:5])}"
        raise HfkitError(what, where=str(file), fix="mend the list")
    return _table(root, pictures, masks, skip, names)


def _table(root: Path, pictures: Path, masks: Path, skip: bool, names: set[str] | None = None) -> Table:
    left: list[Path] = []
    files, others = (
        [file for file in pictures_below(folder, left) if names is None or file.stem in names]
        for folder in (pictures, masks)
    )
    by_name: dict[str, list[Path]] = {}
    for mask in others:
        for name in {_name(mask, masks), _AFFIX.sub("", _name(mask, masks))}:
            by_name.setdefault(name, []).append(mask)
    found = {
        file: by_name.get(_name(file, pictures)) or by_name.get(_AFFIX.sub("", _name(file, pictures))) for file in files
    }
    if twice := next(((file, masks_of) for file, masks_of in found.items() if masks_of and len(masks_of) > 1), None):
        called = ", ".join(mask.name for mask in twice[1])
        raise HfkitError(f"{twice[0].name} has {len(twice[1])} masks: {called}", where=str(masks), fix="leave one")
    pairs = {file: masks_of[0] for file, masks_of in found.items() if masks_of}
    alone = [file for file in files if file not in pairs]
    idle = sorted(set(others) - set(pairs.values()))
    notes = [f"{counted(len(left), 'file')} of {pictures.name} and {masks.name} not read: hidden, links or no pictures"]
    notes = notes if left else []
    for kind, lone in (("picture", alone), ("mask", idle)):
        if not lone:
            continue
        shown = ", ".join(file.relative_to(root).as_posix() for file in lone[:5])
        what = f"{counted(len(lone), kind)} without a {'mask' if kind == 'picture' else 'picture'}: {shown}"
        if not pairs or not skip:
            fix = "a mask is called as its picture; --skip_corrupt leaves out what has no partner, counted"
            raise HfkitError(what, where=str(root), fix=fix)
        notes.append(f"{what}: left out")
    if not pairs:
        raise HfkitError(f"There is no picture in {pictures.name}", where=str(root), fix=_FIX)
    ids = [file.relative_to(root).as_posix() for file in pairs]
    columns = {
        "image": [str(file.absolute()) for file in pairs],
        "mask": [str(one.absolute()) for one in pairs.values()],
    }
    return Table(str(root), columns | {"id": ids}, ids, "file", notes=notes, pictures=["image"])


def _name(file: Path, folder: Path) -> str:
    """What a picture and its mask share: the path below their folder, without the ending; case does not count."""
    return file.relative_to(folder).with_suffix("").as_posix().lower()
