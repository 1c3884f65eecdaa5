"""Object detection: a box around each object of a picture, and its class."""

from hfkit.tasks.spec import TaskSpec

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
        "warmup_steps": 0.1,
        "lr_scheduler_type": "cosine",
        "eval_strategy": "no",
        "save_strategy": "no",
        "load_best_model_at_end": False,
    },
)
