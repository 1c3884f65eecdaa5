"""Image classification: a picture gets one label, several labels, or a number."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("image-classification",),
    task="ImageClassification",
    auto_model="AutoModelForImageClassification",
    heads=("ForImageClassification",),
    marks=("pretrained_cfg",),  # timm's part
    reads=("image",),
    inputs="images",
    keepsakes=("pictures.parquet", "layers.json"),
    demo={  # as in recipes/resnet_cifar10.py
        "dataset": "demo:digits",
        "model": "demo:efficientnet_lite0",
        "image_size": 64,
        "augment": ["crop"],
        "learning_rate": 2e-3,
        "num_train_epochs": 5,
        "per_device_train_batch_size": 32,
        "load_best_model_at_end": False,
        "warmup_steps": 0.1,
        "lr_scheduler_type": "cosine",
    },
)
