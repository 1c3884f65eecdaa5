"""The words of a text that comes without them, as most models' tokenizers part it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

# Letters, digits and the marks that belong to them; of Chinese and Japanese each character; any other visible one.
_CJK = "぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}](?:[^\W_{_CJK}]|[\u0300-\u036f\u0900-\u0e4e\u1dc0-\u1dff\u200c\u200d])*|\S")


def split_words(text: str) -> list[tuple[int, int]]:
    """Where the words of a text stand, (begin, end) in characters: runs of letters and digits, and every other visible
    character alone. Chinese and Japanese go character by character. "Dr. Wu" has (0, 2), (2, 3), (4, 6)."""
    return [match.span() for match in _WORD.finditer(text)]


@dataclass(frozen=True)
class Text:
    """A text and where its words stand in it, (begin, end) in characters."""

    text: str
    places: list[tuple[int, int]]

    @property
    def words(self) -> list[str]:
        return [self.text[begin:end] for begin, end in self.places]

    @classmethod
    def joined(cls, words: Sequence[str]) -> "Text":
        """The text of words that one space parts."""
        begins = [*accumulate((len(word) + 1 for word in words), initial=0)]
        return cls(" ".join(words), [(at, at + len(word)) for at, word in zip(begins, words, strict=False)])
