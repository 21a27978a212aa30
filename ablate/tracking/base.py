"""What a tracker does. One thread calls it (`mirror`); each call may take long, or raise whatever its kind of store raises."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ablate.design import PlannedRun
from ablate.publication import ArmLines, Publication
from ablate.records import Record
from ablate.series import Series

#: MLflow's own default, relative to the current directory.
DEFAULT_URI = "sqlite:///mlflow.db"


@dataclass(frozen=True)
class Shown:
    """What became of a run: the id it has there, and how many points of metrics were sent."""

    key: str
    points: int


class Tracker(Protocol):
    """Where runs are mirrored.

    Attributes:
        where: its address, without passwords.
        local: whether it lies on this machine, so that it can be opened at once.
        heard: is called whenever the store has taken something.
    """

    where: str
    local: bool
    heard: Callable[[], None]

    def open(self) -> None:
        """Find the study there, or make it. May be called again, after anything failed.

        Raises:
            BadInput: if the store can never be opened as it is.
        """

    def reconcile(self, records: Mapping[str, Record], spared: Collection[str] = ()) -> None:
        """Take away what these records, all that the study's folder has, don't say; of damaged runs (`spared`) nothing."""

    def begin(self, kept: Mapping[str, Path]) -> None:
        """Be told that trainings are under way.

        Args:
            kept: what the study keeps beside its runs (`kept.beside`), by its path in the study's folder.
        """

    def shows(self, record: Record) -> str | None:
        """The id under which the run is there in full, as it is recorded, or None."""

    def mirror(self, run: PlannedRun, record: Record, series: Series, artifacts: Iterable[Path], stored: Path | None) -> Shown:
        """Show a run that ended, in place of an earlier attempt at it. Half of it may be there: no point is there twice then.

        Args:
            series: what it logged.
            artifacts: its files.
            stored: the file of its curves, where it logged any.
        """

    def show_arms(self, arms: Sequence[ArmLines]) -> None:
        """Show the study's arms, in place of those that it showed before."""

    def publish(self, publication: Publication) -> None:
        """Show the verdict and the report with the study, and its arms beside it; the study has ended."""

    def end(self, status: str) -> None:
        """Say how the study stopped (FINISHED, KILLED, FAILED), where there is no verdict to show."""

    def refused(self, error: BaseException) -> bool:
        """Whether what was sent is to blame for an error, so that sending it again is of no use."""

    def reason(self, error: BaseException) -> str:
        """What went wrong, in a few words."""
