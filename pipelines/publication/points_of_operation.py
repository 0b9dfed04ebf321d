"""Points 20 to 26: trust, side channels, security, provenance, and who answers questions."""

from __future__ import annotations

from pipelines.publication.content import NOT_STATED, Content
from pipelines.publication.points import Point, listed, said


def deployment(content: Content) -> Point:
    """Point 20."""
    return Point(
        "Deployment model, and who sees what",
        "Central model: whoever runs the pipeline holds the raw data and is trusted with them. "
        "Noisy "
        "values as drawn stay in a private staging folder. "
        f"{said(content, 'trust', 'Who sees what')} "
        f"{said(content, 'access', 'Access to the publication')}",
        ("dp-release", "about.trust", "about.access"),
    )


def side_channels(content: Content) -> Point:
    """Point 21."""
    gates = content.facts.completeness.gates
    by_files = [gate for gate in gates if gate in ("days", "files", "bytes")]
    decided = (
        " That there is a release, and which days it calls missing, was decided on names and sizes "
        f"of input files as well (gates: {listed(by_files)}), which may depend on rows."
        if by_files
        else ""
    )
    return Point(
        "Side channels",
        "Covered: messages, exit codes and names of files hold nothing of the rows, and dirty "
        "rows never "
        "fail a run. Not covered: run times, memory, the sizes of shuffles, and whoever can see "
        "workers, "
        f"the shuffle, counters, or the file of details that a failed run leaves.{decided}",
        ("dp-release", "publication.completeness"),
    )


def security(content: Content) -> Point:
    """Point 22."""
    return Point(
        "Security and retention",
        "Staging folders can be read by their owner only; the secret of keyed hashes is deleted "
        "when all values are drawn. "
        f"{said(content, 'retention', 'Retention of raw data and drafts, and access to them')}",
        ("dp-release", "about.retention"),
    )


def many_releases(content: Content) -> Point:
    """Point 23."""
    ledger = content.facts.ledger
    if ledger is None:
        one = (
            "This release was charged to no ledger, so what others spend on the same data is not "
            "known here"
        )
    else:
        held = (
            f"held to the policy sha256 {ledger.policy}" if ledger.policy else "held to no policy"
        )
        one = (
            f"A ledger charged this release, {held}. It charges all releases that name it, whoever "
            "runs them; that all releases of the dataset do is up to the publisher"
        )
    return Point(
        "Many releases and analysts",
        f"Dataset: {content.file.plan['dataset']}. {one}. Losses of releases of the same data add "
        "up, for "
        f"anybody who reads them together. {_looks(content)}",
        ("plan.dataset", "publication.ledger", "publication.looks"),
    )


def provenance(content: Content) -> Point:
    """Point 24."""
    facts = content.facts
    window = NOT_STATED if facts.window is None else f"{facts.window[0]} to {facts.window[1]}"
    entry = NOT_STATED if facts.ledger is None else f"{facts.ledger.entry}"
    public = listed(
        f"{name} sha256 {digest}" for name, digest in content.file.made_of["files"].items()
    )
    return Point(
        "Provenance",
        f"Plan {content.file.plan_hash}; config sha256 {content.file.made_of['config_sha256']}; "
        "public "
        f"files: {public}. Run: {facts.run or NOT_STATED}. Input window: {window}. Completeness: "
        f"{facts.completeness}. No digest of "
        "the input "
        f"is published, as it would depend on every row. Ledger entry: {entry}. Software: "
        f"{listed(f'{name} {version}' for name, version in facts.software.items())}.",
        (
            "plan_hash",
            "made_of",
            "publication.run",
            "publication.window",
            "publication.completeness",
            "publication.ledger",
            "publication.software",
        ),
    )


def changes(content: Content) -> Point:
    """Point 25."""
    facts = content.facts
    correction = f" It corrects an earlier one: {facts.reason}." if facts.reason else ""
    return Point(
        "Changes, corrections and withdrawals",
        f"This is version {facts.version} of {content.series}"
        f"{'' if facts.period is None else f' for {facts.period}'}.{correction} Earlier and later "
        "releases "
        "with their plans are listed in releases.json of the folder above.",
        ("publication.version", "publication.reason", "releases.json"),
    )


def administration(content: Content) -> Point:
    """Point 26."""
    about = content.facts.about
    names = ("contact", "curator", "sector", "region", "purpose", "license")
    stated = " ".join(said(content, name, name.capitalize()) for name in names)
    return Point(
        "Contact, purpose, date, licence and links",
        f"{stated} Published: {content.facts.published.date()}. Links: "
        f"{listed(about.get('links', []), NOT_STATED)}.",
        (*(f"about.{name}" for name in names), "publication.published", "about.links"),
    )


def _looks(content: Content) -> str:
    """Returns how often the same data were looked at, beside releases."""
    looks = content.facts.looks
    if not looks:
        return "Looks beside releases, to choose parameters: none that a ledger knows."
    charged = sum(look.is_accounted for look in looks)
    return (
        f"So do those of looks beside releases, to choose parameters (point 15): {charged} "
        f"charged, and {len(looks) - charged} UNACCOUNTED, whose loss nothing bounds."
    )


POINTS = (
    deployment,
    side_channels,
    security,
    many_releases,
    provenance,
    changes,
    administration,
)
