"""Labelled lines: a file a label, a text a line, as one CSV file with the columns text and label."""

import csv
from pathlib import Path

NAME = "lines.csv"


def labelled_lines(files: Path, folder: Path, *, labels: dict[str, str]) -> None:
    """Makes `lines.csv` of files, each by its label, in their order.

    Lines without a text are left out, and so are all lines of a text that stands under two labels (equal without outer
    space and case); how many is printed. A line that repeats stays: whoever loads the file counts and removes repeats.
    """
    from hfkit.data.readers import read_lines  # which loads what `hfkit --help` has no use for
    from hfkit.data.tables.table import counted

    read = {label: [line.strip() for line in read_lines(files / file, "utf-8")] for label, file in labels.items()}
    owners: dict[str, set[str]] = {}
    for label, texts in read.items():
        for text in texts:
            owners.setdefault(text.casefold(), set()).add(label)
    kept = [(text, label) for label, texts in read.items() for text in texts if len(owners[text.casefold()]) == 1]
    kept = [(text, label) for text, label in kept if text]
    with (folder / NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(kept)
    both = sum(len(found) > 1 for text, found in owners.items() if text)
    print(f"{counted(len(kept), 'line')}; left out: {counted(both, 'text')} with two labels", flush=True)
