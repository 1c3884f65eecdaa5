"""Model folders that are broken, lie or mean harm, through both doors that open them: build_model and pipeline."""

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from guard import Case, cases, refused, write
from safetensors.torch import load_file, save_file

from hfkit import build_model, build_task, pipeline
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig

FOLDER = Path("model")
EVIL = "from pathlib import Path\nPath('ran').write_text('code of a stranger ran')\n"


class Runs:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def change(file: str, how: Callable[[Any], Any]) -> Callable[[], str]:
    """The good folder with one JSON file rewritten."""

    def make() -> str:
        content = json.loads((FOLDER / file).read_text())
        found = how(content)
        (FOLDER / file).write_text(json.dumps(content if found is None else found))
        return str(FOLDER)

    return make


def config(**entries: Any) -> Callable[[], str]:
    return change("config.json", lambda content: content.update(entries))


def file(name: str, content: str | bytes | None) -> Callable[[], str]:
    """The good folder with one file written, or without it."""

    def make() -> str:
        if content is None:
            (FOLDER / name).unlink()
        else:
            write(f"model/{name}", content)
        return str(FOLDER)

    return make


def weights(how: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[], str]:
    def make() -> str:
        tensors = load_file(FOLDER / "model.safetensors")
        how(tensors)
        save_file(tensors, FOLDER / "model.safetensors", {"format": "pt"})
        return str(FOLDER)

    return make


def header(how: Callable[[dict[str, Any]], Any], length: int | None = None) -> Callable[[], str]:
    """The weights' own header rewritten, or another length claimed for it."""

    def make() -> str:
        data = (FOLDER / "model.safetensors").read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        described = json.loads(data[8 : 8 + size])
        how(described)
        told = json.dumps(described).encode()
        write("model/model.safetensors", struct.pack("<Q", length or len(told)) + told + data[8 + size :])
        return str(FOLDER)

    return make


def first(described: dict[str, Any]) -> dict[str, Any]:
    return next(entry for name, entry in described.items() if name != "__metadata__")


def pickled(name: str) -> Callable[[], str]:
    def make() -> str:
        (FOLDER / "model.safetensors").unlink()
        return file(name, pickle.dumps(Runs()))()

    return make


def index(shard: str) -> Callable[[], str]:
    """Weights in shards, one of which is not what it ought to be."""

    def make() -> str:
        names = list(load_file(FOLDER / "model.safetensors"))
        (FOLDER / "model.safetensors").rename(FOLDER / "part.safetensors")
        table = dict.fromkeys(names, "part.safetensors") | {names[0]: shard}
        write("evil.bin", pickle.dumps(Runs()))
        write("model/evil.bin", pickle.dumps(Runs()))
        return file("model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": table}))()

    return make


def remote(where: str, auto_map: dict[str, Any], **more: str) -> Callable[[], str]:
    """A folder with Python code of its own, and the request to run it."""

    def make() -> str:
        write("model/evil.py", EVIL)
        return change(where, lambda content: content.update(auto_map=auto_map, **more))()

    return make


def large_tokenizer() -> str:
    with (FOLDER / "tokenizer.json").open("wb") as stream:
        stream.write(b"[" * 1000)
        stream.truncate(1 << 30)  # a gigabyte that takes no space
    return str(FOLDER)


FOLDERS = cases(
    ("a config of NULs", file("config.json", b"\0" * 100), ("config.json",)),
    ("a config that is a list", file("config.json", "[]"), ("config.json", "object")),
    ("a config that nests", file("config.json", "[" * 100_000), ("config.json", "nested")),
    ("a config with endless digits", file("config.json", '{"hidden_size": ' + "9" * 5000 + "}"),
     ("config.json", "digits")),
    ("a config that is no UTF-8", file("config.json", b'{"a": "\xff"}'), ("config.json",)),
    ("a config of no architecture", file("config.json", "{}"), ("model",)),
    ("an unknown architecture", config(model_type="../../evil"), ("model", "evil")),
    ("a model type that is a number", config(model_type=7), ("model",)),
    ("architectures that are a number", config(architectures=7), ("model",)),
    ("a width that is a word", config(hidden_size="wide"), ("model", "hidden_size")),
    ("a billion wide", config(hidden_size=10**9), ("model",)),
    ("a billion layers", config(num_hidden_layers=10**9), ("config.json", "num_hidden_layers")),
    ("fewer than no layers", config(num_hidden_layers=-1), ("config.json", "num_hidden_layers")),
    ("no layers", config(num_hidden_layers=0), ("config.json", "num_hidden_layers")),
    ("fewer layers than weights", config(num_hidden_layers=1), ("model", "layer.1.")),
    ("no heads", config(num_attention_heads=0), ("config.json", "num_attention_heads")),
    ("heads that do not divide", config(num_attention_heads=5), ("model",)),
    ("a billion words", config(vocab_size=10**9), ("model",)),
    ("fewer words than weights", config(vocab_size=7), ("model",)),
    ("a billion labels", config(num_labels=10**9), ("config.json", "num_labels")),
    ("labels that are no map", config(id2label=7), ("model",)),
    ("an unknown activation", config(hidden_act="__import__('os')"), ("model",)),
    ("dropout above one", config(hidden_dropout_prob=7.0, attention_probs_dropout_prob=7.0), ("model",)),
    ("a config that asks for its code", remote("config.json", {"AutoConfig": "evil.Evil"}, model_type="evil"),
     ("model", "Python code")),
    ("a config that trusts itself", config(trust_remote_code=True), ("config.json", "trust_remote_code")),
    ("a config that trusts itself inside", config(backbone_config={"trust_remote_code": True}),
     ("config.json", "trust_remote_code")),
    ("a kernel from elsewhere", config(_attn_implementation_internal="evil/kernel"), ("config.json", "_attn_impl")),
    ("weights named in the config", config(transformers_weights="adapter_model.bin"),
     ("config.json", "transformers_weights")),
    ("weights that climb out", config(transformers_weights="../evil.safetensors"),
     ("config.json", "transformers_weights")),
    ("a pickle for weights", pickled("pytorch_model.bin"), ("pytorch_model.bin", "safetensors")),
    ("a pickle called safetensors", pickled("model.safetensors"), ("model", "damaged")),
    ("a pickle among the shards", index("evil.bin"), ("index.json", "evil.bin")),
    ("a shard that climbs out", index("../evil.safetensors"), ("index.json", "../evil.safetensors")),
    ("a shard of an absolute path", index("/etc/evil.safetensors"), ("index.json", "/etc/evil.safetensors")),
    ("a shard that is not there", index("gone.safetensors"), ("gone.safetensors",)),
    ("an index that is a list", lambda: (index("x")(), file("model.safetensors.index.json", "[]")())[1],
     ("index.json",)),
    ("weights of no bytes", file("model.safetensors", b""), ("model", "damaged")),
    ("weights cut short", lambda: file("model.safetensors", (FOLDER / "model.safetensors").read_bytes()[:-99])(),
     ("model", "damaged")),
    ("a header longer than the file", header(lambda _: None, 1 << 40), ("model", "damaged")),
    ("a header of all there is", header(lambda _: None, 2**64 - 1), ("model", "damaged")),
    ("a header that is no JSON", file("model.safetensors", struct.pack("<Q", 9) + b"{{{{{{{{{" + b"\0" * 99),
     ("model", "damaged")),
    ("a header that nests", file("model.safetensors", struct.pack("<Q", 90_000) + b"[" * 90_000), ("model", "damaged")),
    ("weights that overlap", header(lambda d: first(d).update(data_offsets=[0, 1 << 30])), ("model", "damaged")),
    ("weights of another size", header(lambda d: first(d).update(shape=[1 << 40, 1 << 40])), ("model", "damaged")),
    ("weights of an unknown type", header(lambda d: first(d).update(dtype="F7")), ("model", "damaged")),
    ("weights of another model", weights(lambda t: [t.update({f"other.{n}": t.pop(n)}) for n in list(t)]), ("model",)),
    ("a tokenizer that nests", file("tokenizer.json", "[" * 100_000), ("tokenizer",)),
    ("a tokenizer of a gigabyte", large_tokenizer, ("tokenizer.json", "bytes")),
    ("a tokenizer that is a number", file("tokenizer.json", "7"), ("tokenizer",)),
    ("a tokenizer without a model", file("tokenizer.json", "{}"), ("tokenizer",)),
    ("a tokenizer without words", change("tokenizer.json", lambda c: c["model"].update(vocab={})), ("model",)),
    ("a tokenizer with a word of number -1", change("tokenizer.json", lambda c: c["model"]["vocab"].update(x=-1)),
     ("tokenizer",)),
    ("a tokenizer with a word too many",
     change("tokenizer.json", lambda c: c["model"]["vocab"].update(wonderful=999_999)),
     ("tokenizer", "999,999")),
    ("a tokenizer of endless special tokens",
     change("tokenizer_config.json", lambda c: c.update(pad_token=["[PAD]"] * 9)),
     ("tokenizer",)),
    ("a tokenizer config that is a list", file("tokenizer_config.json", "[]"), ("tokenizer",)),
    ("a chat template that climbs out", change("tokenizer_config.json", lambda c: c.update(
        chat_template=[{"name": "default", "template": "x"}, {"name": "../../climbed", "template": "x"}])),
     ("tokenizer",)),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, tiny_run: Path) -> Path:
    """A finished classifier's folder, to be spoilt."""
    shutil.copytree(tiny_run / "model", tmp_path / "model")
    return tmp_path


@pytest.mark.pain("pickled-weights")
@pytest.mark.parametrize("case", FOLDERS)
def test_a_hostile_model_answers_nothing(case: Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def door(path: str) -> Any:
        return pipeline(path, device="cpu")(["a wonderful film"])

    refused(case, door, capsys)
    assert not (folder / "ran").exists()


# The two doors share what reads a folder: a part of the cases shows that the second one uses it too.
@pytest.mark.parametrize("case", FOLDERS[::4])
def test_a_hostile_model_is_not_trained(
    case: Case, folder: Path, splits: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def door(path: str) -> Any:
        settings = TrainConfig(model=path, output_dir="run", use_cpu=True)
        task = build_task(settings, splits)
        return build_model(settings, task, splits)

    refused(case, door, capsys)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("asks", ["config.json", "tokenizer_config.json"])
def test_a_known_architecture_never_runs_code_of_its_folder(asks: str, folder: Path) -> None:
    evil = {"AutoConfig": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}
    model = pipeline(remote(asks, evil | {"AutoModelForSequenceClassification": "evil.Evil"})(), device="cpu")
    assert type(model.model).__module__.startswith("transformers.") and len(model(["a wonderful film"])) == 1
    assert not (folder / "ran").exists()


def test_weights_that_are_no_numbers_give_no_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case("nan", weights(lambda tensors: [one.fill_(float("nan")) for one in tensors.values()]), ("NaN",))
    refused(case, lambda path: pipeline(path, device="cpu")(["a wonderful film"]), capsys)


def test_half_a_character_is_no_text(folder: Path) -> None:
    with pytest.raises(HfkitError, match="half a character"):
        pipeline(FOLDER, device="cpu")(["\ud83d"])


def adapter(config: Any, weights: str = "adapter_model.safetensors", content: bytes = b"\0" * 99) -> Callable[[], str]:
    """An adapter on the good folder, which brings the labels."""

    def make() -> str:
        write("adapter/config.json", (FOLDER / "config.json").read_bytes())
        good = {"peft_type": "LORA", "task_type": "SEQ_CLS", "r": 4, "target_modules": ["query"]}
        good["base_model_name_or_path"] = str(FOLDER.absolute())
        write("adapter/adapter_config.json", json.dumps(good | config if isinstance(config, dict) else config))
        write(f"adapter/{weights}", content)
        return "adapter"

    return make


ADAPTERS = cases(
    ("only a pickle", adapter({}, "adapter_model.bin", pickle.dumps(Runs())), ("adapter", "safetensors")),
    ("a pickle called safetensors", adapter({}, content=pickle.dumps(Runs())), ("adapter", "base")),
    ("a module to import", adapter({"megatron_config": {"x": 1}, "megatron_core": "evil"}), ("megatron_config",)),
    ("a config that is a list", adapter([]), ("adapter_config.json",)),
    ("no base", adapter({"base_model_name_or_path": None}), ("adapter_config.json", "base")),
    ("a base that climbs out", adapter({"base_model_name_or_path": "../../../etc"}), ("etc",)),
    ("an unknown kind", adapter({"peft_type": "EVIL"}), ("adapter",)),
    ("a billion ranks", adapter({"r": 10**9}), ("adapter",)),
    ("a rank of less than nothing", adapter({"r": -1}), ("adapter",)),
)


@pytest.mark.parametrize("case", ADAPTERS)
def test_a_hostile_adapter_answers_nothing(
    case: Case, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("evil.py", EVIL)
    monkeypatch.syspath_prepend(str(folder))
    refused(case, lambda path: pipeline(path, device="cpu"), capsys)
    assert not (folder / "ran").exists()
