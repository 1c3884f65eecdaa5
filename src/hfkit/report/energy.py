"""What a run cost in electricity, as an estimate whose every number is told: time x power of the cores and graphics
cards at full load, and of the memory (Green Algorithms: Lannelongue, Grealey and Inouye, 2021, Advanced Science 8,
2100707).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

# Green Algorithms' figures: a core of a processor that is not looked up, a GiB of memory, any graphics card, and CO2
# equivalent of the world's average mix of electricity.
CORE_WATTS, MEMORY_WATTS, ANY_GPU_WATTS, GRAMS_PER_KWH = 12.0, 0.3725, 200.0, 475.0

# The makers' board power, in watts; the first whose name stands in the device's.
_GPU_WATTS = {
    "H200": 700, "H100 PCIe": 350, "H100": 700, "A100-PCIE": 250, "A100": 400, "V100": 300, "P100": 250,
    "L40S": 350, "L40": 300, "L4": 72, "A10G": 300, "A10": 150, "T4": 70, "A6000": 300,
    "RTX 4090": 450, "RTX 3090": 350, "MI300X": 750, "MI250": 560,
}  # fmt: skip


class Energy(NamedTuple):
    """An estimate: kilowatt hours, grams of CO2 equivalent, and where the numbers come from, in a sentence."""

    kwh: float
    grams: float
    how: str


def estimate(hardware: Mapping[str, Any], seconds: float) -> Energy:
    """The electricity of `seconds` on a machine, as `hfkit.base.hardware.describe` describes it.

    All cores that the run could use count as busy all the time, which a run does not reach: the truth is below."""
    cores = int(hardware["cores"])
    watts, parts = CORE_WATTS * cores, [f"{cores} core{'s' * (cores != 1)} at {CORE_WATTS:g} W"]
    if hardware["device"] == "cuda":
        name, cards = str(hardware["name"]), int(hardware.get("num_processes") or 1)
        each = next((float(power) for known, power in _GPU_WATTS.items() if known in name), None)
        watts += cards * (each or ANY_GPU_WATTS)
        said = "its maker's figure" if each else "a graphics card whose power is not known"
        parts.append(f"{cards} x {each or ANY_GPU_WATTS:g} W for {name} ({said})")
    else:
        memory = float(hardware["memory_gib"])
        watts += MEMORY_WATTS * memory
        parts.append(f"{memory:g} GiB of memory at {MEMORY_WATTS:g} W each")
    kwh = watts * seconds / 3_600_000
    return Energy(kwh, kwh * GRAMS_PER_KWH, " and ".join(parts))
