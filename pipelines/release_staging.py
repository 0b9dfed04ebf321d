"""The private staging of one release: its secret hash key, attempts to draw, and the frozen draw.

    <staging>/<period>/v<version>/
        hash-key-<entry>         secret of the reservation that has this entry of the ledger, until
                                 its values are drawn
        attempt-<number>/        one attempt to draw, numbered as in the ledger
            shards/              what the workers write
            launched/            what is known of a job that nobody waits for
            drawn/               all values of the attempt, frozen
            publication/         the files that are rendered from them, frozen

A folder of an attempt is made before the ledger is told of the attempt, and is there as long as the
ledger names it. So whoever holds the lock of the staging and finds the folder of the attempt under
way knows that this attempt was made here, by a run that is dead. Where the folder is missing, the
attempt is somebody else's. `drawn` and `publication` appear as a whole or not at all
(`pipelines.durable`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.durable import folder_digest, frozen_folder, private_folder, sync_entry
from pipelines.plan.file import PLAN_FILE, PlanFile, read_plan_file
from pipelines.publication.completeness import Completeness
from transforms.hashing import HashKey

_COMPLETENESS = "completeness.json"


class StagingError(Exception):
    """Values that should be in staging are not; the text says which."""


@dataclass(frozen=True)
class Launched:
    """What has to be known of a draw that nobody waits for, to freeze it without its input.

    Attributes:
        keys: Key columns of each table, with their types.
        completeness: What gates found about the input.
    """

    keys: Mapping[str, Mapping[str, pl.DataType]]
    completeness: Completeness


@dataclass(frozen=True)
class ReleaseStaging:
    """The staging of one release.

    Attributes:
        folder: Its folder.
    """

    folder: Path

    def hash_key(self, reservation: int) -> HashKey:
        """Returns the secret of a reservation, the same for all its attempts.

        Args:
            reservation: Number of its entry in the ledger.
        """
        file = self.folder / f"hash-key-{reservation}"
        if not file.exists():
            private_folder(self.folder)
            partial = self.folder / "hash-key.partial"
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(HashKey.draw().secret)
                opened.flush()
                os.fsync(descriptor)
            partial.rename(file)
            sync_entry(file)
        return HashKey(file.read_bytes())

    def forget_hash_key(self, reservation: int) -> None:
        """Deletes the secret of a reservation: its values are drawn, and there are no others."""
        (self.folder / f"hash-key-{reservation}").unlink(missing_ok=True)

    def has_attempt(self, attempt: int) -> bool:
        """Returns whether an attempt was made here."""
        return self._attempt(attempt).is_dir()

    def begin(self, attempt: int) -> Path:
        """Makes the folder of an attempt, without values, and returns that of its shards."""
        folder = self._attempt(attempt)
        private_folder(folder)
        self.empty(attempt)
        shards = folder / "shards"
        shards.mkdir(mode=0o700)
        return shards

    def empty(self, attempt: int) -> None:
        """Deletes all values of an attempt; its folder stays."""
        for path in self._attempt(attempt).glob("*"):
            shutil.rmtree(path)

    def remove(self, attempt: int) -> None:
        """Deletes the folder of an attempt that the ledger does not name any more."""
        shutil.rmtree(self._attempt(attempt), ignore_errors=True)

    def clear(self) -> None:
        """Deletes everything: the release is void or given up."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(
        self,
        attempt: int,
        drawn: Mapping[str, pl.DataFrame],
        planned: PlanFile,
        completeness: Completeness,
    ) -> None:
        """Keeps all values of an attempt, which do not change any more.

        Args:
            attempt: The attempt.
            drawn: Drawn values by table.
            planned: The plan that they were drawn for.
            completeness: What gates found about the input that they were drawn from.
        """
        with frozen_folder(self._attempt(attempt) / "drawn") as folder:
            for name, frame in drawn.items():
                frame.write_parquet(folder / f"{name}.parquet")
            (folder / PLAN_FILE).write_text(str(planned), encoding="utf-8")
            (folder / _COMPLETENESS).write_text(json.dumps(completeness.to_dict()))

    def shards(self, attempt: int) -> Path:
        """Returns the folder of what the workers of an attempt write."""
        return self._attempt(attempt) / "shards"

    def note_launch(self, attempt: int, launched: Launched) -> None:
        """Notes that workers draw an attempt which this process does not wait for."""
        with frozen_folder(self._attempt(attempt) / "launched") as folder:
            for name, types in launched.keys.items():
                pl.DataFrame(schema=types).write_parquet(folder / f"{name}.parquet")
            (folder / _COMPLETENESS).write_text(json.dumps(launched.completeness.to_dict()))

    def launched(self, attempt: int) -> Launched | None:
        """Returns what `note_launch` noted; None where it noted nothing."""
        folder = self._attempt(attempt) / "launched"
        if not folder.is_dir():
            return None
        keys = {file.stem: pl.read_parquet_schema(file) for file in folder.glob("*.parquet")}
        return Launched(
            keys, Completeness.from_dict(json.loads((folder / _COMPLETENESS).read_bytes()))
        )

    def drop_shards(self, attempt: int) -> None:
        """Deletes what the workers wrote."""
        shutil.rmtree(self._attempt(attempt) / "shards", ignore_errors=True)

    def drawn_digest(self, attempt: int) -> str | None:
        """Returns the digest of the frozen values of an attempt; None where there are none."""
        folder = self._attempt(attempt) / "drawn"
        return folder_digest(folder) if folder.is_dir() else None

    def drawn(
        self, attempt: int, digest: str, tables: Sequence[str]
    ) -> tuple[dict[str, pl.DataFrame], PlanFile, Completeness]:
        """Reads the frozen values of an attempt.

        Args:
            attempt: The attempt.
            digest: The digest that the ledger has.
            tables: Names of the tables.

        Returns:
            The values by table, the plan file that they were drawn for, and what gates found about
            the input.

        Raises:
            StagingError: They are not there, or are others.
        """
        folder = self._attempt(attempt) / "drawn"
        found = self.drawn_digest(attempt)
        if found is None:
            raise StagingError(f"the drawn values are not in {folder}")
        if found != digest:
            raise StagingError(f"the values in {folder} are not those that were drawn")
        frames = {name: pl.read_parquet(folder / f"{name}.parquet", glob=False) for name in tables}
        completeness = Completeness.from_dict(json.loads((folder / _COMPLETENESS).read_bytes()))
        return frames, read_plan_file(folder / PLAN_FILE), completeness

    def publication(self, attempt: int) -> Path:
        """Returns the folder of the rendered files of an attempt, which need not be there."""
        return self._attempt(attempt) / "publication"

    def _attempt(self, attempt: int) -> Path:
        return self.folder / f"attempt-{attempt}"
