"""Where a command is killed: before or after a function, in a process of its own.

A kill ends a process as it is, so that all that it leaves is what is on the disk (or in the bucket)
at that time, without its locks. A run here that is copied at a place shows the same, and one run
passes many places; a process takes seconds. Some kills are real in each test file.
"""

import importlib
import os
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

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

    def is_meant(self, arguments):
        """Whether it is a call with these arguments."""
        texts = [str(part) for part in arguments if isinstance(part, str | os.PathLike)]
        return not self.of or any(self.of in text for text in texts)

    def owners(self):
        """What has the function by its name: its class, or all modules that call it."""
        owner = importlib.import_module(self.module)
        for step in filter(None, self.owner.split(".")):
            owner = getattr(owner, step)
        found = getattr(owner, self.name)
        modules = [module for name, module in sys.modules.items() if name.startswith(OURS)]
        return [owner, *(m for m in modules if m is not owner and has(m, self.name, found))]


OURS = ("pipelines.", "transforms.")


def has(module, name, value):
    return vars(module).get(name) is value


@contextmanager
def copied_at(places, copy):
    """Calls `copy(place)` where what runs here comes to a place for the first time."""
    left, at_work = set(places), threading.local()

    def wrap(place, original):
        def copied(*arguments, **named):
            if place not in left or hasattr(at_work, "here") or not place.is_meant(arguments):
                return original(*arguments, **named)
            returned = original(*arguments, **named) if place.after else None
            if place in left:  # What it calls may be the same function.
                left.remove(place)
                at_work.here = True
                copy(place)
                del at_work.here
            return returned if place.after else original(*arguments, **named)

        return copied

    patches = []
    try:
        for place in places:
            owners = place.owners()
            wrapped = wrap(place, getattr(owners[0], place.name))
            for owner in owners:
                patches.append(patch.object(owner, place.name, wrapped))
                patches[-1].start()
        yield
    finally:
        for one in reversed(patches):
            one.stop()
    assert not left, f"nothing came to {', '.join(map(str, left))}"


def both(module, owner, name):
    return [Place(module, owner, name, after) for after in (False, True)]
