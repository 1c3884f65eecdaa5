"""What a table of the chemical elements tells of each, as words that can stand in a sentence.

The table is `elements.db` of the package mendeleev. Nothing is put right: discoverers are spelt as there.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

Facts = dict[str, dict[str, str]]  # topic -> what a sentence about it tells -> the words: `number` -> `symbol` -> "Fe"

_LATTICES = {
    "BCC": "body-centered cubic", "FCC": "face-centered cubic", "CUB": "cubic", "DIA": "diamond cubic",
    "SC": "simple cubic", "HEX": "hexagonal", "MCL": "monoclinic", "ORC": "orthorhombic", "RHL": "rhombohedral",
    "TET": "tetragonal",
}  # fmt: skip
_ROWS = """
    select elements.*, series.name as series, boiling_point, melting_point, is_sublimation_point, count(*) as forms
    from elements join series on series.id = series_id
    left join phasetransitions on phasetransitions.atomic_number = elements.atomic_number
    group by elements.atomic_number order by elements.atomic_number
"""


def elements(path: Path) -> dict[str, Facts]:
    """The facts of each element by its name, in the order of atomic numbers."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as table:
        table.row_factory = sqlite3.Row
        return {row["name"].lower(): _facts(row) for row in table.execute(_ROWS)}


def _facts(row: sqlite3.Row) -> Facts:
    facts: Facts = {
        "number": {"number": str(row["atomic_number"]), "symbol": row["symbol"]},
        "family": {"period": str(row["period"]), "family": row["series"].lower()},
        "weight": {"weight": f"{row['atomic_weight']:.6g}"},
    }
    if row["group_id"]:
        facts["group"] = {"group": str(row["group_id"])}
    if row["forms"] == 1 and not row["is_sublimation_point"]:  # else the form would have to be told too
        facts |= {key: {key: _degrees(row[f"{key}_point"])} for key in ("melting", "boiling") if row[f"{key}_point"]}
    if row["density"] and row["atomic_number"] < 100:  # beyond, it was only ever predicted
        gas = row["density"] < 0.01
        facts["density"] = {"density": f"{row['density'] * (1000 if gas else 1):.4g} {'g/L' if gas else 'g/cm³'}"}
    if row["lattice_structure"]:
        facts["lattice"] = {"lattice": _LATTICES[row["lattice_structure"]]}
    if row["discovery_year"]:
        found = {"finder": _names(row["discoverers"]), "year": str(row["discovery_year"])}
        land = row["discovery_location"].replace("/", " and ")
        facts["discovery"] = found | {"land": re.sub(r"\b(United|USSR)", r"the \1", land)}
    if told := re.fullmatch(r"(\w+): (\w+),? \(([\w ]+)\)\.?", row["name_origin"]):
        facts["origin"] = dict(zip(("language", "word", "meaning"), told.groups(), strict=True))
    if told := re.fullmatch(r"Named (?:after|for|in honor of) ([^;.]+)\.?", row["name_origin"]):
        facts["honor"] = {"honor": re.sub(r"\s+", " ", told[1])}
    if (price := row["price_per_kg"]) and price < 1e6:
        facts["price"] = {"price": f"{price:,.0f} dollars" if price >= 100 else f"{price:.2f} dollars"}
    miners, owners = _countries(row["top_3_producers"]), _countries(row["top_3_reserve_holders"])
    if len(miners) > 1:
        facts["mining"] = {"miner": miners[0], "second": miners[1]}
    if owners:
        facts["reserves"] = {"owner": owners[0]}
    return facts


def _degrees(kelvin: float) -> str:
    digits = 0 if kelvin >= 1000 else 1
    return f"{kelvin - 273.15:,.{digits}f} °C ({kelvin:,.{digits}f} K)"


def _names(told: str) -> str:
    """Discoverers: "A.Ghiorso, et al" is A. Ghiorso and others."""
    spaced = re.sub(r"\.(?=[A-Z][a-zé])", ". ", told.replace(";", ",").replace("et al", "others"))
    return re.sub(r"\s+", " ", " and ".join(spaced.rsplit(", ", 1)))


def _countries(ranked: str | None) -> list[str]:
    """Countries of "1) China  2) USA", those that are sure."""
    found = [one.strip() for one in re.split(r"\d\) ", ranked or "") if one.strip()]
    return [one for one in found if re.fullmatch(r"[A-Z][A-Za-z ]+", one) and "nknown" not in one]
