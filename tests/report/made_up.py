"""Published folders without a run: a real plan, and made-up numbers."""

import json

import polars as pl

from pipelines.plan import plan_release
from pipelines.plan.file import plan_file
from pipelines.spec import load_release

CONFIG = """
release: r
title: Events & <others>
input: {files: in.csv, types: {hour: int}}
privacy: {unit: user, epsilon: 1, delta: 1e-6}
tables:
  by_place:
    keys: [country, emoji]
    bounds: {max_partitions_contributed: 4}
    selection: gaussian
    metrics: {uses: count, users: privacy_unit_count, speed: {mean: s, clip: [0, 10]}}
    noise: gaussian
    other: true
  hours: {public: {hour: [0, 1, 2, 3]}, metrics: {users: privacy_unit_count}, noise: laplace}
  areas:
    keys: [area]
    metrics: {uses: count}
    publish: {clamp_at_zero: uses}
  in_use: {keys: [word], selection: laplace}
output: {folder: out}
"""

CELLS = ["872a14820ffffff", "872a32640ffffff", "872a3274bffffff"]

NASTY = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202eevil\u2066",
    "a\x00b\x1b[31mc\n\td\x7f\x85",
    "👨‍👩‍👧‍👦" * 60,
    "x" * 5_000,
    "\ufffe\uffff\u2028",
    "e" + "\u0301" * 300,
    "{{ 7 * 7 }}{% raw %}${datum.value}",
    "",
    " ",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "]]></svg></style><!--",
    "http://example.org/url(x)",
]


def with_errors(name, values, std=10.0):
    """Returns the columns of a released number."""
    numbers = pl.Series(name, values)
    return [
        numbers,
        pl.Series(f"{name}_std", [None if value is None else std for value in values]),
        (numbers - 2 * std).alias(f"{name}_low"),
        (numbers + 2 * std).alias(f"{name}_high"),
    ]


def tables(scale=1.0, emoji=("😀", "❤️", "👍")):
    """Returns published tables of the config."""
    countries = [f"c{place}" for place in range(len(emoji))]
    uses = [round(scale * (1000 - place)) for place in range(len(emoji))]
    by_place = pl.DataFrame(
        [
            pl.Series("country", [*countries, None]),
            pl.Series("emoji", [*emoji, None]),
            *with_errors("uses", [*uses, 7]),
            *with_errors("users", [*(value // 2 for value in uses), None], 5.0),
            *with_errors("speed", [*(4.0 for _ in uses), None], 0.5),
        ]
    )
    hours = pl.DataFrame([pl.Series("hour", [0, 1, 2, 3]), *with_errors("users", [5, -3, 40, 90])])
    areas = pl.DataFrame([pl.Series("area", CELLS), *with_errors("uses", [10, 200, 30])])
    in_use = pl.DataFrame({"word": ["a", "b"]})
    return {"by_place": by_place, "hours": hours, "areas": areas, "in_use": in_use}


def publish(folder, frames, config=CONFIG, formats=("parquet", "csv"), package=None):
    """Writes a published folder."""
    folder.mkdir(parents=True)
    file = folder.parent / ".config.yaml"
    file.write_text(config, encoding="utf-8")
    release = load_release(file)
    planned = plan_file(release, plan_release(release))
    (folder / "plan.json").write_text(str(planned), encoding="utf-8")
    for name, frame in frames.items():
        if "parquet" in formats:
            frame.write_parquet(folder / f"{name}.parquet")
        if "csv" in formats:
            frame.write_csv(folder / f"{name}.csv")
    if package is not None:
        (folder / "datapackage.json").write_text(json.dumps(package), encoding="utf-8")
    return folder
