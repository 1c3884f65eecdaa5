"""Inference: any run, model folder, adapter or Hub id as a transformers pipeline, and whole files through it."""

from hfkit.inference.generation.generator import TextGenerator
from hfkit.inference.pipelines import pipeline, predict_file

__all__ = ["TextGenerator", "pipeline", "predict_file"]
