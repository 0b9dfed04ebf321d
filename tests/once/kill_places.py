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
    texts = [str(part) for part in arguments if isinstance(part, str | os.PathLike)]
    if {of!r} and not any({of!r} in text for text in texts):
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
    """What a text or path that is given in the call has in it."""

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
