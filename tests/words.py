"""The words that made-up reviews are made of: telling ones, and plain ones between them."""

WORDS_GOOD = ("wonderful", "moving", "brilliant", "warm", "funny", "superb", "clever", "charming")
WORDS_BAD = ("dreadful", "boring", "clumsy", "cold", "tired", "awful", "stupid", "hollow")
WORDS_PLAIN = (
    "the a this that film movie story plot actor scene ending director camera music was is felt seems and but with of"
    " in very quite really never always one two first last part time year people think watch see made it i we they ."
).split()
