"""The base of steps of this package: workers with other code do not take them."""

from __future__ import annotations

from transforms import same_code


class OnSameCode(same_code.OnSameCode):
    """A step that works only with the code of the launcher, of `transforms` and of this package."""

    packages = ("transforms", "pipelines")
