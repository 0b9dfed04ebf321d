"""The base of all steps that see rows or draw: workers with other code do not take them."""

from __future__ import annotations

from typing import ClassVar

import apache_beam as beam

from transforms.code_version import check_code_version, code_version


class OnSameCode(beam.DoFn):
    """A step that works only with the code of the launcher, which makes it.

    Attributes:
        packages: Whose code that is.
    """

    packages: ClassVar[tuple[str, ...]] = ("transforms",)

    def __init__(self) -> None:
        self._code = code_version(self.packages)

    def setup(self) -> None:
        """Checks the code here.

        Raises:
            OtherCodeError: It is another one.
        """
        check_code_version(self._code, self.packages)
