"""A data card is drafted from what is counted, and checked against the Hub's words and the data."""

from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard
from image_files import image_folder

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards import facts
from hfkit.data.cards.card import DataCard
from hfkit.data.cards.check import check_cards, counted_forms, front_faults, numbers
from hfkit.data.cards.draft import MARK, draft_card
from hfkit.data.cards.vocabulary import size_category
from hfkit.data.load import load_data

CARDS = sorted((Path(__file__).parents[1] / "data_cards").glob("*.md"))


@pytest.fixture
def drafted(reviews_csv: Path) -> Path:
    """The card `films` of the made reviews, six of which repeat and two of which lack a text."""
    rows = reviews_csv.read_text().splitlines(keepends=True)
    reviews_csv.write_text("".join([*rows, *rows[1:7], '"",neg\n', '"",pos\n']))
    return draft_card("films", DataArguments(dataset=str(reviews_csv)))


def filled(card: Path) -> Path:
    """The card as a person leaves it."""
    lines = [line.split("  # " + MARK)[0] for line in card.read_text().splitlines()]
    prose = "These are made sentences of words that tell good from bad, and of words that tell nothing. " * 5
    text = "\n".join(prose if MARK in line else line for line in lines) + "\n"
    card.write_text(text)
    return card


def test_a_draft_holds_what_the_data_are(drafted: Path) -> None:
    text = drafted.read_text()
    card = DataCard.read(drafted)
    assert drafted == Path("data_cards/films.md")
    assert card.columns == {"text": "review", "label": "sentiment"}
    assert card.source == "../reviews.csv"
    assert (card.size, card.task, card.language) == ("n<1K", "text-classification", "en")
    assert "248 rows with 2 labels: neg, pos" in text
    assert "| review | string | 2 | 240 |" in text
    assert "| sentiment | string | 0 | 2 | pos |" in text
    assert "6 repeated texts in train: removed" in text
    assert "2 rows of train without review: dropped" in text
    loaded = load_data("films", drop_bad_rows=True)
    rows = loaded.summary.splits
    (cells,) = counted_forms(text).values()
    assert [numbers(cell) for cell in cells] == [
        (found["rows"], list(found["labels"].values())) for found in rows.values()
    ]
    words = sorted(len(value.split()) for value in loaded["train"]["text"])
    assert f"| train | {words[0]} | {facts.lengths(loaded['train']['text'][:])['median']} |" in text
    assert f"| {words[-1]} |" in text
    assert yaml.safe_load(text.split("---\n")[1]) == DatasetCard(text).data.to_dict()


def test_a_draft_is_refused_until_a_person_has_filled_it(drafted: Path) -> None:
    (found,) = check_cards([drafted])
    assert len(found.faults) == 1
    assert found.faults[0].startswith(f"{drafted.read_text().count(MARK)} places wait for a person, line 3, 4,")
    (found,) = check_cards([filled(drafted)])
    assert found.faults == []
    assert found.counts == ["counts of films are the data's: 240 rows"]


def test_counts_that_are_not_the_datas_are_found(drafted: Path) -> None:
    card = filled(drafted)
    right = card.read_text()
    rows = load_data("films", drop_bad_rows=True).summary.splits["train"]["rows"]
    card.write_text(right.replace(f"| {rows} (", f"| {rows + 1} ("))
    (found,) = check_cards([card])
    assert found.faults == [f"films, train: the card says {rows + 1} rows, the data has {rows}"]
    assert check_cards([card], data=False)[0].faults == []
    card.write_text(right.replace("n<1K", "1K<n<10K"))
    assert check_cards([card])[0].faults == ["size_categories: 1K<n<10K, and films has 240 rows: n<1K"]


def test_counts_of_rows_that_have_no_labels_are_compared_too(tmp_path: Path) -> None:
    rows = "".join(f'{{"tokens": ["Ann", "saw", "{number}"], "tags": ["B-PER", "O", "O"]}}\n' for number in range(60))
    (tmp_path / "names.jsonl").write_text(rows)
    prose = "Made sentences about a person of one name, who saw numbers, and saw nothing else at all. " * 6
    front = "license: mit\nlanguage: en\ntask_categories: [token-classification]\nsize_categories: n<1K"
    counts = "| counts | train | validation | test |\n|---|---|---|---|\n| `names` | 49 | 5 | {test} |\n"
    text = f"---\n{front}\nhfkit:\n  source: ../names.jsonl\n---\n\n# Names\n\n{prose}\n\n{counts}"
    (card := tmp_path / "data_cards" / "names.md").parent.mkdir()
    card.write_text(text.format(test=6))
    (found,) = check_cards([card])
    assert found.faults == [] and found.counts == ["counts of names are the data's: 60 rows"]
    card.write_text(text.format(test=7))
    assert check_cards([card])[0].faults == ["names, test: the card says 7 rows, the data has 6"]


def test_front_matter_is_held_against_the_hubs_words() -> None:
    good = {"license": "cc-by-4.0", "language": ["en", "de"], "size_categories": "n<1K", "task_categories": ["other"]}
    assert front_faults(good) == []
    wrong = {"license": "cc-by", "language": "english", "size_categories": "1k", "task_categories": "classification"}
    said = front_faults(wrong)
    assert [sentence.split(":")[0] for sentence in said] == list(wrong)
    assert "cc-by-4.0" in said[0] or "cc-by" in said[0]
    assert front_faults(good | {"license": 4})[0].startswith("license: the Hub does not know 4")


def test_a_card_that_cannot_be_read_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("no front matter")
    (tmp_path / "b.md").write_text("---\nlicense: mit\n---\n")
    found = check_cards([tmp_path / "a.md", tmp_path / "b.md", tmp_path / "none.md"])
    assert all(len(card.faults) == 1 for card in found)
    assert "needs the key" in found[1].faults[0]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_projects_own_cards_are_good(card: Path) -> None:
    assert check_cards([card], data=False)[0].faults == []


def test_splits_label_names_and_leaks_stand_in_a_draft(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    rows = [f"the film number {number} was not good,{number % 2}\n" for number in range(40)]
    (tmp_path / "set" / "train.csv").write_text("text,label\n" + "".join(rows))
    (tmp_path / "set" / "test.csv").write_text("text,label\n" + "".join(rows[:3]) + "another one for you,1\n")
    text = draft_card("two", DataArguments(dataset="./set")).read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["hfkit"]["splits"] == {"train": "train", "test": "test"}
    assert front["hfkit"]["source"] == "../set"
    assert "3 texts of train that also stand in test: removed in train" in text
    assert "one that it lacks is drawn from the training rows" in text


def test_pictures_are_described_by_their_size(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "pictures", {"train": 40, "test": 10})
    text = draft_card("pictures", DataArguments(dataset=str(folder))).read_text()
    assert "task_categories: [image-classification]" in text
    assert "| image | image |  |  |  |" in text
    assert "pixels, by the first 200." in text
    assert DataCard.read("data_cards/pictures.md").columns == {"image": "image", "label": "label"}


def test_a_card_that_is_there_is_kept(drafted: Path, reviews_csv: Path) -> None:
    before = drafted.read_text()
    with pytest.raises(HfkitError, match="is there"):
        draft_card("films", DataArguments(dataset=str(reviews_csv)))
    with pytest.raises(HfkitError, match="no card's name"):
        draft_card("../films", DataArguments(dataset=str(reviews_csv)))
    assert drafted.read_text() == before


def test_what_the_data_say_stays_text(tmp_path: Path) -> None:
    rows = "".join(f'"<script>x</script> | [a](b) {number} the film","{"ab"[number % 2]}|"\n' for number in range(40))
    (tmp_path / "odd.csv").write_text("text,label\n" + rows)
    text = draft_card("odd", DataArguments(dataset="odd.csv")).read_text()
    assert "<script>" not in text
    assert "\\<script\\>x\\</script\\> \\| \\[a\\](b)" in text


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["This is one of the films that you watch with the family."], "en"),
        (["Das ist ein Film, den ich nicht mit der Familie sehe."], "de"),
        (["Ce film est pour les enfants, et il ne dure pas une heure."], "fr"),
        (["Esta película es para los niños, y no dura una hora."], "es"),
        (["这部电影非常好看，我很喜欢。"], "zh"),
        (["この映画はとても面白かった。"], "ja"),
        (["Этот фильм мне очень понравился."], "ru"),
        (["12 34 56", "Xyz"], None),
    ],
)
def test_languages_are_guessed_from_script_and_common_words(texts: list[str], language: str | None) -> None:
    found = facts.guess(texts)
    assert ([code for code, _ in found] or [None])[0] == language


def test_sizes_and_kinds() -> None:
    assert [size_category(rows) for rows in (999, 1000, 9_999, 10**6, 10**12)] == [
        "n<1K", "1K<n<10K", "1K<n<10K", "1M<n<10M", "n>1T",
    ]  # fmt: skip
    assert facts.kind(["1", "2"]) == "integer"
    assert facts.kind(["1", "2.5"]) == "number"
    assert facts.kind([True]) == "boolean"
    assert facts.kind([["a"]]) == "list"
    assert facts.kind(["a", 1]) == "mixed"


def test_the_command_drafts_and_checks(reviews_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hfkit.cli import main

    def status(command: str) -> int | str | None:
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        return ended.value.code

    assert status(f"card films --dataset {reviews_csv}") == 0
    assert "then: hfkit card check data_cards/films.md" in capsys.readouterr().out
    assert status("card check data_cards/films.md") == 1
    assert "1 of 1 cards have something to mend: data_cards/films.md" in capsys.readouterr().err
    filled(Path("data_cards/films.md"))
    assert status("card check data_cards/films.md") == 0
    assert "data_cards/films.md: good" in capsys.readouterr().out
    assert status("card films") == 2
    assert status("card check") == 2
