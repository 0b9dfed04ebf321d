"""A plan as one HTML page, with its charts inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined

from pipelines.numbers import short_number
from pipelines.plan.guarantee import GuaranteeText
from pipelines.plan.price import price_in_words
from pipelines.plan.release_plan import ReleasePlan

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plan of {{ spec.release }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p { max-width: 46rem; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; flex: 1 1 20rem; max-width: 27rem; }
svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid #ddd; }
td + td { text-align: right; }
th + th { text-align: right; }
</style>
</head>
<body>
<h1>{{ spec.title }}</h1>
<p>{{ spec.release }}: {{ spec.privacy.stated_as }} {{ "%g" % spec.privacy.stated }},
delta {{ "%g" % spec.privacy.delta }} per release; {{ price }}.</p>
<p>Protects: {{ guarantee.protects }}</p>
<p>Does not protect: {{ guarantee.does_not_protect }}</p>
{% for table in tables %}
<h2>{{ table.name }}, by {{ table.keys | join(", ") }}</h2>
{% if table.metrics %}
<div class="wide"><table>
<thead><tr><th scope="col">metric</th><th scope="col">noise</th>
<th scope="col">standard deviation</th><th scope="col">95 % interval</th></tr></thead>
<tbody>
{% for metric in table.metrics %}{% for noise in metric.noises %}
<tr><td>{{ metric.name }}{{ noise.component.suffix }}</td><td>{{ noise.mechanism.noise }}</td>
<td>{{ noise.std | short }}</td><td>&plusmn;{{ noise.half_width_95 | short }}</td></tr>
{% endfor %}{% endfor %}
</tbody>
</table></div>
{% endif %}
<div class="charts">
{% for figure in figures[table.name] %}
<figure aria-label="{{ figure.label }}">{{ figure.svg | safe }}</figure>
{% endfor %}
</div>
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True)
class Figure:
    """A chart of the page.

    Attributes:
        svg: The chart.
        label: What it shows, for those who cannot see it.
    """

    svg: str
    label: str


def plan_page(plan: ReleasePlan, figures: Mapping[str, Sequence[Figure]]) -> str:
    """Returns a page that needs no other file and no network.

    Args:
        plan: The release.
        figures: The charts of each table, which are set as they are.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["short"] = short_number
    return environment.from_string(_PAGE).render(
        spec=plan.spec,
        tables=plan.tables,
        price=price_in_words(plan.cost),
        guarantee=GuaranteeText.of(plan.spec),
        figures=figures,
    )
