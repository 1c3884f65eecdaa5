"""RANK or WORLD_SIZE, left over in a shell or a pod, make one ordinary process mute, or wait for others without a word.

Threads: trainer#1790 ignite#2048
"""

import os
import signal
import threading
from pathlib import Path

import pytest
from accelerate import PartialState
from processes import free_port, printed_to, started, wait

from hfkit.base import processes
from hfkit.cli.main import main
from hfkit.runs.run import Run

pytestmark = pytest.mark.pain("leftover-rank")

ALONE = {"RANK": 1}


def whole_set() -> dict[str, object]:
    """What a launcher gave to another process, another day."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "ACCELERATE_USE_CPU": "true"}
    return place | {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2}


def test_upstream_waits_without_a_word(tmp_path: Path) -> None:
    printed = tmp_path / "printed.txt"
    work = printed_to(printed, lambda: PartialState(cpu=True))
    assert wait([started(work, **whole_set())], seconds=3) == [-9]
    assert printed.read_text() == ""


def test_hfkit_trains_speaks_and_writes_as_one_process(tiny_bert: Path, reviews_csv: Path, tmp_path: Path) -> None:
    flags = f"--dataset {reviews_csv} --model {tiny_bert} --output_dir run --max_length 16 --max_steps 2 --use_cpu"
    work = printed_to(tmp_path / "printed.txt", lambda: main(["train", *flags.split(), "--mixed_precision", "no"]))
    assert wait([started(work, **ALONE)], seconds=60) == [0]
    said = (tmp_path / "printed.txt").read_text()
    assert said.count("left over, with no launch to belong to") == 1 and "accuracy" in said
    assert Run("run").state == "finished" and Path("run/README.md").is_file()


@pytest.mark.parametrize("flags", ["--learning_rate abc", "--push_to_hub"])
def test_hfkit_tells_an_error_before_any_meeting(
    flags: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variables in (ALONE, whole_set()):
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        with pytest.raises(SystemExit) as ended:
            main(["train", "--dataset", "imdb", *flags.split()])
        assert ended.value.code and "what to do" in capsys.readouterr().err


def test_hfkit_says_who_is_waited_for_and_ends(tmp_path: Path) -> None:
    def work() -> None:
        processes.SOON, processes.PATIENCE = 0.2, 1.5
        main(["train", "--dataset", "imdb", "--model", "bert", "--use_cpu"])

    for number in (0, 1):
        printed, variables = tmp_path / f"{number}.txt", whole_set() | {"RANK": number}
        assert wait([started(printed_to(printed, work), **variables)], seconds=30) == [1]
        said = printed.read_text()
        assert f"process {number} of 2 waits for {'process 0' if number else 'the others'}" in said
        assert f"MASTER_ADDR=127.0.0.1, MASTER_PORT={variables['MASTER_PORT']}" in said
        assert "did not come in 2 s" in said and "unset RANK" in said and "Traceback" not in said


def test_hfkit_can_be_interrupted_while_it_waits(tmp_path: Path) -> None:
    def work() -> None:
        threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        main(["train", "--dataset", "imdb", "--model", "bert", "--use_cpu"])

    assert wait([started(printed_to(tmp_path / "printed.txt", work), **whole_set())], seconds=30) == [-signal.SIGINT]


def test_hfkit_reports_whatever_the_shell_holds(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in whole_set().items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(tiny_run)])
    assert ended.value.code == 0 and "as they were written" in capsys.readouterr().out
    for name, value in whole_set().items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(SystemExit) as ended:
        main(["report", "nowhere"])
    assert ended.value.code == 1 and "nowhere is not there" in capsys.readouterr().err
    assert processes.count() == 1
