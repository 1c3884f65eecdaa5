"""Image classification: a picture gets one label, several labels, or a number."""

from hfkit.tasks.spec import TaskSpec

_CONFIGS = "hfkit.baselines.vision.configs"
_RESNET = f"{_CONFIGS}:BaselineResNetConfig"
_IMAGENET = {"widths": (64, 128, 256, 512), "stem": "imagenet", "shortcut": "B"}

SPEC = TaskSpec(
    names=("image-classification",),
    task="ImageClassification",
    auto_model="AutoModelForImageClassification",
    heads=("ForImageClassification",),
    marks=("pretrained_cfg",),  # timm's part
    reads=("image",),
    inputs="images",
    in_words=False,
    keepsakes=("pictures.parquet", "layers.json"),
    baselines={
        "mlp": (f"{_CONFIGS}:MlpConfig", {}),
        "lenet5": (f"{_CONFIGS}:LeNetConfig", {}),
        "alexnet": (f"{_CONFIGS}:AlexNetConfig", {}),
        "inception": (f"{_CONFIGS}:InceptionConfig", {}),
        "cnn": (f"{_CONFIGS}:CnnConfig", {}),
        "resnet": (_RESNET, {}),
        "resnet20": (_RESNET, {}),
        "resnet32": (_RESNET, {"depths": (5, 5, 5)}),
        "resnet44": (_RESNET, {"depths": (7, 7, 7)}),
        "resnet56": (_RESNET, {"depths": (9, 9, 9)}),
        "resnet18": (_RESNET, {"depths": (2, 2, 2, 2), **_IMAGENET}),
        "resnet34": (_RESNET, {"depths": (3, 4, 6, 3), **_IMAGENET}),
        "vgg": (f"{_CONFIGS}:VggConfig", {}),
        "mobilenet": (f"{_CONFIGS}:MobileNetConfig", {}),
        "vit": (f"{_CONFIGS}:BaselineViTConfig", {}),
    },
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
