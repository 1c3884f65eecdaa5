"""Two models on the same test set are compared as if on two independent samples, or without any interval.

Here the better one is right in 30 more of 1,000 rows and wrong in 5.

Threads: evaluate#784 lm-eval-harness#3831
"""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportions_ztest

from hfkit.evaluation.metric import Columns, named
from hfkit.evaluation.stats import mcnemar_exact, paired

pytestmark = pytest.mark.pain("unpaired-test")

BOTH, ONLY_A, ONLY_B, NEITHER = 840, 5, 30, 125
A = np.repeat([True, True, False, False], [BOTH, ONLY_A, ONLY_B, NEITHER])
B = np.repeat([True, False, True, False], [BOTH, ONLY_A, ONLY_B, NEITHER])


def test_upstream_sees_nothing_between_independent_samples() -> None:
    _, p = proportions_ztest([A.sum(), B.sum()], [len(A), len(B)])
    assert p > 0.05


def test_hfkit_compares_the_same_rows() -> None:
    assert mcnemar_exact(A, B).p_value < 0.001
    better, worse = (Columns({"label": np.ones(len(A)), "prediction": right}) for right in (B, A))
    assert paired(named("accuracy"), better, worse)["low"] > 0
