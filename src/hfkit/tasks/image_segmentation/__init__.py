"""Image segmentation: each pixel of a picture gets a class."""

from hfkit.tasks.spec import BRIEF, TaskSpec

SPEC = TaskSpec(
    names=("image-segmentation",),
    task="ImageSegmentation",
    auto_model="AutoModelForSemanticSegmentation",
    heads=("ForSemanticSegmentation",),
    reads=("image", "mask"),
    inputs="images",
    in_words=False,
    keepsakes=("pictures.parquet",),
    baselines={"unet": ("hfkit.baselines.vision.configs:UNetConfig", {})},
    demo={  # as in recipes/unet_nuclei.py
        "dataset": "demo:nuclei",
        "model": "baseline:unet",
        "tile_size": 128,
        "augment": ["medium"],
        "test_time_augmentation": "turn",
        "learning_rate": 3e-3,
        "num_train_epochs": 10,
        "per_device_train_batch_size": 8,
        **BRIEF,
    },
)
