"""LoRA: a small adapter and the head learn, and both come back from the adapter's folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from hfkit import build_model, build_task
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.models.loading import load_model
from hfkit.training.job import save_model

LABELS = ["neg", "mixed", "pos"]


@pytest.fixture
def data() -> DatasetDict:
    features = Features({"text": Value("string"), "label": ClassLabel(names=LABELS)})
    rows = {"text": ["warm film", "so so", "cold film"], "label": [2, 1, 0]}
    return DatasetDict(train=Dataset.from_dict(rows, features=features))


def adapted(data: DatasetDict, model: Path | str, **knobs: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    config = TrainConfig(model=str(model), lora=True, **knobs)
    return build_model(config, build_task(config, data), data)


def train_a_little(model: Any, batch: Any) -> torch.Tensor:
    """A few updates of all that learns; returns the logits after them."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        model.train()(**batch, labels=torch.tensor([2, 0])).loss.backward()
        optimizer.step()
    return model.eval()(**batch).logits.detach()


@pytest.mark.pain("lora-head-lost")
@pytest.mark.parametrize("pooling", ["model", "mean"])
def test_adapter_and_head_are_saved_and_come_back_on_the_base(
    tiny_bert: Path, data: DatasetDict, tmp_path: Path, pooling: str
) -> None:
    model, tokenizer = adapted(data, tiny_bert, pooling=pooling, lora_r=4, lora_alpha=6, max_length=20)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all("lora_" in name or "classifier" in name for name in learning)
    assert {name.split(".")[-3] for name in learning if "lora_A" in name} == {"lora_A"}
    assert any("modules_to_save" in name for name in learning)
    batch = tokenizer(["warm film", "cold"], return_tensors="pt", padding=True)
    before = model.eval()(**batch).logits.detach()
    logits = train_a_little(model, batch)
    assert not torch.allclose(before, logits)

    model.save_pretrained(tmp_path, save_embedding_layers=False)
    model.config.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (settings["task_type"], settings["r"], settings["lora_alpha"]) == ("SEQ_CLS", 4, 6)
    assert settings["base_model_name_or_path"] == str(tiny_bert)
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 60_000
    again, _ = load_model(tmp_path)
    assert torch.equal(again(**batch).logits, logits)
    assert again.config.id2label == dict(enumerate(LABELS))
    assert again.config.hfkit["max_length"] == 20


def test_a_pooled_adapter_finds_its_backbone_under_another_head(
    tiny_bert: Path, data: DatasetDict, tmp_path: Path
) -> None:
    """A checkpoint of BertForMaskedLM calls its backbone `bert.`, ours is called `backbone.`."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForMaskedLM

    base = tmp_path / "base"
    BertForMaskedLM.from_pretrained(tiny_bert).save_pretrained(base)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(base)
    model, tokenizer = adapted(data, base, pooling="mean")
    batch = tokenizer(["warm film", "cold"], return_tensors="pt", padding=True)
    logits = train_a_little(model, batch)
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    model.config.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert torch.equal(load_model(tmp_path / "adapter")[0](**batch).logits, logits)
    plain = AutoModelForSequenceClassification.from_pretrained(base, config=model.config)
    assert torch.equal(plain.backbone.embeddings.word_embeddings.weight, model.get_input_embeddings().weight)


@pytest.mark.filterwarnings("error::UserWarning")  # PEFT's "Could not find a config file in demo:minilm" is one
def test_the_base_is_named_as_the_user_named_it(data: DatasetDict, tmp_path: Path) -> None:
    model, tokenizer = adapted(data, "demo:minilm", pooling="mean")
    folder = tmp_path / "model"
    save_model(folder, Accelerator(cpu=True), model, tokenizer)
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "demo:minilm"
    assert all("site-packages" not in path.read_text() for path in folder.glob("*.[jm][sd]*"))
    load_model(folder)


def test_what_the_base_lacks_learns_and_is_saved(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertForMaskedLM

    BertForMaskedLM.from_pretrained(tiny_bert).save_pretrained(tmp_path)  # has no pooler
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    model, _ = adapted(data, tmp_path)
    assert model.base_model.model.bert.pooler.dense.modules_to_save["default"].weight.requires_grad


def test_target_modules(tiny_bert: Path, data: DatasetDict) -> None:
    model, _ = adapted(data, tiny_bert, lora_target_modules=["key", "output.dense"])
    adapters = {name for name, _ in model.named_parameters() if "lora_A" in name}
    assert all(".key." in name or ".output.dense." in name for name in adapters)
    assert len(adapters) == 2 * 3
    with pytest.raises(HfkitError, match="did you mean query"):
        adapted(data, tiny_bert, lora_target_modules=["qeury"])


def test_target_patterns(tiny_bert: Path, data: DatasetDict) -> None:
    def adapters(*targets: str) -> set[str]:
        model, _ = adapted(data, tiny_bert, lora_target_modules=list(targets))
        names = {name for name, _ in model.named_parameters() if "lora_A" in name}
        return {name.removeprefix("base_model.model.bert.").partition(".lora_A")[0] for name in names}

    last = {"encoder.layer.1.attention.self.query", "encoder.layer.1.attention.self.value"}
    assert adapters("*.layer.1.*.query", "*.layer.1.*.value") == last
    everything = adapters("all-linear")
    assert len(everything) == 2 * 6 + 1  # the pooler
    assert {name.split(".")[-1] for name in everything} == {"query", "key", "value", "dense"}
    with pytest.raises(HfkitError, match=r"no linear layer is called '\*\.layer\.2\.\*'[^$]*Known: dense, key"):
        adapters("*.layer.2.*")


def test_gradient_checkpointing_reaches_the_adapter(tiny_bert: Path, data: DatasetDict) -> None:
    """The embeddings are frozen: recomputation must not lose the way to the adapter."""
    model, tokenizer = adapted(data, tiny_bert, gradient_checkpointing=True)
    batch = tokenizer(["warm film", "cold"], return_tensors="pt", padding=True)
    model.train()(**batch, labels=torch.tensor([2, 0])).loss.backward()
    assert all(
        parameter.grad is not None and (parameter.grad.abs().sum() > 0 or "lora_A" in name)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    )


def test_an_adapter_is_no_model_to_start_from(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    model, _ = adapted(data, tiny_bert)
    model.save_pretrained(tmp_path, save_embedding_layers=False)
    config = TrainConfig(model=str(tmp_path))
    with pytest.raises(HfkitError, match="holds a LoRA adapter, not a whole model"):
        build_model(config, build_task(config, data), data)


def language_model(folder: Path, tokens: list[str], tied: bool) -> Path:
    """GPT-2, or Llama with an output layer of its own, resized for new tokens that nothing was learnt about."""
    from tiny_language import write_model
    from transformers import AutoTokenizer, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    write_model("gpt2", folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    model: Any = GPT2LMHeadModel.from_pretrained(folder) if tied else LlamaForCausalLM(LlamaConfig(**sizes))
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    if tokens:
        tokenizer.add_tokens(tokens)
        model.resize_token_embeddings(len(tokenizer))
    model.config.pad_token_id = model.config.bos_token_id = model.config.eos_token_id = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def language_adapter(folder: Path, **knobs: Any) -> tuple[Any, Any]:
    texts = DatasetDict(train=Dataset.from_dict({"id": ["a"], "text": ["warm film"]}))
    return adapted(texts, folder, task="text-generation", **knobs)


@pytest.mark.parametrize("tied", [False, True])
def test_vectors_that_nothing_has_touched_learn(tmp_path: Path, tied: bool, capsys: pytest.CaptureFixture[str]) -> None:
    from hfkit.models.adapting.adapters import merge

    model, tokenizer = language_adapter(language_model(tmp_path / "base", ["<A>", "<B>"], tied))
    assert "LoRA: the vectors of 2 tokens learn beside the adapter: <A>, <B>" in capsys.readouterr().out
    rows = {name: value for name, value in model.named_parameters() if value.requires_grad and "lora_" not in name}
    assert [len(value) for value in rows.values()] == ([2] if tied else [2, 2])
    batch = tokenizer("warm <A> film", return_tensors="pt")
    assert tokenizer.convert_tokens_to_ids("<A>") in batch["input_ids"][0]
    model.train()(**batch, labels=batch["input_ids"]).loss.backward()
    assert all(value.grad[0].abs().sum() > 0 for value in rows.values())
    for value in rows.values():
        torch.nn.init.normal_(value)
    with torch.no_grad():
        wanted = model.eval()(**batch).logits
        save_model(tmp_path / "model", Accelerator(cpu=True), model, tokenizer)
        torch.testing.assert_close(load_model(tmp_path / "model")[0](**batch).logits, wanted)
        merge(tmp_path / "model", tmp_path / "merged")
        torch.testing.assert_close(load_model(tmp_path / "merged")[0](**batch).logits, wanted, rtol=0, atol=1e-4)


def test_tokens_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = language_model(tmp_path / "base", [], tied=True)
    model, tokenizer = language_adapter(folder)
    assert "LoRA: the vectors" not in capsys.readouterr().out, "all tokens have learnt"
    word = next(token for token in tokenizer.get_vocab() if token.isalpha() and len(token) > 2)
    model, _ = language_adapter(folder, lora_tokens=[word])
    assert [len(value) for name, value in model.named_parameters() if "tokens_delta" in name] == [1]
    with pytest.raises(HfkitError, match="'<C>' is no token of the model"):
        language_adapter(folder, lora_tokens=["<C>"])


@pytest.mark.parametrize("both", [False, True])
def test_an_adapter_on_tied_vectors_is_merged(tmp_path: Path, both: bool) -> None:
    """PEFT adapts both ends of Llama's tied table (0.18: the first alone), and of GPT-2's the first alone, which cannot
    stay tied."""
    from tiny_language import write_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from hfkit.models.adapting.adapters import merge

    folder = write_model("gpt2", tmp_path / "base")
    if both:
        sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
        ids = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "vocab_size": 400}
        LlamaForCausalLM(LlamaConfig(**sizes, **ids, tie_word_embeddings=True)).save_pretrained(folder)
    model, tokenizer = language_adapter(folder, lora_target_modules=["embed_tokens" if both else "wte"])
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    ends = {end for end in ("embed_tokens", "wte", "lm_head") for name in names if end in name}
    assert ends <= {"embed_tokens", "lm_head"} if both else ends == {"wte"}
    batch = tokenizer("warm film", return_tensors="pt")
    for value in (value for value in model.parameters() if value.requires_grad):
        torch.nn.init.normal_(value, std=0.2)
    with torch.no_grad():
        wanted = model.eval()(**batch).logits
        save_model(tmp_path / "model", Accelerator(cpu=True), model, tokenizer)
        merge(tmp_path / "model", tmp_path / "merged")
        merged, _ = load_model(tmp_path / "merged")
        torch.testing.assert_close(merged(**batch).logits, wanted, rtol=0, atol=1e-4)
    assert (merged.get_output_embeddings().weight is merged.get_input_embeddings().weight) == (len(ends) == 2)


def test_an_adapter_alone_opens_with_its_bases_config(tiny_bert: Path, data: DatasetDict, tmp_path: Path) -> None:
    """As PEFT and TRL write it: the head says how many labels there are, and nothing what they are called."""
    model, tokenizer = adapted(data, tiny_bert)
    model.save_pretrained(tmp_path, save_embedding_layers=False)
    with pytest.warns(UserWarning, match="what its labels are called: LABEL_0, LABEL_1, LABEL_2"):
        opened, reader = load_model(tmp_path)
    assert reader.get_vocab() == tokenizer.get_vocab()
    batch = tokenizer(["warm film"], return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(opened(**batch).logits, model.eval()(**batch).logits)


def test_a_language_models_adapter_alone_needs_no_task_type(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from tiny_classifiers import tokenizer_of
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = tokenizer_of("gpt")
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, n_positions=32)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    base = GPT2LMHeadModel.from_pretrained(tmp_path / "base")
    get_peft_model(base, LoraConfig(r=2, target_modules=["c_attn"])).save_pretrained(tmp_path / "adapter")
    opened, reader = load_model(tmp_path / "adapter")
    assert opened.can_generate() and reader.eos_token == tokenizer.eos_token
