"""What a plan says that it costs: the budget and not more, and the noise that goes with it."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2, norm

from pipelines.plan import plan_release
from pipelines.plan.json_values import plan_to_dict
from pipelines.plan.text import plan_text
from pipelines.spec import load_release
from transforms import Bounds, Budget, Count, PrivateSelection, PublicKeys, Table
from transforms.accounting import price
from transforms.noise import add_noise, noise_std
from transforms.planning import plan_tables

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
FALSE_ALARM = 1e-7
DRAWS = 40_000


def losses(tables):
    return [loss for table in tables for m in table.mechanisms.values() for loss in m.losses]


@pytest.fixture
def plan(tmp_path):
    def plan(delta, rho=None, **table):
        stated = {"epsilon": 1} if rho is None else {"rho": rho}
        config = {
            "release": "r",
            "input": {"files": "*.parquet"},
            "privacy": {"unit": "u", **stated, "delta": delta},
            "tables": {"t": {"metrics": {"n": "count"}, **table}},
            "output": {"folder": "out"},
        }
        file = tmp_path / "release.yaml"
        file.write_text(json.dumps(config))
        return plan_release(load_release(file))

    return plan


@pytest.mark.parametrize("config", CONFIGS, ids=lambda file: file.stem)
def test_recipes_cost_their_budget_and_not_more(config):
    """Priced again from the scales that PyDP is told."""
    planned = plan_release(load_release(config))
    budget = planned.spec.privacy.budget()
    paid = price(losses(planned.tables), budget.delta)
    assert 0.995 * budget.epsilon <= paid.epsilon <= budget.epsilon
    assert paid.lower <= budget.epsilon
    assert planned.cost.used == pytest.approx(paid.epsilon / budget.epsilon, rel=1e-6)
    told = plan_to_dict(planned)["price"]
    assert told["epsilon"] == pytest.approx(paid.epsilon, rel=1e-6)
    assert told["lower"] <= told["epsilon"] * (1 + 1e-6)
    assert told["failed"] <= budget.delta


def test_the_text_says_loss_noise_and_price(plan):
    text = plan_text(plan(1e-8, keys=["k"], noise="gaussian", selection="gaussian"))
    (cost,) = (line for line in text.splitlines() if line.startswith("costs"))
    assert cost == (
        "costs epsilon 1 at delta 1e-08 (exact formula for Gaussian noise; formulas say the same), "
        "of the budget 1"
    )
    (selection,) = (line for line in text.splitlines() if "selection: " in line)
    assert selection.startswith("  selection: gaussian, mu 0.1")
    assert ", delta 2.5e-09, " in selection
    rows = [line.split("  ") for line in text.splitlines()[-2:]]
    head, cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert head[:5] == ["mechanism", "loss", "sensitivity", "noise std", "95 % interval"]
    assert head[5:] == ["+-10 % from"]
    assert cells[:2] == ["n", "gaussian count"]
    assert cells[2].startswith("mu 0.1")
    assert "delta" not in cells[2]


def test_the_json_has_losses_and_price(plan):
    made = plan_to_dict(plan(1e-8, keys=["k"]))
    mechanisms = made["tables"]["t"]["mechanisms"]
    assert mechanisms["selection"]["loss"]["times"] == 1
    assert mechanisms["n"]["loss"].keys() == {"epsilon"}
    assert "epsilon" not in mechanisms["n"]
    assert made["price"]["method"] == "distribution"
    assert made["price"]["failed"] == pytest.approx(0.9e-8)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_a_budget_of_rho_is_used_up_and_told_at_several_deltas(plan):
    planned = plan(1e-9, rho=0.1, keys=["k"], noise="gaussian", selection="gaussian")
    (noise, failures), (count,) = (m.losses for m in planned.tables[0].mechanisms.values())
    assert noise.mu**2 / 2 + count.mu**2 / 2 == pytest.approx(0.1, rel=1e-6)
    assert failures.delta == 1e-9
    told = plan_to_dict(planned)["price"]
    assert 0.995 <= told["used"] <= 1
    assert told["rho"] <= 0.1
    assert told["failed"] == pytest.approx(1e-9)
    assert [price["delta"] for price in told["at_deltas"]] == [1e-6, 1e-8]
    for known in told["at_deltas"]:
        left = gaussian_delta(math.sqrt(0.2), known["epsilon"])
        assert left == pytest.approx(known["delta"] - 1e-9, rel=1e-4)
    text = " ".join(plan_text(planned).split())
    assert "rho 0.1, delta 1e-09 per release" in text
    first, second = (f"{known['epsilon']:.4g}" for known in told["at_deltas"])
    assert (
        "costs rho 0.1 of the budget 0.1 and delta 1e-09, that is "
        f"epsilon {first} at delta 1e-06, or epsilon {second} at delta 1e-08 (" in text
    )


def gaussian_delta(mu, epsilon):
    """Delta of Gaussian noise (B. Balle and Y.-X. Wang, 2018, theorem 8)."""
    return norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)


def by_renyi(rho, delta):
    """Epsilon of rho-zCDP at a delta (Canonne, Kamath and Steinke, 2020, proposition 12)."""
    order = 1 + np.exp(np.linspace(-5, 12, 200_000))
    bounds = order * rho - np.log(delta * order) / (order - 1) + np.log1p(-1 / order)
    return float(bounds.min())


def test_a_guarantee_of_rho_names_a_factor_that_it_implies(plan):
    planned = plan(0, rho=0.1, public={"k": [1]})
    text = " ".join(plan_text(planned).split())
    assert "divergence of at most 0.1 a of each order a > 1 (0.1-zCDP). So no result" in text
    told = float(text.split("So no result is more than ")[1].split()[0])
    assert told == pytest.approx(math.exp(by_renyi(0.1, 1e-6)), rel=0.01)
    assert "but for an allowance of 1e-06 in its probability, for instance" in text
    assert "whoever has k of them has a rho of up to k^2 times 0.1." in text


@pytest.mark.parametrize("delta", [0.4, 0.6, 0.999])
def test_a_budget_of_rho_may_have_a_large_delta(plan, delta):
    (known,) = plan_to_dict(plan(delta, rho=0.1, keys=["k"]))["price"]["at_deltas"]
    assert delta < known["delta"] < 1
    assert known["epsilon"] >= 0


def test_a_plan_of_pure_epsilon_does_not_import_the_library_of_distributions():
    code = """
import polars as pl, sys
from transforms import Budget, Count, PublicKeys, Table, plan_tables
keys = PublicKeys(pl.DataFrame({"k": [1]}))
plan_tables({"t": Table(["k"], {"n": Count()}, partitions=keys)}, Budget(1.0))
print("dp_accounting" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def drawn_like_planned(draws, std):
    """Is the variance of so many draws that of Gaussian noise of this standard deviation?"""
    statistic = float((draws.astype(float) ** 2).sum()) / std**2
    return FALSE_ALARM / 2 <= chi2.cdf(statistic, len(draws)) <= 1 - FALSE_ALARM / 2


@pytest.mark.statistical
def test_released_noise_has_the_planned_standard_deviation():
    """False alarms: 3e-7, a chi-squared test each. Noise that is 20 % off is noticed."""
    tables = {
        "private": Table(
            ["k"],
            {"n": Count(), "m": Count()},
            Bounds(4, 3),
            PrivateSelection("weighted_gaussian"),
            noise="gaussian",
        ),
        "public": Table(
            ["k"], {"n": Count()}, partitions=PublicKeys(pl.DataFrame({"k": [1]})), noise="gaussian"
        ),
    }
    plans = plan_tables(tables, Budget(1.0, 1e-8))
    assert math.isclose(price(losses(plans), 1e-8).epsilon, 1, rel_tol=5e-3)
    for planned in plans:
        for metric in planned.metrics:
            (noise,) = metric.noises
            draws = add_noise(np.zeros(DRAWS, np.int64), noise.mechanism)
            std = noise_std(noise.mechanism)
            assert drawn_like_planned(draws, std)
            assert not drawn_like_planned(draws, std * 1.2)
            assert not drawn_like_planned(draws, std / 1.2)
