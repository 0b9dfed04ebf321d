"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was checked.
        state: Whether it is as it should be; `skipped` where that cannot be known.
        text: What there is.
        mend: How to mend it; empty where there is nothing to mend.
    """

    check: str
    state: State
    text: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{self.state:<8}{self.check:<14}{self.text}"
        return f"{line}; mend: {self.mend}" if self.mend else line

    def to_dict(self) -> dict[str, str]:
        """Returns the finding as JSON values."""
        return {"check": self.check, "state": self.state, "text": self.text, "mend": self.mend}


def ok(check: str, text: str) -> Finding:
    """Returns a finding of what is as it should be."""
    return Finding(check, "ok", text)


def failed(check: str, text: str, mend: str) -> Finding:
    """Returns a finding of what has to be mended."""
    return Finding(check, "failed", text, mend)


def skipped(check: str, text: str) -> Finding:
    """Returns a finding of what cannot be known from here."""
    return Finding(check, "skipped", text)


def first_line(error: BaseException) -> str:
    """Returns the first line of an error, or its name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
