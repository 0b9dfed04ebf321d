"""What can be said from published tables alone: no mechanism, no private value, no cost.

`changes` compares two releases against their noise, `places` and `times` find keys that are places
or times and turn them into coordinates. All take published frames, whose keys are text.
"""
