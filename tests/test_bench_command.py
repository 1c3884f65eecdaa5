"""python -m benchmarks: which measurements run, and that no flag is passed over in silence. None is measured here."""

from typing import Any

import pytest
from benchmarks import __main__ as command
from benchmarks import engine_overhead, lm_packing, scaling, vision_input

EACH = {"engine_overhead": engine_overhead, "lm_packing": lm_packing, "vision_input": vision_input}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["speed"], "no measurement is called speed"),
        (["vision_input", "--quick"], "vision_input takes no --quick"),
        (["scaling", "vision_input", "--pairs", "5"], "vision_input takes no --pairs"),
        (["--quick"], "engine_overhead takes no --quick"),
        (["scaling", "--pairs", "0"], "--pairs has to be 1 or more"),
        (["scaling", "--pairs", "5", "--quick"], "not allowed with"),
        (["shakespeare"], "shakespeare needs --data"),
        (["startup", "--all"], "leave the names out"),
    ],
)
def test_what_is_not_honoured_is_refused(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(line)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_without_a_name_the_quick_ones_run_and_one_that_misses_its_limit_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = []

    def measure(name: str) -> Any:
        return lambda: ran.append(name) or name != "lm_packing"

    assert sorted(EACH) == command.QUICK
    for name, module in EACH.items():
        monkeypatch.setattr(module, "main", measure(name))
    assert command.main([]) == 1
    assert ran == command.QUICK
    assert command.main(["vision_input"]) == 0


def test_a_flag_reaches_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def main(pairs: int = 5, quick: bool = False) -> bool:
        given.update(pairs=pairs, quick=quick)
        return True

    monkeypatch.setattr(scaling, "main", main)
    assert command.main(["scaling", "--pairs", "3"]) == 0
    assert given == {"pairs": 3, "quick": False}
