"""build_model: what a name becomes, whose labels win, what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig

from hfkit import build_model, build_task
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.models.adapting.freezing import freeze, in_head, unfreeze
from hfkit.models.loading import load_model
from hfkit.models.names import locate
from hfkit.models.settings import override, set_dropout


@pytest.fixture
def data(reviews: list[tuple[str, str]]) -> DatasetDict:
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    rows = {
        "id": [str(number) for number in range(len(reviews))],
        "text": [text for text, _ in reviews],
        "label": [int(label == "pos") for _, label in reviews],
    }
    return DatasetDict(train=Dataset.from_dict(rows, features=features))


def build(data: DatasetDict, **knobs: Any) -> tuple[Any, Any]:
    config = TrainConfig(**knobs)
    return build_model(config, build_task(config, data), data)


def classifier(folder: Path, base: Path, labels: list[str], **fields: Any) -> Path:
    """A saved classifier with names of its own, on the tiny BERT."""
    torch.manual_seed(1)
    names = dict(enumerate(labels))
    config = BertConfig.from_pretrained(base, id2label=names, label2id={v: k for k, v in names.items()}, **fields)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def test_the_seed_decides_what_starts_at_random(tiny_bert: Path, data: DatasetDict) -> None:
    """In Python too, where no launcher has seeded anything, and whatever was drawn before."""

    def head(seed: int, drawn: int, **knobs: Any) -> torch.Tensor:
        torch.manual_seed(drawn)
        config = TrainConfig(**{"model": str(tiny_bert), "seed": seed, **knobs})
        model: Any = build_model(config, build_task(config, data), data)[0]
        return model.classifier.weight.detach()

    for knobs in ({}, {"model": "baseline:gru", "vocab_size": 200}):
        assert torch.equal(head(1, 7, **knobs), head(1, 8, **knobs))
        assert not torch.equal(head(1, 7, **knobs), head(2, 7, **knobs))


def test_a_pretrained_model_gets_a_new_head_with_the_tasks_labels(
    tiny_bert: Path, data: DatasetDict, capsys: pytest.CaptureFixture[str]
) -> None:
    model, tokenizer = build(data, model=str(tiny_bert), max_length=32, long_text="head_tail")
    assert model.config.id2label == {0: "neg", 1: "pos"}
    assert model.config.label2id == {"neg": 0, "pos": 1}
    assert model.config.problem_type == "single_label_classification"
    assert model.config.hfkit["max_length"] == 32
    assert model.config.hfkit["long_text"] == "head_tail"
    assert tokenizer.model_max_length == 32
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    total = sum(parameter.numel() for parameter in model.parameters())
    said = capsys.readouterr().out
    assert "head: new (neg, pos)" in said
    assert f"model: BertForSequenceClassification from {tiny_bert}, {total:,} parameters, all learn" in said


def test_the_backbone_is_the_folders(tiny_bert: Path, data: DatasetDict) -> None:
    from transformers import AutoModel

    saved = AutoModel.from_pretrained(tiny_bert).state_dict()
    for pooling in ("model", "mean"):
        model, _ = build(data, model=str(tiny_bert), pooling=pooling)
        loaded = model.base_model.state_dict()
        assert set(saved) - set(loaded) <= {"pooler.dense.weight", "pooler.dense.bias"}
        assert all(torch.equal(saved[name], loaded[name]) for name in loaded)


def test_a_classifier_with_the_same_labels_keeps_its_head_and_its_order(
    tiny_bert: Path, data: DatasetDict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = classifier(tmp_path / "m", tiny_bert, ["POS", "NEG"])
    model, _ = build(data, model=str(folder))
    kept = AutoModelForSequenceClassification.from_pretrained(folder)
    assert torch.equal(model.classifier.weight, kept.classifier.weight)
    assert [name.lower() for _, name in sorted(model.config.id2label.items())] == ["pos", "neg"]
    assert "head: kept" in capsys.readouterr().out


@pytest.mark.parametrize("labels", [["good", "bad"], ["LABEL_0", "LABEL_1"], ["a", "b", "c"]])
def test_a_classifier_with_other_labels_gets_a_new_head(
    tiny_bert: Path, data: DatasetDict, tmp_path: Path, labels: list[str]
) -> None:
    folder = classifier(tmp_path / "m", tiny_bert, labels)
    model, _ = build(data, model=str(folder))
    old = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.classifier.weight.shape == (2, 32)
    assert not torch.equal(model.classifier.weight, old.classifier.weight[:2])
    assert model.classifier.weight.abs().mean() < 0.05
    assert torch.equal(model.bert.pooler.dense.weight, old.bert.pooler.dense.weight)


def test_a_classifier_of_another_problem_gets_a_new_head(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    folder = classifier(tmp_path / "m", tiny_bert, ["neg", "pos"], problem_type="multi_label_classification")
    model, _ = build(data, model=str(folder))
    assert model.config.problem_type == "single_label_classification"


@pytest.mark.pain("gpt2-pad")
def test_a_decoder_without_padding_pads_with_its_end(
    tiny_bert: Path, data: DatasetDict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import GPT2Config, GPT2Model

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.pad_token, tokenizer.eos_token = None, "[SEP]"
    tokenizer.save_pretrained(tmp_path)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=64)
    GPT2Model(config).save_pretrained(tmp_path)
    model, loaded = build(data, model=str(tmp_path))
    assert loaded.pad_token == "[SEP]"
    assert model.config.pad_token_id == loaded.pad_token_id
    assert "no padding token" in capsys.readouterr().out
    batch = loaded(["a warm film", "cold"], return_tensors="pt", padding=True)
    assert model(**batch).logits.shape == (2, 2)


@pytest.mark.parametrize("name", ["lstm", "bilstm", "gru", "rnn", "transformer"])
def test_baselines_take_their_vocabulary_from_the_training_split(data: DatasetDict, name: str) -> None:
    model, tokenizer = build(data, model=f"baseline:{name}", vocab_size=150, max_length=40)
    assert len(tokenizer) <= 150
    assert model.config.vocab_size == len(tokenizer) == model.get_input_embeddings().num_embeddings
    assert tokenizer.model_max_length == model.config.hfkit["max_length"] == 40
    assert model.config.id2label == {0: "neg", 1: "pos"}


def test_a_baseline_reads_as_far_as_it_is_told(data: DatasetDict) -> None:
    learned = '{"positions": "learned"}'
    model, tokenizer = build(data, model="baseline:transformer", max_length=700, model_args=learned)
    assert model.embeddings.positions.num_embeddings == 700
    _, tokenizer = build(data, model="baseline:lstm")
    assert tokenizer.model_max_length == 512


def test_equal_seeds_build_equal_models(tiny_bert: Path, data: DatasetDict) -> None:
    for name in (str(tiny_bert), "baseline:gru"):
        states = []
        for _ in range(2):
            torch.manual_seed(3)
            states.append(build(data, model=name)[0].state_dict())
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"model": "baseline:lstn"}, "did you mean lstm"),
        ({"model": "demo:miniln"}, "minilm"),
        ({"model": "./missing"}, "there is no folder './missing'"),
        ({"model": "a/b/c"}, "there is no folder 'a/b/c'"),
        ({"model": "no such model"}, "neither a folder nor a Hub id"),
        ({"model": "nobody/nothing"}, "The Hub cannot be reached"),
        ({"model": "baseline:lstm", "gradient_checkpointing": True}, "cannot recompute its activations"),
        ({"model": "baseline:lstm", "model_args": '{"hiden_size": 8}'}, "did you mean hidden_size"),
        ({"model": "baseline:lstm", "model_args": '{"hidden_size": "big"}'}, "hidden_size cannot be 'big'"),
        ({"model": "baseline:lstm", "model_args": "[1]"}, "is no JSON object"),
        ({"model": "baseline:lstm", "model_args": "{"}, "is no JSON object"),
        ({"model": "baseline:transformer", "model_args": '{"hidden_size": 30}'}, "does not split into 4 heads"),
    ],
)
def test_names_and_settings_that_lead_nowhere(data: DatasetDict, knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(HfkitError) as error:
        build(data, **knobs)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (["config.json"], "holds no model: there is no config.json"),
        (["model.safetensors"], "no weights: there is no model.safetensors"),
        (["tokenizer.json", "tokenizer_config.json", "vocab.txt"], "has no tokenizer"),
    ],
)
def test_a_folder_that_lacks_a_part(
    tiny_bert: Path, data: DatasetDict, tmp_path: Path, lost: list[str], message: str
) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "m"))
    for name in lost:
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(HfkitError, match=message) as error:
        build(data, model=str(folder))
    assert str(folder) in str(error.value)


def test_pickles_are_not_read(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "m"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(HfkitError, match=r"only there as pytorch_model\.bin"):
        build(data, model=str(folder))


def test_damaged_weights_and_weights_of_another_model(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2Model

    cut = Path(shutil.copytree(tiny_bert, tmp_path / "cut"))
    whole = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HfkitError, match="weights"):
        build(data, model=str(cut))
    other = Path(shutil.copytree(tiny_bert, tmp_path / "other"))
    GPT2Model(GPT2Config(vocab_size=50, n_embd=32, n_layer=1, n_head=2)).save_pretrained(tmp_path / "gpt")
    shutil.copy(tmp_path / "gpt" / "model.safetensors", other)
    with pytest.raises(HfkitError, match="none of the weights belongs to a bert"):
        build(data, model=str(other))
    with pytest.raises(HfkitError, match="another size than the config says"):
        build(data, model=str(tiny_bert), model_args='{"intermediate_size": 48}')


def test_models_for_another_task(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    from transformers import BertForTokenClassification, ViTConfig, ViTForImageClassification

    tagger = tmp_path / "tagger"
    BertForTokenClassification(BertConfig.from_pretrained(tiny_bert)).save_pretrained(tagger)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tagger)
    with pytest.raises(HfkitError, match="is a BertForTokenClassification: a model for another task"):
        build(data, model=str(tagger))
    assert build(data, model=str(tagger), pooling="mean")[0].classifier.out_features == 2
    vision = tmp_path / "vision"
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ViTForImageClassification(ViTConfig(image_size=32, **size)).save_pretrained(vision)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(vision)
    for pooling in ("model", "mean"):
        with pytest.raises(HfkitError, match="no text"):
            build(data, model=str(vision), pooling=pooling)


def test_remote_code_is_not_run_unasked(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mystery", "auto_map": {"AutoConfig": "mystery.MysteryConfig"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mystery.py").write_text("raise SystemExit('ran')")
    with pytest.raises(HfkitError, match="Python code of its own") as error:
        build(data, model=str(folder))
    assert "--trust_remote_code" in str(error.value)


def test_max_length_above_the_models(tiny_bert: Path, data: DatasetDict) -> None:
    with pytest.raises(HfkitError, match="at most 64"):
        build(data, model=str(tiny_bert), max_length=65)


def test_freezing_the_backbone_leaves_the_head(tiny_bert: Path, data: DatasetDict) -> None:
    for pooling in ("model", "mean"):
        model, _ = build(data, model=str(tiny_bert), pooling=pooling, freeze=["backbone"])
        learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert learning == {"classifier.weight", "classifier.bias"}
        frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
        assert unfreeze(model) == frozen
        assert all(parameter.requires_grad for parameter in model.parameters())


def test_frozen_parameters_that_no_checkpoint_filled_keep_learning(
    tiny_bert: Path, data: DatasetDict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import BertForMaskedLM

    BertForMaskedLM.from_pretrained(tiny_bert).save_pretrained(tmp_path)  # has no pooler
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    model, _ = build(data, model=str(tmp_path), freeze=["backbone"])
    assert model.bert.pooler.dense.weight.requires_grad
    assert not model.bert.encoder.layer[0].attention.self.query.weight.requires_grad
    assert "start at random: bert.pooler.dense.bias, bert.pooler.dense.weight" in capsys.readouterr().out


def test_freezing_by_pattern(tiny_bert: Path, data: DatasetDict) -> None:
    model, _ = build(data, model=str(tiny_bert), freeze=["embeddings", "*.layer.0.*", "bert.pooler"])
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    expected = ("bert.embeddings.", "bert.encoder.layer.0.", "bert.pooler.")
    assert frozen == {name for name, _ in model.named_parameters() if name.startswith(expected)}


def test_freezing_what_is_not_there(tiny_bert: Path, data: DatasetDict) -> None:
    model, _ = build(data, model=str(tiny_bert))
    with pytest.raises(HfkitError, match="did you mean embeddings"):
        freeze(model, ["embedings"])
    with pytest.raises(HfkitError, match="every parameter is frozen"):
        freeze(model, ["*"])
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_baselines_backbone_is_all_but_its_classifier(data: DatasetDict) -> None:
    for name in ("lstm", "transformer"):
        model, _ = build(data, model=f"baseline:{name}")
        assert {key for key, _ in model.named_parameters() if in_head(model, key)} == {
            "classifier.weight",
            "classifier.bias",
        }


def test_gradient_checkpointing_reaches_the_layers(tiny_bert: Path, data: DatasetDict) -> None:
    for knobs in (
        {"model": str(tiny_bert)},
        {"model": str(tiny_bert), "pooling": "mean"},
        {"model": "baseline:transformer"},
    ):
        model, tokenizer = build(data, gradient_checkpointing=True, dropout=0.0, **knobs)
        batch = tokenizer(["a warm film", "cold"], return_tensors="pt", padding=True)
        plain, _ = build(data, dropout=0.0, **knobs)
        plain.load_state_dict(model.state_dict())
        gradients = []
        for one in (model, plain):
            one.train()(**batch).logits.square().sum().backward()
            gradients.append(one.classifier.weight.grad)
        assert any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        torch.testing.assert_close(*gradients)


def test_dropout_under_every_name() -> None:
    from transformers import AutoConfig

    for family, hidden, attention in [
        ("bert", "hidden_dropout_prob", "attention_probs_dropout_prob"),
        ("distilbert", "dropout", "attention_dropout"),
        ("gpt2", "resid_pdrop", "attn_pdrop"),
        ("modernbert", "mlp_dropout", "attention_dropout"),
        ("hfkit-transformer", "dropout", "attention_dropout"),
    ]:
        config = AutoConfig.for_model(family)
        own = getattr(config, hidden)
        set_dropout(config, None, 0.25)
        assert (getattr(config, hidden), getattr(config, attention)) == (own, 0.25)
        set_dropout(config, 0.125, None)
        assert (getattr(config, hidden), getattr(config, attention)) == (0.125, 0.25)


def test_model_args_are_written_with_their_type(tiny_bert: Path) -> None:
    config = BertConfig.from_pretrained(tiny_bert)
    override(config, '{"hidden_act": "relu", "layer_norm_eps": 1e-6}')
    assert (config.hidden_act, config.layer_norm_eps) == ("relu", 1e-6)
    override(config, None)


def test_load_model_takes_a_run_or_a_folder(tiny_bert: Path, tmp_path: Path) -> None:
    classifier(tmp_path / "run" / "model", tiny_bert, ["neg", "pos"])
    (tmp_path / "run" / "run.json").write_text("{}")
    assert locate(tmp_path / "run") == tmp_path / "run" / "model"
    model, tokenizer = load_model(tmp_path / "run")
    assert not model.training
    assert tokenizer.is_fast


def test_a_head_that_was_never_trained_does_not_answer(tmp_path: Path, tiny_bert: Path) -> None:
    """The folder claims to be a classifier and holds the backbone's weights alone."""
    folder = tmp_path / "claims"
    shutil.copytree(tiny_bert, folder)
    settings = json.loads((folder / "config.json").read_text())
    settings["architectures"] = ["BertForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(HfkitError, match=r"not fine-tuned: it has no weights for classifier"):
        load_model(folder)
