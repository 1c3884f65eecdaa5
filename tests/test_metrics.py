"""Figures and modules equal scikit-learn's, whole, in batches, in two processes, and under resampling weights."""

import multiprocessing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics as sk

from hfkit.evaluation import classification as metrics
from hfkit.evaluation.metric import Columns
from hfkit.evaluation.stats import intervals

ROWS = 300


def settings(problem: str) -> dict[str, str]:
    return {"name": "text-classification", "problem_type": problem}


def classes(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(k)
    truth = rng.integers(0, k, ROWS)
    scores = rng.normal(size=(ROWS, k)) + 1.5 * np.eye(k)[truth]
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    shares = np.round(shares, 2) + 1e-3  # ties, for the ranks
    shares = shares / shares.sum(axis=1, keepdims=True)
    return truth, shares.argmax(axis=1), shares


def many_labels() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    truth = (rng.random((ROWS, 4)) < 0.3).astype(int)
    truth[:, 3] = 0  # a label that never occurs
    shares = np.clip(0.5 * truth + 0.7 * rng.random((ROWS, 4)), 0.01, 0.99)
    return truth, (shares > 0.5).astype(int), shares


def numbers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    truth = np.round(rng.normal(size=ROWS), 1)
    return truth, np.round(truth + rng.normal(size=ROWS), 1)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_figures_of_classes_are_scikit_learns(k: int) -> None:
    truth, answer, shares = classes(k)
    found = metrics.figures("single_label_classification", truth, answer, shares)
    score = shares[:, 1] if k == 2 else shares
    expected = {
        "accuracy": sk.accuracy_score(truth, answer),
        "f1_macro": sk.f1_score(truth, answer, average="macro"),
        "f1_weighted": sk.f1_score(truth, answer, average="weighted"),
        "precision_macro": sk.precision_score(truth, answer, average="macro"),
        "recall_macro": sk.recall_score(truth, answer, average="macro"),
        "mcc": sk.matthews_corrcoef(truth, answer),
        "roc_auc": sk.roc_auc_score(truth, score, multi_class="ovr"),
        "log_loss": sk.log_loss(truth, shares),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert set(found) - set(expected) == {"ece"}


def test_figures_of_labels_and_numbers_are_scikit_learns_and_scipys() -> None:
    truth, answer, shares = many_labels()
    expected = {
        "f1_micro": sk.f1_score(truth, answer, average="micro", zero_division=0),
        "f1_macro": sk.f1_score(truth, answer, average="macro", zero_division=0),
        "f1_weighted": sk.f1_score(truth, answer, average="weighted", zero_division=0),
        "subset_accuracy": sk.accuracy_score(truth, answer),
        "roc_auc": sk.roc_auc_score(truth[:, :3], shares[:, :3]),
        "log_loss": np.mean([sk.log_loss(truth[:, k], shares[:, k], labels=[0, 1]) for k in range(4)]),
    }
    found = metrics.figures("multi_label_classification", truth, answer, shares)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    truth, answer = numbers()
    for size in (1.0, 1e-6):  # a correlation has no unit
        found = metrics.figures("regression", size * truth, size * answer)
        assert found == pytest.approx(
            {
                "mse": sk.mean_squared_error(size * truth, size * answer),
                "mae": sk.mean_absolute_error(size * truth, size * answer),
                "pearson": pearsonr(truth, answer)[0],
                "spearman": spearmanr(truth, answer)[0],
            },
            rel=1e-9,
        )


def test_calibration_error_by_hand() -> None:
    shares = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.0, 1.0]]
    # 0.9 twice, one right: gap 0.4 for two rows; 0.7 right: 0.3; 1.0 right: 0.
    assert metrics.expected_calibration_error([0, 1, 1, 1], shares) == pytest.approx((0.8 + 0.3) / 4)


def test_figures_that_are_not_defined_are_left_out() -> None:
    one_class = metrics.figures("single_label_classification", [1, 1], [1, 0], [[0.4, 0.6], [0.6, 0.4]])
    assert "roc_auc" not in one_class
    assert one_class["accuracy"] == 0.5
    assert set(metrics.figures("regression", [1.0, 2.0], [3.0, 3.0])) == {"mse", "mae"}


@pytest.mark.parametrize("problem", ["single", "multi", "regression"])
def test_weights_of_one_give_the_figures_and_counts_give_repeated_rows(problem: str) -> None:
    name = {"single": "single_label_classification", "multi": "multi_label_classification"}.get(problem, "regression")
    truth, answer, shares = {"single": classes(3), "multi": many_labels()}.get(problem, (*numbers(), None))
    counts = np.random.default_rng(5).multinomial(ROWS, np.full(ROWS, 1 / ROWS)).astype(float)
    weights = np.stack([np.ones(ROWS), counts])
    columns = Columns({"label": truth, "prediction": answer} | ({} if shares is None else {"probabilities": shares}))
    found = {one.name: one.values(columns, weights) for one in metrics.metrics_of({"problem_type": name})}
    rows = np.repeat(np.arange(ROWS), counts.astype(int))
    drawn = metrics.figures(name, truth[rows], answer[rows], None if shares is None else shares[rows])
    assert {key: value[0] for key, value in found.items()} == pytest.approx(
        metrics.figures(name, truth, answer, shares), abs=1e-9
    )
    assert {key: value[1] for key, value in found.items()} == pytest.approx(drawn, abs=1e-9)


MODULES = [
    ("Accuracy", "labels", sk.accuracy_score, {}),
    ("Precision", "labels", sk.precision_score, {"average": "macro"}),
    ("Recall", "labels", sk.recall_score, {"average": "weighted"}),
    ("F1", "labels", sk.f1_score, {"average": "micro"}),
    ("MatthewsCorrelation", "labels", sk.matthews_corrcoef, {}),
    ("RocAuc", "shares", lambda t, s: sk.roc_auc_score(t, s, multi_class="ovr"), {}),
    ("LogLoss", "shares", sk.log_loss, {}),
    ("ExpectedCalibrationError", "shares", metrics.expected_calibration_error, {}),
    ("MeanSquaredError", "numbers", sk.mean_squared_error, {}),
    ("MeanAbsoluteError", "numbers", sk.mean_absolute_error, {}),
    ("Pearson", "numbers", lambda t, a: np.corrcoef(t, a)[0, 1], {}),
    ("Spearman", "numbers", None, {}),
]


@pytest.mark.parametrize(("name", "kind", "reference", "arguments"), MODULES)
@pytest.mark.parametrize("batch", [1, 64, ROWS])
def test_modules_equal_scikit_learn_at_any_batch_size(
    name: str, kind: str, reference: object, arguments: dict, batch: int, tmp_path: Path
) -> None:
    truth, answer, shares = classes(3)
    if kind == "shares":
        answer = shares
    if kind == "numbers":
        truth, answer = numbers()
    module = getattr(metrics, name)(cache_dir=str(tmp_path))
    for start in range(0, ROWS, batch):
        module.add_batch(predictions=answer[start : start + batch], references=truth[start : start + batch])
    (value,) = module.compute(**arguments).values()
    if reference is None:
        assert value == pytest.approx(spearmanr(truth, answer)[0])
    else:
        assert value == pytest.approx(reference(truth, answer, **arguments))
    assert list(tmp_path.iterdir()) == []


def test_modules_take_lists_of_labels() -> None:
    truth, answer, shares = many_labels()
    f1 = metrics.F1().compute(predictions=answer, references=truth, average="macro", zero_division=0)
    assert f1 == {"f1": pytest.approx(sk.f1_score(truth, answer, average="macro", zero_division=0))}
    assert metrics.Accuracy().compute(predictions=answer, references=truth)["accuracy"] == sk.accuracy_score(
        truth, answer
    )
    auc = metrics.RocAuc().compute(predictions=shares, references=truth)["roc_auc"]
    assert auc == pytest.approx(sk.roc_auc_score(truth[:, :3], shares[:, :3]))


def _process(rank: int, folder: str, queue: "multiprocessing.Queue") -> None:
    truth, answer, _ = classes(3)
    module = metrics.F1(num_process=2, process_id=rank, experiment_id="two", cache_dir=folder)
    module.add_batch(predictions=answer[rank::2], references=truth[rank::2])
    queue.put((rank, module.compute(average="macro")))


def test_two_processes_count_each_row_once(tmp_path: Path) -> None:
    metrics.F1()  # imported before the fork
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_process, args=(rank, str(tmp_path), queue)) for rank in range(2)]
    for process in processes:
        process.start()
    found = dict(queue.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    truth, answer, _ = classes(3)
    assert found == {0: {"f1": pytest.approx(sk.f1_score(truth, answer, average="macro"))}, 1: None}


def test_intervals_hold_their_figure_and_the_baseline_is_paired() -> None:
    truth, answer, shares = classes(2)
    table = pa.table({"label": truth, "prediction": answer, "probabilities": shares.tolist()})
    always = np.zeros(ROWS, dtype=int)
    found = intervals(
        table, settings("single_label_classification"), {"majority": {"prediction": always}}, n_resamples=200
    )
    for name in metrics.figures("single_label_classification", truth, answer, shares):
        figure = found[name]
        assert figure["low"] <= figure["value"] <= figure["high"], name
        assert figure["n"] == ROWS
    beside = found["baselines"]["majority"]
    assert beside["accuracy"]["value"] == (truth == 0).mean()
    gap = beside["difference"]
    assert gap["value"] == pytest.approx((answer == truth).mean() - (truth == 0).mean())
    assert gap["low"] < gap["value"] < gap["high"]
    assert gap["test"] == "exact McNemar"
    assert gap["p_value"] < 1e-6
    assert found["primary_metric"] == "accuracy"


def test_intervals_of_many_labels_and_of_numbers() -> None:
    truth, answer, shares = many_labels()
    table = pa.table({"label": truth.tolist(), "prediction": answer.tolist(), "probabilities": shares.tolist()})
    found = intervals(table, settings("multi_label_classification"), {"same": {"prediction": answer}}, n_resamples=100)
    assert found["baselines"]["same"]["difference"] == {
        "value": 0,
        "low": 0,
        "high": 0,
        "p_value": 1,
        "test": "paired bootstrap",
    }
    truth, answer = numbers()
    table = pa.table({"label": truth, "prediction": answer})
    found = intervals(
        table, settings("regression"), {"mean": {"prediction": np.full(ROWS, truth.mean())}}, n_resamples=100
    )
    assert found["primary_metric"] == "mse"
    assert found["spearman"]["low"] < found["spearman"]["value"] < found["spearman"]["high"]
    assert "pearson" not in found["baselines"]["mean"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("truth", [0, 1])
def test_splits_of_a_row_or_two_warn_of_nothing(rows: int, truth: int) -> None:
    labels, shares = np.full(rows, truth), np.full((rows, 2), [0.9, 0.1])
    found = metrics.figures("single_label_classification", labels, np.zeros(rows, dtype=int), shares)
    assert found["accuracy"] == 1 - truth
    assert found["mcc"] == 0
    assert "roc_auc" not in found
    metrics.figures("multi_label_classification", np.full((rows, 2), truth), np.zeros((rows, 2), dtype=int), shares)
    assert metrics.figures("regression", np.full(rows, float(truth)), np.zeros(rows))["mae"] == truth
