"""What the GPU benchmarks share: whether there is a GPU, and what it can do at most."""

# Dense bf16 operations a second with float32 sums, from NVIDIA's data sheets.
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}


def there_is_none(name: str) -> bool:
    """Say in a sentence that the benchmark cannot run here, where it cannot."""
    import torch

    if torch.cuda.is_available():
        return False
    print(f"{name}: no GPU is here, so nothing was measured.")
    return True


def utilisation(parameters: int, tokens: int, seconds: float) -> float | None:
    """Share of the GPU's bf16 rate that training uses: 6 operations a parameter and token; None for unknown GPUs.

    The count of Kaplan et al. (2020), https://arxiv.org/abs/2001.08361, which leaves attention's own products out.
    """
    import torch

    device = torch.cuda.get_device_name()
    peak = next((rate for name, rate in PEAK.items() if name in device), None)
    return None if peak is None else 6 * parameters * tokens / seconds / peak
