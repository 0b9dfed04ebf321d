"""The best shares are those that a numerical optimiser finds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from transforms.accounting import Demand, GaussianLoss, LaplaceLoss, calibrate
from transforms.accounting.shares import optimal_shares
from transforms.budget import Budget

ERRORS = st.dictionaries(st.text(min_size=1), st.floats(1e-3, 1e3), min_size=1, max_size=5)


def searched(errors, total):
    """The smallest total over all shares, by trying."""

    def of(logits):
        parts = np.exp(logits - logits.max())
        return math.log(total(dict(zip(errors, parts / parts.sum(), strict=True))))

    starts = [np.zeros(len(errors)), np.log(np.fromiter(errors.values(), float)) / 2]
    return min(math.exp(minimize(of, start, method="BFGS").fun) for start in starts)


def squares(errors, shares):
    return sum(errors[name] ** 2 / shares[name] for name in errors)


def linear(errors, shares):
    return sum((errors[name] / shares[name]) ** 2 for name in errors)


@pytest.mark.parametrize(("rule", "total"), [("squares", squares), ("linear", linear)])
@settings(deadline=None, max_examples=50)
@given(errors=ERRORS)
def test_no_other_shares_are_better(rule, total, errors):
    shares = optimal_shares(errors, rule)
    assert list(shares) == list(errors)
    assert math.isclose(math.fsum(shares.values()), 1)
    best = total(errors, shares)
    assert best <= searched(errors, lambda tried: total(errors, tried)) * (1 + 1e-9)


def noise_of(shares, kind, budget):
    """The noise that the accountant gives, relative to the sensitivity."""
    losses = calibrate([Demand(name, kind, share) for name, share in shares.items()], budget).losses
    return {
        name: 1 / (loss.mu if isinstance(loss, GaussianLoss) else loss.epsilon)
        for name, loss in losses.items()
        if isinstance(loss, GaussianLoss | LaplaceLoss)
    }


@pytest.mark.parametrize(
    ("kind", "rule", "budget"),
    [("gaussian", "squares", Budget(1.0, 1e-8)), ("laplace", "linear", Budget(1.0))],
)
def test_the_accountant_divides_noise_as_the_rule_says(kind, rule, budget):
    sizes = {"a": 1.0, "b": 20.0, "c": 4.0}
    alone = {name: size * noise_of({name: 1.0}, kind, budget)[name] for name, size in sizes.items()}

    def error(shares):
        noise = noise_of(shares, kind, budget)
        return sum((sizes[name] * noise[name]) ** 2 for name in sizes)

    shares = optimal_shares(alone, rule)
    expected = (squares if rule == "squares" else linear)(alone, shares)
    assert error(shares) == pytest.approx(expected, rel=2e-3)
    for name in sizes:
        for factor in (0.8, 1.25):
            assert error({**shares, name: shares[name] * factor}) > error(shares)


def test_extremes_have_shares_above_zero():
    shares = optimal_shares({"least": 1e-100, "most": 1e100}, "squares")
    assert shares["least"] > 0
    assert shares["most"] == 1


@pytest.mark.parametrize("error", [0.0, -1.0, math.nan, math.inf, 1e101])
def test_other_errors_are_refused(error):
    with pytest.raises(ValueError, match=r"the error of b is .*; allowed: from 1e-100 to 1e\+100"):
        optimal_shares({"a": 1.0, "b": error}, "linear")


def test_nothing_and_other_rules_are_refused():
    with pytest.raises(ValueError, match="no errors; allowed: one or more"):
        optimal_shares({}, "squares")
    with pytest.raises(ValueError, match="rule is 'cubes'; allowed: squares, linear"):
        optimal_shares({"a": 1.0}, "cubes")
