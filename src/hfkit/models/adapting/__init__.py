"""What changes a pretrained model before it learns: LoRA, frozen layers, four bits."""
