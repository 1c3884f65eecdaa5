"""Questions with their answers, in every form that loads: what is read, what is said, and what is refused."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from data_files import write

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.data.load import load_data, load_test
from hfkit.tasks.question_answering.spans.search import trimmed
from hfkit.tasks.question_answering.spans.written import Answer, placed, written

TOWNS = ["Oslo", "Rome", "Lima", "Bern", "Riga", "Kyoto", "Quito", "Tunis", "Turin", "Cairo", "Delhi", "Minsk"]


def row(number: int, **more: Any) -> dict[str, Any]:
    """A question about a context of its own; the answer stands at 8."""
    town = TOWNS[number % 12]
    context = f"He is in {town}, at number {number}. Ann likes {town}."
    answers = {"text": [town], "answer_start": [9]}
    return {"id": f"q{number}", "question": f"Where is he ({number})?", "context": context, "answers": answers} | more


ROWS = [row(number) for number in range(30)]


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)


def load(name: str, content: str | bytes | None = None, **options: Any) -> Any:
    if content is not None:
        write(name, content)
    return load_data(f"./{name}", task="question-answering", **options)


def changed(**more: Any) -> str:
    """The rows, the fourth of which is another."""
    return lines([*ROWS[:3], ROWS[3] | more, *ROWS[4:]])


def refused(content: str, name: str = "a.jsonl", **options: Any) -> str:
    with pytest.raises(HfkitError) as caught:
        load(name, content, **options)
    return str(caught.value)


def said(data: Any, part: str) -> str:
    return next((note for note in data.summary.notes if part in note), f"nothing of {part}: {data.summary.notes}")


def read(data: Any) -> dict[str, list[str]]:
    """Of every id its answers, which stand where they are said to."""
    found = {}
    for split in data.values():
        for one in split:
            for answer, start in zip(one["answers"], one["starts"], strict=True):
                assert start < 0 or one["text_pair"][start:].startswith(answer)
            found[one["id"]] = one["answers"]
    return found


def squad(articles: int = 12, **more: Any) -> dict[str, Any]:
    """SQuAD's nested JSON: two paragraphs of two questions an article."""
    made = []
    for article in range(articles):
        paragraphs = []
        for part in range(2):
            town = TOWNS[article]
            context = f"Part {part} of {article}: {town} is far, {town} is near."
            answers = [{"text": town, "answer_start": context.index(town)}, {"text": f"{town} is far",
                       "answer_start": context.index(town)}]  # fmt: skip
            qas = [
                {"id": f"{article}-{part}-{n}", "question": f"Which town ({n})?", "answers": answers} for n in (0, 1)
            ]
            qas[1] |= {"is_impossible": part == 1, "answers": [] if part else answers}
            paragraphs.append({"context": context, "qas": qas})
        made.append({"title": f"Title {article}", "paragraphs": paragraphs})
    return {"version": "v2.0", "data": made} | more


# --- what loads -------------------------------------------------------------------------------------------------------


def test_squads_json_is_read_with_several_answers_and_none() -> None:
    data = load("dev-v2.0.json", json.dumps(squad()))
    assert data["train"].column_names == ["id", "text", "text_pair", "answers", "starts", "group"]
    found = read(data)
    assert len(found) == 48
    assert found["3-0-1"] == ["Bern", "Bern is far"]
    assert found["3-1-1"] == []
    assert said(data, "without an answer") == "train: 12 questions without an answer"
    assert said(data, "not read") == "rows read under 'data'; not read: version"
    assert "question = question, context = context, answers = answers" in data.summary.reading


def test_titles_stay_whole_and_intervals_go_by_context() -> None:
    data = load("a.json", json.dumps(squad()), test_size=0.3)
    titles = [{one.split("-")[0] for one in split["id"]} for split in data.values()]
    assert len(set.union(*titles)) == 12 == sum(map(len, titles))
    assert "by groups of equal title" in said(data, "test held out")
    assert all(len(set(split["group"])) == len(set(split["text_pair"])) for split in data.values())
    few = load("few.json", json.dumps(squad(5)))
    assert "columns not used: title" in few.summary.notes
    assert "by groups of equal context" in said(few, "test held out")


def test_a_group_that_is_asked_for_is_the_one_of_intervals_too() -> None:
    rows = [one | {"patient": f"p{place // 5}"} for place, one in enumerate(ROWS)]
    data = load("a.jsonl", lines(rows), group_column="patient")
    assert set(data["test"]["group"]) <= {f"p{n}" for n in range(6)}
    assert len(set(data["test"]["group"])) == 1


@pytest.mark.parametrize(
    "answers",
    [
        {"text": ["Oslo"], "answer_start": [9]},
        {"text": "Oslo", "answer_start": 9},
        [{"text": "Oslo", "answer_start": 9}],
        [{"text": "Oslo", "start": 9}],
        ["Oslo"],
        "Oslo",
        '{"text": ["Oslo"], "answer_start": [9]}',
        "{'text': ['Oslo'], 'answer_start': [9]}",
        '["Oslo"]',
    ],
)
def test_every_form_of_answers(answers: Any) -> None:
    data = load("a.jsonl", lines([row(number, id=f"i{number}", answers=answers, context=f"He is in Oslo, {number}.")
                                  for number in range(30)]))  # fmt: skip
    assert set(map(tuple, read(data).values())) == {("Oslo",)}
    assert {start for split in data.values() for starts in split["starts"] for start in starts} == {9}


def test_csv_with_a_column_of_places_and_parquet() -> None:
    head = "query,passage,answer,answer_start\n"
    text = head + "".join(f'Where ({n})?,"He is in Oslo, {n}.",Oslo,9\n' for n in range(30))
    data = load("a.csv", text)
    assert "question = query, context = passage, answers = answer" in data.summary.reading
    assert not [note for note in data.summary.notes if "answer" in note]
    data["train"].to_parquet("again.parquet")
    again = load("again.parquet")
    assert again.summary.reading.startswith("question = text, context = text_pair, answers = answers")
    assert read(again) == {key: value for key, value in read(data).items() if key in set(data["train"]["id"])}


def test_columns_are_named_by_flags() -> None:
    rows = [{"f": one["question"], "k": one["context"], "a": one["answers"]} for one in ROWS]
    data = load("a.jsonl", lines(rows), text_column="f", text_pair_column="k", label_column="a")
    assert len(read(data)) == 30
    assert "say --label_column NAME" in refused(lines([{"question": "a", "context": "b"}] * 3))
    assert "There is no column 'b'" in refused(lines(rows), text_column="b")


def test_a_file_is_evaluated_whole() -> None:
    write("a.json", json.dumps(squad(3)))
    data = load_test("./a.json", task="question-answering")
    assert list(data) == ["test"] and len(data["test"]) == 12


def test_places_that_are_off_are_mended_to_the_nearest() -> None:
    rows = [one | {"answers": {"text": [TOWNS[n % 12]], "answer_start": [start]}} for n, (one, start) in
            enumerate(zip(ROWS, [9, 11, 40, -1, 10_000] * 6, strict=True))]  # fmt: skip
    data = load("a.jsonl", lines(rows))
    starts = {one["id"]: one["starts"][0] for split in data.values() for one in split}
    assert starts["q1"] == 9 and starts["q3"] == 9
    assert starts["q2"] == starts["q4"] == ROWS[2]["context"].index("likes ") + 6
    assert said(data, "not at the place") == (
        "train: 22 answers not at the place that the data say: taken where they stand nearest to it (the first 'Rome',"
        " a.jsonl line 2)"
    )


def test_space_around_an_answer_is_no_part_of_it() -> None:
    data = load("a.jsonl", changed(answers={"text": [" Bern "], "answer_start": [8]}))
    assert read(data)["q3"] == ["Bern"]
    assert not [note for note in data.summary.notes if "answer" in note]


def test_answers_without_a_place_are_looked_up_and_counted() -> None:
    data = load("a.jsonl", changed(answers=["Bern"]))
    assert "1 answer without a place: the first place in the context that holds them" in said(data, "without a place")


def test_an_answer_that_stands_nowhere_beside_one_that_does_is_only_judged_by() -> None:
    data = load("a.jsonl", changed(answers={"text": ["the Swiss capital", "Bern"], "answer_start": [0, 9]}))
    assert read(data)["q3"] == ["the Swiss capital", "Bern"]
    assert "judged by, not learnt" in said(data, "nowhere")


def test_chinese_answers_are_told_to_be_counted_by_characters() -> None:
    rows = [row(n, context=f"他在北京，第{n}号。", answers=["北京"]) for n in range(30)]
    assert "F1 counts their characters, not words" in said(load("a.jsonl", lines(rows)), "Chinese")


def test_contexts_of_a_later_split_are_not_learnt() -> None:
    for name, rows in {"train": ROWS[:20], "validation": ROWS[20:25], "test": ROWS[25:]}.items():
        write(f"d/{name}.jsonl", lines(rows))
    extra = [row(40, context=ROWS[26]["context"], answers=["Lima"]), row(41, context=ROWS[21]["context"],
             answers=[TOWNS[21 % 12]])]  # fmt: skip
    write("d/train.jsonl", lines([*ROWS[:20], *extra]))
    data = load("d")
    assert [len(split) for split in data.values()] == [20, 5, 5]
    assert "train: 1 row whose context also stands in test: kept out of train" in data.summary.notes
    kept = load("d", keep_duplicates=True)
    assert len(kept["train"]) == 22
    assert said(kept, "also stands in test").endswith(": kept")


def test_the_same_rows_have_the_same_fingerprint_and_other_answers_another() -> None:
    one, same, other = (load("a.jsonl", text) for text in (lines(ROWS), lines(ROWS), changed(answers=["Ann"])))
    prints = [[split["fingerprint"] for split in data.summary.splits.values()] for data in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"question": ""}, "The question is empty"),
        ({"question": None}, "The question is empty"),
        ({"question": 7}, "The question is no text: '7'"),
        ({"context": " \u200b"}, "The context is empty"),
        ({"context": ["a"]}, "The context is no text"),
        ({"answers": None}, "The answer is empty, and nothing says that there is none"),
        ({"answers": ""}, "The answer is empty, and nothing says that there is none"),
        ({"answers": [""]}, "An answer is no text: ''"),
        ({"answers": {"text": ["Paris"], "answer_start": [9]}}, "nowhere in its context: at 9 stands 'Bern,"),
        ({"answers": ["Paris"]}, "The answer 'Paris' stands nowhere in its context"),
        ({"answers": {"text": ["Bern"], "answer_start": [9, 10]}}, "There are 1 answers and 2 places"),
        ({"answers": {"text": ["Bern"], "answer_start": ["x"]}}, "is no number of characters: 'x'"),
        ({"answers": {"text": ["Bern"], "answer_start": [9.5]}}, "is no number of characters: '9.5'"),
        ({"answers": {"start": 9}}, "The answer is empty"),
        ({"answers": [["Bern"]]}, "An answer is no text"),
        ({"answers": [True]}, "An answer is no text: 'True'"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_line_and_id_or_dropped_and_counted(more: dict[str, Any], told: str) -> None:
    text = refused(changed(**more))
    assert told in text
    assert "a.jsonl line 4" in text and "id q3 (1 such row of 30)" in text
    data = load("a.jsonl", drop_bad_rows=True)
    assert len(read(data)) == 29 and "train: 1 row dropped" in said(data, "dropped")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (json.dumps(squad(data=[{"title": "a", "paragraphs": "none"}])), "'paragraphs' holds no list of objects"),
        (json.dumps(squad(data=[{"title": "a", "paragraphs": [{"context": "b", "qas": [1]}]}])), "'qas' holds no list"),
        (json.dumps(squad(data=[{"title": "a", "paragraphs": []}])), "The file holds no paragraph"),
        (json.dumps(squad(1)).replace("Which town (0)?", " "), "item 1 paragraph 1 question 1, id 0-0-0"),
    ],
)
def test_a_broken_squad_file_is_told_with_its_item(content: str, told: str) -> None:
    assert told in refused(content, "a.json")


def test_whatever_a_cell_holds_is_read_or_refused() -> None:
    draw = random.Random(0)
    texts = ["", "a", "Oslo", " [1", "{'text': 1}", "[", "{", "[[1]]", '{"text": ["Oslo"]}', "１２", "\ud800"]

    def cell(depth: int = 0) -> Any:
        kind = draw.randint(0, 5 if depth < 3 else 3)
        if kind < 2:
            return draw.choice([None, True, 3, -1, 2.5, float("nan"), 10**400])
        if kind < 4:
            return draw.choice(texts)
        inside = [cell(depth + 1) for _ in range(draw.randint(0, 3))]
        return inside if kind == 4 else {draw.choice(["text", "answer_start", "start", "x"]): one for one in inside}

    read = 0
    for _ in range(5000):
        try:
            found = written(cell(), cell())
        except HfkitError as error:
            assert error.what
            continue
        for text, start in found or []:
            answer = placed("He is in Oslo, a town", text, start)
            assert answer.start == -1 or "He is in Oslo, a town"[answer.start :].startswith(answer.text)
            read += 1
    assert read > 100


def test_when_no_row_is_left_dropping_does_not_help() -> None:
    text = refused(lines([one | {"answers": ["Paris"]} for one in ROWS]), drop_bad_rows=True)
    assert "(30 such rows of 30)" in text and "--drop_bad_rows" not in text


def test_one_context_cannot_be_split() -> None:
    assert "cannot give up a test split" in refused(lines([row(n, context=ROWS[0]["context"], answers=["Oslo"])
                                                          for n in range(30)]))  # fmt: skip


def test_an_answer_without_a_text_is_no_missing_answer() -> None:
    for value in ([{"answer_text": "Oslo", "answer_start": 9}], [{"text": None, "answer_start": 9}], [{"text": ""}]):
        with pytest.raises(HfkitError, match=r"An answer has no text; it has '(answer_)?text'"):
            written(value)
    assert written([]) == [] and written({"text": [], "answer_start": []}) == []


def test_places_in_bytes_are_known_by_what_stands_there() -> None:
    context = "天安门在北京。我爱北京，也爱上海，还有北京。"
    third = context.rindex("北京")
    for unit, width in (("utf-8", 1), ("utf-16-le", 2)):
        place = len(context[:third].encode(unit)) // width
        assert placed(context, "北京", place) == Answer("北京", third, "right" if place == third else "mended")
    astral = "😀😀 北京 and 北京"
    place = len(astral[: astral.rindex("北京")].encode("utf-16-le")) // 2
    assert placed(astral, "北京", place).start == astral.rindex("北京")


def test_marks_stay_with_their_letter() -> None:
    for text, word in (("in a cafe\u0301 today", "cafe\u0301"), ("मेरे गुरु हैं", "गुरु")):
        begin = text.index(word)
        assert text[slice(*trimmed(text, begin, begin + len(word) - 1))] == word


def test_what_one_split_alone_says_of_its_answers_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = [f"who {n},In town {n} lives Ada{n}.,Ada{n}" for n in range(40)]
    (tmp_path / "data" / "train.csv").write_text("question,context,answers\n" + "\n".join(rows) + "\n")
    rows = [f"where {n},The house {n} is Red{n}.,,True" for n in range(20)]
    (tmp_path / "data" / "test.csv").write_text("question,context,answers,is_impossible\n" + "\n".join(rows) + "\n")
    data = hfkit.load_data(TrainConfig.for_task("question-answering")(dataset=str(tmp_path / "data")))
    assert all(answers == [] for answers in data["test"]["answers"])
