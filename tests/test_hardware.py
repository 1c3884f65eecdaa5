"""The precision that is chosen, the memory habit that is set, and the machine's description."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hfkit.base import hardware
from hfkit.base.errors import HfkitError

CONFIG = Path(__file__).parent.parent / "accelerate_config.yaml"


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in ("ACCELERATE_MIXED_PRECISION", "ACCELERATE_USE_CPU", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def pretend_cpu(monkeypatch, **capabilities):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)  # torch 2.10 has none


def test_auto_on_the_cpu_follows_the_hardware(monkeypatch):
    pretend_cpu(monkeypatch, avx512_bf16=True)
    assert hardware.mixed_precision("auto", use_cpu=True) == (
        "bf16",
        "precision: bf16 on the cpu, which it computes in hardware",
    )
    pretend_cpu(monkeypatch, avx512_bf16=False, avx512_f=True)
    value, why = hardware.mixed_precision("auto", use_cpu=True)
    assert value == "no"
    assert "fp32" in why and "no bf16" in why


def test_emulated_bf16_is_said_to_be_slow(monkeypatch):
    pretend_cpu(monkeypatch, avx512_bf16=False)
    value, why = hardware.mixed_precision("bf16", use_cpu=True)
    assert value == "bf16" and "emulates it, more slowly than fp32" in why
    pretend_cpu(monkeypatch, avx512_bf16=True)
    assert "emulates" not in hardware.mixed_precision("bf16", use_cpu=True)[1]


def test_auto_takes_the_launchers_choice_but_reads_its_no_as_unset(monkeypatch):
    pretend_cpu(monkeypatch, avx512_bf16=False)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    value, why = hardware.mixed_precision("auto", use_cpu=True)
    assert value == "bf16" and "the launcher" in why
    pretend_cpu(monkeypatch, avx512_bf16=True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    assert hardware.mixed_precision("auto", use_cpu=True)[0] == "bf16"


def test_the_flag_beats_the_launcher(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    assert hardware.mixed_precision("no", use_cpu=True)[0] == "no"


@pytest.mark.parametrize(("choice", "says"), [("fp16", "needs a GPU"), ("fp8", "8.9"), ("bf61", "did you mean bf16")])
def test_what_the_hardware_lacks_is_refused(choice, says):
    with pytest.raises(HfkitError, match=says) as caught:
        hardware.mixed_precision(choice, use_cpu=True)
    assert "--mixed_precision" in str(caught.value)


def test_fp8_from_the_launcher_names_the_launcher(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    with pytest.raises(HfkitError, match="the launcher"):
        hardware.mixed_precision("auto", use_cpu=True)


@pytest.mark.parametrize("value", ["", "-1"])
def test_the_user_can_keep_the_run_on_the_cpu(monkeypatch, value):
    assert not hardware.stays_on_cpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert hardware.stays_on_cpu()


KEEPS = """
import ctypes, resource, sys
from hfkit.base import hardware
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
size = int(sys.argv[2]) << 20
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        blocks = [libc.malloc(size) for _ in range(3)]
        for block in blocks: ctypes.memset(block, 1, size)
        for block in blocks: libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
{"all": lambda: hardware.keep_memory(use_cpu=True), "blocks": hardware.keep_blocks, "as it was": int}[sys.argv[1]]()
faults()
print(faults(), "torch" in sys.modules)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt belongs to glibc")
@pytest.mark.parametrize(("way", "mib"), [("all", 64), ("blocks", 20)])
def test_memory_is_kept_between_steps_without_importing_torch(way: str, mib: int) -> None:
    """Three freed blocks cost thousands of page faults to get again, unless glibc keeps them."""
    command = [sys.executable, "-c", KEEPS]
    kept = subprocess.run([*command, way, str(mib)], capture_output=True, text=True, check=True).stdout.split()
    plain = subprocess.run([*command, "as it was", str(mib)], capture_output=True, text=True, check=True).stdout.split()
    assert int(plain[0]) > 20 * max(int(kept[0]), 1)
    assert kept[1] == "False"


SHOW_THREADS = """
import sys
if sys.argv[1] == "late": import torch
from hfkit.base import hardware
said = hardware.use_all_cores()
import torch
print(torch.get_num_threads(), said is not None)
"""


@pytest.mark.skipif(hardware._cores() < 2, reason="one core has nothing to share out")
@pytest.mark.parametrize("order", ["early", "late"])
def test_the_launchers_one_thread_is_undone(tmp_path, order):
    """`accelerate launch` gives a CPU run one thread, whatever the machine has."""
    script = tmp_path / "show.py"
    script.write_text(SHOW_THREADS)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}

    def threads(*command, **more):
        answer = subprocess.run(
            [*command, str(script), order], env=environment | more, stdout=subprocess.PIPE, text=True, check=True
        )
        return answer.stdout.split()

    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIG), "--cpu"]
    assert threads(*launch, OMP_NUM_THREADS="1") == [str(hardware._cores()), "True"]
    assert threads(sys.executable, OMP_NUM_THREADS="1") == ["1", "False"]


def test_each_process_gets_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(hardware, "_cores", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert "4 a process" in hardware.use_all_cores(use_cpu=True)
    assert os.environ["OMP_NUM_THREADS"] == "4"
    assert hardware.use_all_cores(use_cpu=True) is None, "4 is a choice now"


def test_accelerate_reads_our_configuration_and_every_line_is_explained():
    from accelerate.commands.config.config_args import ClusterConfig

    config = ClusterConfig.from_yaml_file(str(CONFIG))
    assert config.num_processes == 1 and config.mixed_precision == "no" and not config.use_cpu
    lines = [line for line in CONFIG.read_text().splitlines() if line and not line.startswith("#")]
    assert lines and all(" # " in line for line in lines)


def test_description_has_what_a_report_shows(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    machine = hardware.describe(use_cpu=True)
    assert machine["device"] == "cpu" and machine["name"]
    assert machine["cores"] >= 1 and machine["memory_gib"] > 0 and machine["num_processes"] == 2


def test_versions_are_those_of_the_installed_packages():
    versions = hardware.versions()
    assert versions["torch"] == torch.__version__.split("+")[0] or versions["torch"] == torch.__version__
    assert {"python", "hfkit", "transformers", "accelerate"} <= set(versions)


def test_running_out_of_memory_is_recognised():
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(2**52)
    assert hardware.out_of_memory(caught.value)
    assert hardware.out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert not hardware.out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not hardware.out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize("name", ["LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"])
def test_kernels_are_forgotten_unless_the_user_says_otherwise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "7")
    hardware.forget_kernels()
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    hardware.forget_kernels()
    assert os.environ[name] == "1"
