"""The doctor: what is wrong with data, model and settings before training, on its way, and after."""
