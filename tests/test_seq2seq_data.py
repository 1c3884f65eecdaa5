"""Pairs in every form that loads: what is read, what is said, what is kept apart, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import write

from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data, load_test
from hfkit.evaluation.metric import figures
from hfkit.tasks.seq2seq.baselines import fit, ibm1, leads, nearest, word_by_word
from hfkit.tasks.seq2seq.metrics import metrics_of
from hfkit.tasks.seq2seq.pairs.scripts import _SIMPLIFIED, _TRADITIONAL, chinese_kinds, main_script, script_of

NUMBERS = "one two three four five six seven eight nine ten".split()
CHINESE = "一二三四五六七八九十"
WORDS = [f"number {NUMBERS[n // 10]} {NUMBERS[n % 10]}" for n in range(40)]
SIGNS = [f"数字{CHINESE[n // 10]}{CHINESE[n % 10]}" for n in range(40)]
PAIRS = list(zip(WORDS, SIGNS, strict=True))


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def load(name: str, content: str | bytes | None = None, task: str = "translation", **options: Any) -> Any:
    if content is not None:
        write(name, content)
    return load_data(f"./{name}", task=task, **options)


def read(data: Any) -> dict[str, list[str]]:
    """Source -> references, over all splits."""
    rows = [row for split in data.values() for row in split]
    assert all(row["target"] == row["references"][0] for row in rows)
    return {row["source"]: row["references"] for row in rows}


def said(data: Any, part: str) -> str:
    return next((note for note in data.summary.notes if part in note), f"nothing of {part}: {data.summary.notes}")


def refused(name: str, content: str | bytes | None = None, **options: Any) -> str:
    with pytest.raises(HfkitError) as caught:
        load(name, content, **options)
    return str(caught.value)


EXPECTED = {source: [target] for source, target in PAIRS}


def tmx(units: list[str], head: str = "") -> str:
    body = "\n".join(units)
    return f'<?xml version="1.0"?>\n{head}<tmx version="1.4"><header/><body>\n{body}\n</body></tmx>\n'


def unit(source: str, target: str) -> str:
    return f'<tu><tuv xml:lang="en"><seg>{source}</seg></tuv><tuv xml:lang="zh"><seg>{target}</seg></tuv></tu>'


FORMS = {
    "header.tsv": "source\ttarget\n" + "".join(f"{s}\t{t}\n" for s, t in PAIRS),
    "languages.csv": "id,en,zh\n" + "".join(f"{n},{s},{t}\n" for n, (s, t) in enumerate(PAIRS)),
    "src.jsonl": lines([{"src": s, "tgt": t} for s, t in PAIRS]),
    "hub.jsonl": lines([{"id": n, "translation": {"en": s, "zh": t}} for n, (s, t) in enumerate(PAIRS)]),
    "summary.jsonl": lines([{"document": s, "summary": t, "url": "x"} for s, t in PAIRS]),
    "inputs.json": json.dumps([{"input": s, "output": t} for s, t in PAIRS]),
    "tatoeba.txt": "\n" + "".join(f"{s}\t{t}\tCC-BY 2.0 (France)\n" for s, t in PAIRS),
    "memory.tmx": tmx([unit(s, t) for s, t in PAIRS], '<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pairs(form: str) -> None:
    data = load(form, FORMS[form])
    assert read(data) == EXPECTED
    assert [len(data[role]) for role in ("train", "validation", "test")] == [32, 4, 4]
    assert data["train"].column_names == ["id", "source", "target", "references", "group"]
    assert all(row["group"] == row["source"] for row in data["test"])
    assert "(Latin letters)" in data.summary.reading and "(Chinese letters)" in data.summary.reading
    assert len({row["id"] for split in data.values() for row in split}) == 40


@pytest.mark.parametrize("form", ["tatoeba.txt", "memory.tmx", "src.jsonl"])
def test_a_folder_with_one_file_is_that_file(form: str) -> None:
    Path("alone").mkdir()
    write(f"alone/{form}", FORMS[form])
    assert read(load("alone")) == EXPECTED


@pytest.mark.parametrize("given", ["corpus", "corpus/all", "corpus/all.en", "corpus/all.zh"])
def test_two_aligned_files_are_given_by_their_folder_their_name_or_one_of_them(given: str) -> None:
    Path("corpus").mkdir()
    write("corpus/all.en", "\n".join(WORDS) + "\n")
    write("corpus/all.zh", "\ufeff" + "\r\n".join(SIGNS))
    assert read(load(given)) == EXPECTED
    turned = load(given, source_lang="zh")
    assert read(turned) == {target: [source] for source, target in PAIRS}
    assert turned.summary.text_column == "zh"
    assert len(load_test("./corpus", task="translation")["test"]) == 40


def test_files_named_after_splits_are_the_splits() -> None:
    Path("corpus").mkdir()
    for split, part in (("train", slice(0, 30)), ("valid", slice(30, 35)), ("test", slice(35, 40))):
        write(f"corpus/{split}.source", "\n".join(WORDS[part]))
        write(f"corpus/{split}.target", "\n".join(SIGNS[part]))
    write("corpus/README.md", "x")
    data = load("corpus")
    assert [len(data[role]) for role in ("train", "validation", "test")] == [30, 5, 5]
    assert data["test"]["source"][:] == WORDS[35:]
    assert said(data, "files not read") == "files not read: README.md"


def test_a_third_language_is_asked_for_by_its_code() -> None:
    Path("corpus").mkdir()
    for ending, texts in (("en", WORDS), ("zh_CN", SIGNS), ("de", [f"Zahl {n}" for n in range(40)])):
        write(f"corpus/all.{ending}", "\n".join(texts))
    assert "3 languages are there: de, en, zh_CN" in refused("corpus")
    for source, target in (("en", "zh"), ("en_XX", "zh_CN"), ("eng_Latn", "zho_Hans")):  # as mBART and NLLB have them
        assert read(load("corpus", source_lang=source, target_lang=target)) == EXPECTED
    assert "no language is called so" in refused("corpus", source_lang="en", target_lang="fr")
    assert "en is the language of both sides" in refused("corpus", source_lang="en", target_lang="en")


def test_several_references_stay_and_the_first_is_learnt() -> None:
    rows = [{"source": s, "references": [t, f"{t}。", ""]} for s, t in PAIRS]
    data = load("several.jsonl", lines(rows))
    assert read(data) == {s: [t, f"{t}。"] for s, t in PAIRS}
    assert "with up to 2 references" in data.summary.reading


def test_columns_are_named_by_flags() -> None:
    content = lines([{"a": s, "b": t, "topic": n % 13} for n, (s, t) in enumerate(PAIRS)])
    assert "there are a, b, topic" in refused("named.jsonl", content)
    data = load("named.jsonl", source_column="a", target_column="b", group_column="topic")
    assert read(data) == EXPECTED and set(data["test"]["group"][:]) <= {str(n) for n in range(13)}
    groups = [set(data[role]["group"][:]) for role in data]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    turned = load("named.jsonl", source_column="b", target_column="a")
    assert read(turned) == {t: [s] for s, t in PAIRS}


def test_languages_that_are_asked_for_win_over_a_column_that_is_called_a_source() -> None:
    content = lines([{"source": "Tatoeba", "en": s, "zh": t, "url": "x"} for s, t in PAIRS])
    assert "No two columns are known" in refused("meta.jsonl", content)
    assert read(load("meta.jsonl", source_lang="en", target_lang="zh")) == EXPECTED


def test_a_file_without_a_header_is_given_its_columns() -> None:
    write("bare.tsv", "".join(f"{s}\t{t}\n" for s, t in PAIRS))
    assert "--column_names source target" in refused("bare.tsv")
    assert read(load("bare.tsv", column_names=["source", "target"])) == EXPECTED


def test_a_source_stays_in_one_split() -> None:
    """Twelve sources with five translations each: by rows, every one of them would stand in training."""
    rows = [{"source": f"source {n % 12}", "target": f"target {n}"} for n in range(60)]
    data = load("many.jsonl", lines(rows))
    sources = [set(data[role]["source"][:]) for role in data]
    assert not (sources[0] & sources[1] or sources[0] & sources[2] or sources[1] & sources[2])
    assert "48 pairs of a source that an earlier pair has" in said(data, "earlier pair")


def test_a_source_of_a_later_split_is_not_learnt() -> None:
    Path("two").mkdir()
    write("two/train.jsonl", lines([{"source": f"s{n}", "target": f"t{n}"} for n in range(40)]))
    test = [{"source": "S1 ", "target": "another"}, {"source": "s2", "target": "t2"}, {"source": "x", "target": "y"}]
    write("two/test.jsonl", lines(test))
    data = load("two")
    learnt = {*data["train"]["source"][:], *data["validation"]["source"][:]}
    assert not {"s1", "s2"} & learnt and len(learnt) == 38
    assert "1 text of train that also stand in test: removed" in said(data, "1 text")
    assert "1 row whose source also stands in test: kept out of train" in said(data, "whose source")
    kept = load("two", keep_duplicates=True)
    assert {"s1", "s2"} <= {*kept["train"]["source"][:], *kept["validation"]["source"][:]}
    assert said(kept, "whose source").endswith("kept")


def test_what_is_odd_is_counted_with_its_place() -> None:
    long = "a sentence of some length, which is told with many words"
    rows = [{"en": s, "zh": t} for s, t in PAIRS]
    rows[3] = {"en": "number", "zh": "number"}
    rows[5] = {"en": "数字", "zh": "one"}
    rows[7] = {"en": "x", "zh": ""}
    rows[8] = {"en": None, "zh": "数"}
    rows[9] = {"en": long * 3, "zh": "数"}
    rows[11] = {"en": "these", "zh": "這個學校說"}
    rows[12] = {"en": "those", "zh": "这个学校说"}
    rows[13] = {"en": "more", "zh": "more words"}
    notes = load("odd.jsonl", lines(rows)).summary.notes
    expected = [
        "train: 2 pairs with an empty side: dropped (odd.jsonl line 8, 9)",
        "train: 1 pair whose target is the source itself: kept (odd.jsonl line 4)",
        "train: 1 pair whose source is in Chinese letters and whose target is in Latin ones, as if swapped: kept",
        "train: 2 pairs whose source and target are in the same letters: kept (odd.jsonl line 4)",
        "train: 1 pair whose target is over 4 times longer or shorter than usual: kept (odd.jsonl line 10)",
        "train: targets mix simplified (1) and traditional (1) Chinese characters: kept",
    ]
    for part in expected:
        assert any(note.startswith(part) for note in notes), (part, notes)


def test_figures_are_in_no_letters_and_so_in_no_others() -> None:
    """1987-03-03 is neither swapped nor in the letters of 10/24/2051."""
    rows = [{"source": f"the {day}th of March", "target": f"03-{day}"} for day in range(10, 50)]
    rows += [{"source": "03/50", "target": "03-50"}, {"source": "03/51", "target": "03-51"}]
    assert not [note for note in load("days.jsonl", lines(rows)).summary.notes if "letters" in note]


def test_the_digest_of_a_split_is_that_of_its_texts() -> None:
    first = load("a.jsonl", FORMS["src.jsonl"]).summary.splits
    again = load("b.jsonl", FORMS["src.jsonl"]).summary.splits
    other = load("c.jsonl", FORMS["src.jsonl"].replace("数字四十", "数字四百")).summary.splits
    assert first == again and first != other


HOSTILE = {
    "unequal lines": ("corpus", {"corpus/a.en": "a\nb\nc\n", "corpus/a.zh": "一\n二\n"}, {},
                      r"a.en has 3 lines and a.zh has 2 lines"),
    "unequal lines, one empty": ("corpus", {"corpus/a.en": "a\n\nc\n", "corpus/a.zh": "一\n二\n"}, {},
                                 r"an empty line stands at 2"),
    "no split": ("corpus", {"corpus/a.en": "a", "corpus/a.zh": "一", "corpus/b.en": "a", "corpus/b.zh": "一"}, {},
                 r"none is named after a split: a, b"),
    "swapped": ("s.jsonl", {"s.jsonl": lines([{"zh": s, "en": t} for s, t in PAIRS])}, {},
                r"The two sides are swapped"),
    "swapped by flag": ("s.jsonl", {"s.jsonl": FORMS["src.jsonl"]}, {"source_lang": "zh", "target_lang": "en"},
                        r"the source is in Latin letters, the target in Chinese"),
    "one language": ("s.jsonl", {"s.jsonl": lines([{"en": s, "zh": f"{s}."} for s, _ in PAIRS])}, {},
                     r"Both sides are in Latin letters, and they are called en and zh"),
    "all empty": ("s.jsonl", {"s.jsonl": lines([{"source": s, "target": ""} for s, _ in PAIRS])}, {},
                  r"No row has both a text in 'source' and one in 'target'"),
    "a number": ("s.jsonl", {"s.jsonl": lines([{"source": "a", "target": "b"}, {"source": "a", "target": 7}])}, {},
                 r"1 value of 'target' cannot be read as text: the first is int\n  where: s.jsonl line 2"),
    "a list as source": ("s.jsonl", {"s.jsonl": lines([{"source": ["a"], "target": "b"}] * 3)}, {},
                         r"3 values of 'source' cannot be read as text: the first is list"),
    "a nested list": ("s.jsonl", {"s.jsonl": lines([{"source": "a", "target": [["b"]]}] * 3)}, {},
                      r"the first is list"),
    "a translation that is a text": (
        "s.jsonl", {"s.jsonl": lines([{"translation": {"en": "a", "zh": "一"}}, {"translation": "b"}])}, {},
        r"The translation is no object of texts by language, but 'b'\n  where: s.jsonl line 2"),
    "a language that is not there": ("s.jsonl", {"s.jsonl": FORMS["hub.jsonl"]}, {"source_lang": "fr"},
                                     r"--source_lang fr: no language is called so"),
    "a column that is not there": ("s.jsonl", {"s.jsonl": FORMS["src.jsonl"]}, {"target_column": "tgd"},
                                   r"There is no column 'tgd'(.|\n)*did you mean tgt"),
    "one column twice": ("s.jsonl", {"s.jsonl": FORMS["src.jsonl"]}, {"source_column": "src", "target_column": "src"},
                         r"No two columns are known"),
    "a line without a tab": ("a.txt", {"a.txt": "a\tb\nc\n"}, {}, r"holds no tab(.|\n)*a.txt line 2"),
    "a text without tabs": ("a.txt", {"a.txt": "a\nb\n"}, {}, r"Files ending in .txt are not read"),
    "no text": ("corpus", {"corpus/a.en": b"\xff\xfe\x00a", "corpus/a.zh": "一"}, {}, r"The file is not utf-8 text"),
    "broken xml": ("m.tmx", {"m.tmx": tmx([unit("a", "一"), "<tu><tuv>"])}, {}, r"The file is not XML: mismatched tag"),
    "an ampersand": ("m.tmx", {"m.tmx": tmx([unit("a & b", "一")])}, {}, r"m.tmx line 3"),
    "an encoding that is none": ("m.tmx", {"m.tmx": '<?xml version="1.0" encoding="latin-19"?><tmx/>'}, {},
                                 r"cannot be read: unknown encoding: latin-19(.|\n)*in UTF-8"),
    "an encoding of two bytes": ("m.tmx", {"m.tmx": '<?xml version="1.0" encoding="gbk"?><tmx/>'}, {},
                                 r"multi-byte encodings are not supported"),
    "a billion laughs": (
        "m.tmx", {"m.tmx": tmx([unit("&b;", "一")], '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n')}, {},
        r"The file declares the entity 'a', which is not read\n  where: m.tmx line 2"),
    "a file elsewhere": (
        "m.tmx", {"m.tmx": tmx([unit("&f;", "一")], '<!DOCTYPE tmx [<!ENTITY f SYSTEM "file:///etc/hosts">]>\n')}, {},
        r"declares the entity 'f'"),
    "no unit": ("m.tmx", {"m.tmx": tmx([])}, {}, r"holds no unit with a text"),
    "no unit of both": ("m.tmx", {"m.tmx": tmx(['<tu><tuv xml:lang="en"><seg>a</seg></tuv></tu>',
                                                '<tu><tuv xml:lang="zh"><seg>a</seg></tuv></tu>'])}, {},
                        r"No unit has both en and zh"),
    "a flag of tables": ("m.tmx", {"m.tmx": FORMS["memory.tmx"]}, {"delimiter": ";"}, r"--delimiter is for CSV files"),
    "no such memory": ("none.tmx", {}, {}, r"There is no such file"),
    "every source in the test": (
        "two", {"two/train.jsonl": lines([{"source": "a", "target": "b"}] * 2),
                "two/valid.jsonl": lines([{"source": "v", "target": "c"}]),
                "two/test.jsonl": lines([{"source": "A", "target": "c"}])}, {},
        r"Every source of train also stands in a later split"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_cannot_be_pairs_is_refused_with_its_place(kind: str) -> None:
    name, files, options, expected = HOSTILE[kind]
    for path, content in files.items():
        Path(path).parent.mkdir(exist_ok=True)
        write(path, content)
    with pytest.raises(HfkitError, match=expected):
        load(name, **options)


def test_codes_of_layout_and_other_languages_of_a_memory_are_left_out() -> None:
    more = '<tu><tuv xml:lang="EN-us"><seg>Press <bpt i="1">&lt;b&gt;</bpt>here<ept i="1">&lt;/b&gt;</ept>, \n please'
    more += (
        '</seg></tuv><tuv lang="zh"><seg>请按<ph>x</ph>这里</seg></tuv><tuv xml:lang="de"><seg>Hier</seg></tuv></tu>'
    )
    units = [unit(s, t).replace('"en"', '"EN-us"') for s, t in PAIRS]
    alone = '<tu><tuv xml:lang="EN-us"><seg>alone</seg></tuv></tu>'
    data = load("m.tmx", tmx([*units, more, alone]), source_lang="en", target_lang="zh")
    assert read(data) == EXPECTED | {"Press here, please": ["请按这里"]}
    assert "m.tmx: 1 unit without EN-us or zh not read" in data.summary.notes
    assert "m.tmx: languages not read: de" in data.summary.notes


@pytest.mark.parametrize(
    ("text", "script"),
    [("Ärger", "Latin"), ("你好 OK", "Chinese"), ("私は猫が好き", "Japanese"), ("東京大学", "Chinese"),
     ("Привет", "Cyrillic"), ("สวัสดี", "Thai"), ("안녕", "Hangul"), ("12 + 3", None), ("", None),
     ("नमस्ते", "Devanagari")],
)  # fmt: skip
def test_scripts_are_told(text: str, script: str | None) -> None:
    assert main_script([text]) == script


def test_languages_have_scripts_and_chinese_has_two() -> None:
    assert [script_of(code) for code in ("zh_CN", "zho_Hans", "EN", "sr", "jpn_Jpan", "source")] == [
        "Chinese", "Chinese", "Latin", None, "Japanese", None,
    ]  # fmt: skip
    assert chinese_kinds(_SIMPLIFIED) == (len(_SIMPLIFIED), 0) and chinese_kinds(_TRADITIONAL) == (0, len(_SIMPLIFIED))
    assert chinese_kinds(["我們說", "我们说", "天气", "hello"]) == (1, 1)


def test_ibm_model_1_learns_which_word_becomes_which() -> None:
    """Brown et al.'s: from "la maison", "la fleur", "maison bleue" each word is told."""
    pairs = [("the house", "la maison"), ("the flower", "la fleur"), ("blue house", "maison bleue"), ("the", "la")]
    best = ibm1([(source.split(), target.split()) for source, target in pairs], iterations=20)
    assert best == {"the": "la", "house": "maison", "flower": "fleur", "blue": "bleue"}
    assert ibm1([]) == {}


def test_word_by_word_joins_as_the_script_does() -> None:
    found = word_by_word(WORDS, SIGNS, ["number one two", "Number six unknown"], 0)
    assert found["rows"] == 40 and found["prediction"][0].startswith("数") and "unknown" in found["prediction"][1]
    back = word_by_word(SIGNS, WORDS, ["一二"], 0)
    assert " " in back["prediction"][0]


def test_the_nearest_pair_answers() -> None:
    asked = ["number two three!", "数字"]
    assert nearest(WORDS, SIGNS, asked, 0)["prediction"][0] == SIGNS[WORDS.index("number two three")]


def test_leads_are_whole_sentences_in_any_script() -> None:
    text = 'Dr. No and J. Bond came. "They left!" Why?\nNobody knows.'
    assert leads([text], 1)["prediction"] == ["Dr. No and J. Bond came."]
    assert leads([text], 3)["prediction"] == ['Dr. No and J. Bond came. "They left!" Why?']
    assert leads(["One came. Two left. Three. Four."], 3)["prediction"] == ["One came. Two left. Three."]
    assert leads(["一来了。二走了！三。"], 1)["prediction"] == ["一来了。"]
    assert leads(["no end"], 3)["prediction"] == ["no end"]


LEARNT = {"nearest_training_pair", "word_by_word", "copy_of_the_source"}


@pytest.mark.parametrize(
    ("task", "names"),
    [("translation", LEARNT), ("summarization", {"lead_1", "lead_3"}), ("text2text-generation", LEARNT)],
)
def test_rivals_answer_every_row_and_the_best_is_first(task: str, names: set[str]) -> None:
    data = load("a.jsonl", FORMS["src.jsonl"], task=task)
    answers = fit(data["train"], data["test"], {"name": "translation", "task": task}, 0)
    assert set(answers) == names
    primary = metrics_of({"task": task})[0]
    worth = []
    for answer in answers.values():
        assert isinstance(answer["prediction"], np.ndarray) and answer["prediction"].dtype == object
        assert len(answer["prediction"]) == len(data["test"]) and answer["seconds"] >= 0
        read = {"prediction": answer["prediction"], "references": data["test"]["references"][:]}
        worth.append(figures([primary], read)[primary.name])
    assert worth == sorted(worth, reverse=True)
    again = fit(data["train"], data["test"], {"name": "translation", "task": task}, 0)
    assert [list(one["prediction"]) for one in answers.values()] == [list(one["prediction"]) for one in again.values()]


def test_many_pairs_are_sampled_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hfkit.tasks.seq2seq.baselines.MOST_PAIRS", 10)
    monkeypatch.setattr("hfkit.tasks.seq2seq.baselines.MOST_CELLS", 100)
    assert nearest(WORDS, SIGNS, WORDS[:2], 0)["rows"] == 10
    assert 0 < word_by_word(WORDS, SIGNS, WORDS[:2], 0)["rows"] < 10
