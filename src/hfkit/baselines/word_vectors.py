"""Pretrained word vectors: a file in the text form of word2vec and GloVe fills what a network starts with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.readers import open_bytes
from hfkit.data.readers.lines import text_lines
from hfkit.data.tables.table import is_number

MARK = "▁"  # what `train_tokenizer` writes before the first piece of a word

LARGEST = float(torch.finfo(torch.float32).max)


@dataclass(frozen=True)
class WordVectors:
    """The vectors of a vocabulary's words."""

    size: int  # numbers of a vector
    found: dict[int, list[float]]  # token -> its vector
    told: str  # how many words have one, in a sentence

    def fill(self, embeddings: nn.Embedding) -> None:
        """Write the vectors over the start values (vocabulary, size); words without one keep theirs."""
        with torch.no_grad():
            for token, vector in self.found.items():
                embeddings.weight[token] = torch.tensor(vector)


def read_word_vectors(path: Path, tokenizer: PreTrainedTokenizerBase) -> WordVectors:
    """The vectors of a tokenizer's whole words; a line of the file at a time, and no other word is kept.

    A line is a word and its numbers, parted by spaces; word2vec's first line says how many words and numbers follow. A
    word that the file lacks as it is written takes the vector of its small letters. Of repeated words the first counts.

    `tokenizer` is from `train_tokenizer`; pieces that go on within a word have no vector. Raises HfkitError: no such
    file; a line with another count of numbers, or with what is none; a file that is cut off; or no word of the
    vocabulary in it."""
    words = {token[1:]: number for token, number in tokenizer.get_vocab().items() if token[:1] == MARK and token[1:]}
    wanted = {spelt for word in words for spelt in (word, word.lower())}
    read: dict[str, list[float]] = {}
    size = 0
    for where, word, fields in _lines(path):
        size = len(fields)
        if word in wanted and word not in read:
            read[word] = _numbers(fields, where)
    spelt = {word: word if word in read else word.lower() for word in words}
    found = {number: read[spelt[word]] for word, number in words.items() if spelt[word] in read}
    folded = sum(spelt[word] in read and spelt[word] != word for word in words)
    if not found:
        fix = "give vectors of the language of the texts"
        raise HfkitError(f"No word of the {len(words):,} in the vocabulary has a vector", where=str(path), fix=fix)
    told = f"{len(found):,} of {len(words):,} words of the vocabulary have a vector of {path.name}"
    return WordVectors(size, found, told + (f", {folded:,} by their small letters" if folded else ""))


def _lines(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Of each line where it stands, its word and its numbers, still as text. Words of GloVe may hold spaces."""
    size, count = 0, 0
    promised: int | None = None
    with open_bytes(path) as stream:
        for number, line in enumerate(text_lines(stream, str(path), "utf-8"), start=1):
            where, fields = f"{path}, line {number}", line.rstrip("\r\n ").split(" ")
            if number == 1 and len(fields) == 2 and all(field.isdecimal() for field in fields):
                promised, size = map(int, fields)
                continue
            size = size or len(fields) - 1
            word, values = " ".join(fields[:-size]) if size else "", fields[-size:]
            if size < 1 or len(fields) <= size or any(map(is_number, fields[1:-size])):
                what = f"The line has {len(fields) - 1} numbers" + (f", and the others have {size}" if size > 0 else "")
                raise HfkitError(what, where=where, fix="a line is a word and its numbers, parted by single spaces")
            count += 1
            yield where, word, values
    if promised is not None and count != promised:
        what = f"The first line promises {promised:,} words, and {count:,} follow: the file is cut off, or not whole"
        raise HfkitError(what, where=str(path), fix="fetch or write it again")


def _numbers(fields: list[str], where: str) -> list[float]:
    """The numbers of a word that is wanted; others are not looked at, for there may be millions."""
    for field in fields:
        if not is_number(field) or abs(float(field)) > LARGEST:
            what = f"{field[:40]!r} is no number that a weight can be"
            raise HfkitError(what, where=where, fix="mend the line, or drop it")
    return list(map(float, fields))
