"""Faults of generated texts that a figure of overlap does not tell apart: nothing, the source again, a loop."""

MOST_TIMES = 4  # how often a run of words may stand in a row before it counts as a loop: "ha ha ha ha" is no loop yet
LONGEST_RUN = 40  # characters of what is looked for: a model that loops mostly repeats a few words


def is_empty(prediction: str) -> bool:
    """Whether there is nothing to be read."""
    return not prediction.strip()


def is_copy(prediction: str, source: str) -> bool:
    """Whether it is the source again, spaces and case aside."""
    return bool(prediction.strip()) and "".join(prediction.split()).casefold() == "".join(source.split()).casefold()


def is_loop(prediction: str) -> bool:
    """Whether it ends in one run of characters more than MOST_TIMES in a row, of which the last may be cut off.

    >>> is_loop("the the the the the"), is_loop("我是我是我是我是我是我"), is_loop("very, very good")
    (True, True, False)
    """
    text = " ".join(prediction.split()) + " "
    for length in range(1, LONGEST_RUN + 1):
        for end in (len(text), len(text) - 1):  # with the space behind the last word, or in a script that has none
            needed = length * (MOST_TIMES + 1)
            tail = text[max(0, end - needed) : end]
            if len(tail) == needed and tail[length:] == tail[:-length] and any(map(str.isalnum, tail)):
                return True
    return False
