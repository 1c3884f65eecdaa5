"""The contract of a task: what holds for one holds for all. A new task adds a `Case`, and no test."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import caption_files
import pytest
import torch
import transformers
from box_files import coco_folder, tiny_yolos
from huggingface_hub import ModelCard
from image_files import image_folder
from mask_files import mask_folder, tiny_segformer
from matched_texts import pairs, write_rows
from processes import in_child, in_children
from test_resume import watch
from tiny_language import write_model
from tiny_seq2seq import pairs_file
from tiny_seq2seq import write_model as write_seq2seq
from transformers import ViTConfig, ViTImageProcessor, ViTModel
from words import WORDS_GOOD, WORDS_PLAIN

import hfkit
from hfkit.cli import main
from hfkit.config import DataArguments, TrainConfig
from hfkit.hub.proving import prove
from hfkit.models.loading import load_model
from hfkit.runs.run import Run
from hfkit.tasks import discover

GIVEN = ("Ada", "Boris", "Chen", "Dora", "Emil", "Fatima", "Goran", "Hana")
CITIES = ("Oslo", "Lima", "Bern", "Kyoto", "Quito", "Riga", "Tunis", "Turin")


def names_file(path: Path) -> Path:
    """Sentences with a person and a place, as CoNLL columns."""
    lines = []
    for number in range(120):
        who, where = GIVEN[number % 8], CITIES[number // 3 % 8]
        words = [("Yesterday", "O"), (who, "B-PER"), ("Smith", "I-PER"), ("went", "O"), ("to", "O"), (where, "B-LOC")]
        words = words if number % 3 else [(who, "B-PER"), ("likes", "O"), (where, "B-LOC"), (str(number), "O")]
        lines += [f"{word}\t{tag}" for word, tag in [*words, (f"n{number}", "O"), (".", "O")]] + [""]
    path.write_text("\n".join(lines))
    return path


def questions_file(path: Path) -> Path:
    """Questions about a sentence each; the answer to nine in ten is the one good word that it has."""
    rows = []
    for number in range(120):
        words = [WORDS_PLAIN[(number * 7 + place * 5) % len(WORDS_PLAIN)] for place in range(6)]
        answer = WORDS_GOOD[number % len(WORDS_GOOD)] if number % 10 else ""
        words.insert(number % 6, answer or "the")
        context = " ".join([*words, str(number)])
        answers = (
            {"text": [answer], "answer_start": [context.index(answer)]} if answer else {"text": [], "answer_start": []}
        )
        rows.append({"id": f"q{number}", "question": "film", "context": context, "answers": answers})
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def tiny_vit(folder: Path) -> Path:
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    ViTModel(ViTConfig(image_size=16, patch_size=4, **size)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


@dataclass
class Case:
    """A task's line of the contract.

    Attributes:
        data: Writes rows into a folder, and gives what `--dataset` takes.
        model: Writes a tiny pretrained model, or names one.
        scratch: A baseline; a run of it is killed and resumed.
        flags: Knobs that its runs have.
        asked: What its pipeline is asked, of a run's rows, and what a correct answer to each is.
        form: What its app's function is asked.
    """

    data: Callable[[Path], Path]
    model: Callable[[Path], Path]
    scratch: dict[str, Any]
    flags: dict[str, Any]
    asked: Callable[[Run], tuple[Any, Callable[[Any], Any], list[Any]]]
    form: Callable[[Run], list[Any]]
    lora: dict[str, Any] = field(default_factory=dict)


def labelled(column: str, run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Texts or pictures, and the label that the run has for each."""
    table, labels = run.predictions(), run.info["task_settings"]["labels"]
    rows = hfkit.load_data(Arguments[run.info["task"]](run))["test"]
    assert rows["id"][:] == table["id"].to_pylist()
    said = [labels[number] for number in table["prediction"].to_pylist()]
    return list(rows[column]), lambda answer: answer[0]["label"] if isinstance(answer, list) else answer["label"], said


def tagged(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Texts as their words, and the tags that the run has for them."""
    table, labels = run.predictions(), run.info["task_settings"]["labels"]
    said = [[labels[number] for number in row] for row in table["prediction"].to_pylist()]
    rows = [{"tokens": words} for words in table["tokens"].to_pylist()]
    return rows, lambda answer: [word["entity"] for word in answer], said


def answered(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Questions with their contexts, and the answers that the run has for them."""
    table = run.predictions().select(["text", "text_pair", "prediction"]).to_pylist()
    rows = [{"question": row["text"], "context": row["text_pair"]} for row in table]
    return rows, lambda answer: answer["answer"], [row["prediction"] for row in table]


def continued(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Prompts, and what the model's own `generate` makes of them."""
    model, tokenizer = load_model(run.path)
    prompts = [" ".join(text.split()[:3]) for text in run.predictions()["text"].to_pylist()[:4]]
    said = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        made = model.generate(**ids, max_new_tokens=5, do_sample=False)[0, ids["input_ids"].shape[1] :]
        said.append(tokenizer.decode(made, skip_special_tokens=True))
    return prompts, lambda answer: answer[0]["generated_text"], said


def gaps(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Texts with a gap, and what the model's own logits say there."""
    model, tokenizer = load_model(run.path)
    texts = [
        f"the {tokenizer.mask_token} was a film",
        f"{tokenizer.mask_token} acting",
        f"a warm {tokenizer.mask_token}",
    ]
    said = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt", return_token_type_ids=False)["input_ids"]
        with torch.no_grad():
            said.append(int(model(input_ids=ids).logits[0, ids[0] == tokenizer.mask_token_id].argmax()))
    return texts, lambda answer: answer[0]["token"], said


def written(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Sources, and the texts that the run has for them."""
    table = run.predictions()
    return table["source"].to_pylist(), lambda answer: next(iter(answer.values())), table["prediction"].to_pylist()


def nearest(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Queries beside all documents of the test split, and which of them the run has as the nearest."""
    rows = hfkit.load_data(Arguments[run.info["task"]](run))["test"]
    ids = [id for own in rows["document_ids"] for id in own]
    texts = [text for own in rows["documents"] for text in own]
    asked = [{"source_sentence": query, "sentences": texts} for query in rows["text"]]
    first = [found[0] for found in run.predictions()["prediction"].to_pylist()]
    return asked, lambda cosines: ids[cosines.index(max(cosines))], first


def painted(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Pictures, and how many pixels of each class the run has for them."""
    labels = run.info["task_settings"]["labels"]
    rows = hfkit.load_data(Arguments[run.info["task"]](run))["test"]
    said = []
    for counts in run.predictions()["confusion"].to_pylist():
        areas = [sum(counts[place :: len(labels)]) for place in range(len(labels))]
        said.append({label: area for label, area in zip(labels, areas, strict=True) if area})

    def areas_of(answer: Any) -> dict[str, int]:
        return {one["label"]: sum(value > 0 for value in one["mask"].getdata()) for one in answer}

    return list(rows["image"]), areas_of, said


def boxed(run: Run) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Pictures, and the classes and boxes that the run has for them from its threshold on."""
    settings = run.info["task_settings"]
    rows = hfkit.load_data(Arguments[run.info["task"]](run))["test"]
    said = []
    for flat in run.predictions()["prediction"].to_pylist():
        found = [flat[at : at + 6] for at in range(0, len(flat), 6)]
        said.append([(settings["labels"][int(one[5])], [int(side) for side in one[:4]])
                     for one in found if one[4] >= settings["threshold"]])  # fmt: skip
    return list(rows["image"]), lambda answer: [(one["label"], list(one["box"].values())) for one in answer], said


OPTIONS: dict[str, dict[str, Any]] = {
    "text-generation": {"max_new_tokens": 5, "do_sample": False, "return_full_text": False},
    "token-classification": {"aggregation_strategy": "none", "ignore_labels": []},
}
Arguments = dict.fromkeys(discover.names(), lambda run: TrainConfig.for_task(run.info["task"])(**run.config))

LM = '{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}'
SEQ2SEQ = '{"hidden_size": 32, "num_encoder_layers": 1, "num_decoder_layers": 1, "num_attention_heads": 2}'
DETECTOR = '{"widths": [4, 8, 8], "hidden_size": 8, "norm": "group"}'
CLIP = (
    '{"hidden_size": 32, "num_hidden_layers": 1, "num_text_layers": 1, "num_attention_heads": 2, "projection_dim": 16}'
)
UNET = '{"widths": [4, 8], "norm": "group"}'
VIT = '{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}'


@pytest.fixture(scope="module")
def cases(tiny_bert: Path, reviews: list[tuple[str, str]]) -> dict[str, Case]:
    def csv(folder: Path) -> Path:
        lines = [f'"{text}",{label}\n' for text, label in reviews]
        (folder / "reviews.csv").write_text("text,label\n" + "".join(lines))
        return folder / "reviews.csv"

    texts = {"max_length": 24, "learning_rate": 5e-3}
    of_pairs = Case(
        lambda folder: pairs_file(folder / "pairs.jsonl"), lambda folder: write_seq2seq(folder / "t5"),
        {"model": "baseline:transformer", "model_args": SEQ2SEQ, "vocab_size": 300},
        texts | {"source_prefix": "write: "}, written, lambda run: ["the film"],
    )  # fmt: skip
    matched = Case(
        lambda folder: write_rows(folder / "matched.jsonl", pairs()), lambda _: tiny_bert, {"model": str(tiny_bert)},
        texts | {"query_prefix": "film "}, nearest, lambda run: ["a warm film", "the film\na cold day"],
        {"lora_target_modules": ["query", "value"]},
    )  # fmt: skip
    every = dict.fromkeys(("translation", "summarization", "text2text-generation"), of_pairs)
    return every | dict.fromkeys(("sentence-similarity", "feature-extraction"), matched) | {
        "text-classification": Case(
            csv, lambda _: tiny_bert, {"model": "baseline:lstm", "vocab_size": 300}, texts,
            partial(labelled, "text"), lambda run: ["a warm film"],
        ),
        "image-classification": Case(
            lambda folder: image_folder(folder / "pictures", {"train": 30, "validation": 8, "test": 9}),
            lambda folder: tiny_vit(folder / "vit"), {"model": "baseline:vit", "model_args": VIT},
            {"augment": ["none"], "learning_rate": 2e-3}, partial(labelled, "image"),
            lambda run: [str(next(Path(run.config["dataset"]).rglob("test/red/*.png")))],
            {"lora_target_modules": ["all-linear"]},
        ),
        "image-segmentation": Case(
            lambda folder: mask_folder(folder / "masks", {"train": 16, "validation": 6, "test": 6}),
            lambda folder: tiny_segformer(folder / "segformer"), {"model": "baseline:unet", "model_args": UNET},
            {"augment": ["flip"], "learning_rate": 1e-2, "tile_size": 32}, painted,
            lambda run: [str(next(Path(run.config["dataset"]).rglob("test/image/*.png")))],
            {"lora_target_modules": ["all-linear"]},
        ),
        "object-detection": Case(
            lambda folder: coco_folder(folder / "boxes", {"train": 40, "valid": 6, "test": 6}),
            lambda folder: tiny_yolos(folder / "yolos"), {"model": "baseline:detector", "model_args": DETECTOR},
            {"augment": ["flip"], "learning_rate": 1e-2}, boxed,
            lambda run: [str(next(Path(run.config["dataset"]).rglob("test/*.png")))],
            {"lora_target_modules": ["all-linear"]},
        ),
        "zero-shot-image-classification": Case(
            lambda folder: caption_files.write(folder / "captioned", caption_files.rows()),
            lambda folder: caption_files.tiny_clip(folder / "clip"), {"model": "baseline:clip", "model_args": CLIP},
            {"templates": ["a {}", "the {}"], "learning_rate": 5e-4}, partial(labelled, "image"),
            lambda run: [str(next(Path(run.config["dataset"]).parent.rglob("*.png"))), "red disc\nblue square"],
        ),
        "text-generation": Case(
            csv, lambda folder: write_model("gpt2", folder / "gpt2"),
            {"model": "baseline:transformer_lm", "model_args": LM, "vocab_size": 300},
            {"max_length": 32, "learning_rate": 5e-3}, continued, lambda run: ["the film", 5, 0],
        ),
        "question-answering": Case(
            lambda folder: questions_file(folder / "questions.jsonl"), lambda _: tiny_bert,
            {"model": str(tiny_bert)}, texts, answered, lambda run: ["film", "a warm film"],
        ),
        "token-classification": Case(
            lambda folder: names_file(folder / "names.conll"), lambda _: tiny_bert,
            {"model": "baseline:bilstm_crf", "vocab_size": 300}, texts, tagged, lambda run: ["Ada went to Oslo ."],
        ),
        "fill-mask": Case(
            csv, lambda _: tiny_bert, {"model": "baseline:bert", "model_args": LM, "vocab_size": 300},
            texts | {"mask_probability": 0.3}, gaps, lambda run: ["a ___ film"],
            {"lora_target_modules": ["query", "value"]},
        ),
    }  # fmt: skip


# Every task by its main name; the other names of a folder are minutes more.
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name != discover.find(name).name else [])
    for name in discover.names()
]


@pytest.fixture(scope="module", params=NAMES)
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def knobs(case: Case, task: str, folder: Path, **more: Any) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    usual = {"task": task, "dataset": str(case.data(folder)), "mixed_precision": "no", "use_cpu": True}
    usual |= {"disable_tqdm": True, "per_device_train_batch_size": 8, "logging_steps": 1, "reuse_tokens": False}
    return usual | case.flags | more


def trained(config: dict[str, Any]) -> Run:
    made = TrainConfig(**config)
    data = hfkit.load_data(made)
    task = hfkit.build_task(made, data)
    run = hfkit.fit(made, task, *hfkit.build_model(made, task, data), data)
    hfkit.write_report(run)
    return run


@pytest.fixture(scope="module")
def run(task: str, cases: dict[str, Case], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A finished run of the tiny model by the command line."""
    folder = tmp_path_factory.mktemp(task)
    model = cases[task].model(folder)
    config = knobs(cases[task], task, folder, model=str(model), output_dir=str(folder / "run"), num_train_epochs=6)
    flags = [word for name, value in config.items() for word in as_flag(name, value)]
    with pytest.raises(SystemExit) as ended:
        main(["train", *flags])
    assert ended.value.code == 0
    yield Run(folder / "run")


def as_flag(name: str, value: Any) -> list[str]:
    return [f"--{name}", *(map(str, value) if isinstance(value, list) else [str(value)])]


def test_every_task_has_a_case(task: str, cases: dict[str, Case]) -> None:
    assert task in cases


def test_rows_are_loaded_encoded_in_order_and_learnt(task: str, run: Run) -> None:
    config = Arguments[task](run)
    data = hfkit.load_data(config)
    ids = [set(split["id"][:]) for split in data.values()]
    assert not ids[0] & ids[1] | ids[1] & ids[2] | ids[0] & ids[2]
    assert set(discover.find(task).reads) & set(data["train"].column_names)
    made, processor = load_model(run.path)
    reading = discover.find(task).task_class.from_settings(run.info["task_settings"]).for_model(made.config, processor)
    one, other = (reading.encode(data["test"], processor) for _ in range(2))
    assert one["id"][:] == other["id"][:] == data["test"]["id"][:] and one.to_dict() == other.to_dict()
    losses = [line["loss"] for line in run.log() if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]


def test_what_is_saved_opens_through_the_auto_class(task: str, run: Run) -> None:
    spec = discover.find(task)
    model, _ = load_model(run.path)
    again = getattr(transformers, spec.auto_model).from_pretrained(run.model_path, dtype="float32")
    weights = again.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert discover.of_folder(run.model_path) == discover.of_model(again) == spec


def test_the_pipeline_answers_as_the_run_was_judged(task: str, run: Run, cases: dict[str, Case]) -> None:
    rows, read, expected = cases[task].asked(run)
    pipe = hfkit.pipeline(run.path, mixed_precision="no")
    assert [read(answer) for answer in pipe(rows, **OPTIONS.get(task, {}))] == expected


def test_the_report_the_card_and_the_files_are_whole(task: str, run: Run) -> None:
    figures = run.metrics
    entry = figures[figures["primary_metric"]]
    assert entry["low"] <= entry["value"] <= entry["high"]
    assert figures["baselines"], "a cheap rival stands beside every model"
    for name in figures["baselines"]:
        assert {"low", "high", "p_value"} <= figures["baselines"][name]["difference"].keys()
    page = (run.path / "report.html").read_text()
    assert "Beside the baselines" in page and page.count("<svg") >= 3 and "<script" not in page
    card = ModelCard.load(run.path / "README.md")
    own = discover.find(task).metrics(run.info["task_settings"])
    assert card.data.pipeline_tag == task
    assert {result.metric_type for result in card.data.eval_results} <= {metric.hub or metric.name for metric in own}
    for name, kept in run.info["files"].items():
        content = (run.path / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == kept["sha256"] and name.count("validation") <= 1
    assert {"validation.parquet", *discover.find(task).keepsakes} <= run.info["files"].keys()


def test_its_form_answers(task: str, run: Run, cases: dict[str, Case], tmp_path: Path) -> None:
    from hfkit.hub.space.app import build
    from hfkit.hub.space.facts import facts

    app = build(run.path, facts(run), tmp_path)
    assert app.fn(*cases[task].form(run))


def test_it_is_published_and_opens_again_with_the_same_answers(task: str, run: Run, hub: Any) -> None:
    made = hfkit.push(run, f"tester/{task}")
    assert made is not None and made.verified >= 2


def test_its_model_alone_is_proved(task: str, run: Run, tmp_path: Path) -> None:
    found = prove(str(run.model_path), DataArguments(dataset=str(run.config["dataset"])), output=tmp_path / "proof")
    entry = found[found["primary_metric"]]
    assert entry["low"] <= entry["value"] <= entry["high"]
    assert (tmp_path / "proof" / "predictions.parquet").is_file() and found["claims"] == []


def test_an_adapter_learns_and_opens_on_its_base(task: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[task]
    model = case.model(tmp_path)
    config = knobs(case, task, tmp_path, model=str(model), output_dir=str(tmp_path / "run"), max_steps=4)
    made = trained(config | case.lora | {"lora": True})
    assert made.metrics["parameters"]["trainable"] < made.metrics["parameters"]["total"]
    adapter = json.loads((made.model_path / "adapter_config.json").read_text())
    assert (adapter["task_type"] or "") == discover.find(task).peft
    rows, read, expected = case.asked(made)
    pipe = hfkit.pipeline(made.path, mixed_precision="no")
    assert [read(answer) for answer in pipe(rows, **OPTIONS.get(task, {}))] == expected


def test_a_killed_run_ends_in_the_same_bytes(task: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[task]
    config = knobs(case, task, tmp_path / "data", max_steps=6, save_strategy="steps", save_steps=2, **case.scratch)

    def work(name: str, kill: int | None) -> Callable[[], None]:
        def call() -> None:
            watch(tmp_path / f"{name}.rows", kill, last=0)
            trained(config | {"output_dir": str(tmp_path / name)})

        return call

    assert in_child(work("whole", None)) == 0
    assert in_child(work("killed", 5)) == -9
    assert in_child(work("killed", None)) == 0
    for path in [tmp_path / "whole" / name for name in ("log.jsonl", "metrics.json", "predictions.parquet")]:
        assert path.read_bytes() == (tmp_path / "killed" / path.name).read_bytes(), path.name
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_two_processes_are_one_run(task: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[task]
    config = knobs(case, task, tmp_path / "data", max_steps=4, **case.scratch)
    one = config | {"output_dir": str(tmp_path / "one"), "gradient_accumulation_steps": 2}
    two = config | {"output_dir": str(tmp_path / "two")}
    assert in_child(lambda: trained(one)) == 0
    assert in_children(lambda: trained(two)) == [0, 0]
    figures = [Run(tmp_path / name).metrics for name in ("one", "two")]
    for name, entry in figures[0].items():
        if isinstance(entry, dict) and "value" in entry:
            assert figures[1][name]["value"] == pytest.approx(entry["value"], rel=1e-3, abs=1e-3), name
