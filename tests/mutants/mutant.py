"""What a mutant is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One seeded bug.

    Attributes:
        name: What is wrong with it.
        file: The file, from the root of the repository.
        old: Text of the file to replace, there exactly once.
        new: What takes its place.
        tests: Node ids of tests of which one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        """The import name of the file."""
        return self.file.removesuffix(".py").replace("/", ".")

    def apply(self, source: str) -> str:
        """Returns the text of the file with the bug."""
        found = source.count(self.old)
        if found != 1:
            raise ValueError(
                f"mutant {self.name}: its text is {found} times in {self.file}, not once; "
                f"the code has moved on, and the mutant should follow:\n{self.old}"
            )
        return source.replace(self.old, self.new)
