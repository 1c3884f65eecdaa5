"""Attention by plain products: the same states and gradients as torch's kernel, where it is used, and nowhere else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM

from hfkit.models.kernels import cpu_attention

CPU = torch.device("cpu")


class Bidirectional(nn.Module):
    """Stands for a layer of an encoder."""

    is_causal = False


@pytest.fixture
def inside() -> Iterator[None]:
    with cpu_attention.products(CPU, "bf16"):
        yield


def heads(dtype: torch.dtype = torch.bfloat16, width: int = 8) -> list[Tensor]:
    """Query, key and value of 2 texts, 3 heads and 10 tokens."""
    torch.manual_seed(0)
    return [torch.randn(2, 3, 10, width).to(dtype).requires_grad_() for _ in range(3)]


def exact(tensors: list[Tensor], **options: Any) -> tuple[Tensor, list[Tensor]]:
    """torch's answer in float64, and the gradients of its sum of squares."""
    twins = [tensor.detach().double().requires_grad_() for tensor in tensors]
    out = scaled_dot_product_attention(*twins, **options).transpose(1, 2)
    out.square().sum().backward()
    return out, [twin.grad for twin in twins if twin.grad is not None]


KEEP = (torch.arange(10) < torch.tensor([[10], [6]]))[:, None, None, :].expand(2, 1, 10, 10)


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"is_causal": False}, {}),
        ({"attention_mask": KEEP}, {"attn_mask": KEEP}),
        ({"is_causal": True}, {"is_causal": True}),
        ({"is_causal": False, "scaling": 0.3}, {"scale": 0.3}),
    ],
)
def test_states_and_gradients_are_torchs(
    given: dict[str, Any], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_attention, "sdpa_attention_forward", None)  # it has to do without
    tensors = heads()
    expected, gradients = exact(tensors, **options)
    out, weights = cpu_attention.attend(Bidirectional(), *tensors, **({"attention_mask": None} | given))
    assert weights is None
    out.float().square().sum().backward()
    torch.testing.assert_close(out.double(), expected, atol=0.03, rtol=0.02)  # bf16 has 8 bits
    for tensor, gradient in zip(tensors, gradients, strict=True):
        assert tensor.grad is not None
        torch.testing.assert_close(tensor.grad.double(), gradient, atol=0.15, rtol=0.05)


@pytest.mark.usefixtures("inside")
def test_padding_is_not_looked_at() -> None:
    tensors = heads()
    before, _ = cpu_attention.attend(Bidirectional(), *tensors, attention_mask=KEEP)
    with torch.no_grad():
        for tensor in tensors[1:]:
            tensor[1, :, 6:] = 1000.0
    after, _ = cpu_attention.attend(Bidirectional(), *tensors, attention_mask=KEEP)
    assert torch.equal(before, after)


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("case", ["float32", "dropout", "mask of numbers", "large", "shared keys", "softcap"])
def test_what_is_out_of_the_ordinary_is_left_to_transformers(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_attention, "sdpa_attention_forward", lambda *_, **__: "theirs")
    tensors = heads(torch.float32 if case == "float32" else torch.bfloat16)
    given: dict[str, Any] = {"attention_mask": KEEP.bfloat16() if case == "mask of numbers" else None}
    if case == "dropout":
        given["dropout"] = 0.1
    if case == "softcap":
        given["softcap"] = 30.0
    if case == "large":
        monkeypatch.setattr(cpu_attention, "LARGEST", 599)
    if case == "shared keys":
        tensors[1:] = [tensor[:, :1] for tensor in tensors[1:]]
    assert cpu_attention.attend(Bidirectional(), *tensors, **given) == "theirs"


def test_only_bf16_on_a_cpu_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_attention, "sdpa_attention_forward", lambda *_, **__: "theirs")

    def answer() -> Any:
        return AttentionInterface._global_mapping["sdpa"](Bidirectional(), *heads(), attention_mask=None)

    for device, precision in (("cuda", "bf16"), ("cpu", "no")):
        with cpu_attention.products(torch.device(device), precision):
            assert answer() == "theirs"
    with cpu_attention.products(CPU, "bf16"):
        assert answer() != "theirs"
        with ThreadPoolExecutor() as another:
            assert another.submit(answer).result() == "theirs"
        with cpu_attention.products(CPU, "no"):
            assert answer() == "theirs"
        assert answer() != "theirs"
    assert answer() == "theirs"


@pytest.mark.parametrize("kind", ["falcon", "gpt2", "llama"])
def test_no_model_sees_what_follows(kind: str) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, vocab_size=50, **sizes)).eval()
    ids = torch.arange(12)[None]
    places = torch.arange(6).repeat(2)[None]  # two documents in the row
    for given in ({}, {"position_ids": places}):
        changed = ids.index_fill(1, torch.tensor([11]), 40)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), cpu_attention.products(CPU, "bf16"):
            one, other = (model(tokens, use_cache=False, **given).logits for tokens in (ids, changed))
        assert torch.equal(one[:, :-1], other[:, :-1])


def test_a_run_uses_it_and_saves_a_plain_model(run_fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    plain = cpu_attention.attend
    monkeypatch.setattr(
        cpu_attention,
        "attend",
        lambda *args, **kwargs: calls.append(cpu_attention.wanted.get()) or plain(*args, **kwargs),
    )
    run = run_fit("bf16", mixed_precision="bf16", num_train_epochs=1)
    assert any(calls)
    assert "attn_implementation" not in (run.path / "model" / "config.json").read_text()
    calls.clear()
    exact_run = run_fit("fp32", mixed_precision="no", num_train_epochs=1)
    assert not any(calls)
    losses = [[line["loss"] for line in one.log() if "loss" in line] for one in (run, exact_run)]
    assert max(abs(one - other) for one, other in zip(*losses, strict=True)) < 0.05
