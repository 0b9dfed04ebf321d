"""The policy file: what it says, and every problem at its place."""

import textwrap

import pytest
from ledger_examples import USER, USER_DAY, charge, days, policy, request

from pipelines import ledger as ledger_package
from pipelines.ledger import PrivacyUnit, load_policy
from pipelines.ledger.composition import RhoBudget
from pipelines.ledger.policy import Cap
from pipelines.spec import ConfigError
from transforms.budget import Budget

GOOD = """
datasets:
  events:
    columns: [user_id, country]
    time: at
    min_pre_threshold: 10
    caps:
      - {unit: user_id, per: release, epsilon: 1, delta: 1e-8}
      - {unit: user_id, per: 28 days, epsilon: 3, delta: 1e-7}
      - {unit: user_id, every: day, epsilon: 1, delta: 1e-7}
      - {unit: user_id, rho: 4, delta: 1e-6}
"""


def load(tmp_path, text):
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    return load_policy(file)


def problems(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return [str(p).removeprefix(f"{tmp_path}/policy.yaml:") for p in caught.value.problems]


def test_caps_are_what_the_file_says(tmp_path):
    loaded = load(tmp_path, GOOD)
    assert loaded.datasets["events"].caps == (
        Cap(USER, "release", Budget(1.0, 1e-8)),
        Cap(USER, "28 days", Budget(3.0, 1e-7)),
        Cap(USER_DAY, "lifetime", Budget(1.0, 1e-7)),
        Cap(USER, "lifetime", RhoBudget(4.0, 1e-6)),
    )
    assert str(loaded.datasets["events"].caps[2]) == (
        "epsilon 1 at delta 1e-07 per lifetime for one user_id of one day"
    )


def test_the_policy_of_the_documentation_is_one(tmp_path):
    text = ledger_package.__doc__
    example = text[text.index("    datasets:") : text.index("A release that is not allowed")]
    assert len(load(tmp_path, textwrap.dedent(example)).datasets["keyboard_events"].caps) == 4


def test_the_digest_is_of_what_it_says_and_not_of_how_it_is_written(tmp_path):
    first = load(tmp_path, GOOD).digest
    assert load(tmp_path, GOOD.replace("epsilon: 3", "epsilon: 3.0") + "# more").digest == first
    assert load(tmp_path, GOOD.replace("epsilon: 3", "epsilon: 3.5")).digest != first


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "per: 28 days",
            "per: fortnight",
            "9:30: datasets.events.caps[1].per: is the text 'fortnight'; allowed: release, day, "
            "week, month, year, lifetime, or a number of days such as 28 days",
        ),
        ("per: 28 days", "per: 0 days", "9:30: datasets.events.caps[1].per: is the text '0 days'"),
        (
            "every: day",
            "evry: day",
            "10:25: datasets.events.caps[2].evry: unknown key; did you mean 'every'?",
        ),
        (
            "every: day",
            "every: year",
            "10:32: datasets.events.caps[2].every: is the text 'year'; allowed: day, week, month",
        ),
        (
            "rho: 4",
            "rho: 4, epsilon: 1",
            "11:9: datasets.events.caps[3]: has both or none of epsilon and rho; allowed: one",
        ),
        ("rho: 4, ", "", "11:9: datasets.events.caps[3]: has both or none of epsilon and rho"),
        ("rho: 4", "rho: -4", "11:30: datasets.events.caps[3].rho: is -4"),
        ("epsilon: 3", "epsilon: 0", "9:48: datasets.events.caps[1].epsilon: is 0"),
        ("delta: 1e-6", "delta: 1", "11:40: datasets.events.caps[3].delta: is 1"),
        (
            "unit: user_id, rho",
            "bounding: unit, rho",
            "11:9: datasets.events.caps[3]: columns are",
        ),
        (
            "min_pre_threshold: 10",
            "min_pre_threshold: 0",
            "6:24: datasets.events.min_pre_threshold: is the number 0; allowed: a whole number",
        ),
        (
            "    min_pre_threshold: 10",
            "    min_prethreshold: 10",
            "6:5: datasets.events.min_prethreshold: unknown key; did you mean 'min_pre_threshold'?",
        ),
        (
            "    columns: [user_id, country]\n",
            "",
            "4:5: datasets.events: the key 'columns' is missing",
        ),
        ("datasets:", "dataset:", "2:1: dataset: unknown key; did you mean 'datasets'?"),
    ],
)
def test_a_problem_is_named_at_its_place(tmp_path, old, new, expected):
    assert GOOD.count(old) == 1
    found = problems(tmp_path, GOOD.replace(old, new))
    assert len(found) == 1, found
    assert found[0].startswith(expected), found[0]


@pytest.mark.parametrize(
    ("cap", "is_fine"),
    [
        ("epsilon: 1", True),
        ("epsilon: 1, per: release", True),
        ("epsilon: 1, every: day", False),
        ("epsilon: 1, per: month", False),
        ("epsilon: 1, per: 28 days", False),
    ],
)
def test_caps_that_count_by_days_need_to_know_which_days(tmp_path, cap, is_fine):
    """Else a row is in two releases, of days of two columns, and counts in neither twice."""
    text = f"datasets: {{events: {{columns: [a], caps: [{{unit: a, {cap}}}]}}}}"
    if is_fine:
        load(tmp_path, text)
    else:
        (found,) = problems(tmp_path, text)
        assert "datasets.events.caps[0]: counts by days; allowed: with the key 'time'" in found


@pytest.mark.parametrize("scope", ["date(at)", "time_bucket(at, '1 week')"])
def test_a_time_scope_is_not_written_as_a_column(tmp_path, scope):
    """As one, it would be a unit that no release has, and so count nothing."""
    dataset = f'columns: [a, at], time: at, caps: [{{unit: [a, "{scope}"], epsilon: 1}}]'
    (found,) = problems(tmp_path, f"datasets: {{events: {{{dataset}}}}}")
    assert f"datasets.events.caps[0].unit: has {scope!r}" in found
    assert "allowed: the other columns, with every: day, week or month" in found


def test_a_dataset_without_caps_is_no_policy(tmp_path):
    text = "datasets: {events: {columns: [a], caps: []}}"
    assert problems(tmp_path, text) == [
        "1:41: datasets.events.caps: is an empty list; allowed: at least one item"
    ]


def test_what_is_not_allowed_is_said_at_once_and_all_of_it():
    strict = policy({"epsilon": 5}, min_pre_threshold=10).datasets["events"]
    unit = PrivacyUnit(("device",), adjacency="replace", bounding="unit_partition")
    asked = request(
        charged=charge(unit=unit), columns=("country", "text"), pre_thresholds=(20, 5, 0)
    )
    assert strict.objections(asked) == [
        "reads the column 'text'; allowed: user_id, country",
        "has the privacy unit 'device'; allowed: user_id",
        "has adjacency replace; allowed: add_remove",
        "has bounding unit_partition; allowed: unit",
        "has a pre_threshold of 0; allowed: 10 or more",
        "has a pre_threshold of 5; allowed: 10 or more",
    ]


def test_what_is_allowed_has_no_objections():
    lax = policy({"epsilon": 5}, min_pre_threshold=10, units=["user_id", "device"])
    unit = PrivacyUnit(("device", "user_id"))
    asked = request(charged=charge(unit=unit), pre_thresholds=(10, 20))
    assert lax.datasets["events"].objections(asked) == []
    assert days("2026-11-09") == asked.charge.window
