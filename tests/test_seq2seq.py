"""Seq2seq: how pairs are read, what is learnt of them, how texts are written, and what a user may get wrong."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from test_every_task import trained
from tiny_seq2seq import pairs_file, tokenizer, write_model
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    GenerationConfig,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    MBartTokenizer,
    T5Config,
)

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.config import GenerationArguments, TrainConfig
from hfkit.config.parsing import ConfigParser
from hfkit.config.rules import check
from hfkit.data.text.language_codes import code_of, codes_of, set_languages
from hfkit.evaluation.metric import looked_at
from hfkit.inference import TextGenerator, predict_file
from hfkit.inference.generation.rewriter import Rewriter
from hfkit.inference.generation.sampling import settle
from hfkit.models.loading import load_model
from hfkit.runs.run import Run
from hfkit.tasks import discover
from hfkit.tasks.seq2seq.models import _settle_writing
from hfkit.tasks.seq2seq.report import row_figures
from hfkit.tasks.seq2seq.task import Seq2Seq, said_before

KINDS = ("t5", "bart", "marian", "m2m")


def rows_of(*pairs: tuple[str, str]) -> Dataset:
    columns = {"id": [str(row) for row in range(len(pairs))], "source": [one for one, _ in pairs]}
    columns |= {"target": [other for _, other in pairs], "references": [[other, "another"] for _, other in pairs]}
    return Dataset.from_dict(columns)


PAIRS = [("the film was warm", "warm film"), ("a story", "story"), ("the the the the the plot", "a very long plot")]


def task_for(config: Any = None, **knobs: Any) -> tuple[Seq2Seq, Any]:
    own = tokenizer()
    return Seq2Seq(**knobs).for_model(config or T5Config(vocab_size=len(own)), own), own


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_prefix_is_in_front_of_every_source_and_references_stay_whole() -> None:
    task, own = task_for(source_prefix="write: ", max_length=6, max_target_length=3)
    encoded = task.encode(rows_of(*PAIRS), own)
    first = own.convert_tokens_to_ids("write:")
    assert all(ids[0] == first and ids[-1] == own.eos_token_id for ids in encoded["input_ids"])
    assert encoded["truncated"] == [False, False, True] and max(map(len, encoded["input_ids"])) == 6
    assert encoded["target_truncated"] == [False, False, True]
    assert encoded["targets"][2] == own("a very")["input_ids"], "a target that is cut ends all the same"
    assert encoded["references"][2] == ["a very long plot", "another"]
    found = task.truncation(encoded)
    assert found["rows"] == 1 and found["notes"][0] == "1 target learnt up to 3 tokens (--max_target_length)"
    assert "unknown to the tokenizer" in task.truncation(task.encode(rows_of(("a", "Zebra")), own))["notes"][0]


def test_special_tokens_in_a_text_are_text() -> None:
    task, own = task_for()
    ids = task.encode(rows_of(("the </s> film", "warm </s> film")), own)
    assert ids["input_ids"][0].count(own.eos_token_id) == ids["targets"][0].count(own.eos_token_id) == 1


def test_a_tokenizer_without_an_end_behind_its_texts_gets_one() -> None:
    from hfkit.baselines.language.tokenizers import train_byte_bpe

    own = train_byte_bpe(["warm film"] * 3, vocab_size=300)
    task = Seq2Seq(max_target_length=4).for_model(T5Config(vocab_size=len(own)), own)
    ids, cut = task.targets(["warm film", "w"], own)
    assert [row[-1] for row in ids] == [own.eos_token_id] * 2 and cut == [len(own("warm film")["input_ids"]) > 3, False]


def test_limits_are_the_models() -> None:
    config = BartConfig(vocab_size=200, max_position_embeddings=32)
    task, own = task_for(config)
    assert (task.max_length, task.max_target_length) == (32, 32) and config.hfkit["max_length"] == 32
    for flag in ("max_length", "max_target_length"):
        with pytest.raises(HfkitError, match="32 positions") as caught:
            task_for(BartConfig(vocab_size=200, max_position_embeddings=32), **{flag: 64})
        assert f"--{flag} 64" in str(caught.value)
    own.eos_token = None
    with pytest.raises(HfkitError, match="no end token"):
        Seq2Seq().for_model(config, own)


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_models_own(kind: str, tmp_path: Path) -> None:
    model, own = load_model(write_model(tmp_path / kind, kind))
    task = Seq2Seq(source_prefix="write: ").for_model(model.config, own)
    batch = task.collate(task.encode(rows_of(*PAIRS), own).to_list())
    names = ("input_ids", "attention_mask")
    with torch.no_grad():
        loss, found = task.loss_and_predictions(model, batch)
        theirs = model(**{name: batch[name] for name in names}, labels=batch["targets"]).loss
        alone = [task.loss_and_predictions(model, task.collate([row])) for row in task.encode(rows_of(*PAIRS), own)]
    assert float(loss) / task.weight(batch) == pytest.approx(float(theirs), rel=1e-5)
    assert float(found["nll"].sum()) == pytest.approx(float(loss), rel=1e-5)
    assert found["tokens"].sum() == task.weight(batch) and "prediction" not in found
    assert [float(one) for one, _ in alone] == pytest.approx(found["nll"].tolist(), rel=1e-4)
    # Rows of several lengths: the mean of their means is another number.
    assert looked_at(task, found)["loss"] == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [{}, {"num_beams": 3}, {"do_sample": True, "top_k": 20}])
def test_a_text_is_written_alone_as_in_a_batch(kind: str, how: dict[str, Any], tmp_path: Path) -> None:
    model, own = load_model(write_model(tmp_path / kind, kind))
    task = Seq2Seq().for_model(model.config, own)
    config = settle(GenerationArguments(max_new_tokens=9, **how), GenerationConfig(), own)
    config.decoder_start_token_id = 1
    sources = task.sources([source for source, _ in PAIRS] * 2, own)["input_ids"]
    seeds = list(range(6))
    together = Rewriter(model, own, config).write(sources, seeds)
    alone = [Rewriter(model, own, config).write([one], [seed])[0] for one, seed in zip(sources, seeds, strict=True)]
    assert together == alone == Rewriter(model, own, config, tokens_per_batch=40).write(sources, seeds)
    assert all(len(texts) == 1 and texts[0].tokens <= 9 for texts in together)
    if not how:
        greedy = model.generate(torch.tensor([sources[1]]), max_new_tokens=9, decoder_start_token_id=1)
        assert together[1][0].text == own.decode(greedy[0, 1:], skip_special_tokens=True).strip()


def test_a_finished_model_writes_and_a_look_does_not(tmp_path: Path) -> None:
    model, own = load_model(write_model(tmp_path / "t5"))
    model.generation_config.max_new_tokens = 3
    task = Seq2Seq().for_model(model.config, own)
    encoded = task.encode(rows_of(*PAIRS), own)
    batch = task.collate(encoded.to_list())
    with torch.no_grad():
        _, found = task.finished().loss_and_predictions(model, batch)
    assert len(found["prediction"]) == 3 and found["written"].max() <= 3
    assert (found["unfinished"].bool() == (found["written"] == 3)).all()
    told = task.by_example(encoded, encoded, {"prediction": np.array(found["prediction"], dtype=object)})
    assert told["references"].tolist() == [list(row) for row in encoded["references"]]
    assert task.finished().settings() == task.settings() and "tokenizer" not in task.settings()


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def knobs(tmp_path: Path) -> dict[str, Any]:
    usual: dict[str, Any] = {"task": "summarization", "dataset": str(pairs_file(tmp_path / "pairs.jsonl", 60))}
    usual |= {"max_steps": 2, "mixed_precision": "no", "use_cpu": True, "disable_tqdm": True, "max_length": 24}
    return usual | {"output_dir": str(tmp_path / "run"), "reuse_tokens": False}


def built(knobs: dict[str, Any], model: Path | str) -> tuple[Any, Any, Any, Any]:
    config = TrainConfig(**knobs | {"model": str(model)})
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    return config, task, *hfkit.build_model(config, task, data)


def test_a_t5_with_an_output_layer_of_its_own_keeps_it(knobs: dict[str, Any], tmp_path: Path) -> None:
    folder = write_model(tmp_path / "t5")
    run = trained(knobs | {"model": str(folder), "predict_with_generate": True, "max_generate_samples": 5})
    assert run.info["task"] == run.info["task_settings"]["task"] == "summarization"
    assert run.metrics["primary_metric"] == "rougeL" and run.info["training"]["best_metric"] == "loss"
    look = next(line for line in run.log() if "eval_loss" in line)
    assert {"eval_rougeL", "eval_rouge2"} <= set(look), "a sample is written at every look"
    config = json.loads((run.model_path / "config.json").read_text())
    assert config["tie_word_embeddings"] is False and config["hfkit"]["task"] == "summarization"
    model, own = load_model(run.path)
    plain = AutoModelForSeq2SeqLM.from_pretrained(run.model_path)
    assert not torch.equal(model.lm_head.weight, model.shared.weight)
    model.tie_weights()  # which anybody may call
    ids = own("the film", return_tensors="pt")["input_ids"]
    assert torch.equal(*(one.eval()(input_ids=ids, labels=ids).logits for one in (model, plain)))
    table = run.table("validation.parquet")
    assert table is not None and {"prediction", "references", "unfinished"} <= set(table.column_names)
    (said,) = plain.generate(ids)
    answer = hfkit.pipeline(run.path, mixed_precision="no")("the film")
    assert answer == [{"summary_text": own.decode(said, skip_special_tokens=True)}]


def test_a_model_says_how_it_writes_and_flags_say_otherwise(
    knobs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_model(tmp_path / "bart", "bart")
    how = {"num_beams": 6, "length_penalty": 2.0, "min_length": 56, "max_length": 142, "decoder_start_token_id": 1}
    GenerationConfig(**how).save_pretrained(folder)
    *_, model, _ = built(knobs, folder)
    own = model.generation_config
    assert (own.num_beams, own.length_penalty, own.min_length) == (6, 2.0, None) and own.max_new_tokens == 4
    assert "min_length 56 is left out" in capsys.readouterr().out
    *_, model, _ = built(knobs | {"num_beams": 2, "max_new_tokens": 7}, folder)
    assert (model.generation_config.num_beams, model.generation_config.max_new_tokens) == (2, 7)
    *_, model, _ = built(knobs | {"task": "text2text-generation"}, write_model(tmp_path / "t5"))
    assert model.generation_config.num_beams == 1 and "--source_prefix" in capsys.readouterr().out


def test_an_adapter_writes_as_its_run_said(knobs: dict[str, Any], tmp_path: Path) -> None:
    folder = write_model(tmp_path / "t5")
    run = trained(knobs | {"model": str(folder), "lora": True, "num_beams": 3, "max_new_tokens": 5})
    pipe = hfkit.pipeline(run.path, mixed_precision="no")
    assert (pipe.model.generation_config.num_beams, pipe.model.generation_config.max_new_tokens) == (3, 5)
    table = run.predictions()
    assert [one["summary_text"] for one in pipe(table["source"].to_pylist())] == table["prediction"].to_pylist()


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Any:
    return hfkit.pipeline(write_model(tmp_path / "t5"), mixed_precision="no", max_new_tokens=5)


def test_answers_are_those_of_transformers_4(pipe: Any, tmp_path: Path) -> None:
    texts = [source for source, _ in PAIRS]
    one, several = pipe(texts[0]), pipe(texts)
    assert one == [several[0]] and list(several[0]) == ["generated_text"], "a model that does not say is for any text"
    two = pipe(texts, num_beams=2, num_return_sequences=2)
    assert [len(answers) for answers in two] == [2, 2, 2]
    assert pipe([{"text": texts[0]}, {"source": texts[1]}], batch_size=1) == several[:2]
    assert pipe([]) == [] and pipe(texts, max_length=6) == several
    assert pipe(texts, pad_token_id=None, generation_config=None) == several, "None is what the model says"
    assert [one for (one,) in pipe(iter(texts))] == several, "a list a row, as of any stream"
    drawn = [pipe(texts, do_sample=True, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    named = hfkit.pipeline(tmp_path / "t5", task="translation", mixed_precision="no")
    assert list(named(texts[0])[0]) == ["translation_text"]
    with pytest.warns(UserWarning, match="1 of 1 texts were cut to the 48 tokens"):
        pipe("film " * 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe("a film")


@pytest.mark.parametrize("row", ["", "   ", None, 7, {"txt": "a"}, {"text": None}, "half \ud800"])
def test_what_is_no_text_is_refused(pipe: Any, row: Any) -> None:
    for asked in (row, [row]):
        with pytest.raises(HfkitError, match=r"has no text|half a character"):
            pipe(asked)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"num_beam": 2}, "no num_beam=2"),
        ({"num_beams": 0}, "--num_beams is 0"),
        ({"num_beams": "two"}, "--num_beams is 'two'"),
        ({"max_length": "x"}, "max_length='x' is no such number"),
        ({"max_length": 0}, "max_length=0 is no such number"),
        ({"max_new_tokens": 0}, "--max_new_tokens is 0"),
        ({"length_penalty": float("inf")}, "--length_penalty is inf"),
        ({"temperature": 0.5}, "--temperature has no effect without --do_sample"),
        ({"num_return_sequences": 3}, "--num_return_sequences is 3"),
        ({"num_beams": 2, "num_return_sequences": 3}, "2 beams give 2 answers at most"),
        ({"generation_config": {"num_beams": 2}}, "generation_config is no GenerationConfig"),
        ({"return_dict_in_generate": True}, "no return_dict_in_generate=True"),
        ({"stop": ["."]}, "stop is for models that continue"),
    ],
)
def test_what_cannot_be_written_so_is_refused(pipe: Any, how: dict[str, Any], told: str) -> None:
    with pytest.raises(HfkitError, match=told):
        pipe("a film", **how)


def test_files_keep_their_columns_and_rows_without_a_text_are_told(pipe: Any, tmp_path: Path) -> None:
    place = tmp_path / "asked.csv"
    place.write_text("id,source\n1,a film\n2,\n3,the story\n")
    with pytest.raises(HfkitError, match="no text in its column 'source'") as caught:
        predict_file(pipe, place, tmp_path / "out.csv", disable_tqdm=True)
    assert "line 3" in str(caught.value) and not (tmp_path / "out.csv").exists()
    assert predict_file(pipe, place, tmp_path / "out.jsonl", skip_bad_rows=True, disable_tqdm=True) == 3
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["1", "2", "3"] and rows[1]["generated_text"] is None
    assert rows[2]["generated_text"] == pipe("the story")[0]["generated_text"]
    (tmp_path / "lines.txt").write_text("a film\nthe story\n")
    assert predict_file(pipe, tmp_path / "lines.txt", tmp_path / "out.tsv", disable_tqdm=True) == 2
    with pytest.raises(HfkitError, match="--num_beams is 0"):  # which no row is to blame for
        predict_file(tmp_path / "t5", place, tmp_path / "x.csv", skip_bad_rows=True, disable_tqdm=True, num_beams=0)
    with pytest.raises(HfkitError, match="no column 'src'"):
        predict_file(pipe, place, tmp_path / "x.csv", text_column="src", disable_tqdm=True)


def test_a_model_that_rewrites_continues_no_prompt(tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match="does not continue texts") as caught:
        TextGenerator(write_model(tmp_path / "t5"))
    assert "hfkit predict" in str(caught.value)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"metric_for_best_model": "chrf"}, "add --predict_with_generate"),
        ({"source_lang": "en", "target_lang": "en"}, "both en"),
        ({"label_smoothing_factor": 1.0}, "--label_smoothing_factor is 1.0"),
        ({"max_target_length": 1}, "--max_target_length is 1"),
        ({"tokens_per_batch": 8, "max_length": 24}, "one long text would not fit"),
    ],
)
def test_knobs_that_cannot_be(flags: dict[str, Any], told: str) -> None:
    with pytest.raises(HfkitError, match=told):
        check(TrainConfig(task="translation", **flags))


@pytest.mark.parametrize(
    ("words", "drawn"),
    [([], None), (["--do_sample"], True), (["--do_sample", "False"], False), (["--do_sample", "none"], None)],
)
def test_a_switch_may_be_left_to_the_model(words: list[str], drawn: bool | None) -> None:
    assert ConfigParser(TrainConfig.for_task("translation")).parse_flags(words).do_sample is drawn


def test_rows_of_another_job_are_refused() -> None:
    config = TrainConfig(task="translation")
    with pytest.raises(HfkitError, match="translation reads source, target"):
        hfkit.build_task(config, {"train": Dataset.from_dict({"text": ["a"], "label": [0]})})  # type: ignore[arg-type]


def test_models_that_make_no_text_of_another_are_refused(
    knobs: dict[str, Any], tiny_bert: Path, tmp_path: Path
) -> None:
    with pytest.raises(HfkitError, match="no model that makes one text of another of its kind") as caught:
        built(knobs, tiny_bert)
    assert "google-t5/t5-small" in str(caught.value)
    folder = write_model(tmp_path / "t5")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"decoder_start_token_id": None}))
    with pytest.raises(HfkitError, match=r"cannot write a text|decoder_start"):
        built(knobs, folder)
    with pytest.raises(HfkitError, match="no baseline 'lstm'"):
        built(knobs, "baseline:lstm")
    assert discover.of_class("LlavaForConditionalGeneration") is None, "what reads pictures is no such model"
    assert discover.find("translation") is discover.find("text2text-generation")


def test_languages_are_the_tokenizers() -> None:
    class Spoken:
        src_lang, tgt_lang = "en_XX", None
        lang_code_to_id = {"en_XX": 5, "zh_CN": 6, "zh_TW": 7, "de_DE": 8}  # noqa: RUF012
        init_kwargs: dict[str, Any] = {}  # noqa: RUF012

    own = Spoken()
    assert code_of(own, "de", "--target_lang") == "de_DE" and set_languages(own, None, "de") == 8
    assert own.init_kwargs == {"src_lang": "en_XX", "tgt_lang": "de_DE"}
    for code, told in (("zh", "zh_CN"), ("dE_De", "de_DE"), ("xx", "en_XX")):
        with pytest.raises(HfkitError, match=f"no language '{code}'") as caught:
            code_of(own, code, "--target_lang")
        assert told in str(caught.value)
    own.tgt_lang = None
    with pytest.raises(HfkitError, match="writes 4 languages, and none was said"):
        set_languages(own, "en_XX", None)
    assert codes_of(tokenizer()) == {} and set_languages(tokenizer(), "en", "zh") is None


@pytest.mark.parametrize(
    ("kind", "source", "target", "read", "written", "begun"),
    [
        (MBart50Tokenizer, "en", "zh_CN", ["en_XX", "▁a", "</s>"], ["zh_CN", "▁a", "</s>"], ["</s>", "zh_CN", "▁a"]),
        (MBartTokenizer, "en_XX", "ro", ["▁a", "</s>", "en_XX"], ["▁a", "</s>", "ro_RO"], ["ro_RO", "▁a", "</s>"]),
    ],
)
def test_a_language_is_said_where_each_model_wants_it(
    kind: Any, source: str, target: str, read: list[str], written: list[str], begun: list[str], tmp_path: Path
) -> None:
    own = kind(vocab=[(token, -float(at)) for at, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a"])])
    sides = {f"{side}_{name}": size for side in ("encoder", "decoder")
             for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 16))}  # fmt: skip
    model: Any = MBartForConditionalGeneration(
        MBartConfig(vocab_size=len(own) + 9, d_model=16, max_position_embeddings=32, **sides)
    )
    task = Seq2Seq(source_lang=source, target_lang=target).for_model(model.config, own)
    _settle_writing(TrainConfig(task="translation"), model, own, None)  # type: ignore[arg-type]
    ids, _ = task.targets(["a"], own)
    assert own.convert_ids_to_tokens(task.sources(["a"], own)["input_ids"][0]) == read
    assert own.convert_ids_to_tokens(ids[0]) == written
    assert own.convert_ids_to_tokens(said_before(model, torch.tensor(ids))[0].tolist()) == begun
    spoken = codes_of(own)[own.tgt_lang]
    how = model.generation_config
    assert spoken == (how.forced_bos_token_id if begun[0] == "</s>" else how.decoder_start_token_id)
    own.save_pretrained(tmp_path)
    again = kind.from_pretrained(tmp_path)
    assert (again.src_lang, again.tgt_lang) == (own.src_lang, own.tgt_lang)


def test_the_worst_rows_are_the_worst(knobs: dict[str, Any], tmp_path: Path) -> None:
    run = trained(knobs | {"model": str(write_model(tmp_path / "t5")), "task": "translation"})
    table, metric = run.predictions(), discover.find("translation").metrics({"task": "translation"})[0]
    own = row_figures(table, metric)
    for row in range(3):
        alone = row_figures(table.slice(row, 1), metric)
        assert own[row] == pytest.approx(alone[0], nan_ok=True)
    page = (run.path / "report.html").read_text()
    assert "What the outputs are" in page and "Cut off by" in page and "characters of the source" in page
    card = (run.path / "README.md").read_text()
    assert "pipeline_tag: translation" in card and "AutoModelForSeq2SeqLM" in card
    assert Run(run.path).metrics["baselines"]
