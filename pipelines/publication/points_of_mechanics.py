"""Points 7 to 16: bounds, sensitivities, keys, mechanisms, and what is done before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.plan.price import loss_in_words, noise_in_words
from pipelines.publication.content import Content
from pipelines.publication.points import Point, listed, said
from pipelines.publication.stated import StatedTable
from transforms.mechanisms import AdditiveMechanism, Mechanism

_LIBRARIES = ("python-dp", "pipeline-dp", "dp-accounting")


def bounds(content: Content) -> Point:
    """Point 7."""
    return Point(
        "Contribution bounds",
        f"{_of_tables(content, _bounds)} They are enforced by the pipeline on every row that "
        "counts, "
        "by a function of one unit's own rows, and come from the config: they are never computed "
        "from the input.",
        ("plan.tables.*.bounds", "dp-release"),
    )


def sensitivity(content: Content) -> Point:
    """Point 8."""
    return Point(
        "Derivation of sensitivities",
        f"{_of_tables(content, _sensitivities)} Of l0 numbers each changes by at most linf; the "
        "size "
        "is the change of all of them in the norm that the noise is scaled to. All follow from the "
        "bounds, the clips and the adjacency, and dp-release verify derives them again.",
        ("plan.tables.*.metrics.*.noise.*.sensitivity", "plan.tables.*.bounds"),
    )


def keys(content: Content) -> Point:
    """Point 9."""
    return Point(
        "Keys: public or privately selected",
        _of_tables(content, _keys),
        ("plan.tables.*.selection", "plan.tables.*.public_sha256", "plan.tables.*.mechanisms"),
    )


def mechanisms(content: Content) -> Point:
    """Point 10."""
    made_of = content.file.made_of["versions"]
    libraries = listed(f"{name} {made_of[name]}" for name in _LIBRARIES if name in made_of)
    return Point(
        "Mechanisms with scales, granularities and versions",
        f"{_of_tables(content, _mechanisms)} Libraries: {libraries}.",
        ("plan.tables.*.mechanisms", "plan.tables.*.metrics.*.noise", "made_of.versions"),
    )


def floating_point(content: Content) -> Point:  # noqa: ARG001
    """Point 11."""
    return Point(
        "Floating point, overflow and special values",
        "Values are rounded to a declared granularity and added up as 64-bit integers; the plan "
        "proves that no sum can overflow. Noise is drawn as whole numbers on a fixed grid "
        "(discrete, "
        "by Google's library). Null, NaN, infinite and malformed values have one documented rule "
        "each, applied row by row before bounding.",
        ("dp-release",),
    )


def randomness(content: Content) -> Point:  # noqa: ARG001
    """Point 12."""
    return Point(
        "Random numbers",
        "Noise and selections come from the secure generator of Google's differential privacy "
        "library "
        "(PyDP). It cannot be seeded, and processes that were forked are refused. Keyed hashes "
        "that "
        "bound contributions use a secret of the run, drawn by the operating system.",
        ("dp-release",),
    )


def unprotected(content: Content) -> Point:
    """Point 13."""
    public = [table.plan.name for table in content.stated.tables if table.plan.selection is None]
    replaced = content.stated.privacy.adjacency == "replace"
    counted = " The number of privacy units is taken as known." if replaced else ""
    return Point(
        "Unprotected quantities",
        "By the pipeline: no number of rows, units or partitions of the input is published "
        "without "
        f"noise. Not secret: this plan, the schema, the public key lists (tables with one: "
        f"{listed(public)}), the schedule, and that there is a publication.{counted} "
        f"{said(content, 'unprotected', 'By the publisher')}",
        ("dp-release", "plan.guarantee", "plan.tables.*.public_sha256", "about.unprotected"),
    )


def preprocessing(content: Content) -> Point:
    """Point 14."""
    plan = content.file.plan
    columns = listed(f"{name} = {text}" for name, text in plan["columns"].items())
    files = listed(f"{name} (sha256 {digest})" for name, digest in plan["files"].items())
    return Point(
        "Pre-processing inside the sensitivity argument",
        f"Rows that count: {plan['where'] or 'all'}. Restriction at the source: "
        f"{plan['row_restriction'] or 'none'}. Derived columns: {columns}. Looked-up public files: "
        f"{files}. All of it looks at one row at a time, before bounding, so it changes no "
        "sensitivity.",
        ("plan.where", "plan.row_restriction", "plan.columns", "plan.files"),
    )


def tuning(content: Content) -> Point:
    """Point 15."""
    facts = content.facts
    told = said(
        content, "tuning", "On what data parameters were chosen, and whether that was paid for"
    )
    looks = (
        "no looks at these data beside releases"
        if not facts.looks
        else "; ".join(map(str, facts.looks))
    )
    has = f"The ledger has {looks}" if facts.ledger else "No ledger was asked about looks"
    return Point("Tuning", f"{told} {has}.", ("about.tuning", "publication.looks"))


def postprocessing(content: Content) -> Point:
    """Point 16."""
    return Point(
        "Post-processing and its bias",
        f"{_of_tables(content, _steps)} All of it is computed from noisy values and public files "
        "only "
        "and costs nothing. Intervals are those of the values before noise.",
        ("plan.tables.*.post_processing",),
    )


def _of_tables(content: Content, of_table: Any) -> str:
    return " ".join(f"{table.plan.name}: {of_table(table)}." for table in content.stated.tables)


def _bounds(table: StatedTable) -> str:
    return listed(
        (f"{name} {value}" for name, value in table.values["bounds"].items()),
        "none, as only less than a unit is protected",
    )


def _sensitivities(table: StatedTable) -> str:
    return listed(_of_noises(table), "no metrics")


def _of_noises(table: StatedTable) -> Iterator[str]:
    for prefix, part in (("", "metrics"), ("other:", "other")):
        for metric in table.values.get(part, {}).values():
            for name, noise in metric["noise"].items():
                moved = noise["sensitivity"]
                yield (
                    f"{prefix}{name} ({metric['metric']}) l0 {moved['l0']}, linf "
                    f"{moved['linf']:g}, "
                    f"{moved['norm']} size {moved['size']:.6g}"
                )


def _keys(table: StatedTable) -> str:
    if table.plan.selection is None:
        return (
            f"by {listed(table.plan.keys)}, {table.partitions:,} public partitions, sha256 "
            f"{table.values['public_sha256']}, all of which are released before post-processing"
        )
    selection = table.plan.selection
    stated = table.values["selection"]
    threshold = stated["threshold"]
    at = f", threshold {threshold:.6g} units" if threshold is not None else ""
    least = f", never below {selection.pre_threshold} units" if selection.pre_threshold else ""
    return (
        f"by {listed(table.plan.keys)}, partitions selected by {stated['strategy']} "
        f"({loss_in_words(selection)}){at}{least}"
    )


def _mechanisms(table: StatedTable) -> str:
    steps = {
        name: noise["granularity"]
        for metric in table.values["metrics"].values()
        for name, noise in metric["noise"].items()
    }
    return listed(
        _mechanism(name, mechanism, steps.get(name.removeprefix("other:")))
        for name, mechanism in table.plan.mechanisms.items()
    )


def _mechanism(name: str, mechanism: Mechanism, step: str | None) -> str:
    if isinstance(mechanism, AdditiveMechanism):
        return (
            f"{name} {mechanism.noise} noise of scale {mechanism.scale:.6g} granules of {step} "
            f"({loss_in_words(mechanism)})"
        )
    noise = noise_in_words(mechanism)
    std = f" with noise of standard deviation {noise} units" if noise else ""
    return f"{name} {mechanism.strategy}{std} ({loss_in_words(mechanism)})"


def _steps(table: StatedTable) -> str:
    return "; ".join(step["effect"] for step in table.values["post_processing"]) or "none"


POINTS = (
    bounds,
    sensitivity,
    keys,
    mechanisms,
    floating_point,
    randomness,
    unprotected,
    preprocessing,
    tuning,
    postprocessing,
)
