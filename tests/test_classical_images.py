"""The picture baselines of scikit-learn: what they learn, of which pictures, for every kind of label."""

import io

import numpy as np
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from PIL import Image as Pillow
from sklearn.datasets import load_digits

from hfkit.evaluation import wording
from hfkit.evaluation.stats import intervals
from hfkit.tasks.image_classification import baselines
from hfkit.tasks.image_classification.baselines import fit, pixels_logreg
from hfkit.tasks.rivals import Answer
from hfkit.training.judging.test_split import fit_baselines

NAMES = ["dark", "light"]


def both(train: Dataset, test: Dataset, problem: str, labels: list[str] | None = None) -> dict[str, Answer]:
    return fit(train, test, {"problem_type": problem, "labels": labels}, 0)


def file_of(pixels: np.ndarray) -> dict[str, bytes]:
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "PNG")
    return {"bytes": stream.getvalue()}


def shades(count: int, size: tuple[int, ...] = (6, 6), label: object = None) -> Dataset:
    """Noise around a dark or a light grey, turn by turn; labelled 0 and 1 unless `label` says otherwise."""
    generator = np.random.default_rng(count)
    rows = [np.clip(generator.normal((90, 160)[row % 2], 30, size), 0, 255).astype(np.uint8) for row in range(count)]
    labels = label or [row % 2 for row in range(count)]
    kind = List(ClassLabel(names=NAMES)) if isinstance(labels[0], list) else ClassLabel(names=NAMES)
    kind = Value("float32") if isinstance(labels[0], float) else kind
    features = Features({"image": Image(), "label": kind})
    return Dataset.from_dict({"image": [file_of(row) for row in rows], "label": labels}, features=features)


def test_real_digits() -> None:
    digits = load_digits()
    features = Features({"image": Image(), "label": ClassLabel(names=[str(number) for number in range(10)])})
    files = [file_of((image * 255 / 16).astype(np.uint8)) for image in digits.images[:900]]
    data = Dataset.from_dict({"image": files, "label": digits.target[:900]}, features=features)
    train, test = data.select(range(600)), data.select(range(600, 900))
    found = both(train, test, "single_label_classification")
    assert set(found) == {"pixels_logreg", "majority"}
    answer = found["pixels_logreg"]
    assert (answer["prediction"] == digits.target[600:900]).mean() > 0.88
    assert answer["probabilities"].shape == (300, 10)
    assert answer["probabilities"].sum(axis=1) == pytest.approx(np.ones(300))
    assert (answer["rows"], answer["seconds"] > 0) == (600, True)
    assert len(set(found["majority"]["prediction"])) == 1


@pytest.mark.parametrize("size", [(6, 6), (40, 52), (40, 52, 3)])
def test_pictures_of_any_size_and_colour(size: tuple[int, ...]) -> None:
    answer = pixels_logreg(shades(40, size), shades(10, size), "single_label_classification")
    assert answer["prediction"].tolist() == [0, 1] * 5


def test_answers_come_in_the_models_order_of_labels_by_name() -> None:
    found = both(shades(40), shades(4), "single_label_classification", labels=["Light", "none", "DARK"])
    assert found["pixels_logreg"]["prediction"].tolist() == [2, 0, 2, 0]
    assert (found["pixels_logreg"]["probabilities"][:, 1] == 0).all()
    assert found["majority"]["probabilities"].shape == (4, 3)


def test_many_labels_and_numbers() -> None:
    many = both(shades(40, label=[[0], [0, 1]] * 20), shades(4, label=[[0], []] * 2), "multi_label_classification")
    assert many["pixels_logreg"]["prediction"].tolist() == [[1, 0], [1, 1]] * 2
    assert many["majority"]["prediction"].tolist() == [[1, 0]] * 4
    numbers = both(shades(40, label=[1.0, 5.0] * 20), shades(4, label=[1.0] * 4), "regression")
    low, high = numbers["pixels_logreg"]["prediction"][:2]
    assert low < 3 < high
    assert numbers["majority"]["prediction"].tolist() == [3.0] * 4


def test_too_many_pictures_are_drawn_from_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = shades(60), shades(4)
    monkeypatch.setattr(baselines, "FITTED", 30)
    first, again, other = (pixels_logreg(train, test, "single_label_classification", seed=seed) for seed in (1, 1, 2))
    assert first["rows"] == 30
    assert (first["probabilities"] == again["probabilities"]).all()
    assert (first["probabilities"] != other["probabilities"]).any()
    monkeypatch.setattr(baselines, "DECODED", 20 * 36)
    assert pixels_logreg(train, test, "single_label_classification")["rows"] == 20


def test_a_run_of_pictures_is_held_against_them(monkeypatch: pytest.MonkeyPatch) -> None:
    data = DatasetDict(train=shades(60), test=shades(20))
    settings = {"name": "image-classification", "problem_type": "single_label_classification", "labels": NAMES}
    found = fit_baselines(data, settings, seed=0)
    assert list(found) == ["pixels_logreg", "majority"]
    truth = data["test"]["label"][:]
    table = pa.table({"label": truth, "prediction": [0] * 20, "probabilities": [[0.9, 0.1]] * 20})
    figures = intervals(table, settings, found, n_resamples=200)
    assert "The model is worse than logistic regression on pixels by 50.0 points" in wording.verdict(figures)
    assert not wording.wins(figures)
    assert "rows" not in figures["baselines"]["pixels_logreg"]
    monkeypatch.setattr(baselines, "FITTED", 30)
    figures = intervals(table, settings, fit_baselines(data, settings, seed=0), n_resamples=200)
    rows = figures["baselines"]["pixels_logreg"]["rows"]
    title = wording.baseline_title("pixels_logreg", settings["problem_type"], rows)
    assert title == "logistic regression on pixels, fitted on 30 rows"
    assert wording.verdict({**figures, "baselines": {}}) is None
    assert not wording.wins({**figures, "baselines": {}})
