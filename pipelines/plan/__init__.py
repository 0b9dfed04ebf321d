"""The plan of a release: what it costs and how good it will be, worked out before any row is read.

`release_plan` makes it of a config. `json_values` says it as JSON, of which `hash` is made and
`file` a file that a run is held to; `text`, `plot` and `page` show it to people, with `price`
and `guarantee` in words and the errors of `expected_errors` and `curves`; `changes` compares two;
`report` is all that `dp-release plan` says.
"""

from pipelines.plan.release_plan import ReleasePlan, plan_release

__all__ = ["ReleasePlan", "plan_release"]
