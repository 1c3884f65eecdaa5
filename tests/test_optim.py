"""Groups by layer and by shape, optimizers by name, schedules against torch's and transformers' own."""

import json

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as torchs
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BartConfig,
    BartForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
)
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, Adafactor

from hfkit.base.errors import HfkitError
from hfkit.config import OptimArguments
from hfkit.training import optim

SMALL = {"vocab_size": 30, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture(scope="module")
def bert():
    return BertForSequenceClassification(BertConfig(num_hidden_layers=3, **SMALL))


def learning_rates(model, **settings):
    """Parameter name -> (learning rate, weight decay), as the optimizer has them."""
    optimizer = optim.build_optimizer(model, OptimArguments(**settings))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_vectors_get_no_decay_and_matrices_do(bert):
    decays = {name: decay for name, (_, decay) in learning_rates(bert, weight_decay=0.1).items()}
    assert decays.keys() == dict(bert.named_parameters()).keys()
    assert decays["bert.encoder.layer.0.attention.self.query.weight"] == 0.1
    assert decays["bert.embeddings.word_embeddings.weight"] == 0.1
    assert all(decay == 0.0 for name, decay in decays.items() if name.endswith("bias") or "LayerNorm" in name)


def test_learning_rate_falls_with_the_distance_from_the_head(bert):
    rates = {name: rate for name, (rate, _) in learning_rates(bert, learning_rate=1.0, layer_wise_lr_decay=0.5).items()}
    assert rates["classifier.weight"] == rates["bert.pooler.dense.bias"] == 1.0
    for layer, rate in enumerate([0.125, 0.25, 0.5]):
        assert rates[f"bert.encoder.layer.{layer}.output.dense.weight"] == rate
    assert rates["bert.embeddings.word_embeddings.weight"] == rates["bert.embeddings.LayerNorm.weight"] == 0.0625


@pytest.mark.parametrize(
    ("model", "depths"),
    [
        (
            GPT2ForSequenceClassification(GPT2Config(vocab_size=30, n_embd=8, n_layer=2, n_head=2)),
            {"transformer.wpe.weight": 3, "transformer.h.0.ln_1.weight": 2, "transformer.h.1.attn.c_attn.weight": 1,
             "transformer.ln_f.weight": 0, "score.weight": 0},
        ),
        (
            AlbertForSequenceClassification(AlbertConfig(embedding_size=4, num_hidden_layers=3, **SMALL)),
            {"albert.embeddings.word_embeddings.weight": 2, "classifier.weight": 0,
             "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight": 1},
        ),
        (
            BartForSequenceClassification(
                BartConfig(vocab_size=30, d_model=8, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=8,
                           decoder_ffn_dim=8, encoder_attention_heads=2, decoder_attention_heads=2)
            ),
            {"model.shared.weight": 5, "model.encoder.layers.0.fc1.weight": 4, "model.encoder.layers.1.fc1.weight": 3,
             "model.decoder.layers.0.fc1.weight": 2, "model.decoder.layers.1.fc1.weight": 1,
             "classification_head.dense.weight": 0},
        ),
    ],
    ids=["gpt2", "albert", "bart"],
)  # fmt: skip
def test_layers_of_other_architectures_are_found(model, depths):
    found = optim.layer_distances(model)
    assert {name: found[name] for name in depths} == depths


def test_layers_are_found_inside_an_adapter():
    from peft import LoraConfig, TaskType, get_peft_model

    model = BertForSequenceClassification(BertConfig(num_hidden_layers=2, **SMALL))
    adapted = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, target_modules=["query"], r=2))
    depth = {
        name: d for name, d in optim.layer_distances(adapted).items() if "lora_" in name or "modules_to_save" in name
    }
    assert {d for name, d in depth.items() if ".layer.0." in name} == {2}
    assert {d for name, d in depth.items() if ".layer.1." in name} == {1}
    assert {d for name, d in depth.items() if "modules_to_save" in name} == {0}


def test_the_first_group_has_the_rate_that_was_asked_for_and_the_order_is_stable(bert):
    config = OptimArguments(layer_wise_lr_decay=0.9, learning_rate=1e-3)
    first, second = optim.parameter_groups(bert, config), optim.parameter_groups(bert, config)
    assert first[0]["lr"] == 1e-3
    assert [[id(p) for p in group["params"]] for group in first] == [
        [id(p) for p in group["params"]] for group in second
    ]


def test_frozen_parameters_wait_in_their_group(bert):
    """They keep their place, take no step, and learn as soon as they are unfrozen."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    before = model[0].weight.detach().clone()
    optimizer = optim.build_optimizer(model, OptimArguments(learning_rate=0.1, weight_decay=0.5))

    def update():
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    update()
    assert torch.equal(model[0].weight, before)
    model[0].requires_grad_(True)
    update()
    assert not torch.equal(model[0].weight, before)


@pytest.mark.parametrize("name", ["adamw", "AdamW", "sgd", "adafactor", "RMSprop", "nadam", "Adadelta", "Rprop"])
def test_optimizers_by_name_learn(name):
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    data = torch.randn(64, 4)
    target = data.sum(1, keepdim=True)
    optimizer = optim.build_optimizer(model, OptimArguments(optim=name, learning_rate=0.05))
    losses = []
    for _ in range(30):
        loss = (model(data) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_arguments_reach_the_optimizer(bert):
    config = OptimArguments(adam_beta1=0.8, adam_beta2=0.95, adam_epsilon=1e-6, optim_args='{"amsgrad": true}')
    optimizer = optim.build_optimizer(bert, config)
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["betas"] == (0.8, 0.95)
    assert optimizer.defaults["eps"] == 1e-6
    assert optimizer.defaults["amsgrad"] and optimizer.defaults["fused"]
    sgd = optim.build_optimizer(bert, OptimArguments(optim="sgd", optim_args='{"momentum": 0.9, "nesterov": true}'))
    assert sgd.defaults["momentum"] == 0.9
    listed = optim.build_optimizer(bert, OptimArguments(optim_args='{"betas": [0.5, 0.6], "foreach": true}'))
    assert listed.defaults["betas"] == (0.5, 0.6) and not listed.defaults["fused"]


def test_adafactor_is_transformers_and_follows_the_schedule(bert):
    optimizer = optim.build_optimizer(bert, OptimArguments(optim="adafactor"))
    assert isinstance(optimizer, Adafactor)
    assert not optimizer.defaults["relative_step"] and not optimizer.defaults["scale_parameter"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"optim": "adamv"}, "did you mean adam"),
        ({"optim": "lbfgs"}, "unknown optimizer"),
        ({"optim_args": '{"momentun": 0.9}', "optim": "sgd"}, "did you mean momentum"),
        ({"optim_args": '{"betas": [0.9, 2]}'}, "Invalid beta"),
        ({"optim": "muon"}, "muon does not take this"),
        ({"optim_args": "{"}, "not JSON"),
        ({"optim_args": "[1]"}, "not a JSON object"),
    ],
)
def test_a_wrong_optimizer_is_one_sentence(bert, settings, says):
    with pytest.raises(HfkitError, match=says):
        optim.build_optimizer(bert, OptimArguments(**settings))


def course(scheduler, optimizer, steps):
    """The learning rate at each update."""
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def sgd(rate=1.0):
    return torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=rate)


def schedule(kind, total, kwargs=None, **settings):
    optimizer = sgd()
    text = json.dumps(kwargs) if kwargs else None
    config = OptimArguments(lr_scheduler_type=kind, lr_scheduler_kwargs=text, learning_rate=1.0, **settings)
    return course(optim.build_scheduler(optimizer, config, total), optimizer, total)


@pytest.mark.parametrize(
    ("kind", "kwargs", "upstream"),
    [
        ("step", {"step_size": 4, "gamma": 0.5}, lambda o: torchs.StepLR(o, 4, 0.5)),
        ("multistep", {"milestones": [3, 11], "gamma": 0.2}, lambda o: torchs.MultiStepLR(o, [3, 11], 0.2)),
        ("one_cycle", None, lambda o: torchs.OneCycleLR(o, 1.0, total_steps=20, cycle_momentum=False)),
        ("one_cycle", {"pct_start": 0.5, "div_factor": 10},
         lambda o: torchs.OneCycleLR(o, 1.0, total_steps=20, cycle_momentum=False, pct_start=0.5, div_factor=10)),
        ("warm_restarts", {"t_0": 3, "t_mult": 2, "min_factor": 0.1},
         lambda o: torchs.CosineAnnealingWarmRestarts(o, 3, 2, eta_min=0.1)),
    ],
)  # fmt: skip
def test_own_schedules_equal_torchs(kind, kwargs, upstream):
    optimizer = sgd()
    assert schedule(kind, 20, kwargs) == pytest.approx(course(upstream(optimizer), optimizer, 20), abs=1e-12)


def test_warm_up_stands_before_any_schedule_and_below_one_it_is_a_share():
    rates = schedule("multistep", 20, {"milestones": [4], "gamma": 0.1}, warmup_steps=0.1)
    assert rates[:3] == pytest.approx([0.0, 0.5, 1.0])
    assert rates[5:8] == pytest.approx([1.0, 0.1, 0.1])
    assert schedule("linear", 1, warmup_steps=0.1) == [1.0], "a share leaves an update at the full rate"
    assert schedule("linear", 10, warmup_steps=5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4, 0.2])


NEEDED = {
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "cosine_warmup_with_min_lr": {"min_lr_rate": 0.1},
    "warmup_stable_decay": {"num_decay_steps": 4},
}


@pytest.mark.parametrize("kind", sorted(kind.value for kind in TYPE_TO_SCHEDULER_FUNCTION))
def test_every_schedule_of_transformers_can_be_named(kind):
    optimizer = sgd(1e-3)
    text = json.dumps(NEEDED[kind]) if kind in NEEDED else None
    config = OptimArguments(lr_scheduler_type=kind, lr_scheduler_kwargs=text, learning_rate=1e-3)
    scheduler = optim.build_scheduler(optimizer, config, 10)
    if isinstance(scheduler, optim.ON_METRIC):
        for loss in [1.0] + [2.0] * 12:
            scheduler.step(loss)
        assert optimizer.param_groups[0]["lr"] < 1e-3
    else:
        assert all(0 <= rate <= 1e-3 for rate in course(scheduler, optimizer, 10))


def test_layer_wise_rates_keep_their_ratio_under_every_schedule(bert):
    config = OptimArguments(layer_wise_lr_decay=0.5, lr_scheduler_type="one_cycle", warmup_steps=2)
    optimizer = optim.build_optimizer(bert, config)
    scheduler = optim.build_scheduler(optimizer, config, 10)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    rates = scheduler.get_last_lr()
    assert rates[-1] / rates[0] == pytest.approx(0.5**4)


@pytest.mark.parametrize("kind", ["linear", "one_cycle", "multistep", "cosine"])
def test_a_schedule_goes_on_from_its_state_in_json(kind):
    config = OptimArguments(lr_scheduler_type=kind, learning_rate=1.0)
    one, two = sgd(), sgd()
    whole = optim.build_scheduler(one, config, 10)
    expected = course(whole, one, 10)
    first = optim.build_scheduler(two, config, 10)
    course(first, two, 4)
    state = json.loads(json.dumps(first.state_dict()))
    rate = two.param_groups[0]["lr"]
    three = sgd()
    second = optim.build_scheduler(three, config, 10)
    second.load_state_dict(state)
    three.param_groups[0]["lr"] = rate  # the optimizer's own state carries it
    assert course(second, three, 6) == expected[4:]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lr_scheduler_type": "cosin"}, "did you mean cosine"),
        ({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": '{"num_cycle": 2}'}, "did you mean num_cycles"),
        ({"lr_scheduler_type": "linear", "lr_scheduler_kwargs": '{"power": 2}'}, "takes no arguments"),
        ({"lr_scheduler_type": "constant", "warmup_steps": 10}, "constant_with_warmup"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau", "warmup_steps": 10}, "has no warm-up"),
        ({"warmup_steps": 100}, "--warmup_steps 100 is not below the run's 100 updates"),
        ({"lr_scheduler_type": "warmup_stable_decay"}, "num_decay_steps"),
        ({"lr_scheduler_type": "step", "lr_scheduler_kwargs": '{"step_size": "x"}'}, "cannot be made"),
    ],
)
def test_a_wrong_schedule_is_one_sentence(settings, says):
    with pytest.raises(HfkitError, match=says):
        optim.build_scheduler(sgd(), OptimArguments(**settings), 100)
