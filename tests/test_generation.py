"""Generation: transformers' answers, the same in any batch and told as they are made; every mistake in one sentence."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_language import CONTEXT, write_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel, TextGenerationPipeline

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import clean
from hfkit.baselines.language.tokenizers import train_byte_bpe
from hfkit.cli import main
from hfkit.config import GenerationArguments
from hfkit.inference import predict_file
from hfkit.inference.generation.files import chat, generate_file
from hfkit.inference.generation.generator import TextGenerator
from hfkit.inference.generation.sampling import Draw, Telling

PROMPTS = ["a", "the film was", "", "it is a wonderful film, and the director of it seems very moving", "naïve 你好"]
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] not in ['user', 'assistant'] %}{{ raise_exception('no ' + m['role']) }}"
    "{% endif %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"
)


@pytest.fixture(scope="module", params=["gpt2", "transformer_lm", "lstm_lm"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model("gpt2", tmp_path_factory.mktemp("gpt2-alone"))


def answers(folder: Path, prompts: list[str], **options: Any) -> list[list[str]]:
    generator = TextGenerator(folder, GenerationArguments(**options))
    return generator.complete([generator.ids(prompt) for prompt in prompts])


def test_greedy_answers_are_transformers(folder: Path) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for options in ({}, {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2}, {"num_beams": 3}):
        for prompt in PROMPTS[1:2] + PROMPTS[3:]:
            ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
            expected = model.generate(ids, max_new_tokens=25, do_sample=False, pad_token_id=1, **options)[0]
            text = tokenizer.decode(expected, skip_special_tokens=True)
            (answer,) = answers(folder, [prompt], max_new_tokens=25, **options)[0]
            assert prompt + answer == text
            assert len(answer) > 5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "num_return_sequences": 3, "temperature": 0.8, "top_k": 20, "top_p": 0.9},
        {"do_sample": True, "num_beams": 2, "seed": 4},
    ],
    ids=lambda options: "-".join(options) or "greedy",
)
def test_a_batch_answers_as_one_by_one(folder: Path, options: dict[str, Any]) -> None:
    generator = TextGenerator(folder, GenerationArguments(max_new_tokens=20, **options))
    prompts = [generator.ids(prompt) for prompt in PROMPTS]
    alone = [generator.complete([prompt], first=place)[0] for place, prompt in enumerate(prompts)]
    assert generator.complete(prompts) == alone
    generator.tokens_per_batch = 60  # two or three in a batch
    assert generator.complete(prompts) == alone
    assert {len(texts) for texts in alone} == {options.get("num_return_sequences", 1)}


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "num_return_sequences": 2}, {"num_beams": 2}])
def test_what_is_told_in_pieces_is_the_whole(folder: Path, options: dict[str, Any]) -> None:
    generator = TextGenerator(folder, GenerationArguments(max_new_tokens=30, **options))
    for place, prompt in enumerate(PROMPTS):
        ids = generator.ids(prompt)
        for number, whole in enumerate(generator.complete([ids], first=place)[0]):
            pieces: list[str] = []
            assert generator.tell(ids, pieces.append, place, number) == whole
            assert "".join(pieces) == whole
            assert len(pieces) > 3 or options.get("num_beams") or len(whole) < 10


def test_half_a_character_waits_for_its_other_half() -> None:
    tokenizer = train_byte_bpe(["ab"], vocab_size=258)
    pieces: list[str] = []
    telling = Telling(lambda ids: str(tokenizer.decode(ids[1:])), pieces.append)
    for token in tokenizer("a好b")["input_ids"][:1] * 2 + tokenizer("好b")["input_ids"]:
        telling.put(torch.tensor([token]))
    telling.end()
    assert pieces == ["a", "好", "b"]


def test_a_seed_draws_the_same_and_another_one_something_else(gpt2: Path) -> None:
    options = {"do_sample": True, "max_new_tokens": 20, "num_return_sequences": 2}
    torch.manual_seed(1)
    first = answers(gpt2, PROMPTS, seed=7, **options)
    torch.manual_seed(2)  # the process's own generator has no part in it
    state = torch.get_rng_state()
    assert answers(gpt2, PROMPTS, seed=7, **options) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert answers(gpt2, PROMPTS, seed=8, **options) != first
    assert first[0][0] != first[0][1]
    twice = answers(gpt2, ["the film"] * 2, seed=7, **options)
    assert twice[0] != twice[1]


def test_tokens_are_drawn_by_their_probability() -> None:
    from transformers import GenerationConfig

    scores = torch.tensor([[2.0, 1.0, 0.0, -1.0, 0.5]]).repeat(20_000, 1)
    for knobs, kept in (({"temperature": 0.7}, 5), ({"top_k": 2}, 2), ({"top_p": 0.6}, 2), ({"min_p": 0.3}, 2)):
        draw = Draw(GenerationConfig(do_sample=True, **knobs), range(20_000))
        shares = draw(torch.zeros(20_000, 1, dtype=torch.long), scores).argmax(dim=1).bincount(minlength=5) / 20_000
        logits = (scores[0] / knobs.get("temperature", 1.0)).double()
        wanted = torch.zeros(5).double()
        order = logits.argsort(descending=True)[:kept]
        wanted[order] = logits[order].softmax(dim=0)
        torch.testing.assert_close(shares.double(), wanted, rtol=0.0, atol=0.012)  # 3.4 standard errors


def test_the_pipeline_is_transformers_with_the_models_own_generation_config(gpt2: Path, tmp_path: Path) -> None:
    shutil.copytree(gpt2, tmp_path / "model")
    settings = json.loads((gpt2 / "generation_config.json").read_text())
    (tmp_path / "model/generation_config.json").write_text(
        json.dumps(settings | {"max_new_tokens": 7, "repetition_penalty": 1.5})
    )
    pipe = hfkit.pipeline(tmp_path / "model")
    assert type(pipe) is TextGenerationPipeline
    (answer,) = answers(tmp_path / "model", ["the film"])[0]
    assert pipe("the film") == [{"generated_text": "the film" + answer}]
    ids = pipe.model.generate(**pipe.tokenizer("the film", return_tensors="pt"), pad_token_id=0)[0]
    assert len(ids) == len(pipe.tokenizer("the film")["input_ids"]) + 7
    assert pipe.tokenizer.decode(ids) == "the film" + answer
    assert pipe(["the film", "a"], batch_size=2)[0] == pipe("the film")


def test_a_model_that_draws_by_its_own_config_does(gpt2: Path, tmp_path: Path) -> None:
    shutil.copytree(gpt2, tmp_path / "model")
    (tmp_path / "model/generation_config.json").write_text('{"do_sample": true, "temperature": 0.5, "eos_token_id": 0}')
    drawn = answers(tmp_path / "model", ["the film"], temperature=0.5)
    assert (
        drawn
        == answers(tmp_path / "model", ["the film"])
        == answers(gpt2, ["the film"], do_sample=True, temperature=0.5)
    )
    assert answers(tmp_path / "model", ["the film"], do_sample=False) == answers(gpt2, ["the film"]) != drawn


def test_a_file_of_prompts_gives_a_row_an_answer(
    gpt2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_text("the film\n\nit is\n", encoding="utf-8")
    options = GenerationArguments(max_new_tokens=9, do_sample=True, num_return_sequences=2)
    assert generate_file(gpt2, "in.txt", "out.jsonl", options, disable_tqdm=True) == 2
    rows = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["prompt"] for row in rows] == ["the film", "the film", "it is", "it is"]
    wanted = answers(gpt2, ["the film", "it is"], max_new_tokens=9, do_sample=True, num_return_sequences=2)
    assert [row["completion"] for row in rows] == [*wanted[0], *wanted[1]]

    (tmp_path / "in.jsonl").write_text('{"id": 7, "prompt": "the film", "completion": "was", "context": "it"}\n')
    capsys.readouterr()
    assert generate_file(gpt2, "in.jsonl", "out.csv", disable_tqdm=True) == 1
    assert capsys.readouterr().err.startswith("columns not read: context\n")
    (row,) = csv.DictReader(Path("out.csv").read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["completion"]) == ("7", "was")
    assert row["predicted_completion"].removeprefix("'") == answers(gpt2, ["the film"])[0][0]


def test_output_is_there_whole_or_not_at_all(gpt2: Path, tmp_path: Path) -> None:
    Path("out.jsonl").write_text("before\n")
    (tmp_path / "in.jsonl").write_text('{"prompt": "a"}\n{"prompt": null}\n')
    with pytest.raises(HfkitError, match=r"nothing in the column 'prompt'[^$]*in\.jsonl, line 2"):
        generate_file(gpt2, "in.jsonl", "out.jsonl", disable_tqdm=True)
    assert Path("out.jsonl").read_text() == "before\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"do_sample": True, "temperature": 0.0}, r"--temperature is 0\.0[^$]*leave --do_sample out"),
        ({"do_sample": True, "temperature": float("nan")}, "--temperature is nan"),
        ({"do_sample": True, "top_p": 0.0}, r"--top_p is 0\.0"),
        ({"do_sample": True, "top_p": 1.5}, r"--top_p is 1\.5[^$]*above 0 and at most 1"),
        ({"do_sample": True, "top_k": -1}, "--top_k is -1"),
        ({"temperature": 0.5}, "--temperature has no effect without --do_sample"),
        ({"max_new_tokens": 0}, "--max_new_tokens is 0"),
        ({"repetition_penalty": 0.0}, "--repetition_penalty is 0"),
        ({"num_beams": 0}, "--num_beams is 0"),
        ({"num_return_sequences": 2}, r"the likeliest tokens give one answer[^$]*--do_sample, or --num_beams 2"),
        ({"num_return_sequences": 3, "num_beams": 2}, "2 beams give 2 answers at most"),
        ({"seed": -1}, "--seed is -1"),
        ({"do_sample": True, "min_p": 1.5}, r"--min_p is 1\.5"),
        ({"min_p": 0.1}, "--min_p has no effect without --do_sample"),
        ({"stop": ["a", ""]}, "--stop is"),
    ],
)
def test_options_that_cannot_work(gpt2: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HfkitError, match=message):
        TextGenerator(gpt2, GenerationArguments(**options))


def test_a_prompt_longer_than_the_context(gpt2: Path, tmp_path: Path) -> None:
    long = "film " * CONTEXT
    generator = TextGenerator(gpt2)
    count = len(generator.tokenizer(long)["input_ids"])
    with pytest.raises(HfkitError, match=f"has {count} tokens, and the model reads {CONTEXT}"):
        generator.ids(long)
    nearly = generator.tokenizer.decode(generator.tokenizer(long)["input_ids"][: CONTEXT - 4])
    (answer,) = generator.complete([generator.ids(nearly)])[0]  # nobody said how many: what there is room for
    assert [answer] == answers(gpt2, [nearly], max_new_tokens=4)[0]
    together = generator.complete([generator.ids(nearly), generator.ids("the film")])
    assert together == [[answer], *answers(gpt2, ["the film"])]
    with pytest.raises(
        HfkitError, match="--max_new_tokens is 5; .* --max_new_tokens 4 or fewer".replace(" .* ", "[^$]*")
    ):
        TextGenerator(gpt2, GenerationArguments(max_new_tokens=5)).ids(nearly)
    (tmp_path / "in.txt").write_text(f"short\n{long}\n")
    with pytest.raises(HfkitError, match=r"in\.txt, line 2"):
        generate_file(gpt2, "in.txt", "out.jsonl", disable_tqdm=True)


def test_files_that_hold_no_prompts(gpt2: Path, tmp_path: Path) -> None:
    for name, content, message in (
        ("empty.txt", b"", "The file is empty"),
        ("blank.txt", b"\n  \n", "There are no prompts"),
        ("latin.txt", "a caf\xe9".encode("latin-1"), r"not utf-8 text: byte 0xe9[^$]*latin\.txt, line 1"),
        ("empty.jsonl", b"", "The file is empty"),
        ("two.jsonl", b'{"a": "x", "b": "y"}\n', "which column is the prompt"),
        ("number.jsonl", b'{"prompt": 3}\n', "A prompt is no text, but int"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(HfkitError, match=message):
            generate_file(gpt2, name, "out.jsonl", disable_tqdm=True)
        assert not Path("out.jsonl").exists()
    with pytest.raises(HfkitError, match="no column 'promt'"):
        (tmp_path / "one.jsonl").write_text('{"prompt": "a"}\n')
        generate_file(gpt2, "one.jsonl", prompt_column="promt", disable_tqdm=True)
    with pytest.raises(HfkitError, match="half a character"):
        TextGenerator(gpt2).ids("\udce9")


def test_models_that_cannot_be_asked(gpt2: Path, tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match="does not continue texts: it is for text-classification"):
        TextGenerator(tiny_run)
    with pytest.raises(HfkitError, match=r"text-generation, which answers no files[^$]*hfkit generate"):
        predict_file(gpt2, "-")
    shutil.copytree(gpt2, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    tokenizer.add_tokens(["qqq"])
    tokenizer.save_pretrained(tmp_path / "model")
    with pytest.raises(HfkitError, match="The tokenizer has ids up to"):
        TextGenerator(tmp_path / "model")
    model = GPT2LMHeadModel.from_pretrained(gpt2)
    torch.nn.init.constant_(model.transformer.ln_f.weight, float("nan"))
    model.save_pretrained(tmp_path / "broken")
    AutoTokenizer.from_pretrained(gpt2).save_pretrained(tmp_path / "broken")
    with pytest.raises(HfkitError, match="answers with NaN"):
        answers(tmp_path / "broken", ["a"])


@pytest.fixture
def chatty(gpt2: Path, tmp_path: Path) -> Path:
    shutil.copytree(gpt2, tmp_path / "chatty")
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path / "chatty")
    return tmp_path / "chatty"


def test_a_chat_is_told_what_was_said_before(
    chatty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hi\n\nbye\n"))
    messages = chat(chatty, GenerationArguments(max_new_tokens=6))
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]
    first, second = messages[1]["content"], messages[3]["content"]
    assert capsys.readouterr().out == f"{first}\n{second}\n".replace("\x00", "\ufffd")
    assert first == answers(chatty, ["<user>hi<assistant>"], max_new_tokens=6)[0][0]
    before = f"<user>hi<assistant>{first}<user>bye<assistant>"
    assert second == answers(chatty, [before], max_new_tokens=6)[0][0]


def test_chats_that_cannot_be(chatty: Path, gpt2: Path, tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match=r"no chat template[^$]*hfkit generate RUN --prompt"):
        chat(gpt2)
    ids = TextGenerator(chatty).ids
    with pytest.raises(HfkitError, match="does not take these messages: no system"):
        ids([{"role": role, "content": "Be brief."} for role in ("user", "system")])
    with pytest.raises(HfkitError, match=r"knows no role 'pirate'[^$]*assistant, system, tool, user"):
        ids([{"role": "pirate", "content": "arr"}])
    with pytest.raises(HfkitError, match="lacks its role or its text"):
        ids([{"role": "user"}])
    with pytest.raises(HfkitError, match="has no messages"):
        ids([])
    with pytest.raises(HfkitError, match="drop --num_return_sequences"):
        chat(chatty, GenerationArguments(do_sample=True, num_return_sequences=2))
    tokenizer = AutoTokenizer.from_pretrained(chatty)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}"
    )
    tokenizer.save_pretrained(chatty)
    with pytest.raises(HfkitError, match="leaves out what system says"):
        TextGenerator(chatty).ids([{"role": "user", "content": "hi"}, {"role": "system", "content": "Be brief."}])


def test_the_command(gpt2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def hfkit_generate(*flags: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["generate", str(gpt2), *flags])
        shown = capsys.readouterr()
        return int(str(ended.value.code)), shown.out, shown.err

    prompt = ("--prompt", "the film", "--max_new_tokens", "8")
    (wanted,) = answers(gpt2, ["the film"], max_new_tokens=8)[0]
    assert hfkit_generate(*prompt) == (0, clean(f"the film{wanted}\n"), "")
    drawn = answers(gpt2, ["the film"], max_new_tokens=8, do_sample=True, num_return_sequences=2, seed=3, top_p=0.9)[0]
    flags = ("--do_sample", "--num_return_sequences", "2", "--seed", "3", "--top_p", "0.9")
    assert hfkit_generate(*prompt, *flags)[1] == clean("".join(f"the film{text}\n" for text in drawn))
    assert hfkit_generate(*prompt, "--stop", "#", wanted[5:7])[1] == clean(
        f"the film{wanted[: wanted.index(wanted[5:7])]}\n"
    )
    status, _, said = hfkit_generate(*prompt, "--do_sample", "--temperature", "0")
    assert (status, said.split("\n")[0]) == (1, "error: --temperature is 0.0")
    (tmp_path / "in.txt").write_text("the film\n")
    status, shown, _ = hfkit_generate("--input", "in.txt", "--max_new_tokens", "8", "--disable_tqdm")
    assert (status, json.loads(shown)) == (0, {"prompt": "the film", "completion": wanted})
    assert hfkit_generate(*prompt, "--output", "x.jsonl")[0] == 1
    assert hfkit_generate("--prompt", "a", "--temprature", "1")[0] == 2


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "min_p": 0.01}, {"num_beams": 2}], ids=str)
def test_a_stop_ends_an_answer_and_is_no_part_of_it(gpt2: Path, options: dict[str, Any]) -> None:
    prompts = PROMPTS[:3]
    plain = answers(gpt2, prompts, max_new_tokens=12, **options)
    stops = [texts[0][5:8] for texts in plain]
    generator = TextGenerator(gpt2, GenerationArguments(max_new_tokens=12, stop=stops, **options))
    ids = [generator.ids(prompt) for prompt in prompts]
    found = generator.complete(ids)
    for place, ((text,), (whole,)) in enumerate(zip(found, plain, strict=True)):
        assert not any(stop in text for stop in stops)
        assert options.get("num_beams") or (whole.startswith(text) and len(text) < len(whole))
        assert generator.complete([ids[place]], first=place) == [[text]]
        pieces: list[str] = []
        assert generator.tell(ids[place], pieces.append, place) == text == "".join(pieces)


def test_what_may_be_how_a_stop_begins_waits() -> None:
    tokenizer = train_byte_bpe(["ab"], vocab_size=258)
    pieces: list[str] = []
    telling = Telling(lambda ids: str(tokenizer.decode(ids[1:])), pieces.append, ["###", "#!"])
    for token in tokenizer("a")["input_ids"][:1] * 2 + tokenizer("#b##c###d")["input_ids"]:
        telling.put(torch.tensor([token]))
    telling.end()
    assert pieces == ["a", "#b", "##c"]
    assert telling.said == "a#b##c"


@pytest.mark.pain("stop-strings")
def test_the_models_own_stops_hold_in_the_pipeline_too(gpt2: Path, tmp_path: Path) -> None:
    (whole,) = answers(gpt2, ["the film"], max_new_tokens=20)[0]
    shutil.copytree(gpt2, tmp_path / "model")
    own = json.loads((gpt2 / "generation_config.json").read_text()) | {"stop_strings": whole[5:8]}  # one, no list
    (tmp_path / "model/generation_config.json").write_text(json.dumps(own))
    (answer,) = answers(tmp_path / "model", ["the film"], max_new_tokens=20)[0]
    assert answer == whole[: whole.index(whole[5:8])]
    (said,) = hfkit.pipeline(tmp_path / "model")("the film", max_new_tokens=20)  # transformers keeps the stop
    assert said["generated_text"].startswith(f"the film{answer}{whole[5:8]}")
    assert len(said["generated_text"]) < len(f"the film{whole}")
    (other,) = answers(tmp_path / "model", ["the film"], max_new_tokens=20, stop=[whole[9:12]])[0]
    assert other == whole[: whole.index(whole[9:12])]


def test_min_p_of_one_leaves_the_likeliest(gpt2: Path) -> None:
    drawn = answers(gpt2, PROMPTS, do_sample=True, min_p=1.0, max_new_tokens=8)
    assert drawn == answers(gpt2, PROMPTS, max_new_tokens=8)
    assert drawn != answers(gpt2, PROMPTS, do_sample=True, max_new_tokens=8)
