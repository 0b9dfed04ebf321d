"""What gates do to a run: let it pass, let it pass with a status, or stop it.

| gate | `stop` | `publish`, or `run --incomplete` |
|---|---|---|
| the period is not over (`unfinished`) | before the input is looked at | a status |
| earlier periods (`since`) | before the input is looked at | a status |
| days of the input | before a file is opened, and before the charge | a status |
| `files`, `bytes`, `retention`, no file at all | the same | stopped all the same |
| partitions | after the draw, which stays drawn and charged | a status |

A gate charges nothing, and a release that was charged before (a run was killed, or values are
drawn) stays as it is: the next run asks the gates again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipelines.gates.input_gates import input_gates
from pipelines.gates.outcome import Outcome
from pipelines.gates.partition_gates import expected_partitions, partition_gates
from pipelines.gates.period_gates import period_gates
from pipelines.gates.verdict import Verdict
from pipelines.ledger import Book
from pipelines.publication.completeness import Completeness
from pipelines.run.periods import ReleasePeriod
from pipelines.sources.inputs import InputFile
from pipelines.spec import LoadedRelease


@dataclass(frozen=True)
class ReleaseGates:
    """The gates of one release.

    Attributes:
        release: The release series.
        period: Period of the release.
        today: Today.
        incomplete: Whether what is missing is published with a status, whatever the config says.
    """

    release: LoadedRelease
    period: ReleasePeriod
    today: date
    incomplete: bool = False

    def before_input(self, book: Book) -> Completeness:
        """Holds the period against the calendar and the ledger.

        Raises:
            GateError: A gate stops the release.
        """
        return self._passed(period_gates(self.release, self.period, book, self.today))

    def of_files(self, files: Sequence[InputFile]) -> Completeness:
        """Holds the files of the input, none of which was opened, against what is expected.

        Args:
            files: The files that would be read.

        Raises:
            GateError: A gate stops the release.
        """
        return self._passed(input_gates(self.release, self.period, files, self.today))

    def check_lists(self, schema: Mapping[str, pl.DataType]) -> None:
        """Checks that lists of partitions fit the columns of the prepared rows.

        Raises:
            ConfigError: They do not.
        """
        expected_partitions(self.release, schema)

    def before_publication(self, tables: Mapping[str, pl.DataFrame]) -> Completeness:
        """Holds the tables as they would be published against what is expected.

        Raises:
            GateError: A gate stops the publication.
        """
        return self._passed(Outcome(partition_gates(self.release, tables)))

    def _passed(self, outcome: Outcome) -> Completeness:
        return Verdict(self.release, self.incomplete).passed(outcome)
