"""What a text classifier is judged by."""

from hfkit.evaluation.classification import METRICS as METRICS
from hfkit.evaluation.classification import metrics_of as metrics_of
