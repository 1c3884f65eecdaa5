"""Label values: what the cells of the label column are, decided once by all rows of all splits."""

import ast
import json
import math
import re
from collections import Counter
from decimal import Decimal
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json
from hfkit.data.labels.names import refuse
from hfkit.data.tables.columns import bit
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import counted, is_missing

Values = dict[str, list[Any]]  # split to each row's label: a name, a number, a truth value, or a list of them

# 007 is a code: as a number it would lose its zeros. To Python 1_0 is ten, and so is the Arabic one.
_NO_NUMBER = re.compile(r"[+-]?0\d|.*_|.*[^\x00-\x7f]", re.DOTALL)
_WHOLE = re.compile(r"(0|-?[1-9]\d*)(\.0)?")
_ITEM = r"""(?:np\.\w+\()?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[-+.\w]+)\)?"""
_LIST = re.compile(rf"\[\s*(?:{_ITEM}(?:\s*,\s*|\s+|\s*(?=\])))*\]")
_NAME = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_TUPLE_OR_SET = re.compile(rf"(?:set)?\(\)|\((?:{_NAME},\s*)+{_NAME}?\)|\{{(?:{_NAME},\s*)*{_NAME}\}}")
_COMMA, _THOUSANDS = re.compile(r"\s*[+-]?\d+(,\d+)?\s*"), re.compile(r"\s*[+-]?\d{1,3},\d{3}\s*")
_FLOAT32 = 3.4e38  # beyond it, training would see infinity


def cells(splits: dict[str, Rows], separator: str | None, names_only: bool) -> Values:
    """The labels with every list as a list, whether it stands there as one, in JSON, as Python or NumPy prints it, or
    as names with a separator between them. Where `names_only`, one label a row is asked for: what is written like a
    list is a name, unless it says 0 or 1 for each class. Raises HfkitError: some rows have a list and others none, or
    one that cannot be read."""
    raw = {split: [_plain(value) for value in rows.label] for split, rows in splits.items()}
    if separator:

        def parted(value: Any) -> list[Any]:
            parts = (part.strip() for part in str(value).split(separator) if not is_missing(part))
            return value if isinstance(value, list) else list(dict.fromkeys(parts))

        return {split: list(map(parted, values)) for split, values in raw.items()}
    texts = {value for values in raw.values() for value in values if isinstance(value, str)}
    bracketed = {text for text in texts if text.strip()[:1] == "[" and text.strip()[-1:] == "]"}
    if texts and all(_TUPLE_OR_SET.fullmatch(text.strip()) for text in texts):  # of names; (1) beside (2) is a name
        bracketed = texts
    lists = {text: found for text in bracketed if (found := spelled_list(text)) is not None}
    typed = any(isinstance(value, list) for values in raw.values() for value in values)
    whole = bool(texts) and len(lists if names_only else bracketed) == len(texts)
    if not typed and not (whole and places([*lists.values()], None) if names_only else whole or lists):
        return raw
    for split, values in raw.items():
        if bad := [row for row, value in enumerate(values) if not isinstance(value, list) and value not in lists]:
            value = values[bad[0]]
            fix = 'write labels as ["a", "b"]; --problem_type single_label_classification reads cells as they stand'
            if value in bracketed:
                read_json(value, splits[split].places(bad[:1]), f"The label {value[:60]!r}", fix)
            refuse(splits[split], bad, f"Each row needs a list of labels; {value!r} is not", fix)
    return {
        split: [value if isinstance(value, list) else lists[value] for value in values] for split, values in raw.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return value


def spelled(text: str) -> Any:
    """What a text spells in JSON or as Python prints it; the text itself where it spells nothing."""
    try:
        return read_json(text, "")
    except HfkitError:
        pass
    try:
        return ast.literal_eval(text.strip()) if text.strip()[:1] in ("[", "(", "{") else text
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def spelled_list(text: str) -> list[Any] | None:
    """The list that a text spells as JSON, or as Python or NumPy print one, a tuple or set of names; else None."""
    text = text.strip()
    try:
        return list(read_json(text, ""))
    except HfkitError as error:
        printed = _LIST.fullmatch(text) or _TUPLE_OR_SET.fullmatch(text)
        if not printed or not isinstance(error.__cause__, json.JSONDecodeError):
            return None
    try:
        items = [ast.literal_eval(item[1]) for item in re.finditer(_ITEM, text.removeprefix("set"))]
        json.dumps(items, ensure_ascii=False).encode()
    except (ValueError, SyntaxError):  # a word without quotes; half a character
        return None
    return items


def places(values: list[Any], names: list[str] | None) -> int:
    """How many classes the lists have a 0 or 1 for; 0 where they list labels instead. Lists of class numbers name none
    twice: three zeros and ones are never that, and two only where every row would have both classes."""
    width = Counter(map(len, values)).most_common(1)[0][0]
    hot = sum(len(value) == width and None not in map(bit, value) for value in values)
    certain = hot == len(values) if width == 2 else hot > len(values) / 2
    return width if width > 1 and certain and (names is None or len(names) == width) else 0


def pointed(values: Values, decimal: str) -> tuple[Values, str | None]:
    """Numbers that are written with a decimal comma, with a point; and one of them as it stands, if they are. Unasked
    (auto), 1,000 may be a thousand, and a few commas among whole numbers may part a list."""
    flat = [value for labels in values.values() for value in labels]
    commas = [value for value in flat if isinstance(value, str) and "," in value]
    sure = 2 * len(commas) >= len(flat) and not all(map(_THOUSANDS.fullmatch, commas))
    fits = commas and all(isinstance(value, str) and _COMMA.fullmatch(value) for value in flat)
    if not fits or decimal == "." or not (sure or decimal == ","):
        return values, None
    return {split: [value.replace(",", ".") for value in labels] for split, labels in values.items()}, commas[0]


def is_regression(values: Values) -> bool:
    """Whether all labels are numbers, written so that none would lose a digit, and some have a fraction."""
    if any(isinstance(value, list | dict) for labels in values.values() for value in labels):
        return False
    found = [value for _, value in {(type(value), value) for labels in values.values() for value in labels}]
    return all(map(_is_quantity, found)) and not all(
        isinstance(value, int) or float(value).is_integer() for value in found
    )


def _is_quantity(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return not _NO_NUMBER.match(value.strip()) and math.isfinite(float(value))
    except ValueError:
        return False


def numbers(rows: Rows, values: list[Any]) -> list[float]:
    """Labels of a regression. Refuses, as an HfkitError, what is no number, or none that float32 holds."""
    found = [_number(value) for value in values]
    bad = [row for row, number in enumerate(found) if not math.isfinite(number)]
    if bad:
        label = str(values[bad[0]])[:60]
        fix = f"--missing_values {label!r} with --drop_bad_rows, where it stands for none; else mend the label"
        if "," in label:
            fix = "--decimal ',' reads commas, where each is a decimal mark"
        refuse(rows, bad, f"Regression needs finite numbers; the label {label!r} is none", fix)
    return found


def _number(value: Any) -> float:
    """The value as a number; not finite for what is none, or what float32 cannot hold."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if abs(number) < _FLOAT32 else math.nan


def named(splits: dict[str, Rows], values: Values, many: bool, known: list[str]) -> tuple[Values, list[str]]:
    """Every label as a list of names, one name long for single labels, and notes on what was joined or left out.

    A name is the text that stands there. pandas makes 1.0 of 1 where a value is missing: where all labels of all splits
    are whole numbers, they are one label, but for those `known`: declared, or a model's. Raises HfkitError: a row has a
    list where one label is needed, or none where `many` are; a label is none, or twice there."""
    lists, notes = {}, []
    for split, labels in values.items():
        if wrong := [row for row, value in enumerate(labels) if isinstance(value, list) != many]:
            shape = "a list of labels" if many else "one label"
            refuse(splits[split], wrong, f"Each row needs {shape}; {labels[wrong[0]]!r} is not")
        words = splits[split].table.missing if many else ()
        lists[split] = [[item for item in one if str(item).strip() not in words] if many else [one] for one in labels]
        fewer = [row for row, value in enumerate(labels) if many and value != lists[split][row]]
        if empty := [row for row in fewer if not lists[split][row]]:
            fix = f"write [] where no label holds, or --missing_values {str(splits[split].label[empty[0]])!r}, too"
            refuse(splits[split], empty, f"The list {labels[empty[0]]} holds missing values alone", fix)
        notes += [f"missing values left out of {counted(len(fewer), 'list')} of labels in {split}"] if fewer else []
    items = [item for labels in lists.values() for value in labels for item in value]
    whole = all(item.is_integer() and abs(item) < 2**53 for item in items if isinstance(item, float))
    texts = (item.strip() for item in items if isinstance(item, str))
    joins = whole and all(_WHOLE.fullmatch(text) and text not in known for text in texts)

    def name(item: Any) -> str:
        if isinstance(item, str):
            return item.strip().removesuffix(".0") if joins else item.strip()
        if isinstance(item, float):
            return str(int(item)) if whole and str(item) not in known else "" if many and not whole else str(item)
        return str(item) if isinstance(item, int) else ""

    names = {split: [list(map(name, value)) for value in labels] for split, labels in lists.items()}
    for split, labels in names.items():
        if broken := [row for row, value in enumerate(labels) if any(map(is_missing, value))]:
            what = f"A label is text, a number or a truth value; {values[split][broken[0]]!r} is not"
            refuse(splits[split], broken, what)
        if twice := [row for row, value in enumerate(labels) if len(set(value)) != len(value)]:
            fix = "list the names of the labels that hold, or a 0 or 1 for each class in every row"
            refuse(splits[split], twice, f"A label stands twice in {values[split][twice[0]]!r}", fix)
    flat = [one for labels in names.values() for value in labels for one in value]
    changed = [f"{item} as {one}" for item, one in zip(items, flat, strict=True) if str(item).strip() != one]
    return names, notes + ([f"{counted(len(changed), 'label')} read as whole numbers: {changed[0]}"] if changed else [])
