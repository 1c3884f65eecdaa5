"""Text generation: documents that do not see each other, ends that are learnt, windows that lose nothing, one run."""

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from language_files import SIZES, tiny_model
from processes import in_child, in_children
from torch import Tensor
from transformers import AutoModelForCausalLM

import hfkit
from hfkit import HfkitError, TrainConfig
from hfkit.baselines.language.byte_ngram import END, ByteNgram
from hfkit.baselines.language.tokenizers import END_TOKEN, train_byte_bpe
from hfkit.config import DataArguments
from hfkit.data.text.chat_samples import samples
from hfkit.data.text.packing import Segment, enclosed, tokenised
from hfkit.data.text.windows import IGNORED, packed, pieces
from hfkit.evaluation.metric import looked_at
from hfkit.models.build import build_model
from hfkit.models.loading import load_model
from hfkit.tasks import build_task
from hfkit.tasks.text_generation.baselines import fit as fit_rivals
from hfkit.tasks.text_generation.models import try_out
from hfkit.tasks.text_generation.task import TextGeneration
from hfkit.training.judging.judge import evaluate

CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}" + END_TOKEN + "\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def config(**changes: Any) -> TrainConfig:
    basics = {
        "task": "text-generation",
        "dataset": "reviews.csv",
        "model": "baseline:transformer_lm",
        "model_args": json.dumps(SIZES),
        "max_length": 32,
        "vocab_size": 400,
        "num_train_epochs": 2.0,
        "learning_rate": 3e-3,
        "per_device_train_batch_size": 8,
        "mixed_precision": "no",
        "disable_tqdm": True,
        "output_dir": "run",
    }
    return TrainConfig(**(basics | changes))


def job(changed: TrainConfig) -> hfkit.Run:
    data = hfkit.load_data(changed)
    task = hfkit.build_task(changed, data)
    model, processor = hfkit.build_model(changed, task, data)
    return hfkit.fit(changed, task, model, processor, data)


@pytest.fixture(scope="session")
def tokenizer(reviews: list[tuple[str, str]]) -> Any:
    return train_byte_bpe([text for text, _ in reviews], vocab_size=400, max_length=32)


@pytest.fixture(scope="session")
def pretrained(reviews: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A small random model of transformers in a folder by its kind; its tokenizer is the one above."""
    texts = [text for text, _ in reviews]
    return cache(lambda kind: tiny_model(kind, tmp_path_factory.mktemp(kind), texts))


@pytest.fixture
def rows(reviews: list[tuple[str, str]]) -> Dataset:
    texts = [text for text, _ in reviews[:40]]
    return Dataset.from_dict({"id": [f"r{row}" for row in range(40)], "text": texts})


def built(task: TextGeneration, folder: Path) -> tuple[Any, Any, TextGeneration]:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    _, processor = load_model(folder)
    return model, processor, task.for_model(model.config, processor)


def losses(task: TextGeneration, model: Any, rows: Dataset) -> Tensor:
    """The loss of every place of every row, 0 where nothing is learnt."""
    batch = task.collate(rows.to_list())
    inputs = {name: batch[name] for name in ("input_ids", "position_ids") if name in batch}
    with torch.no_grad():
        logits = model(**inputs, use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), batch["targets"], ignore_index=IGNORED, reduction="none"
    )


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_document_costs_the_same_packed_and_alone(
    kind: str, attention: str, pretrained: Callable[[str], Path], rows: Dataset
) -> None:
    model, processor, task = built(TextGeneration(), pretrained(kind))
    model.set_attn_implementation(attention)
    encoded = task.encode(rows, processor)
    alone = {row["id"]: losses(task, model, Dataset.from_list([row])).sum() for row in _apart(task, encoded)}
    together = task.to_train(encoded)
    assert len(together) < len(rows)
    found: dict[str, Tensor] = {}
    for row, each in zip(together.to_list(), losses(task, model, together), strict=True):
        ends = np.cumsum(row["lengths"])
        for id, size, end in zip(row["id"].split(", "), row["lengths"], ends, strict=True):
            found[id] = each[end - size : end].sum()
    assert found.keys() == alone.keys()
    for id, loss in alone.items():
        assert found[id].item() == pytest.approx(loss.item(), abs=1e-5 * max(1.0, loss.item()))


def _apart(task: TextGeneration, encoded: Dataset) -> list[dict[str, Any]]:
    from dataclasses import replace

    return replace(task, packing=False).to_train(encoded).to_list()


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_rows_are_one_for_an_attention_that_keeps_documents_apart_in_a_single_row_alone(
    kind: str, pretrained: Callable[[str], Path], rows: Dataset
) -> None:
    model, processor, task = built(TextGeneration(), pretrained(kind))
    batch = task.collate(task.to_train(task.encode(rows, processor)).to_list())
    assert len(batch["input_ids"]) > 1 and "position_ids" in batch

    class Flash(torch.nn.Module):
        """As transformers' flash attention: `_is_packed_sequence` answers no for more than one row."""

        config = SimpleNamespace(_attn_implementation="flash_attention_2")

        def forward(self, input_ids: Tensor, position_ids: Tensor | None = None, **options: Any) -> Any:
            places = position_ids if len(input_ids) == 1 else None
            return model(input_ids=input_ids, position_ids=places, **options)

    with torch.no_grad():
        expected, found = task.loss_and_predictions(model, batch)
        loss, same = task.loss_and_predictions(Flash().eval(), batch)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(same, found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_changed_neighbour_changes_no_logit(kind: str, pretrained: Callable[[str], Path]) -> None:
    model, _, task = built(TextGeneration(), pretrained(kind))
    row = {"input_ids": list(range(10, 30)), "targets": [1] * 20, "lengths": [7, 8, 5]}
    other = {**row, "input_ids": [*range(30, 37), *range(17, 25), *range(40, 45)]}
    with torch.no_grad():
        first, second = (
            model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
            for batch in (task.collate([row]), task.collate([other]))
        )
    assert torch.equal(first[:, 7:15], second[:, 7:15])
    assert not torch.allclose(first[:, :7], second[:, :7], atol=1e-2)


def test_a_model_that_looks_ahead_or_across_is_refused(pretrained: Callable[[str], Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(pretrained("gpt2"))
    try_out(model, "sound", packing=True)

    class Blind(torch.nn.Module):
        """Forgets the positions, so that documents run into each other."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def get_input_embeddings(self) -> Any:
            return model.get_input_embeddings()

        def forward(self, input_ids: Tensor, use_cache: bool, position_ids: Tensor | None = None) -> Any:
            return model(input_ids=input_ids, use_cache=use_cache)

    with pytest.raises(HfkitError, match="keep the documents of one row apart"):
        try_out(Blind(), "blind", packing=True)  # type: ignore[arg-type]
    try_out(Blind(), "blind", packing=False)  # type: ignore[arg-type]

    class OneRow(Blind):
        """Keeps them apart in a single row alone, as flash attention does in transformers."""

        def forward(self, input_ids: Tensor, use_cache: bool, position_ids: Tensor | None = None) -> Any:
            places = position_ids if len(input_ids) == 1 else None
            return model(input_ids=input_ids, use_cache=use_cache, position_ids=places)

    with pytest.raises(HfkitError, match="keep the documents of one row apart"):
        try_out(OneRow(), "one row", packing=True)  # type: ignore[arg-type]

    class Ahead(Blind):
        def forward(self, input_ids: Tensor, use_cache: bool, position_ids: Tensor | None = None) -> Any:
            return model(input_ids=input_ids.flip(1), use_cache=use_cache)

    with pytest.raises(HfkitError, match="looks ahead"):
        try_out(Ahead(), "ahead", packing=False)  # type: ignore[arg-type]


@pytest.mark.pain("gpt2-pad")
def test_the_end_is_learnt_though_it_is_the_padding_too(pretrained: Callable[[str], Path], rows: Dataset) -> None:
    model, processor, task = built(TextGeneration(packing=False), pretrained("gpt2"))
    processor.pad_token = processor.eos_token
    task = task.for_model(model.config, processor)
    assert task.pad_token_id == task.end_token_id
    batch = task.collate(task.to_train(task.encode(rows, processor)).to_list())
    ends = (batch["targets"] == task.end_token_id).sum(dim=1)
    assert ends.sum() == len(rows)  # once in each document, and not once more for padding
    assert ends.max() == 1
    model.train()
    loss, _ = task.loss_and_predictions(model, batch)
    loss.backward()
    assert model.lm_head.weight.grad[task.end_token_id].abs().sum() > 0


@given(
    ids=st.lists(st.integers(0, 9), min_size=2, max_size=60),
    length=st.integers(1, 12),
    share=st.floats(0.01, 1),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_windows_tell_every_learnt_token_once(ids: list[int], length: int, share: float, data: Any) -> None:
    learnt = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    stride = max(1, int(share * length))
    found = list(pieces(np.array(ids), np.array(learnt), length, stride))
    told = [target for piece in found for target in piece.targets if target != IGNORED]
    assert told == [id for id, counts in zip(ids[1:], learnt[1:], strict=True) if counts]
    for piece in found:
        assert len(piece.input_ids) == len(piece.targets) <= length


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=80), room=st.integers(20, 40))
@settings(max_examples=100, deadline=None)
def test_packing_keeps_every_row_whole(lengths: list[int], room: int) -> None:
    groups = packed(np.array(lengths), room)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    sizes = [sum(lengths[row] for row in group) for group in groups]
    assert max(sizes) <= room
    assert sum(2 * size <= room for size in sizes) <= 1  # two rows half empty would have been one


def told_of(parts: list[Segment], processor: Any) -> tuple[list[int], list[bool]]:
    return enclosed(parts, *tokenised([parts], processor)[0], 0, 0)


def test_only_completions_and_answers_are_learnt(tokenizer: Any) -> None:
    tokenizer.chat_template = CHAT
    row: dict[str, Any] = {"prompt": "a warm film", "completion": " was made"}
    ids, learnt = told_of(samples(row, tokenizer)[0][0], tokenizer)
    assert tokenizer.decode([id for id, counts in zip(ids, learnt, strict=True) if counts]) == " was made" + END_TOKEN
    assert tokenizer.decode(ids) == f"{END_TOKEN}a warm film was made{END_TOKEN}"
    talk = [("user", "hi"), ("assistant", "good"), ("user", "more"), ("assistant", "fine")]
    row = {"messages": [{"role": role, "content": content} for role, content in talk]}
    ids, learnt = told_of(samples(row, tokenizer)[0][0], tokenizer)
    told = tokenizer.decode([id for id, counts in zip(ids, learnt, strict=True) if counts])
    assert told == f"good{END_TOKEN}\nfine{END_TOKEN}\n"
    whole = tokenizer.apply_chat_template(row["messages"], tokenize=False)
    assert tokenizer.decode(ids) == whole  # which begins as the template begins it, in inference too
    tokenizer.chat_template = None
    with pytest.raises(HfkitError, match="no chat template"):
        samples(row, tokenizer)


def test_an_end_token_that_somebody_wrote_is_text(tokenizer: Any) -> None:
    ids, _ = told_of([Segment(f"no {END_TOKEN} here", True)], tokenizer)
    assert ids.count(0) == 2
    assert tokenizer.decode(ids[1:-1]) == f"no {END_TOKEN} here"


def test_figures_are_those_of_the_text_and_its_tokens(pretrained: Callable[[str], Path], rows: Dataset) -> None:
    model, processor, task = built(TextGeneration(max_length=8), pretrained("gpt2"))
    encoded = task.encode(rows, processor)
    windows = task.to_evaluate(encoded)
    assert len(windows) > len(rows)
    with torch.no_grad():
        _, found = task.loss_and_predictions(model, task.collate(windows.to_list()))
    predictions = {name: value.numpy() for name, value in found.items()}
    figures = looked_at(task, predictions)
    texts = rows["text"][:]
    tokens = sum(len(processor(text)["input_ids"]) + 1 for text in texts)  # each with its end
    nats = float(losses(task, model, windows).sum())
    assert predictions["tokens"].sum() == tokens
    assert figures["loss"] == pytest.approx(nats / tokens, rel=1e-5)
    assert figures["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert figures["bits_per_byte"] == pytest.approx(nats / math.log(2) / sum(len(t.encode()) for t in texts), rel=1e-5)
    assert figures["word_perplexity"] == pytest.approx(math.exp(nats / sum(len(t.split()) for t in texts)), rel=1e-4)
    whole = task.by_example(encoded, windows, predictions)
    assert whole["tokens"].sum() == tokens
    assert whole["bytes"].tolist() == [len(text.encode()) for text in texts]


def test_a_stride_shows_each_token_more_and_counts_it_once(pretrained: Callable[[str], Path]) -> None:
    texts = Dataset.from_dict({"text": ["a film that seems to be one part story and two parts music . " * 6]})
    told = {}
    for stride in (None, 4):
        model, processor, task = built(TextGeneration(max_length=16, eval_stride=stride), pretrained("llama"))
        windows = task.to_evaluate(task.encode(texts, processor))
        told[stride] = losses(task, model, windows)
        ids = task.encode(texts, processor)["input_ids"][0]
        assert (told[stride] > 0).sum() == len(ids) - 1
    # By hand, the last token of all: what stands in the window before it is all that is seen.
    with torch.no_grad():
        logits = model(torch.tensor([ids[-1 - len(windows[-1]["input_ids"]) : -1]])).logits[0, -1]
    assert told[4][-1][told[4][-1] > 0][-1].item() == pytest.approx(
        -logits.log_softmax(dim=-1)[ids[-1]].item(), abs=1e-5
    )


def test_accumulation_weighs_tokens_and_not_rows(reviews_csv: Path) -> None:
    """The loss of an update is the mean over its tokens, however it is cut into batches."""
    moved = []
    for size, steps, name in ((8, 1, "one"), (2, 4, "four")):
        run = job(
            config(
                dataset=str(reviews_csv), packing=False, max_steps=3, dropout=0.0, per_device_train_batch_size=size,
                output_dir=name, gradient_accumulation_steps=steps, logging_steps=1, optim="sgd", learning_rate=0.5,
            )
        )  # fmt: skip
        moved.append([entry["loss"] for entry in run.log() if "loss" in entry])
    assert moved[0] == pytest.approx(moved[1], abs=2e-5)


def test_a_run_from_a_table_to_its_report(reviews_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = job(config(dataset=str(reviews_csv)))
    figures = run.metrics
    assert figures["primary_metric"] == "bits_per_byte"
    for name in ("bits_per_byte", "loss", "perplexity", "next_token_accuracy", "word_perplexity"):
        entry = figures[name]
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert entry["n"] == len(run.predictions())
    assert figures["perplexity"]["value"] == pytest.approx(math.exp(figures["loss"]["value"]))
    assert list(figures["baselines"]) == ["byte_ngram", "byte_unigram"]
    assert figures["baselines"]["byte_ngram"]["difference"]["test"] == "paired bootstrap"
    assert any(entry.get("eval_bits_per_byte") for entry in run.log())
    hfkit.write_report(run)
    assert "bits per byte" in capsys.readouterr().out
    assert "bits per byte" in (run.path / "report.html").read_text()
    assert "language modelling" in (run.path / "README.md").read_text()
    # What is published answers as what was measured.
    _, processor = load_model(run.model_path)
    model, _, task = built(TextGeneration.from_settings(run.info["task_settings"]), run.model_path)
    table = run.predictions().to_pylist()
    texts = Dataset.from_dict({"text": [row["text"] for row in table]})
    windows = task.to_evaluate(task.encode(texts, processor))
    nats = task.by_example(texts, windows, {"nll": losses(task, model, windows).sum(dim=1).numpy()})["nll"]
    assert [row["nll"] for row in table] == pytest.approx(nats.tolist(), abs=1e-3)
    again = evaluate(run.path, DataArguments(dataset=str(reviews_csv)))
    assert again["bits_per_byte"]["n"] == 240
    assert again["seen_in_training"] > 150


def test_two_language_models_are_compared_in_bits_per_byte(
    reviews_csv: Path, pretrained: Callable[[str], Path]
) -> None:
    job(config(dataset=str(reviews_csv), output_dir="ours"))
    lora = {"model": str(pretrained("gpt2")), "model_args": None, "lora": True, "use_dora": True, "use_rslora": True}
    adapted = job(config(dataset=str(reviews_csv), output_dir="lora", **lora))
    files = {path.name for path in adapted.model_path.iterdir()}
    assert "adapter_model.safetensors" in files
    settings = json.loads((adapted.model_path / "adapter_config.json").read_text())
    assert settings["use_dora"] and settings["use_rslora"] and settings["task_type"] == "CAUSAL_LM"
    assert adapted.info["model"]["trainable_parameters"] < adapted.info["model"]["parameters"] / 5
    found = hfkit.compare(["ours", "lora"], "both")
    assert found.data["figure"] == "bits_per_byte"
    table = str(found)
    assert all(words in table for words in ("bits per byte", "that learn", "tokens/s"))
    learning = found.data["ranking"][[row["name"] for row in found.data["ranking"]].index("lora")]
    assert learning["tokens_per_second"] > 0 and learning["trainable_parameters"] < 10_000
    assert "Training tokens/s" in Path("both/compare.html").read_text()


def test_chats_and_completions_train(pretrained: Callable[[str], Path], tokenizer: Any) -> None:
    asked = [{"prompt": f"{number} and 1 is", "completion": f" {number + 1}"} for number in range(60)]
    Path("sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    run = job(config(dataset="sums.jsonl", model=str(pretrained("llama")), model_args=None, num_train_epochs=1))
    row = run.predictions().to_pylist()[0]
    assert row["bytes"] == len(row["completion"])
    hfkit.write_report(run)
    card = (run.path / "README.md").read_text()
    hardest = max(run.predictions().to_pylist(), key=lambda one: one["nll"] / one["bytes"])
    assert f": {hardest['prompt']}{hardest['completion']}\n" in card
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained("chatty")
    AutoModelForCausalLM.from_pretrained(pretrained("llama")).save_pretrained("chatty")
    tokenizer.chat_template = None
    talks = [
        {"messages": [{"role": "user", "content": one["prompt"]}, {"role": "assistant", "content": one["completion"]}]}
        for one in asked
    ]
    Path("talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in talks))
    run = job(config(dataset="talks.jsonl", model="./chatty", model_args=None, num_train_epochs=1, output_dir="talk"))
    row = run.predictions().to_pylist()[0]
    assert row["text"].startswith("user: ")
    assert row["bytes"] == len(row["text"].split("assistant: ")[1])
    hfkit.write_report(run)


def test_text_files_and_what_is_wrong_with_them() -> None:
    poem = "".join(f"line {number} of a long poem that goes on and on\n" for number in range(600))
    Path("poem.txt").write_text(poem)
    data = hfkit.load_data("poem.txt", task="text-generation")
    joined = "".join(text for split in ("train", "validation", "test") for text in data[split]["text"])
    assert joined == poem  # nothing is lost, nothing moved
    assert data["train"]["ends"][:] == [False]
    assert data["test"]["ends"][-1] and not any(data["test"]["ends"][:-1])
    Path("two.txt").write_text("one\n<|endoftext|>\ntwo\n<|endoftext|>\nthree\n")
    Path("heads.txt").write_text(" = One = \n\n a b \n = = part = = \n c \n = Two = \n d \n")
    both = DataArguments(dataset="heads.txt", document_start=r"^ = [^=]+ = $")
    from hfkit.data.sources.text_files import text_source

    found = text_source(both)
    assert found is not None
    assert found.tables["train"].columns["text"] == [" = One = \n\n a b \n = = part = = \n c \n", " = Two = \n d \n"]
    found = text_source(DataArguments(dataset="two.txt"))
    assert found is not None
    assert found.tables["train"].columns["text"] == ["one\n", "two\n", "three\n"]
    Path("empty.txt").write_text(" \n")
    Path("latin.txt").write_bytes("naïve".encode("latin-1"))
    bad = {"empty.txt": "holds no text", "latin.txt": "utf-8", "none*.txt": "No file matches", "two.txt": "characters"}
    for name, message in bad.items():
        with pytest.raises(HfkitError, match=message):
            hfkit.load_data(name, task="text-generation")


def test_bad_chats_are_named_by_their_line() -> None:
    Path("bad.jsonl").write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
    with pytest.raises(HfkitError, match=r"role assistant[\s\S]*bad.jsonl line 1"):
        hfkit.load_data("bad.jsonl", task="text-generation")
    Path("bad.jsonl").write_text('{"messages": [{"role": "user"}]}\n')
    with pytest.raises(HfkitError, match="role and content"):
        hfkit.load_data("bad.jsonl", task="text-generation")


def test_an_encoder_and_a_classifier_are_no_language_models(tiny_bert: Path, reviews_csv: Path) -> None:
    with pytest.raises(HfkitError, match="no end token"):
        job(config(dataset=str(reviews_csv), model=str(tiny_bert), model_args=None))


def test_the_counted_baseline_is_a_probability_and_knows_what_it_saw() -> None:
    learnt = bytes([END]) + b"abcabcabcabc" * 20 + bytes([END])
    every = [(bytes([END]) + b"abc" + bytes([byte]), np.array([False] * 4 + [True])) for byte in range(256)]
    shares = np.exp(-np.array(list(ByteNgram(learnt, 4).nats(every))))
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == ord("a")
    train, test = (Dataset.from_dict({"text": [text]}) for text in ("abcabc " * 50, "abcabc "))
    answers = fit_rivals(train, test, {}, 0)
    assert answers["byte_ngram"]["prediction"][0] < answers["byte_unigram"]["prediction"][0]
    data = DatasetDict(train=train)
    with pytest.raises(HfkitError, match="text-generation reads text, completion, messages"):
        build_task(config(), DatasetDict(train=train.rename_column("text", "image")))
    model, _ = build_model(config(), build_task(config(), data), data)
    assert model.config.hfkit["task"] == "text-generation"


def test_two_processes_learn_as_one(reviews_csv: Path, tmp_path: Path) -> None:
    """Their batches hold other numbers of tokens, and each token weighs the same."""

    def work(name: str, size: int) -> None:
        knobs = {"dropout": 0.0, "max_steps": 4, "optim": "sgd", "learning_rate": 0.5, "logging_steps": 1}
        job(
            config(
                dataset=str(reviews_csv), output_dir=str(tmp_path / name), per_device_train_batch_size=size,
                packing=False, use_cpu=True, **knobs,
            )
        )  # fmt: skip

    assert in_child(lambda: work("one", 8)) == 0
    assert in_children(lambda: work("two", 4)) == [0, 0]
    one, two = (hfkit.Run(tmp_path / name) for name in ("one", "two"))
    losses = [[entry["loss"] for entry in run.log() if "loss" in entry] for run in (one, two)]
    assert losses[0] == pytest.approx(losses[1], abs=2e-5)
    assert len(losses[0]) == 4
    told = [run.predictions().to_pylist() for run in (one, two)]
    assert [row["nll"] for row in told[0]] == pytest.approx([row["nll"] for row in told[1]], abs=1e-3)


@given(prompt=st.integers(1, 60), answer=st.integers(1, 60), more=st.integers(0, 30), length=st.integers(4, 24))
@settings(max_examples=150, deadline=None)
def test_an_answer_is_told_whole_after_the_end_of_its_prompt(prompt: int, answer: int, more: int, length: int) -> None:
    learnt = np.array([False] * prompt + [True] * answer + [False] * more + [True] * (more > 0))
    found = list(pieces(np.arange(len(learnt)), learnt, length, length))
    told = [piece for piece in found if (piece.targets != IGNORED).any()]
    assert told == found and sum((piece.targets != IGNORED).sum() for piece in found) == learnt[1:].sum()
    first = found[0]
    before = int(np.flatnonzero(first.targets != IGNORED)[0]) + 1  # tokens that the first one of the answer sees
    if answer < length:
        assert (first.targets != IGNORED).sum() >= answer  # in one window
        assert before >= min(prompt, length - answer, length // 2)
    else:
        assert before >= min(prompt, length // 2)
    assert len(learnt) > length + 1 or len(found) == 1


@pytest.mark.parametrize("answer, said", [(4, ["cut at the start"]), (30, ["cut at the start", "goes on in windows"])])
def test_what_an_answer_loses_to_a_window_is_counted(answer: int, said: list[str], tokenizer: Any) -> None:
    rows = [{"prompt": "a " * 40, "completion": "b" * answer}, {"prompt": "a", "completion": "b"}, {"text": "c" * 90}]
    task = TextGeneration(max_length=16, start_token_id=0, end_token_id=0)
    notes = [task.truncation(task.encode(Dataset.from_list([row]), tokenizer))["notes"] for row in rows]
    assert [[words in note for words in said] for note in notes[0]] == np.eye(len(said), dtype=bool).tolist()
    assert all(note.startswith("1 row: ") for note in notes[0])
    assert notes[1:] == [[], []]  # a text is read in windows as ever
    (row,) = task.to_train(task.encode(Dataset.from_list(rows[:1]), tokenizer).select([0])) if answer == 4 else ([],)
    assert not row or (len(row["input_ids"]) == 16 and row["targets"][-1] == 0)
