"""Where a command is killed: before or after a function, in a process of its own."""

from dataclasses import dataclass

KILLED = """
import logging, os, signal
logging.basicConfig(level=logging.CRITICAL)  # as the command does before it imports Beam
import {module}
import {module} as owner
for step in {owner!r}.split(".") if {owner!r} else []:
    owner = getattr(owner, step)
original = getattr(owner, {name!r})
def killed(*arguments, **named):
    if not "".join(map(str, arguments[:1])).endswith({of!r}):
        return original(*arguments, **named)
    if {after}:
        original(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, {name!r}, killed)
from pipelines.cli import main
main()
"""


@dataclass(frozen=True)
class Place:
    """Where a run is killed."""

    module: str
    owner: str
    name: str
    after: bool = False
    of: str = ""
    """How the first argument of the call ends."""

    def __str__(self):
        calls = f" of {self.of}" if self.of else ""
        return (
            f"{'after' if self.after else 'before'} {self.owner or self.module}.{self.name}{calls}"
        )

    @property
    def program(self):
        return KILLED.format(**vars(self))


def both(module, owner, name):
    return [Place(module, owner, name, after) for after in (False, True)]
