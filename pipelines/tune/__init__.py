"""Tuning: better bounds, clips and shares for a release, in one pass over its input.

`options` is what is asked for; `plan` works out what is tried, with its noise, and what that costs;
`measure` reads the rows; `recommend` finds the best; `patch` says it as YAML, `text` in words and
as JSON, `plot` as a chart; `tuning` is all of it in order.
"""
