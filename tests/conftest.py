"""What every test shares: no network, a folder of its own, and a model small enough to train in seconds."""

import atexit
import os
import shutil
import socket
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

# Before anything imports torch or a Hugging Face library: they read these once.
_HOME = tempfile.mkdtemp(prefix="hfkit-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    HF_HOME=_HOME,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_XET="1",  # the Hub of the tests speaks LFS
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    TOKENIZERS_PARALLELISM="false",
    CUDA_VISIBLE_DEVICES="",  # the suite's figures are the CPU's
    OMP_NUM_THREADS="1",  # tiny matrices: a second thread only gets in the way
    MPLBACKEND="agg",
    COLUMNS="120",
)
for _variable in ("HFKIT_DEBUG", "ACCELERATE_MIXED_PRECISION", "RANK", "LOCAL_RANK", "WORLD_SIZE"):
    os.environ.pop(_variable, None)

import pytest
from words import WORDS_BAD, WORDS_GOOD, WORDS_PLAIN, review

LOOPBACK = ("127.", "::1", "localhost")


class NetworkBlockedError(ConnectionError):
    """A test reached for the network."""


def _guard(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK):
            raise NetworkBlockedError(f"the suite runs without a network, and something connects to {address}")
        return connect(self, address)

    return guarded


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Any:
    """Only this machine answers, whatever a library tries."""
    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", _guard(socket.socket.connect))
    patch.setattr(socket.socket, "connect_ex", _guard(socket.socket.connect_ex))
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test stands in an empty folder, so that a default `runs/` never lands in the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def fresh_process() -> Any:
    """Accelerate keeps one state a process; a test that calls a command in-process starts as that command would."""
    yield
    if "accelerate" in sys.modules:
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A Hub on loopback, taken for the Hub, with an empty cache; the client is `tester`. Waits take no time."""
    import huggingface_hub.constants
    import huggingface_hub.hf_api
    import huggingface_hub.utils._http
    from hub_server import HubServer

    from hfkit.hub.upload import commits

    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        replaced = {"ENDPOINT": server.url, "HUGGINGFACE_CO_URL_TEMPLATE": template, "HF_HUB_OFFLINE": False}
        for name, value in (replaced | {"HF_HUB_CACHE": str(tmp_path / "hub-cache")}).items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        # Before 2.0 the client's own functions keep the address that was known when it was imported.
        monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", server.url, raising=False)
        clock = types.SimpleNamespace(sleep=lambda seconds: server.waits.append(seconds), time=time.time)
        for module in (commits, huggingface_hub.utils._http):
            monkeypatch.setattr(module, "time", clock)
        yield server


@pytest.fixture(scope="session")
def reviews() -> list[tuple[str, str]]:
    """240 made reviews with their label, half `pos` and half `neg`; a tiny model learns them in a few steps."""
    return [
        (review(number, number % 2 == 0, words=6 + number % 11), ("neg", "pos")[number % 2 == 0])
        for number in range(240)
    ]


@pytest.fixture
def reviews_csv(tmp_path: Path, reviews: list[tuple[str, str]]) -> Path:
    """The made reviews as reviews.csv with the columns `review` and `sentiment`, in this test's folder."""
    path = tmp_path / "reviews.csv"
    path.write_text("review,sentiment\n" + "".join(f'"{text}",{label}\n' for text, label in reviews))
    return path


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained 2-layer BERT (hidden size 32, 64 positions) and a WordPiece tokenizer of its own."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, BertTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    corpus = [" ".join(WORDS_GOOD + WORDS_BAD), " ".join(WORDS_PLAIN), "0 1 2 3 4 5 6 7 8 9"] * 5
    tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))

    folder = tmp_path_factory.mktemp("tiny-bert")
    BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def splits(reviews: list[tuple[str, str]]) -> Any:
    """The made reviews as 150 / 40 / 50 rows, as load_data gives them."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features(id=Value("string"), text=Value("string"), label=ClassLabel(names=["neg", "pos"]))
    rows = [{"id": f"r{at}", "text": text, "label": label} for at, (text, label) in enumerate(reviews)]
    parts = {"train": rows[:150], "validation": rows[150:190], "test": rows[190:]}
    return DatasetDict({name: Dataset.from_list(part, features=features) for name, part in parts.items()})


@pytest.fixture
def run_fit(tiny_bert: Path, splits: Any, tmp_path: Path) -> Any:
    """fit() on the tiny model; `name` is the run's folder, the rest are knobs."""
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    from hfkit.config import TrainConfig
    from hfkit.models.adapting.freezing import freeze
    from hfkit.tasks import build_task
    from hfkit.training.job import fit

    def call(name: str = "run", **knobs: Any) -> Any:
        defaults: dict[str, Any] = {
            "output_dir": str(tmp_path / name),
            "mixed_precision": "no",
            "per_device_train_batch_size": 16,
            "num_train_epochs": 2,
            "learning_rate": 3e-3,
            "disable_tqdm": True,
            "use_cpu": True,
            "logging_steps": 1,
        }
        config = TrainConfig(**(defaults | knobs))
        task = build_task(config, splits)
        torch.manual_seed(config.seed)
        settings = task.model_kwargs()
        settings.pop("hfkit")  # no argument of a library model: the task writes it into the config
        dropout = 0.1 if config.dropout is None else config.dropout
        model = BertForSequenceClassification.from_pretrained(
            tiny_bert, **settings, hidden_dropout_prob=dropout, attention_probs_dropout_prob=0.0
        )
        if config.freeze:
            freeze(model, config.freeze)
        return fit(config, task, model, AutoTokenizer.from_pretrained(tiny_bert), splits)

    return call


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: list[tuple[str, str]]) -> Path:
    """A finished run of `hfkit train` on the made reviews, read-only: copy it before you write into it."""
    from hfkit.cli import main

    folder = tmp_path_factory.mktemp("tiny-run")
    csv = folder / "reviews.csv"
    csv.write_text("review,sentiment\n" + "".join(f'"{text}",{label}\n' for text, label in reviews))
    flags = f"--dataset {csv} --model {tiny_bert} --output_dir {folder / 'run'} --learning_rate 5e-3 --max_length 32"
    with pytest.raises(SystemExit) as ended:
        main(["train", *flags.split(), "--num_train_epochs", "4", "--mixed_precision", "no", "--disable_tqdm"])
    assert ended.value.code == 0
    return folder / "run"
