"""The privacy unit of a config as the ledger knows it: columns, and perhaps a time scope.

The ledger adds up what is lost about *the same* unit, so two units may have one name only if they
are one. A column of the input goes by its name. A derived one goes by its expression, in which
derived columns are replaced by theirs: another config may give the same name to something else.

A part of the unit that is the day, week or month of the input's time column is its time scope: rows
of one user on two days are two units, of two days. It has to be `date(t)`, or `time_bucket(t, '1
week')`, of the very column `input.time`, without another time zone, since the days of the ledger
are those of that column. Anything else stays a column, for which the ledger knows no bound of what
is lost about the user: that is on the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.ledger import PrivacyUnit
from pipelines.ledger.units import Every
from pipelines.spec import ReleaseSpec

_SCOPES: Mapping[tuple[str, ...], Every] = {
    ("date",): "day",
    ("time_bucket", "1 day"): "day",
    ("time_bucket", "1 week"): "week",
    ("time_bucket", "1 month"): "month",
}


def ledger_unit(spec: ReleaseSpec) -> PrivacyUnit:
    """Returns the privacy unit of a release series for the ledger."""
    columns = []
    every: Every | None = None
    for part in spec.privacy.unit:
        scope = _scope(spec, part)
        if scope is not None and every is None:
            every = scope
        else:
            columns.append(identity(spec, part))
    if not columns and spec.privacy.bounding != "row":
        # Nothing but time: the unit is all that happened on a day.
        columns, every = [identity(spec, part) for part in spec.privacy.unit], None
    privacy = spec.privacy
    keys = _keys(spec) if privacy.bounding == "unit_partition" else ()
    return PrivacyUnit(
        tuple(sorted(set(columns))), every, privacy.adjacency, privacy.bounding, keys
    )


def identity(spec: ReleaseSpec, column: str) -> str:
    """Returns what a column is: its name in the input, or how it is derived from such.

    Args:
        spec: The config.
        column: A column of the prepared rows.
    """
    if column not in spec.derived_columns:
        return column
    text = spec.derived_columns[column]
    named = [other for other in _columns_in(text) if other in spec.derived_columns]
    wheres = sorted({f"{other} = {identity(spec, other)}" for other in named if other != column})
    return " where ".join([text.strip(), *wheres])


def _keys(spec: ReleaseSpec) -> tuple[str, ...]:
    tables = [placed.spec for placed in spec.placed_tables()]
    return tuple(sorted({identity(spec, key) for table in tables for key in table.key_columns}))


def _scope(spec: ReleaseSpec, part: str) -> Every | None:
    if part not in spec.derived_columns or spec.input.time is None:
        return None
    from transforms.prepare.parse import parse
    from transforms.prepare.tree import Call, Column, Literal

    tree = parse(spec.derived_columns[part])
    match tree:
        case Call(arguments=(Column(name=name), *rest)) if name == spec.input.time:
            constants = [one.value for one in rest if isinstance(one, Literal)]
            if len(constants) < len(rest):
                return None
            return _SCOPES.get((tree.function, *map(str, constants)))
        case _:
            return None


def _columns_in(text: str) -> list[str]:
    from transforms.prepare.parse import parse
    from transforms.prepare.tree import columns

    return list(dict.fromkeys(column.name for column in columns(parse(text))))
