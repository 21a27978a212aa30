"""What a `run` was asked for: its plan and folder, where it trains, and the command lines that say the same again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.cli.options import Device, EngineName, command_line, device_for, engine_for, sync_command, taken_on

if TYPE_CHECKING:
    from ablate.design import Plan
    from ablate.engines.ahead import Ahead
    from ablate.records import Records


@dataclass(frozen=True)
class Asked:
    """A `run` as it was typed.

    Attributes:
        study: the study file.
        same: the options that say which runs are meant, and where: the same for every command on the study.
        plan, records: what follows from these.
        uri: MLflow's, from the option or the environment.
        fresh, continue_: what becomes of runs that are there.
        profile: whether it is noted where each run's time goes.
    """

    study: Path
    same: dict[str, Any]
    plan: Plan
    records: Records
    engine: EngineName
    workers: int | None
    device: Device
    ray_address: str | None
    storage: str | None
    tracking_uri: str | None
    uri: str
    fresh: bool
    continue_: bool
    profile: bool

    @cached_property
    def on(self) -> str:
        """The device."""
        return device_for(self.device, self.plan.study.resources)

    @property
    def again(self) -> str:
        """The command line that trains the same."""
        engine = self.engine if self.engine is not EngineName.ray else None
        where = {"engine": engine, "workers": self.workers, "ray_address": self.ray_address}
        device = self.device if self.device is not Device.auto else None
        stores = {"device": device, "storage": self.storage, "tracking_uri": self.tracking_uri}
        return command_line("run", self.study, **self.same, **where, **stores, profile=self.profile)

    @property
    def sync(self) -> str:
        """The command line that delivers to MLflow later."""
        return sync_command(self.study, self.tracking_uri, **self.same)

    def ahead(self, most: int) -> Ahead:
        """The engine, for so many runs at most; not started yet."""
        from ablate.engines.ahead import Ahead

        resources = taken_on(self.on, self.plan.study.resources)
        return Ahead(engine_for(self.engine, self.workers, self.ray_address, resources, most))

    def sitting(self, workers: int) -> AbstractContextManager[None]:
        """A note of what trains meanwhile, and of the commands that do the same again."""
        from ablate.sittings import sitting

        report = command_line("report", self.study, **self.same)
        return sitting(self.records, self.study, self.again, report, self.engine.value, workers, self.on)
