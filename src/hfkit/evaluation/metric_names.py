"""What the figures are called, which of them belong to which problem, and which of them counts.

Apart from `hfkit.metrics`, which computes them: with scikit-learn, whose import a training run puts off until it has
something to compute, as it takes 0.4 s.
"""

# Name in the run's files -> name on a page.
TITLES = {
    "accuracy": "accuracy",
    "subset_accuracy": "subset accuracy",
    "f1_macro": "F1 (macro)",
    "f1_micro": "F1 (micro)",
    "f1_weighted": "F1 (weighted)",
    "precision_macro": "precision (macro)",
    "recall_macro": "recall (macro)",
    "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss",
    "ece": "calibration error (ECE)",
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "bits_per_byte": "bits per byte",
    "perplexity": "perplexity per token",
    "next_token_accuracy": "next-token accuracy",
    "word_perplexity": "perplexity per word",
}
FIGURES = {
    "single_label_classification": (
        *("accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro", "mcc"),
        *("roc_auc", "log_loss", "ece"),
    ),
    "multi_label_classification": (
        *("f1_micro", "f1_macro", "f1_weighted", "subset_accuracy", "roc_auc", "log_loss", "ece"),
    ),
    "regression": ("mse", "mae", "pearson", "spearman"),
    "language_modeling": ("bits_per_byte", "loss", "perplexity", "next_token_accuracy", "word_perplexity"),
}
PRIMARY = {
    "single_label_classification": "accuracy",
    "multi_label_classification": "f1_macro",
    "regression": "mse",
    "language_modeling": "bits_per_byte",
}
LOWER_IS_BETTER = frozenset({"log_loss", "ece", "mse", "mae", "loss", "bits_per_byte", "perplexity", "word_perplexity"})
