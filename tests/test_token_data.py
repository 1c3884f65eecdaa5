"""Words with tags, in CoNLL files and in tables of lists: what is read, what is said, and what is refused."""

import json
from typing import Any

import pyarrow as pa
import pytest
from data_files import write
from datasets import ClassLabel, Dataset, Features, List, Value
from tagged_files import (
    IOB2,
    LISTS,
    PEOPLE,
    SAW,
    SPANS,
    TYPES,
    conll,
    folder,
    lines,
    load,
    refused,
    said,
    sentence,
    tags,
)

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_test
from hfkit.tasks.token_classification.words.schemes import has_scheme, scheme_of, to_iob2


@pytest.mark.parametrize("scheme", SAW)
def test_every_scheme_becomes_iob2(scheme: str) -> None:
    data = load("a.conll", conll(scheme=scheme))
    assert set(map(tuple, tags(data).values())) == {tuple(SAW["plain" if scheme == "plain" else "iob2"].split())}
    told = {"iob1": "IOB1", "iobes": "BIOES", "bilou": "BILOU"}
    assert [note for note in data.summary.notes if "read as IOB2" in note] == (
        [f"tags in {told[scheme]}: read as IOB2"] if scheme in told else []
    )
    assert data.summary.label_names == (["N", "V", "X"] if scheme == "plain" else TYPES)
    assert "tags = column 2" in data.summary.reading


@pytest.mark.parametrize("name", ["a.txt", "a.iob", "a.tsv", "a.annotated", "a"])
def test_conll_has_any_ending_and_any_blank(name: str) -> None:
    blank = conll().replace("\n\n", "\r\n \t\r\n").replace("\n", "\r\n").replace("\r\r", "\r")
    text = "\ufeff" + blank.replace("Eve", "E\u2028ve").replace("Dan", "\ufeffDan")
    data = load(name, text)
    assert len(tags(data)) == 12
    assert tags(data)["E\u2028ve Lee4 saw Cairo ."] == tags(data)["Dan Lee3 saw Lima ."] == IOB2
    assert said(data, "byte order") == f"{name}: 1 byte order mark inside the text, left out"


def test_the_column_of_tags_is_found_or_named() -> None:
    write("a.conll", conll(sep=" ", more="NN B-NP "))
    data = load("a.conll")
    assert data.summary.label_names == TYPES
    assert "columns not used: 2, 3" in data.summary.notes
    assert load("a.conll", label_column="2").summary.label_names == ["NN"]
    assert "Known: 1, 2, 3, 4" in refused("a.conll", label_column="9")


def test_conllu_has_comments_and_words_in_one() -> None:
    row = "{}\t{}\t{}\tNOUN\tNN\t_\t0\t_\t_\t_\n"
    text = "".join(
        f"# sent_id = {n}\n{row.format('1', PEOPLE[n], 'x')}{row.format('2-3', 'isnt', '_')}"
        f"{row.format('2', 'is', 'be').replace('NOUN', 'AUX')}{row.format('3', 'nt', 'not')}\n"
        for n in range(12)
    )
    data = load("a.conllu", text)
    assert tags(data)["Ann is nt"] == ["NOUN", "AUX", "NOUN"]
    assert said(data, "words in one") == "a.conllu: 12 lines of words in one or that are not there, left out"


@pytest.mark.parametrize(
    ("line", "row", "column"),
    [("#\thttp://x [2009]", "{0}\t{1}\t{2}\tO\n", "3"), ("# id 4f-{0} domain=en", "{1} _ _ {2}\n", "4")],
)
def test_a_comment_before_every_sentence_is_no_word(line: str, row: str, column: str) -> None:
    text = "".join(
        f"{line.format(n)}\n{row.format(1, PEOPLE[n], 'B-PER')}{row.format(2, 'saw', 'O')}{row.format(3, '#', 'O')}\n"
        for n in range(12)
    )
    data = load("a.tsv", text)
    assert tags(data) == {f"{PEOPLE[n]} saw #": ["B-PER", "O", "O"] for n in range(12)}
    assert f"tags = column {column}" in data.summary.reading
    assert tags(load("b.conll", conll() + "#\tO\n\n"))["#"] == ["O"]


def test_a_tsv_of_one_sentence_is_conll_and_a_table_is_not() -> None:
    write("one.tsv", sentence(0).strip())
    assert tags(load_test("one.tsv", task="token-classification", label_names=TYPES)) == {"Ann Lee0 saw Rome .": IOB2}
    write("table.tsv", "text\tlabel\n" + "".join(f"{r['text']}\t{json.dumps(r['label'])}\n" for r in SPANS))
    assert tags(load("table.tsv", quoting="none"))["Ann Lee saw Rome."] == IOB2


def test_few_documents_are_split_by_sentences_and_many_whole() -> None:
    two = "".join(f"-DOCSTART- -X- O O\n\n{conll(n, n + 6)}" for n in (0, 6))
    data = load("two.conll", two)
    assert said(data, "documents") == "train: 2 documents, too few to hold some out whole: split by sentences"
    assert [len(rows) for rows in data.values()] == [10, 1, 1]
    many = load("many.conll", "".join(f"-DOCSTART- O\n\n{conll(n, n + 2)}" for n in range(0, 24, 2)))
    groups = [set(rows["group"]) for rows in many.values()]
    assert all(groups) and len(set.union(*groups)) == 12 == sum(map(len, groups))


def test_a_folders_files_are_splits_by_a_word_in_their_names() -> None:
    own = {"wnut17train__conll": conll(0, 4), "eng__testa": conll(4, 6), "emerging__test__annotated": conll(6, 9)}
    other = {"latest__txt": "x", "contest__conll": "x", "README_test__md": "so it is", "notes__csv": "a,b\n1,2\n"}
    data = load(folder(**own, **other))
    assert [len(rows) for rows in data.values()] == [4, 2, 3]
    for role, name in [
        ("train", "wnut17train.conll"),
        ("validation", "eng.testa"),
        ("test", "emerging.test.annotated"),
    ]:
        assert f"{role}: {name}" in data.summary.notes
    assert said(data, "not read") == "files not read: README_test.md, contest.conll, latest.txt, notes.csv"


def test_a_folder_of_one_conll_file_needs_no_role() -> None:
    data = load(folder(foo__conll=conll(), README__md="what this is", LICENSE="Do what you like.\nWith it all.\n"))
    assert len(tags(data)) == 12
    assert "train: foo.conll" in data.summary.notes
    assert "bar.conll, foo.conll" in refused(folder(bar__conll=conll()))
    said = refused(folder(train_a__conll=conll(), train_b__conll=conll()))
    assert "Two files are the split 'train'" in said
    assert "what to do: take one of them out" in said


def test_tables_with_roles_stay_the_folders_data() -> None:
    data = load(folder(train__jsonl=lines(LISTS[:9]), test__jsonl=lines(LISTS[9:]), train_log__txt="it went well"))
    assert [len(rows) for rows in data.values()] == [8, 1, 3]


@pytest.mark.parametrize("key", ["tags", "ner_tags", "labels", "label", "pos_tags", "foo", "Labels"])
def test_lists_of_words_and_tags(key: str) -> None:
    rows = [{"Words" if key == "Labels" else "tokens": r["tokens"], key: r["tags"]} for r in LISTS]
    data = load("a.jsonl", lines(rows))
    assert tags(data)["Ann saw Rome"] == ["B-PER", "O", "B-LOC"]
    assert f"tags = {key}" in data.summary.reading


def test_names_come_before_parts_of_speech() -> None:
    rows = [{"tokens": r["tokens"], "pos_tags": ["N", "V", "N"], "chunk_tags": r["tags"], "ner_tags": r["tags"]}
            for r in LISTS]  # fmt: skip
    data = load("a.json", json.dumps(rows))
    assert "tags = ner_tags" in data.summary.reading
    assert "columns not used: pos_tags, chunk_tags" in data.summary.notes


def test_numbers_need_names() -> None:
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["O", "B-PER", "B-LOC"]))})
    rows = {"tokens": [r["tokens"] for r in LISTS], "ner_tags": [[1, 0, 2]] * 12}
    Dataset.from_dict(rows, features=features).to_parquet("a.parquet")
    assert tags(load("a.parquet"))["Ann saw Rome"] == ["B-PER", "O", "B-LOC"]
    pa.parquet.write_table(pa.table(rows), "b.parquet")
    assert "the source names no tags" in refused("b.parquet")


@pytest.mark.parametrize("spell", [str, json.dumps, lambda values: str(values).replace(",", "")])
def test_a_csv_spells_lists(spell: Any) -> None:
    cells = [[spell(r[key]).replace('"', '""') for key in ("tokens", "tags")] for r in LISTS]
    data = load("a.csv", "tokens,tags\n" + "".join(f'"{words}","{own}"\n' for words, own in cells))
    assert tags(data)["Ann saw Rome"] == ["B-PER", "O", "B-LOC"]


@pytest.mark.parametrize(
    ("words", "own", "what"),
    [
        (list("abcdefg"), ["O"] * 6, "7 words in 'tokens' and 6 tags in 'tags'"),
        (["a", ""], ["O", "O"], "'tokens' holds an empty word"),
        (["a", None], ["O", "O"], "'tokens' holds None, which is no word"),
        (["a", ["b"]], ["O", "O"], "'tokens' holds ['b'], which is no word"),
        (["a", 5], ["O", "O"], "'tokens' holds 5, which is no word"),
        ("a b", ["O", "O"], "'tokens' holds no list, but 'a b'"),
        (["a", "b"], ["O", None], "'tags' holds None, which is no tag"),
        (["a", "b"], ["O", "B-per"], "'PER' and 'per'"),
        (["a", "b"], ["O", "PER"], "some do not: PER"),
        (["a", "b"], ["O", "PER-B"], "Tags such as PER-B are of no scheme"),
        (["a", "b"], ["O", "B_PER"], "Tags such as B_PER are of no scheme"),
        ([], [], "1 of 13 words in 'tokens' are missing"),
        (None, None, "1 of 13 words in 'tokens' are missing"),
        (["a"], None, "1 of 13 tags in 'tags' are missing"),
    ],
)
def test_one_odd_row_is_told_with_its_line(words: Any, own: Any, what: str) -> None:
    message = refused("a.jsonl", lines([*LISTS, {"tokens": words, "tags": own}]))
    assert what in message
    assert "where: a.jsonl line 13" in message


@pytest.mark.parametrize("row", [{"tokens": None, "tags": None}, {"tokens": [], "tags": []}])
def test_rows_without_words_are_dropped_when_asked(row: dict[str, Any]) -> None:
    data = load("a.jsonl", lines([*LISTS, row]), drop_bad_rows=True)
    assert len(tags(data)) == 12
    assert "train: 1 text without a word dropped" in data.summary.notes
    data = load("a.jsonl", lines([*LISTS, {"tokens": ["a"], "tags": None}]), drop_bad_rows=True)
    assert "train: 1 text without tags dropped" in data.summary.notes


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (conll(0, 3) + "Bob\nsaw\tO\n", "The line has 1 column, and the first one 2: 'Bob'; line 19"),
        (conll(0, 3, sep=" ") + "New York B-LOC\n", "The line has 3 columns, and the first one 2; line 19"),
        (conll(0, 3) + "\tO\n", "The line has a tag and no word; line 19"),
        ("Ann\nsaw\n", "The line holds one column, 'Ann'; line 1"),
        ("\n\t\n", "The file holds no word; "),
        (conll(0, 3) + "a\tO\nNile\tLOC\n", "some do not: LOC; line 20"),
    ],
)
def test_a_broken_conll_line_is_told(text: str, what: str) -> None:
    message = refused("a.conll", text)
    assert all(part in message for part in what.split("; ")), message


def test_orphans_and_unknown_tags_have_the_words_line() -> None:
    data = load("a.conll", conll() + "Nile\tO\nthe\tI-LOC\nx\tI-PER\n\nNile\tB-LOC\n")
    assert tags(data)["Nile the x"] == ["O", "B-LOC", "B-PER"]
    assert said(data, "I-") == (
        "train: 2 tags I- that follow no name of its type, read as B- (the first in a.conll line 74)"
    )
    rows = {"train__conll": conll(), "dev__conll": conll(12, 14), "test__conll": conll(14, 16) + "a\tO\nNile\tB-SEA\n"}
    message = refused(folder(**rows))
    assert "test has tags that training never shows: B-SEA" in message
    assert "where: test.conll line 14 (1 text in all)" in message
    assert "--drop_unseen_labels" in message
    data = load("d", drop_unseen_labels=True)
    assert said(data, "left out") == "test: 1 text with tags that are not known left out: B-SEA"
    assert len(data["test"]) == 2


def test_splits_may_differ_in_scheme_and_may_lack_names() -> None:
    rows = {"train__conll": conll(), "dev__conll": conll(12, 14, scheme="iob1"), "test__conll": "it\tO\nis\tO\n"}
    data = load(folder(**rows))
    assert "schemes differ: train IOB2, validation IOB1" in data.summary.notes
    assert "test: no word has a tag but O" in data.summary.notes
    assert tags(data)["Mia Lee12 saw Rome ."] == IOB2
    message = refused(folder(dev__conll=conll(12, 14, scheme="plain")))
    assert "Some splits say where a name begins" in message
    assert "dev.conll (tags without a scheme)" in message
    write("e/train.jsonl", lines(SPANS))
    data = load("e", write("e/test.jsonl", lines([{"text": "It is so", "label": []}])) and None)
    assert tags(data)["It is so"] == ["O", "O", "O"]


@pytest.mark.parametrize("text", ["".join(f"{name}\tO\nis\tO\n\n" for name in PEOPLE), "spans"])
def test_data_without_a_name_is_refused(text: str) -> None:
    spanned = text == "spans"
    text = lines([{**row, "label": []} for row in SPANS]) if spanned else text
    message = refused("a.jsonl" if spanned else "a.conll", text)
    assert f"No text holds a name: all {60 if spanned else 28} words have the tag O" in message


def test_plain_tags_stand_for_themselves() -> None:
    data = load("a.conll", conll().replace("B-LOC", "LOC"), tag_scheme="plain")
    assert data.summary.label_names == ["O", "B-PER", "I-PER", "LOC"]
    assert "3 tags B-PER, I-PER, LOC" in data.summary.reading
    assert not has_scheme(data.summary.label_names)
    assert has_scheme(TYPES)
    assert not has_scheme(["O", "I-PER"])
    message = refused("a.conll", conll(scheme="iobes"), tag_scheme="iob2")
    assert "The tag E-PER is not of the scheme iob2" in message
    assert "a.conll line 2" in message


def test_schemes_by_their_tags() -> None:
    assert scheme_of([["I-PER", "B-PER", "O"], ["I-LOC"]]) == "iob1"
    assert scheme_of([["B-PER", "I-PER", "O", "I-LOC"]]) == "iob2"
    assert scheme_of([["B-PER", "M-PER", "E-PER"]]) == "iobes"
    assert to_iob2(["B-PER", "M-PER", "E-PER", "S-PER"], "iobes") == ["B-PER", "I-PER", "I-PER", "B-PER"]
    assert to_iob2(["I-PER", "B-PER", "O", "I-LOC"], "iob1") == ["B-PER", "B-PER", "O", "B-LOC"]


def test_a_models_tags_are_matched_and_only_the_test_split_matters() -> None:
    odd = {"tokens": ["a", "b"], "tags": ["O", "B-SEA"]}
    folder(train__jsonl=lines([*LISTS[:9], odd]), test__jsonl=lines(LISTS[9:]))
    how: dict[str, Any] = {"task": "token-classification", "label_names": ["O", "b-per", "i-per", "B-LOC", "I-LOC"]}
    assert tags(load_test("d", **how))["Jon saw Tunis"] == ["b-per", "O", "B-LOC"]
    write("a.jsonl", lines([*LISTS, odd]))
    with pytest.raises(HfkitError, match=r"does not know: B-SEA\n  where: a\.jsonl line 13, word 2"):
        load_test("a.jsonl", **how)
    assert len(load_test("a.jsonl", drop_unseen_labels=True, **how)["test"]) == 12
