"""The words that made-up reviews are made of: telling ones, and plain ones between them."""

WORDS_GOOD = ("wonderful", "moving", "brilliant", "warm", "funny", "superb", "clever", "charming")
WORDS_BAD = ("dreadful", "boring", "clumsy", "cold", "tired", "awful", "stupid", "hollow")
WORDS_PLAIN = (
    "the a this that film movie story plot actor scene ending director camera music was is felt seems and but with of"
    " in very quite really never always one two first last part time year people think watch see made it i we they ."
).split()


def review(number: int, good: bool, words: int = 10) -> str:
    """A made review: `words` words, three of which tell good from bad. Equal arguments give an equal text."""
    telling = WORDS_GOOD if good else WORDS_BAD
    body = [WORDS_PLAIN[(number * 7 + place * 5 + number // 13 * place) % len(WORDS_PLAIN)] for place in range(words)]
    for place in range(3):
        body[(number + place * 3) % words] = telling[(number + place * (1 + number // 8)) % len(telling)]
    return " ".join([*body, str(number)])
