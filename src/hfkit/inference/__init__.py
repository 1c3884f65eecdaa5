"""Inference: any run, model folder, adapter or Hub id as a transformers pipeline, and whole files through it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfkit.inference.generation.generator import TextGenerator
    from hfkit.inference.pipelines import pipeline, predict_file

__all__ = ["TextGenerator", "pipeline", "predict_file"]


def __getattr__(name: str) -> Any:
    """The doors open late: who writes a file needs no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'hfkit.inference' has no attribute {name!r}")
    home = "generation.generator" if name == "TextGenerator" else "pipelines"
    return getattr(import_module(f"hfkit.inference.{home}"), name)
