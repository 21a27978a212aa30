"""What a tracker does, and the one that does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ablate.design import PlannedRun
from ablate.publication import Publication
from ablate.records import Record

if TYPE_CHECKING:
    import pandas as pd

#: MLflow's own default, relative to the current directory.
DEFAULT_URI = "sqlite:///mlflow.db"


class Tracker(Protocol):
    """Where runs are mirrored."""

    def begin(self, kept: Mapping[str, Path]) -> None:
        """Be told that trainings are about to start.

        Args:
            kept: what the study keeps beside its runs (`kept.beside`), by its path in the study's folder.
        """

    def shows(self, run_id: str, state: str, trial: int | None = None) -> str | None:
        """The id under which the run is there in full, in this state and with this trial's number, or None."""

    def mirror(
        self,
        run: PlannedRun,
        record: Record,
        curves: pd.DataFrame,
        artifacts: Iterable[Path],
        stored: Path | None = None,
    ) -> str | None:
        """Show a run that ended, in place of an earlier attempt at it; returns the id it has there.

        Args:
            curves: what it logged.
            artifacts: its files.
            stored: the file of its curves, where it logged any.
        """

    def close(self, publication: Publication) -> None:
        """Show the verdict and the report with the study, and its arms beside it."""

    def forget(self) -> None:
        """Take away all runs of the study (`--fresh`)."""


class NullTracker:
    """Mirrors nothing (`--tracking-uri none`)."""

    def begin(self, kept: Mapping[str, Path]) -> None:
        pass

    def shows(self, run_id: str, state: str, trial: int | None = None) -> str | None:
        return None

    def mirror(
        self,
        run: PlannedRun,
        record: Record,
        curves: pd.DataFrame,
        artifacts: Iterable[Path],
        stored: Path | None = None,
    ) -> str | None:
        return None

    def close(self, publication: Publication) -> None:
        pass

    def forget(self) -> None:
        pass
