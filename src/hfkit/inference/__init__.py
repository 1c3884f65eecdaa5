"""Inference: any run, model folder, adapter or Hub id as a transformers pipeline, and whole files through it."""

from hfkit.inference.files import predict_file
from hfkit.inference.loading import load
from hfkit.inference.pipeline import TextClassificationPipeline, pipeline

__all__ = ["TextClassificationPipeline", "load", "pipeline", "predict_file"]
