"""The words of a text that comes without them, as most models' tokenizers part it."""

import re

# Letters, digits and the marks that belong to them; of Chinese and Japanese each character; any other visible one.
_CJK = "぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}](?:[^\W_{_CJK}]|[\u0300-\u036f\u0900-\u0e4e\u1dc0-\u1dff\u200c\u200d])*|\S")


def split_words(text: str) -> list[tuple[int, int]]:
    """Where the words of a text stand, (begin, end) in characters: runs of letters and digits, and every other visible
    character alone. Chinese and Japanese go character by character.

    >>> split_words("Dr. Wu")
    [(0, 2), (2, 3), (4, 6)]
    """
    return [match.span() for match in _WORD.finditer(text)]


def joined(words: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of words that one space parts, and where each stands in it."""
    places, begin = [], 0
    for word in words:
        places.append((begin, begin + len(word)))
        begin += len(word) + 1
    return " ".join(words), places
