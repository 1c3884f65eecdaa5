"""Figures of generated texts: equal to sacrebleu's and rouge-score's where those are right, and right where they are
not."""

import random
import warnings

import numpy as np
import pyarrow as pa
import pytest
import sacrebleu
from rouge_score import rouge_scorer

from hfkit.evaluation.metric import Columns, figures, rival
from hfkit.evaluation.stats import intervals
from hfkit.tasks.seq2seq.metrics import METRICS, SACREBLEU, metrics_of
from hfkit.tasks.seq2seq.scores.faults import is_copy, is_empty, is_loop
from hfkit.tasks.seq2seq.scores.rouge import rouge
from hfkit.tasks.seq2seq.scores.tokenizers import words

ENGLISH = (
    "the a of dog dogs cat ran runs quickly over 1,000.5 3-4 U.S. &quot;Yes&amp; &lt;b&gt; it's co-op, end. (half) 100%"
    " “quoted” – dash… Ärger naïve Straße e\u0301cole $5 a/b x_y <skipped> -\n [x] {y} ~ @me #1"
).split(" ")
CHINESE = [*"我你他们是不在有个人这那。，！？「」“”…—１２㐀𠀀豈々〇⼀☀➜㈱"]
JAPANESE = [*"私はねこがすきです。東京タワーへ行ったー"]
THAI = [*"ฉันรักแมวมากที่สุด"]
TRANSLATION = {"name": "translation", "task": "translation"}


def sentence(draw: random.Random, alphabet: list[str], parted: str) -> str:
    return parted.join(draw.choice(alphabet) for _ in range(draw.choice([0, 1, 2, 3, 5, 8, 13, 30])))


def changed(draw: random.Random, text: str, alphabet: list[str], parted: str) -> str:
    """The text with some of its parts dropped, doubled or replaced."""
    parts = text.split(parted) if parted else list(text)
    kept = [draw.choice([part, part, part, part, "", part + parted + part, draw.choice(alphabet)]) for part in parts]
    return parted.join(part for part in kept if part)


def corpus(seed: int, alphabet: list[str], parted: str, rows: int, most: int) -> tuple[list[str], list[list[str]]]:
    draw = random.Random(seed)
    references = [[sentence(draw, alphabet, parted) for _ in range(draw.randint(1, most))] for _ in range(rows)]
    said = [changed(draw, draw.choice(right), alphabet, parted) for right in references]
    return said, references


def streams(references: list[list[str]]) -> list[list[str | None]]:
    """References as sacrebleu takes them: the first of every row, then the second, ..."""
    most = max(map(len, references))
    return [[right[place] if place < len(right) else None for right in references] for place in range(most)]


def judged(
    said: list[str], references: list[list[str]], task: str = "translation", **more: list[str]
) -> dict[str, float]:
    table = pa.table({"prediction": said, "references": pa.array(references, pa.list_(pa.string())), **more})
    settings = {"name": "translation", "task": task}
    found = intervals(table, settings, n_resamples=20)
    return {name: entry["value"] for name, entry in found.items() if isinstance(entry, dict) and "value" in entry}


@pytest.mark.parametrize(
    ("alphabet", "parted", "tokenizer"),
    [(ENGLISH, " ", "13a"), (CHINESE, "", "zh"), (JAPANESE, "", "char"), (THAI, "", "char")],
    ids=["english", "chinese", "japanese", "thai"],
)
@pytest.mark.parametrize("most", [1, 3])
def test_bleu_and_chrf_are_sacrebleus(alphabet: list[str], parted: str, tokenizer: str, most: int) -> None:
    """2,960 texts: 80 corpora a script, of one to thirty rows, any of which may be empty."""
    for seed in range(10):
        for rows in (1, 2, 4, 30):
            said, references = corpus(seed, alphabet, parted, rows, most)
            letters = any(map(str.isalpha, "".join(text for right in references for text in right)))
            chosen = tokenizer if letters else "13a"
            found = judged(said, references)
            bleu = sacrebleu.BLEU(tokenize=chosen).corpus_score(said, streams(references)).score
            chrf = sacrebleu.CHRF().corpus_score(said, streams(references)).score
            assert found["bleu"] == pytest.approx(bleu, abs=5e-5), (said, references)
            assert found["chrf"] == pytest.approx(chrf, abs=5e-5), (said, references)


def test_the_words_of_bleu_are_sacrebleus() -> None:
    """Each character below U+FFFF and some above, beside letters, digits and signs."""
    kinds = {kind: sacrebleu.BLEU(tokenize=kind).tokenizer for kind in ("13a", "zh", "char")}
    characters = [chr(code) for code in range(1, 0x10000) if not 0xD800 <= code <= 0xDFFF]
    characters += [chr(code) for code in range(0x1F300, 0x1F700)] + [chr(code) for code in range(0x20000, 0x20100)]
    for kind, tokenizer in kinds.items():
        for start in range(0, len(characters), 50):
            text = "".join(f"{one}a{one}1{one}." for one in characters[start : start + 50])
            assert words(text, kind) == tokenizer(text.rstrip()).split()


def test_real_translations_are_judged_as_sacrebleu_does() -> None:
    """Sentences that translators wrote, against one another."""
    said = ['He said to them, "It is I; don\'t be afraid."', "In the beginning God created the heavens and the earth."]
    right = [["But he saith unto them, It is I; be not afraid.", "He told them, 'I AM. Don't be afraid!'"],
             ["In the beginning God created the heaven and the earth."]]  # fmt: skip
    found = judged(said, right)
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(said, streams(right)).score, abs=5e-5)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said, streams(right)).score, abs=5e-5)
    assert 0.9 < found["length_ratio"] < 1.3


def test_chinese_is_not_one_word() -> None:
    said, right = ["我爱吃苹果和香蕉。", "他昨天去了学校。"], [["我喜欢吃苹果和香蕉。"], ["他昨天去学校了。"]]
    assert sacrebleu.corpus_bleu(said, streams(right), tokenize="13a").score == pytest.approx(0, abs=1e-6)
    assert judged(said, right)["bleu"] == pytest.approx(
        sacrebleu.corpus_bleu(said, streams(right), tokenize="zh").score
    )
    assert judged(said, right)["bleu"] > 40


def test_the_signature_stands_beside_the_figure() -> None:
    table = pa.table({"prediction": ["我爱你", "他来了"], "references": [["我爱你"], ["他到了"]]})
    found = intervals(table, TRANSLATION, {"copy": {"prediction": ["I love you", "he came"]}}, n_resamples=20)
    theirs = sacrebleu.BLEU(tokenize="zh")
    theirs.corpus_score(["我"], [["我"]])
    own = str(theirs.get_signature()).replace(sacrebleu.__version__, SACREBLEU)
    assert found["bleu"]["signature"] == f"{own}|by:hfkit"
    chrf = sacrebleu.CHRF()
    chrf.corpus_score(["我"], [["我"]])
    own = str(chrf.get_signature()).replace(sacrebleu.__version__, SACREBLEU)
    assert found["chrf"]["signature"] == f"{own}|by:hfkit"
    assert "tok:zh" in found["baselines"]["copy"]["bleu"]["signature"], "the references decide, whoever answers"
    table = pa.table({"prediction": ["a", "b"], "references": pa.array([["a", "b"], ["b"]])})
    assert "nrefs:var|case:mixed|eff:no|tok:13a" in intervals(table, TRANSLATION, n_resamples=20)["bleu"]["signature"]


def test_rouge_is_rouge_scores_on_ascii() -> None:
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    ascii_words = [word for word in ENGLISH if word.isascii()]
    for seed in range(20):
        said, references = corpus(seed, ascii_words, " ", 50, 3)
        for text, right in zip(said, references, strict=True):
            theirs = scorer.score_multi(right, text)
            assert rouge(text, right) == pytest.approx(
                [theirs[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")]
            )


def test_the_longest_common_subsequence_is_exact() -> None:
    draw, scorer = random.Random(0), rouge_scorer.RougeScorer(["rougeL"])
    for length in (1, 63, 64, 65, 200):
        first, second = (" ".join(draw.choice("abcdef") for _ in range(length)) for _ in range(2))
        assert rouge(first, [second])[2] == pytest.approx(scorer.score(second, first)["rougeL"].fmeasure)


def test_rouge_reads_every_script() -> None:
    assert rouge("今天天气很好。", ["今天天气很好"]) == [1.0, 1.0, 1.0]
    assert rouge("Ärger", ["rger"]) == [0.0, 0.0, 0.0]
    assert rouge("naïve École", ["NAÏVE école!"]) == [1.0, 1.0, 1.0]
    assert 0 < rouge("ฉันรักแมว", ["ฉันรักหมา"])[0] < 1
    assert rouge("हिन्दी में", ["हिन्दी में"]) == [1.0, 1.0, 1.0]
    assert rouge("हिन्दी", ["हिन्दू"])[0] == 0.0, "a mark is part of its word"
    assert rouge("", ["x"]) == rouge("x", [""]) == rouge("", [""]) == [0.0, 0.0, 0.0]
    assert rouge("東京 tower", ["tower 東京"])[0] == 1.0


def test_summaries_take_the_best_reference_of_each_figure() -> None:
    found = judged(["the cat sat"], [["a dog ran", "the cat sat down"]], "summarization")
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    theirs = scorer.score_multi(["a dog ran", "the cat sat down"], "the cat sat")
    assert {name: found[name] for name in theirs} == pytest.approx({n: one.fmeasure for n, one in theirs.items()})


@pytest.mark.parametrize(
    ("text", "loops"),
    [("the the the the the", True), ("ha ha ha ha", False), ("我是我是我是我是我是我", True), ("", False), ("a", False),
     ("I said that I said that I said that I said that I said that", True), ("...........", False), ("1000000", True),
     ("very good, very good", False), ("no, no, no, no, no, no", True)],
)  # fmt: skip
def test_loops_are_told(text: str, loops: bool) -> None:
    assert is_loop(text) is loops


def test_faults_are_counted() -> None:
    said = ["", " \n", "Hello there", "hello  THERE", "x y", "no no no no no no"]
    found = judged(said, [["x"]] * 6, source=["a", "b", "Hello there", "Hello there", "z", "q"])
    assert (found["empty"], found["copied"], found["looping"]) == pytest.approx((2 / 6, 2 / 6, 1 / 6))
    assert is_empty("\u3000") and not is_copy("", "")
    assert "copied" not in judged(said, [["x"]] * 6)


def test_an_exact_match_is_the_whole_text() -> None:
    found = judged(
        ["2024-05-01 ", "may", "x", "a  b"], [["2024-05-01"], ["May"], ["y", "x"], ["a b"]], "text2text-generation"
    )
    assert found["exact_match"] == 0.5
    assert metrics_of({"task": "text2text-generation"})[0].name == "exact_match"


@pytest.mark.parametrize("task", ["translation", "summarization", "text2text-generation"])
def test_a_figure_is_the_sum_over_its_rows(task: str) -> None:
    """Weights say how often a row was drawn: three times is as three rows."""
    said, references = corpus(3, ENGLISH, " ", 40, 2)
    draw = np.random.default_rng(0).integers(0, 3, 40)
    metrics = metrics_of({"task": task})
    columns = Columns({"prediction": said, "references": references, "source": said, "nll": draw, "tokens": draw + 1})
    often = [row for row, times in enumerate(draw) for _ in range(times)]
    drawn = {"prediction": [said[row] for row in often], "references": [references[row] for row in often]}
    expected = figures(metrics, drawn | {"source": drawn["prediction"], "nll": draw[often], "tokens": draw[often] + 1})
    assert set(expected) == {metric.name for metric in metrics}
    for metric in metrics:
        value = metric.values(columns, np.stack([draw, np.ones(40)]).astype(float))[0]
        assert value == pytest.approx(expected[metric.name]), metric.name


def test_a_better_text_has_the_better_figure_and_the_pair_says_so() -> None:
    draw = random.Random(5)
    references = [[sentence(draw, ENGLISH, " ") or "x"] for _ in range(120)]
    said = [changed(draw, right[0], ENGLISH, " ") for right in references]
    worse = [changed(draw, text, ENGLISH, " ") for text in said]
    table = pa.table({"prediction": said, "references": references, "group": [str(row // 3) for row in range(120)]})
    found = intervals(table, TRANSLATION, {"worse": {"prediction": np.array(worse, dtype=object)}}, n_resamples=300)
    difference = found["baselines"]["worse"]["difference"]
    assert difference["low"] > 0 and difference["p_value"] < 0.05 and found["groups"] == 40
    assert found["chrf"]["low"] < found["chrf"]["value"] < found["chrf"]["high"] <= 100
    other = rival(METRICS, Columns({"prediction": said, "references": references}), {"prediction": worse})
    assert figures(METRICS, other)["chrf"] == pytest.approx(found["baselines"]["worse"]["chrf"]["value"])


def test_nothing_said_is_nothing_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = judged(["", ""], [["a b c d e"], ["x"]])
        assert (found["bleu"], found["chrf"], found["empty"]) == (0.0, 0.0, 1.0)
        assert judged(["a b c"], [["a b c"]])["bleu"] == 0.0, "sacrebleu's corpus figure needs four words"
        assert judged(["x"], [["1 2"]])["chrf"] == 0.0
