"""Near-copies across splits: an edit, a cut or an addition hides none, and texts that only sound alike are none."""

import random
from collections.abc import Callable

import pytest
from data_files import write

from hfkit.data.load import load_data
from hfkit.data.tables import near_copies as looking
from hfkit.data.tables.near_copies import near_copies

SUBJECTS = (
    "the baker,my neighbour,a tired nurse,our landlord,the old captain,his cousin,some tourist,the referee".split(",")
)
VERBS = "forgot,painted,sold,borrowed,repaired,praised,dropped,photographed,measured,returned,hid,auctioned".split(",")
THINGS = (
    "a copper kettle,the garden fence,two tickets,an atlas,the church organ,a wet umbrella,her violin,the last sandwich"
).split(",")
PLACES = (
    "near the harbour,after the concert,on a foggy morning,without a word,before breakfast,behind the museum,"
    "for a small fee,during the strike,in plain sight,under protest"
).split(",")
SIGNS = "山水风云花鸟鱼虫春夏秋冬东南西北金木火土日月星辰江河湖海雨雪霜露草树石玉琴棋书画酒茶米面车马船桥门窗床灯"


def english(draw: random.Random, sentences: int = 6) -> str:
    parts = [" ".join(draw.choice(words) for words in (SUBJECTS, VERBS, THINGS, PLACES)) for _ in range(sentences)]
    return ". ".join(part.capitalize() for part in parts) + "."


def chinese(draw: random.Random, sentences: int = 5) -> str:
    return "".join("".join(draw.choices(SIGNS, k=9)) + "。" for _ in range(sentences))


def edited(text: str, draw: random.Random) -> str:
    """One word in twelve, or one Chinese character, becomes another one."""
    spaced = " " in text
    words = text.split(" ") if spaced else list(text)
    for place in draw.sample(range(len(words)), len(words) // 12):
        words[place] = "something" if spaced else "某"
    return (" " if spaced else "").join(words)


def cut(text: str, draw: random.Random) -> str:
    return text[: int(len(text) * draw.uniform(0.4, 0.9))]


def restyled(text: str, draw: random.Random) -> str:
    return text.upper().replace(".", " -- ").replace("。", "！ ")


def longer(text: str, draw: random.Random) -> str:
    added = "I wrote this down last week." if " " in text else "上个月我写下了这些话。"
    return draw.choice([f"{added} {text}", f"{text} {added}"])


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (edited, cut, restyled, longer)


@pytest.mark.parametrize("written", [english, chinese])
def test_thirty_eight_of_forty_planted_near_copies_are_seen_and_nothing_else(
    written: Callable[[random.Random], str],
) -> None:
    draw = random.Random(7)
    train, test = [written(draw) for _ in range(400)], [written(draw) for _ in range(200)]
    assert near_copies({"train": train, "validation": test[:50], "test": test[50:]}) == {}, "not related"
    copies = [CHANGES[number % 4](train[3 * number], draw) for number in range(40)]
    found = near_copies({"train": train, "test": [*test, *copies]})
    pairs = found.pop(("test", "train"))
    assert not found
    planted = {(200 + number, 3 * number) for number in range(40)}
    assert set(pairs) <= planted
    assert len(pairs) >= 38, [copies[row - 200] for row, _ in planted - set(pairs)]


def test_a_sample_of_the_shingles_sees_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "KEPT", 20_000)  # of 130,000: as of four million in 1,000 books
    draw = random.Random(3)
    train = [english(draw, 12) for _ in range(300)]
    copies = [CHANGES[number % 4](train[number], draw) for number in range(40)]
    assert len(near_copies({"train": train, "test": copies})[("test", "train")]) >= 38


def test_what_is_equal_too_short_or_in_every_text_is_none() -> None:
    draw = random.Random(1)
    form = "Dear customer, we thank you for your order and hope to see you again in our shop very soon. "
    train = [form + english(draw, 4) for _ in range(50)]
    assert near_copies({"train": train, "test": [form + english(draw, 4) for _ in range(50)]}) == {}, "a form"
    phrase = "It was a good film"
    assert near_copies({"train": [f"{phrase}. {english(draw)}"], "test": [phrase]}) == {}, "a phrase"
    assert near_copies({"train": [english(draw)] * 2, "test": []}) == {}
    assert near_copies({"train": ["", "?!"], "test": ["!", ""]}) == {}
    assert near_copies({"train": ["As they said."], "test": [" as they said. "]}) == {}, "equal: told as repeated"
    assert near_copies({"train": ["As they said, so it was."], "test": ["As they said so it was"]}) != {}
    lone = english(draw).replace("a", "\ud800")
    assert near_copies({"train": [lone], "test": [lone + " More."]}) == {("test", "train"): [(0, 0)]}


def test_each_row_of_the_later_split_is_counted_once_with_its_likest() -> None:
    draw = random.Random(5)
    text = english(draw, 10)
    train = [edited(text, draw), english(draw), text, text[: len(text) * 2 // 3]]
    found = near_copies({"train": train, "validation": [text + " Well."], "test": [english(draw), "Well. " + text]})
    assert found[("test", "train")] == [(1, 2)]
    assert found[("validation", "train")] == [(0, 2)]
    assert found[("test", "validation")] == [(1, 0)]


def test_a_load_tells_them_on_the_screen_and_in_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(9)
    rows = [("train", english(draw)) for _ in range(30)]
    rows += [("test", rows[4][1].replace("the", "that")), ("test", english(draw)), ("validation", english(draw))]
    lines = [f'"{text}",{"ab"[number % 2]},{split}\n' for number, (split, text) in enumerate(rows)]
    data = load_data(write("data.csv", "text,label,split\n" + "".join(lines)), drop_unseen_labels=True)
    told = (
        "near-copies of train in test: 1 text, test-0 of train-4 the first (half of the shorter one or more, word for"
        " word): kept"
    )
    assert told in data.summary.notes
    assert told in capsys.readouterr().out
    assert data.num_rows == {"train": 30, "validation": 1, "test": 2}
