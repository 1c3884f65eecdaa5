"""OpenVINO in torch's place: torch's labels, for every kind of text and model, and a plain word where it cannot."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from test_inference import LONG, TEXTS, save

from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.inference import pipeline
from hfkit.inference.backends import openvino

MORE = [f"{text} {number}" for number in range(40) for text in TEXTS]


@pytest.fixture(scope="module")
def folder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("classifier"), tiny_bert)


@pytest.mark.parametrize("precision", ["no", "auto"])
@pytest.mark.parametrize("long_text", ["head", "windows"])
def test_labels_are_torchs(long_text: str, precision: str, tiny_bert: Path, tmp_path: Path) -> None:
    folder = save(
        tmp_path / "m",
        tiny_bert,
        long_text=long_text,
        max_length=20,
        **({"stride": 4} if long_text == "windows" else {}),
    )
    exact = pipeline(folder, device="cpu", mixed_precision="no")(MORE)
    found = pipeline(folder, device="cpu", mixed_precision=precision, backend="openvino")(MORE)
    assert [answer["label"] for answer in found] == [answer["label"] for answer in exact]
    scores = [answer["score"] for answer in exact]
    assert [answer["score"] for answer in found] == pytest.approx(scores, abs=1e-5 if precision == "no" else 0.02)


def test_it_is_what_computes_and_torch_decides_what_is_close(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classify = pipeline(folder, device="cpu", backend="openvino", tokens_per_batch=64)
    rows: list[int] = []
    plain = classify.model.forward
    monkeypatch.setattr(
        classify.model, "forward", lambda **given: rows.append(len(given["input_ids"])) or plain(**given)
    )
    monkeypatch.setattr(classify, "_close", lambda logits: [])
    classify(TEXTS)
    assert not rows
    monkeypatch.setattr(classify, "_close", lambda logits: [1])
    classify(TEXTS)
    assert rows == ([1] if classify.low_precision else []), "in float32 nothing is decided twice"


def test_threads_share_it(folder: Path) -> None:
    classify = pipeline(folder, device="cpu", mixed_precision="no", backend="openvino")
    alone = classify(MORE)
    with ThreadPoolExecutor(4) as threads:
        assert all(answers == alone for answers in threads.map(classify, [MORE] * 8))


def test_several_labels_and_numbers(tiny_bert: Path, tmp_path: Path) -> None:
    for name, settings in {
        "many": {"labels": ["a", "b", "c"], "problem_type": "multi_label_classification"},
        "number": {"labels": ["score"], "problem_type": "regression"},
    }.items():
        folder = save(tmp_path / name, tiny_bert, **settings)
        answers = [
            pipeline(folder, device="cpu", mixed_precision="no", backend=backend).logits(TEXTS)
            for backend in ("torch", "openvino")
        ]
        torch.testing.assert_close(answers[0], answers[1], atol=1e-3, rtol=1e-4)


def test_a_file_is_predicted_with_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\n" + "\n".join(f'"{text} film"' for text in TEXTS) + "\n")
    for backend in ("torch", "openvino"):
        with pytest.raises(SystemExit) as ended:
            main(["predict", str(folder), "--input", "in.csv", "--output", f"{backend}.csv", "--backend", backend])
        assert not ended.value.code
    labels = [
        [line.split(",")[-2] for line in (tmp_path / f"{backend}.csv").read_text().splitlines()]
        for backend in ("torch", "openvino")
    ]
    assert labels[0] == labels[1]


def test_what_cannot_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HfkitError, match="no backend 'openvin'"):
        pipeline(folder, device="cpu", backend="openvin")
    with pytest.raises(HfkitError, match=r"on a CPU, not in .* on meta"):
        pipe: Any = pipeline(folder, device="cpu")
        monkeypatch.setattr(pipe, "device", torch.device("meta"))
        openvino.converted(pipe)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(HfkitError, match=r"(?s)does not load.*pip install 'hfkit\[openvino\]'"):
        pipeline(folder, device="cpu", backend="openvino")


def test_a_model_that_it_takes_over_wrongly_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = openvino.Converted.__call__

    def wrong(self: Any, **inputs: torch.Tensor) -> Any:
        answer = plain(self, **inputs)
        answer.logits[-1] += torch.tensor([3.0, -3.0])
        return answer

    monkeypatch.setattr(openvino.Converted, "__call__", wrong)
    with pytest.raises(HfkitError, match=r"answers for a BertForSequenceClassification differ from torch's by 0\.\d+"):
        pipeline(folder, device="cpu", backend="openvino")


def test_a_model_that_cannot_be_traced_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def untraceable(self: Any, *inputs: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such operation\nand so on")

    monkeypatch.setattr(openvino._Logits, "forward", untraceable)
    with pytest.raises(HfkitError, match="cannot take over a BertForSequenceClassification: no such operation"):
        pipeline(folder, device="cpu", backend="openvino")


@pytest.mark.parametrize("kind", ["language", "image"])
def test_it_is_for_text_classifiers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = type({"language": "GPT2LMHeadModel", "image": "ViTForImageClassification"}[kind], (), {})
    monkeypatch.setattr("hfkit.inference.pipelines.load_model", lambda *_: (other(), None))
    with pytest.raises(HfkitError, match="backend='openvino' is for text classifiers"):
        pipeline("any", backend="openvino")


def test_long_texts_are_cut_as_at_training(folder: Path) -> None:
    assert len(LONG.split()) > 20
    one, other = (
        pipeline(folder, device="cpu", mixed_precision="no", backend=backend)([LONG * 20])[0]["score"]
        for backend in ("torch", "openvino")
    )
    assert one == pytest.approx(other, abs=1e-5)
