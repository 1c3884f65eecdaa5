"""Object detection: a box around each object of a picture, and its class."""

from hfkit.tasks.spec import BRIEF, TaskSpec

SPEC = TaskSpec(
    names=("object-detection",),
    task="ObjectDetection",
    auto_model="AutoModelForObjectDetection",
    heads=("ForObjectDetection",),
    reads=("image", "boxes"),
    inputs="images",
    in_words=False,
    keepsakes=("pictures.parquet",),
    baselines={"detector": ("hfkit.baselines.vision.configs:DetectorConfig", {})},
    demo={  # as in recipes/detect_digits.py
        "dataset": "demo:digit_scenes",
        "model": "baseline:detector",
        "augment": ["zoom"],
        "learning_rate": 3e-3,
        "num_train_epochs": 14,
        "per_device_train_batch_size": 8,
        **BRIEF,
    },
)
