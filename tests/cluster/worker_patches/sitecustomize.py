"""Holds a worker at a gate, for tests that kill it there. Only their worker pools have this file.

The first call behind the gate says so in a file `reached-<MACHINE>`; all calls wait for `open`.
"""

import os
import time
from pathlib import Path

GATES = {
    "bounding": ("transforms.dofns", "BoundUnits"),
    "staging": ("pipelines.run.shards", "StageTable"),
}
SECONDS = 240


def hold(gate, folder, machine):
    from importlib import import_module

    module, name = GATES[gate]
    do_fn = getattr(import_module(module), name)
    process = do_fn.process

    def process_and_wait(self, element):
        yield from process(self, element)
        (folder / f"reached-{machine}").touch()
        deadline = time.monotonic() + SECONDS
        while not (folder / "open").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    do_fn.process = process_and_wait


if "TEST_GATE" in os.environ:
    hold(os.environ["TEST_GATE"], Path(os.environ["TEST_GATE_FOLDER"]), os.environ["TEST_MACHINE"])
