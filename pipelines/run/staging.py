"""The private staging of one release: its secret hash key, attempts to draw, and the frozen draw.

    <staging>/<period>/v<version>/
        hash-key-<entry>         secret of the reservation that has this entry of the ledger, until
                                 its values are drawn
        attempt-<number>/        one attempt to draw, numbered as in the ledger
            shards/              what the workers write, and the shuffle of a large local run
            launched/            what is known of a job that nobody waits for, until it is given up
            drawn/               all values of the attempt, frozen
            publication/         the files that are rendered from them, frozen
            ended                note of a run that it will not freeze this attempt any more

`drawn` and `publication` appear as a whole or not at all (`pipelines.storage`).

Here (a folder of this machine): the folder of an attempt is made before the ledger is told of the
attempt, and is there as long as the ledger names it. So whoever holds the lock of the staging and
finds the folder of the attempt under way knows that this attempt was made here, by a run that is
dead, unless it left the draw to a job and noted that in `launched`. Where the folder is missing,
the attempt is somebody else's.

In a bucket, runs on several machines share the staging, nothing keeps them apart, and nobody can
tell a dead run from a slow one. Still one draw comes out, for these reasons:

1. Only the run whose entry `drawing n` the ledger took draws attempt n, and writes below
   `attempt-n/`: appending is compare-and-set, and a lost race raises. A voided release has no
   `drawing` entry, so the number is not used twice either.
2. A run never deletes or changes anything of an attempt that the ledger still names. What an
   attempt wrote is deleted after `drawing n + 1` is in the ledger, and from then on `drawn` is
   refused to attempt n. So no run freezes an attempt of which a part was deleted, and has it
   accepted: if it froze before, the ledger refuses it now, alive or not. `shards` alone are deleted
   before, once they are frozen: whoever reads them meanwhile misses files of the list and gives up.
3. All values that are published come from the frozen set whose digest is in the `drawn` entry, of
   which the ledger takes one.

So a takeover is safe at any moment: it costs the work of the run that is replaced, never a second
draw that is seen. When one is meant is another question, and no clock can answer it; a run takes
over from attempt n where that attempt has the note `ended` (it failed, was interrupted, or is that
of a job that drew twice), or where the caller names n, who has seen that its run or job is dead. An
attempt whose values are frozen is not replaced: any run may tell the ledger of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.plan.file import PLAN_FILE, PlanFile, read_plan_file
from pipelines.publication.completeness import Completeness
from pipelines.publication.release_files import release_digest
from pipelines.storage.errors import ChangedError, GoneError, StorageError
from pipelines.storage.storage import Storage, Where
from transforms.hashing import HashKey

_COMPLETENESS = "completeness.json"


class StagingError(StorageError):
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
        storage: Where the staging of the series is.
        release: Period and version of the release in it.
    """

    storage: Storage
    release: str

    @property
    def folder(self) -> Where:
        """Where the staging of the release is, for messages."""
        return self.storage.where(self.release)

    def hash_key(self, reservation: int) -> HashKey:
        """Returns the secret of a reservation, the same for all its attempts.

        Args:
            reservation: Number of its entry in the ledger.
        """
        name = f"{self.release}/hash-key-{reservation}"
        return HashKey(self.storage.create(name, HashKey.draw().secret))

    def forget_hash_key(self, reservation: int) -> None:
        """Deletes the secret of a reservation: its values are drawn, and there are no others."""
        self.storage.remove(f"{self.release}/hash-key-{reservation}")

    def is_over(self, attempt: int) -> bool:
        """Returns whether it is known here that nobody will freeze an attempt any more."""
        if self.storage.is_shared:
            return self.storage.has(self._of(attempt, "ended"))
        return self.storage.has(self._of(attempt)) and not self.is_launched(attempt)

    def end(self, attempt: int) -> None:
        """Notes that the run that drew an attempt gives it up."""
        if self.storage.is_shared or self.is_launched(attempt):
            self.storage.create(self._of(attempt, "ended"), b"")

    def begin(self, attempt: int) -> None:
        """Makes the folder of an attempt here, without values, before the ledger is told."""
        if not self.storage.is_shared:
            self.storage.make(self._of(attempt))
            self.empty(attempt)

    def shards(self, attempt: int) -> Where:
        """Makes the folder that the workers of an attempt write to."""
        self.storage.make(self._of(attempt, "shards"))
        return self.storage.where(self._of(attempt, "shards"))

    def forget(self, attempt: int) -> None:
        """Deletes what `begin` made for an attempt that the ledger did not take.

        Where staging is shared, that is nothing: what is there is of the run that was faster.
        """
        if not self.storage.is_shared:
            self.remove(attempt)

    def empty(self, attempt: int) -> None:
        """Deletes all values of an attempt that the ledger still names; its folder stays.

        Not where staging is shared: whoever wrote them may be alive, and freeze what is left.
        """
        if not self.storage.is_shared:
            for name in ("shards", "drawn", "drawn.partial", "publication", "publication.partial"):
                self.storage.remove(self._of(attempt, name))

    def remove(self, attempt: int) -> None:
        """Deletes everything of an attempt that the ledger does not name any more."""
        if attempt:
            self.storage.remove(self._of(attempt))

    def clear(self) -> None:
        """Deletes everything: the release is given up, and there is no other of this version."""
        self.storage.remove(self.release)

    def void(self, reservation: int) -> None:
        """Deletes what there is of a reservation that was voided.

        It has no attempt. Where staging is shared, only its secret is deleted: the release may be
        reserved again by now, and what is beside the secret be an attempt of that.

        Args:
            reservation: Number of its entry in the ledger.
        """
        if self.storage.is_shared:
            self.storage.remove(f"{self.release}/hash-key-{reservation}")
        else:
            self.clear()

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
        with self.storage.freezing(self._of(attempt, "drawn")) as folder:
            for name, frame in drawn.items():
                frame.write_parquet(folder / f"{name}.parquet")
            (folder / PLAN_FILE).write_text(str(planned), encoding="utf-8")
            (folder / _COMPLETENESS).write_text(json.dumps(completeness.to_dict()))

    def note_launch(self, attempt: int, launched: Launched) -> None:
        """Notes that workers draw an attempt which this process does not wait for."""
        with self.storage.freezing(self._of(attempt, "launched")) as folder:
            for name, types in launched.keys.items():
                pl.DataFrame(schema=types).write_parquet(folder / f"{name}.parquet")
            (folder / _COMPLETENESS).write_text(json.dumps(launched.completeness.to_dict()))

    def is_launched(self, attempt: int) -> bool:
        """Returns whether an attempt is left to workers, as `note_launch` noted."""
        is_given_up = self.storage.has(self._of(attempt, "ended"))
        return not is_given_up and bool(self.storage.frozen(self._of(attempt, "launched")))

    def launched(self, attempt: int) -> Launched | None:
        """Returns what `note_launch` noted; None where no attempt is left to workers."""
        if not self.is_launched(attempt):
            return None
        name = self._of(attempt, "launched")
        with self.storage.thawed(name, self.storage.frozen(name)[0]) as folder:
            keys = {file.stem: pl.read_parquet_schema(file) for file in folder.glob("*.parquet")}
            passed = json.loads((folder / _COMPLETENESS).read_bytes())
            return Launched(keys, Completeness.from_dict(passed))

    def drop_shards(self, attempt: int) -> None:
        """Deletes what the workers wrote."""
        self.storage.remove(self._of(attempt, "shards"))

    def drawn_digest(self, attempt: int) -> str | None:
        """Returns the digest of the frozen values of an attempt; None where there are none.

        Raises:
            StagingError: There are two, which no run makes.
        """
        found = self.storage.frozen(self._of(attempt, "drawn"))
        if len(found) > 1:
            raise StagingError(f"{self.folder} has {len(found)} draws of attempt {attempt}")
        return found[0] if found else None

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
        name = self._of(attempt, "drawn")
        allowed = "allowed: a copy of them, or dp-release abandon where they are not published"
        try:
            with self.storage.thawed(name, digest) as folder:
                frames = {
                    table: pl.read_parquet(folder / f"{table}.parquet", glob=False)
                    for table in tables
                }
                passed = Completeness.from_dict(json.loads((folder / _COMPLETENESS).read_bytes()))
                return frames, read_plan_file(folder / PLAN_FILE), passed
        except GoneError:
            raise StagingError(
                f"the drawn values are not in {self.storage.where(name)}; {allowed}"
            ) from None
        except ChangedError:
            raise StagingError(
                f"the values in {self.storage.where(name)} are not those that were drawn; {allowed}"
            ) from None

    def rendering(self, attempt: int) -> AbstractContextManager[Path]:
        """Yields a folder here for the files that are rendered from an attempt, to be frozen."""
        return self.storage.freezing(self._of(attempt, "publication"))

    @contextmanager
    def publication(self, attempt: int, digest: str) -> Iterator[Path]:
        """Yields a folder here with the rendered files of an attempt.

        Args:
            attempt: The attempt.
            digest: The digest that the ledger has, which is that of `release_digest`.

        Raises:
            StagingError: They are not there, or are others.
        """
        name = self._of(attempt, "publication")
        for frozen in self.storage.frozen(name):
            with self.storage.thawed(name, frozen) as folder:
                if release_digest(folder) == digest:
                    yield folder
                    return
        raise StagingError(f"in {self.storage.where(name)}")

    def _of(self, attempt: int, name: str = "") -> str:
        folder = f"{self.release}/attempt-{attempt}"
        return f"{folder}/{name}" if name else folder
