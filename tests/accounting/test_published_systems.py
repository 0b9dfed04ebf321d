"""Prices that published systems state, and which conversion they used.

Not reproduced, as their numbers do not follow from their parameters: Wikimedia's noise scale of 10
(it would be rho 0.05, not the 0.015 stated), Windows' 0.686 per round (its own formula gives
0.569), and Google's symptoms normalisation (parts of 0.021 where 0.042 is stated).
"""

import math
from fractions import Fraction

import pytest

from transforms.accounting import FailureLoss, GaussianLoss, LaplaceLoss, price
from transforms.accounting.closed_form import rho
from transforms.accounting.conversions import bounded_range_epsilon, simple_epsilon, tight_epsilon
from transforms.accounting.gaussian import gaussian_epsilon
from transforms.accounting.reference import delta_for_epsilon

PERSONS = Fraction(293764, 114921)
UNITS = Fraction(11417641, 152349649)
LEVEL_SHARES = [104, 1440, 447, 687, 1256, 165]
"""US persons: nation, state, county, tract, block group and block, of 4099."""


def gaussian(rho):
    return GaussianLoss(float(2 * rho) ** 0.5)


def zcdp(losses, delta, conversion):
    return price(losses, delta).upper_bounds[f"zcdp_{conversion}"]


@pytest.mark.parametrize(("stated", "epsilon"), [(PERSONS, 17.144), (UNITS, 2.475)])
def test_census_redistricting_data(stated, epsilon):
    assert zcdp([gaussian(stated)], 1e-10, "tight") == pytest.approx(epsilon, abs=5e-4)


def test_census_levels_add_up_and_so_do_those_below_each():
    levels = [gaussian(PERSONS * share / 4099) for share in LEVEL_SHARES]
    assert rho(levels) == pytest.approx(float(PERSONS))
    within = [zcdp(levels[first:], 1e-10, "tight") for first in range(1, 6)]
    assert within == pytest.approx([16.89, 13.05, 11.70, 9.38, 2.93], abs=5e-3)


@pytest.mark.parametrize(("stated", "epsilon"), [(4.96, 26.334), (7.70, 34.331)])
def test_census_demographic_data_uses_the_simple_conversion(stated, epsilon):
    assert zcdp([gaussian(stated)], 1e-10, "simple") == pytest.approx(epsilon, abs=5e-4)


def test_census_detailed_groups_add_up():
    shares = [0.008, 2.134] * 2 + [0.008, 0.159] * 3 + [0.159]
    assert rho([gaussian(4 * share) for share in shares]) == pytest.approx(19.776)


def test_gboard_model():
    losses = [gaussian(0.81)]
    assert zcdp(losses, 1e-10, "tight") == pytest.approx(8.92, abs=5e-3)
    assert zcdp(losses, 1e-10, "simple") == pytest.approx(9.45, abs=5e-3)


def test_wikimedia_pageviews():
    assert simple_epsilon(0.015, 1e-7) == pytest.approx(0.998, abs=5e-4)
    assert tight_epsilon(0.015, 1e-7) == pytest.approx(0.855, abs=5e-4)
    ten_pages = GaussianLoss((10 / 18.257**2) ** 0.5)
    assert rho([ten_pages]) == pytest.approx(0.015, rel=1e-3)


def test_meta_url_shares_is_the_exact_curve():
    column = gaussian(0.0052)
    assert price([column], 1e-5).epsilon == pytest.approx(0.348, abs=5e-4)
    assert price([column], 1e-5).epsilon == pytest.approx(
        gaussian_epsilon(0.0104**0.5, 1e-5), rel=1e-9
    )
    assert rho([column] * 14) == pytest.approx(0.0728)


def test_google_shared_mobility():
    """A trip alone in its cell shows when Laplace noise of at least 99 lifts it to 100."""
    delta = math.exp(-0.66 * 99) / 2
    assert delta == pytest.approx(2.0998e-29, rel=1e-4)
    losses = [LaplaceLoss(0.66), FailureLoss(delta)]
    assert price(losses, 2.1e-29).epsilon == pytest.approx(0.66, rel=1e-9)
    assert price(losses, 2.0e-29).epsilon == math.inf
    assert delta_for_epsilon(losses, 0.66) == pytest.approx(2.0998e-29, rel=1e-4)


def test_linkedin_audience_engagements():
    assert bounded_range_epsilon(0.15, 3000, 1e-9) == pytest.approx(34.88, abs=5e-3)
    assert price([LaplaceLoss(0.15)] * 3000, 1e-9).epsilon > 34.88


@pytest.mark.parametrize(
    ("parts", "stated"),
    [
        ([1, 1], 2),
        ([1.76, 0.44, 0.44], 2.64),
        ([0.168, 0.37, 1.1], 1.638),
        ([1.638, 0.042], 1.68),
        ([1.2] * 4, 4.8),
        ([4.8] * 3, 14.4),
        ([0.1, 0.1], 0.2),
        ([4, 2, 1, 3], 10),
        ([1.1, 0.9], 2),
        ([0.3, 0.02, 0.43, 0.04, 0.01, 0.17, 0.02], 0.99),
        ([4, 0.99] * 2, 9.98),
        ([2.64] * 30, 79.2),
        ([4] * 30, 120),
    ],
    ids=[
        "facebook_movement",
        "google_mobility",
        "google_symptoms_levels",
        "google_symptoms",
        "linkedin_labor",
        "linkedin_labor_quarter",
        "microsoft_broadband",
        "spectus",
        "wikimedia_geoeditors",
        "israel_births_tests",
        "israel_births",
        "google_mobility_month",
        "apple_emoji_month",
    ],
)
def test_sums_of_pure_epsilons(parts, stated):
    found = price([LaplaceLoss(part) for part in parts], 0)
    assert found.epsilon == pytest.approx(stated, rel=1e-12)
    assert found.lower == pytest.approx(found.upper, rel=1e-12)
