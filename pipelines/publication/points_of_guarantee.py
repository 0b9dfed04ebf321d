"""Points 1 to 6: what is protected, how well, and over how many releases."""

from __future__ import annotations

from pipelines.plan.price import price_method
from pipelines.publication.content import Content
from pipelines.publication.points import Point, budget_in_words, listed, said, time_scope


def unit(content: Content) -> Point:
    """Point 1."""
    guarantee = content.stated.guarantee
    privacy = content.stated.privacy
    adjacency = {
        "add_remove": "add or remove one",
        "replace": "replace one, the number of them being taken as known",
    }[privacy.adjacency]
    return Point(
        "Privacy unit, adjacency and time scope",
        f"Privacy unit: {guarantee.unit} ({privacy.bounding}). Neighbouring data sets: "
        f"{adjacency}. "
        f"Time scope: all rows with the same value, {time_scope(content)}. {guarantee.protects}",
        ("plan.guarantee", "publication.window"),
    )


def loss(content: Content) -> Point:
    """Point 2."""
    return Point(
        "Epsilon and delta per release, and cumulative",
        f"{_first_upper(budget_in_words(content))} for one privacy unit, all tables of the release "
        f"together. {_price(content)} The cumulative loss of all releases beside this one is in "
        "releases.json of the folder above.",
        ("plan.epsilon", "plan.rho", "plan.delta", "plan.price", "releases.json"),
    )


def user_level(content: Content) -> Point:
    """Point 3."""
    return Point(
        "Loss of a whole user where the unit is smaller",
        content.stated.guarantee.does_not_protect,
        ("plan.guarantee.does_not_protect",),
    )


def delta(content: Content) -> Point:
    """Point 4."""
    privacy = content.stated.privacy
    population = content.facts.about.get("population")
    if privacy.delta == 0:
        meaning = "Delta is 0: the bound on the loss holds without exception."
    else:
        selects = any(table.plan.selection is not None for table in content.stated.tables)
        shown = ", such as that private selection shows a partition that only one unit has"
        meaning = (
            f"Delta {privacy.delta:g} bounds by how much events of small probability may add to "
            f"the bound of epsilon{shown if selects else ''}."
        )
    if population is None:
        compared = "The population is not stated, so delta is not compared with it."
    else:
        relation = "below" if privacy.delta < 1 / population else "NOT below"
        bound = f"1 / {population:,} = {1 / population:.2g}"
        compared = f"Delta is {relation} 1 / population, which is {bound}."
    return Point(
        "Size and meaning of delta", f"{meaning} {compared}", ("plan.delta", "about.population")
    )


def variant(content: Content) -> Point:
    """Point 5."""
    privacy = content.stated.privacy
    if privacy.rho is not None:
        name = "zero-concentrated differential privacy (zCDP)"
        name = f"{name} but for failures of probability delta" if privacy.delta else name
    else:
        name = "approximate" if privacy.delta else "pure"
        name = f"{name} differential privacy"
    price = content.file.plan["price"]
    first = price["at_deltas"][0] if "at_deltas" in price else price
    return Point(
        "Variant, conversion and composition",
        f"Variant: {name}. Composition of all mechanisms of the release: "
        f"{price_method(first['method'])} (dp_accounting). Checked against closed formulas that "
        f"share no code with it: {listed(first['upper_bounds'])}.",
        ("plan.price.method", "plan.price.upper_bounds", "dp-release"),
    )


def releases(content: Content) -> Point:
    """Point 6."""
    facts = content.facts
    ledger = (
        f"The release was charged by entry {facts.ledger.entry} of a ledger of "
        f"{facts.ledger.entries} "
        "entries, before noise was drawn; what may be spent is capped there."
        if facts.ledger
        else "The release was charged to no ledger: nothing but the publisher limits how many "
        "releases there are."
    )
    return Point(
        "One release or many, and budget over time",
        f"{said(content, 'schedule', 'Schedule')} Dataset that is charged: "
        f"{content.file.plan['dataset']}. {ledger} Budget is never reset: what was spent stays "
        "spent.",
        ("about.schedule", "plan.dataset", "publication.ledger"),
    )


def _price(content: Content) -> str:
    price = content.file.plan["price"]
    if "at_deltas" not in price:
        paid = f"epsilon {price['epsilon']:.6g} at delta {price['delta']:g}"
        return f"The mechanisms together cost {paid}."
    converted = (
        f"epsilon {one['epsilon']:.4g} at delta {one['delta']:g}" for one in price["at_deltas"]
    )
    return (
        f"The mechanisms together cost rho {price['rho']:.6g}, that is {', or '.join(converted)}."
    )


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


POINTS = (unit, loss, user_level, delta, variant, releases)
