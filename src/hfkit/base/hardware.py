"""What the machine has: its memory habits, the number formats it computes in, and its description for the run."""

import ctypes
import os
import platform
import re
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base import processes
from hfkit.base.errors import HfkitError, check_known

if TYPE_CHECKING:
    import torch

PRECISIONS = ("auto", "no", "fp16", "bf16", "fp8")

# Parameters of glibc's mallopt(3), by the numbers of <malloc.h>.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4

# The packages whose versions can change a figure, in the order in which a report shows them.
PACKAGES = (
    "hfkit", "torch", "transformers", "accelerate", "datasets", "peft", "bitsandbytes", "tokenizers", "safetensors",
    "scikit-learn", "numpy",
)  # fmt: skip


def stays_on_cpu(use_cpu: bool = False) -> bool:
    """Whether the user keeps the run on the CPU: --use_cpu, ACCELERATE_USE_CPU or an empty CUDA_VISIBLE_DEVICES."""
    if use_cpu or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "y", "t", "on"):
        return True
    return os.environ.get("CUDA_VISIBLE_DEVICES", "unset").strip() in ("", "-1")


def keep_memory(use_cpu: bool = False) -> str | None:
    """Tell glibc to keep freed memory instead of giving it back to the kernel: 20-70 % faster CPU steps, since two
    thirds of a bf16 step can go into page faults for the same large tensors again and again.

    Call it before torch allocates; it holds for this process only. Returns the sentence to print, or None where it does
    not apply: on a GPU run, and with other C libraries."""
    if _expects_gpu(use_cpu) or platform.libc_ver()[0] != "glibc":
        return None
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 256 * 2**20)):
        mallopt(parameter, value)
    return "memory: freed memory is kept for the next step (glibc mallopt), as this run is on the CPU"


def keep_blocks() -> None:
    """Teach glibc, by its own rule, to keep freed blocks of up to 31 MiB: 1.1 to 1.3 times as fast in a program.

    For programs of others, whose memory is not ours to settle as `keep_memory` does: who has set a threshold
    (mallopt(3), M_MMAP_THRESHOLD) keeps it. The block here is never touched, and so takes no memory."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free(ctypes.c_void_p(libc.malloc(ctypes.c_size_t(31 * 2**20))))


def forget_kernels() -> None:
    """Tell torch and oneDNN to keep no CPU kernels, before torch is imported: a long stream is read in constant memory.

    Each keeps 1,024, and a batch of new shape brings several: over 100,000 sentences 1 GiB. Making them anew costs
    nothing that was seen (benchmarks/NOTES.md). A user's own settings stay."""
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, "1")


def use_all_cores(use_cpu: bool = False) -> str | None:
    """Undo the one thread that `accelerate launch` and torchrun give a process when nobody chose: it halves the speed
    of a CPU run on two cores. Each process gets its share of the cores that it may use (taskset). OMP_NUM_THREADS other
    than 1 is a choice and stays. Call it before torch is imported, or after. Returns the sentence to print, or None."""
    launched = "ACCELERATE_DYNAMO_BACKEND" in os.environ or "TORCHELASTIC_RUN_ID" in os.environ
    threads = _cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if not launched or os.environ.get("OMP_NUM_THREADS") != "1" or threads < 2 or _expects_gpu(use_cpu):
        return None
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:  # it has read the variable already
        sys.modules["torch"].set_num_threads(threads)
    return f"threads: {threads} a process, all the cores, where the launcher had set 1"


def mixed_precision(choice: str, use_cpu: bool = False) -> tuple[str, str]:
    """The number format to compute in, as Accelerate takes it, and the sentence why. `auto` takes the launcher's
    choice, else bf16 where the hardware has it, else fp16 on a GPU, else no; a launcher without a config says `no` when
    nobody chose. Raises HfkitError: the name is unknown, or the hardware does not have what was asked for."""
    check_known(choice, PRECISIONS, f"unknown mixed precision {choice!r}", "--mixed_precision")
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    asked_by, wanted = "--mixed_precision", choice
    if choice == "auto" and launcher in PRECISIONS[2:]:
        asked_by, wanted = "the launcher (ACCELERATE_MIXED_PRECISION)", launcher
    device = _device_type(use_cpu)
    if wanted == "auto" and has_bf16(device):  # first: its range is fp32's, so nothing overflows
        value, why = "bf16", "which it computes in hardware"
    elif wanted == "auto":
        value, why = "no" if device == "cpu" else "fp16", "which has no bf16 in hardware"
    else:
        _refuse_unsupported(wanted, device, asked_by)
        value, why = wanted, f"asked for by {asked_by}"
        if emulated(value, device):
            why += "; it has no bf16 in hardware and emulates it, more slowly than fp32"
    return value, f"precision: {'fp32' if value == 'no' else value} on the {device}, {why}"


def matrix_product_rate(device: "torch.device", precision: str) -> float:
    """Operations a second of a large matrix product, the most that a model could come to: the best of several tries, in
    a `precision` as `mixed_precision` gives it (fp8 is measured as bf16)."""
    import torch

    size = 2048 if device.type == "cpu" else 8192  # some tenths of a second, or less
    kind = {"no": torch.float32, "fp16": torch.float16}.get(precision, torch.bfloat16)
    one, other = (torch.ones(size, size, dtype=kind, device=device) for _ in range(2))
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        product = one @ other
        float(product[0, 0])  # waits for the device
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds)


def describe(use_cpu: bool = False) -> dict[str, Any]:
    """The machine, for run.json; `threads` are those of a process, `memory_gib` is the GPU's on a GPU."""
    import torch

    device = _device_type(use_cpu)
    if device == "cuda":
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        name, memory = properties.name, properties.total_memory
    else:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        cpuinfo = Path("/proc/cpuinfo")  # Linux; elsewhere what Python knows
        told = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.is_file() else ""
        model = re.search(r"^model name[^:]*:(.*)$", told, re.MULTILINE)
        name = model[1].strip() if model else platform.processor() or platform.machine()
    found = {"device": device, "name": name, "cores": _cores(), "threads": torch.get_num_threads()}
    return found | {"memory_gib": round(memory / 2**30, 1), "num_processes": processes.count()}


def versions() -> dict[str, str]:
    """The versions that decide a run's figures: Python, the operating system and the packages that are installed."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on any device, so that a smaller batch can help."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in said or "can't allocate memory" in said)


def _cores() -> int:
    """Cores that this process may use; os.cpu_count() would count those that taskset or a container keeps from it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _expects_gpu(use_cpu: bool) -> bool:
    """Whether an NVIDIA driver is there to be used; a guess that needs no torch, which is not to be loaded yet."""
    return Path("/dev/nvidiactl").exists() and not stays_on_cpu(use_cpu)


def _device_type(use_cpu: bool) -> str:
    """`cpu`, `cuda`, `mps` or another accelerator's name, as Accelerate will choose it."""
    import torch

    accelerator = None if stays_on_cpu(use_cpu) else torch.accelerator.current_accelerator(check_available=True)
    return "cpu" if accelerator is None else accelerator.type


def has_bf16(device: str) -> bool:
    """Whether bf16 is computed in hardware. Emulated bf16 is slower than fp32, so it does not count."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.10 cannot tell
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
    return device == "xpu"


def emulated(precision: str, device: str) -> bool:
    """Whether a CPU computes in that format, as `mixed_precision` gives it, only by detours; a GPU's are refused."""
    return precision == "bf16" and device == "cpu" and not has_bf16(device)


def check_device(device: "int | str | torch.device | None") -> None:
    """Refuse, as an HfkitError, a device that is not here; None and -1 are transformers' words for any and the CPU."""
    import torch

    if device is None or device == -1:
        return
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        said = str(error).strip().splitlines()[0]
        raise HfkitError(f"There is no device {device!r} here: {said}", fix="leave device out, or say 'cpu'") from error


def _refuse_unsupported(wanted: str, device: str, asked_by: str) -> None:
    """Accelerate answers an impossible fp8 or fp16 with a warning or a traceback; say it in a sentence instead."""
    import torch

    if wanted == "fp16" and device == "cpu":
        raise HfkitError("fp16 needs a GPU, and this run is on the CPU", where=asked_by, fix="use bf16, no or auto")
    if wanted == "bf16" and device == "cuda" and not has_bf16(device):
        name = torch.cuda.get_device_name()
        raise HfkitError(f"{name} has no bf16 in hardware", where=asked_by, fix="use fp16, no or auto")
    if wanted == "fp8" and (device != "cuda" or torch.cuda.get_device_capability() < (8, 9)):
        name = torch.cuda.get_device_name() if device == "cuda" else f"the {device}"
        what = f"fp8 needs a GPU of compute capability 8.9 or above, and this run is on {name}"
        raise HfkitError(what, where=asked_by, fix="use bf16, no or auto")
    if wanted == "fp8":
        from accelerate.utils import is_fp8_available

        if not is_fp8_available():
            raise HfkitError("fp8 needs torchao", where=asked_by, fix="pip install torchao, or use bf16, no or auto")
