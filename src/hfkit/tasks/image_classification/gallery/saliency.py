"""Saliency: which parts of a picture speak for an answer, by captum. Grad-CAM (Selvaraju et al. 2017) weighs the
channels of a late convolution by the gradient of the answer; a transformer, which has a vector for each patch instead,
gets HiResCAM (Draelos and Carin 2020).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

CELLS = 4
"""A map of fewer cells a side says nothing of where; a layer with so many is taken even where it is not the last."""

EXTRA_TOKENS = 8  # tokens beside the patches at most: a class token, a distillation token, registers
TRIED = 6  # layers that are looked at before a model counts as one without a map


@dataclass(frozen=True)
class Layer:
    """A layer whose output lies over the picture."""

    name: str  # its path in the model
    height: int  # cells of its output
    width: int
    form: str  # how they lie: "channels first", "channels last" or "patches"

    @property
    def method(self) -> str:
        return "Grad-CAM" if self.form == "channels first" else "HiResCAM"


@dataclass(frozen=True)
class Maps:
    """Heat over some pictures, (pictures, cells, cells), not negative; and the layer that it was read from."""

    layer: Layer
    heat: Tensor


def maps(model: nn.Module, pixels: Tensor, targets: list[int]) -> Maps | None:
    """Where each picture speaks for its target: the output to explain, one a picture; 0 for a regression.

    The last layer over the picture that the answer depends on is taken: behind it a class token may be all that counts.
    None where no layer lies over the picture (an MLP), or nothing speaks for the answer. The model is in eval mode, and
    is left as it came; `pixels` are (pictures, channels, height, width), as it reads them."""
    from captum.attr import LayerGradCam, LayerGradientXActivation

    def answer(seen: Tensor) -> Tensor:
        return model(pixel_values=seen).logits.float()

    target = torch.tensor(targets, device=pixels.device)
    for layer in layers(model, pixels[:1])[:TRIED]:
        module = model.get_submodule(layer.name)
        explain: Callable[..., Tensor]
        if layer.form == "channels first":
            explain, channels = LayerGradCam(answer, module).attribute, 1
        else:
            explain, channels = LayerGradientXActivation(answer, module).attribute, -1
        found = explain(pixels, target=target).detach().sum(dim=channels).float().cpu()
        if layer.form == "patches":
            found = found[:, -layer.height * layer.width :].reshape(-1, layer.height, layer.width)
        heat = found.clamp(min=0)
        if bool(heat.isfinite().all()) and bool((heat.flatten(1).amax(dim=1) > 0).any()):
            return Maps(layer, heat)
    return None


def layers(model: nn.Module, pixels: Tensor) -> list[Layer]:
    """The layers whose output lies over the picture, the last one to end first; those of `CELLS` cells a side before
    the coarser ones. The model is in eval mode, and `pixels` are one picture, (1, channels, height, width)."""
    found: list[Layer] = []

    def note(name: str, module: nn.Module, inputs: object, output: object) -> None:
        shown = output[0] if isinstance(output, tuple) and output else output
        layer = _over(name, shown, pixels, found) if isinstance(shown, Tensor) and len(shown) == 1 else None
        # Of vectors for each patch, the normalised ones: their sizes can be compared.
        if layer is not None and (layer.form != "patches" or "Norm" in type(module).__name__):
            found.append(layer)

    inside = tuple(f"{name}." for name, module in model.named_modules() if "Attention" in type(module).__name__)
    outside = [(name, module) for name, module in model.named_modules() if name and not name.startswith(inside)]
    handles = [module.register_forward_hook(partial(note, name)) for name, module in outside]
    try:
        with torch.no_grad():
            model(pixel_values=pixels)
    finally:
        for handle in handles:
            handle.remove()
    found.reverse()
    return sorted(found, key=lambda layer: min(layer.height, layer.width) < CELLS)


def _over(name: str, output: Tensor, pixels: Tensor, before: list[Layer]) -> Layer | None:
    """The layer where its output, of one picture, lies over the picture in cells as wide as they are high."""
    ratio = pixels.shape[-2] / pixels.shape[-1]
    if output.ndim == 4:
        for form, (height, width) in (("channels first", output.shape[2:]), ("channels last", output.shape[1:3])):
            if min(height, width) > 1 and 0.66 < height / width / ratio < 1.5:
                return Layer(name, height, width, form)
    if output.ndim != 3:
        return None
    tokens = output.shape[1]
    for grid in reversed(before):  # the patches come from a convolution, and may have a class token before them
        if 0 <= tokens - grid.height * grid.width <= EXTRA_TOKENS:
            return Layer(name, grid.height, grid.width, "patches")
    side = math.isqrt(tokens)
    return Layer(name, side, side, "patches") if side**2 == tokens and side > 1 and ratio == 1 else None
