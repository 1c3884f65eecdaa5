"""Inference: any run, model folder, adapter or Hub id as a transformers pipeline, and whole files through it."""

from hfkit.inference.files import predict_file
from hfkit.inference.generation.generator import TextGenerator
from hfkit.inference.text_pipeline import TextClassificationPipeline, pipeline

__all__ = ["TextClassificationPipeline", "TextGenerator", "pipeline", "predict_file"]
