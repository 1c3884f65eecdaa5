"""What is odd about pairs of texts: counted and said; refused where the sides are not what they are said to be."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from hfkit.base.errors import HfkitError
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import counted
from hfkit.tasks.seq2seq.pairs.columns import Columns
from hfkit.tasks.seq2seq.pairs.scripts import chinese_kinds, main_script, script_of

FAR, LONG = 4, 40
"""How many times longer or shorter than usual a target is that counts as an outlier, if one side has so many
characters: below, a word more is much."""


def told(rows: Rows, role: str, columns: Columns) -> list[str]:
    """Notes on the pairs of a split, all of which are kept. Raises HfkitError: the two sides are swapped, or in one
    language, by the languages that the data or the flags name."""
    sources, targets = rows.inputs["source"], rows.inputs["target"]
    scripts = main_script(sources), main_script(targets)
    _check_languages(rows, columns, scripts)
    same = [
        row for row, pair in enumerate(zip(sources, targets, strict=True)) if len({one.strip() for one in pair}) < 2
    ]
    kinds = {
        "whose target is the source itself": same,
        **_odd_scripts(sources, targets, scripts),
        f"whose target is over {FAR} times longer or shorter than usual": _outliers(sources, targets),
    }
    notes = [
        f"{role}: {counted(len(found), 'pair')} {what}: kept ({rows.places(found[:1])})"
        for what, found in kinds.items()
        if found
    ]
    for side, script, texts in zip(("source", "target"), scripts, (sources, targets), strict=True):
        kinds_of = chinese_kinds(texts) if script == "Chinese" else (0, 0)
        if min(kinds_of) > 0:
            simplified, traditional = kinds_of
            notes.append(
                f"{role}: {side}s mix simplified ({simplified:,}) and traditional ({traditional:,}) Chinese characters:"
                " kept, and a right translation in the other ones counts as wrong"
            )
    return notes


def _check_languages(rows: Rows, columns: Columns, scripts: Sequence[str | None]) -> None:
    """Refuses sides whose scripts are not those of their languages, where these are known."""
    languages = columns.source_lang or columns.source, columns.target_lang or columns.target
    wanted = [script_of(language) for language in languages]
    if None in (*wanted, *scripts) or wanted[0] == wanted[1] or list(scripts) == wanted:
        return
    written = f"the source is in {scripts[0]} letters, the target in {scripts[1]}"
    if list(scripts) == wanted[::-1]:
        what = f"The two sides are swapped: {written}, and they are called {' and '.join(languages)}"
        fix = "swap --source_lang and --target_lang; or --source_column and --target_column say which is which"
        raise HfkitError(what, where=rows.table.origin, fix=fix)
    if scripts[0] == scripts[1]:
        what = f"Both sides are in {scripts[0]} letters, and they are called {' and '.join(languages)}"
        fix = "name the columns with --source_column and --target_column, or mend the data"
        raise HfkitError(what, where=rows.table.origin, fix=fix)


def _odd_scripts(sources: Sequence[str], targets: Sequence[str], usual: Sequence[str | None]) -> dict[str, list[int]]:
    """Pairs that are swapped, and those whose sides are both in the script of one side; none where a side has no
    letters, as dates and numbers have none."""
    if usual[0] == usual[1] or None in usual:
        return {}
    swapped, same = [], []
    for row, pair in enumerate(zip(sources, targets, strict=True)):
        scripts = [main_script([text]) for text in pair]
        if scripts == [usual[1], usual[0]]:
            swapped.append(row)
        elif scripts[0] == scripts[1] and scripts[0] in usual:
            same.append(row)
    return {
        f"whose source is in {usual[1]} letters and whose target is in {usual[0]} ones, as if swapped": swapped,
        "whose source and target are in the same letters": same,
    }


def _outliers(sources: Sequence[str], targets: Sequence[str]) -> list[int]:
    ratios = [len(target) / len(source) for source, target in zip(sources, targets, strict=True)]
    usual = median(ratios)
    return [
        row
        for row, ratio in enumerate(ratios)
        if not usual / FAR <= ratio <= usual * FAR and max(len(sources[row]), len(targets[row])) >= LONG
    ]


def repeated_sources(sources: Sequence[str]) -> int:
    """How many rows have a source that an earlier row has too, with another target."""
    return sum(times - 1 for times in Counter(sources).values())
