"""Data cards: the shipped ones are whole, the working folder's come first, a faulty one is named by file and key."""

from pathlib import Path

import pytest

from hfkit.base.errors import HfkitError
from hfkit.data.cards.card import DataCard, known_cards
from hfkit.data.load import load_data

FRONT = """license: mit
language: en
task_categories: [text-classification]
size_categories: n<1K
"""


def card(block: str, front: str = FRONT) -> DataCard:
    path = Path("data_cards/mine.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\n{front}{block}---\n\n# Mine\n")
    return DataCard.read(path)


@pytest.mark.parametrize("name", ["imdb", "rotten_tomatoes", "sst2"])
def test_the_shipped_cards_say_where_what_and_how(name: str) -> None:
    shipped = DataCard.find(name)
    assert shipped.source.count("/") == 1 and len(str(shipped.revision)) == 40
    assert shipped.labels == ["negative", "positive"]
    assert shipped.license and shipped.language == "en" and shipped.task == "text-classification"
    for words in ("How it was made", "Known faults", "Leakage, and how we split"):
        assert words in shipped.prose


def test_the_pair_card_names_both_texts() -> None:
    mrpc = DataCard.find("mrpc")
    assert (mrpc.config, mrpc.columns["text"], mrpc.columns["text_pair"]) == ("mrpc", "sentence1", "sentence2")


def test_the_imdb_card_splits_by_blocks_and_is_embedded() -> None:
    imdb = DataCard.find("imdb")
    assert (imdb.blocks, imdb.validation_size) == (50, 0.1)
    assert imdb.embedded is not None
    assert (imdb.embedded.rows, imdb.embedded.test_size) == ({"source": "imdb"}, 0.2)


def test_a_misspelt_name_answers_with_the_nearest() -> None:
    with pytest.raises(HfkitError, match="did you mean rotten_tomatoes"):
        DataCard.find("rotten_tomatos")


def test_the_working_folder_comes_first() -> None:
    card("hfkit: {source: me/mine}\n")
    Path("data_cards/mine.md").rename("data_cards/imdb.md")
    assert DataCard.find("imdb").source == "me/mine"
    assert "sst2" in known_cards()


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("", "needs the key hfkit"),
        ("hfkit: {revision: abc}\n", "hfkit.source"),
        ("hfkit: {source: a/b, block: 3}\n", "did you mean blocks"),
        ("hfkit: {source: a/b, blocks: many}\n", "'many' is not a int"),
        ("hfkit: {source: a/b, blocks: 0}\n", "not a number of rows"),
        ("hfkit: {source: a/b, columns: {txt: t}}\n", "did you mean text"),
        ("hfkit: {source: a/b, splits: {dev: d}}\n", "hfkit.splits"),
        ("hfkit: {source: a/b, splits: {train: 3}}\n", "not 3"),
        ("hfkit: {source: a/b, test_size: 2}\n", "share between 0 and 1"),
        ("hfkit: {source: a/b, labels: [x, x]}\n", "twice"),
        ("hfkit: {source: a/b, replace: {a: 3}}\n", "two strings"),
        ("hfkit: {source: a/b, embedded: {package: p}}\n", "needs the key module"),
        ("hfkit: {source: a/b, embedded: {package: p, modul: p}}\n", "did you mean module"),
        ("hfkit: [source\n", "data_cards/mine.md, line"),
        ("hfkit: 3\n", "must be a mapping"),
    ],
)
def test_a_faulty_block_is_named_with_file_and_key(block: str, expected: str) -> None:
    with pytest.raises(HfkitError) as caught:
        card(block)
    assert expected in str(caught.value) and "data_cards/mine.md" in str(caught.value)


def test_front_matter_is_needed() -> None:
    Path("plain.md").write_text("# no front matter\n")
    with pytest.raises(HfkitError, match="no front matter"):
        DataCard.read("plain.md")
    with pytest.raises(HfkitError, match="needs the key license"):
        card("hfkit: {source: a/b}\n", front=FRONT.replace("license: mit\n", ""))


def test_labels_that_yaml_reads_as_truth_values_are_names() -> None:
    assert card("hfkit: {source: a/b, labels: [0, 1.5, x]}\n").labels == ["0", "1.5", "x"]


def test_a_card_replaces_markup_and_the_load_counts_it() -> None:
    rows = [f"good{n}<br /><br />film,pos" for n in range(20)] + [f"bad{n} film,neg" for n in range(20)]
    Path("films.csv").write_text("\n".join(["text,label", *rows]))
    card('hfkit: {source: ../films.csv, replace: {"<br />": " "}}\n')
    data = load_data("mine")
    assert not any("<br" in text for split in data.values() for text in split["text"])
    assert "train: '<br />' became ' ' in 20 texts" in data.summary.notes


def test_blocks_hold_for_tagged_texts_too() -> None:
    rows = [f'{{"tokens": ["word{n}", "of"], "tags": ["{"AB"[n % 2]}", "C"]}}\n' for n in range(100)]
    Path("tagged.jsonl").write_text("".join(rows))
    front = FRONT.replace("text-classification", "token-classification")
    card("hfkit: {source: ../tagged.jsonl, columns: {text: tokens, label: tags}, blocks: 10}\n", front)
    data = load_data("mine", task="token-classification")
    blocks = [{int(id.split("-")[1]) // 10 for id in split["id"]} for split in data.values()]
    assert sum(map(len, blocks)) == 10 and len(set.union(*blocks)) == 10
    assert "group" not in data["train"].column_names
