"""Zero-shot image classification: pictures and texts as vectors, near each other where they belong together."""

from hfkit.tasks.spec import BRIEF, TaskSpec

SPEC = TaskSpec(
    names=("zero-shot-image-classification",),
    task="ImageText",
    auto_model="AutoModelForZeroShotImageClassification",
    heads=("CLIPModel", "SiglipModel", "MetaClip2Model", "BaselineClipModel"),
    labelled=False,
    reads=("image", "captions"),
    inputs="images",
    keepsakes=("pictures.parquet", "captions.json"),
    baselines={"clip": ("hfkit.baselines.vision.configs:BaselineClipConfig", {})},
    demo={  # as in recipes/clip_finetune.py
        "dataset": "demo:digit_captions",
        "model": "baseline:clip",
        "model_args": '{"patch_size": 4}',
        "templates": ["a {}", "a bright {}", "a faint {}"],
        "learning_rate": 1e-3,
        "num_train_epochs": 9,
        "per_device_train_batch_size": 64,
        **BRIEF,
    },
)
