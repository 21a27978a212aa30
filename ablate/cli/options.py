"""What several commands take, and how their words become a plan, a device and an engine."""

from __future__ import annotations

import shlex
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.errors import BadInput
from ablate.secrets import word_without_secrets
from ablate.shown import shown

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.design import Plan
    from ablate.engines.base import Engine
    from ablate.records import Records
    from ablate.sections import Resources


class EngineName(StrEnum):
    """Where trainings run."""

    ray = "ray"
    inline = "inline"


class Device(StrEnum):
    """What they run on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Paper(StrEnum):
    """Paper of the PDF."""

    a4 = "a4"
    letter = "letter"


StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")]
Out = Annotated[Path | None, typer.Option(help="Where results go; default reports/<name>.")]
Seeds = Annotated[int | None, typer.Option(help="Paired seeds a cell, in place of design.seeds and stopping.")]
Quick = Annotated[bool, typer.Option("--quick", help="A small budget, marked as such everywhere.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A shared param; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: cuda where the study asks for GPUs, else cpu.")]
Workers = Annotated[int | None, typer.Option(min=1, max=10_000, help="Trainings at a time; default one a core.")]
TrackingUri = Annotated[str | None, typer.Option("--tracking-uri", metavar="URI", help="MLflow's; default mlflow.db here.")]
Storage = Annotated[str | None, typer.Option(metavar="URL", envvar="ABLATE_STORAGE", help="Optuna's; default OUT/optuna.db.")]
RunTrackingUri = Annotated[
    str | None, typer.Option("--tracking-uri", metavar="URI", help="MLflow's; default mlflow.db here; or none.")
]
EngineOption = Annotated[EngineName, typer.Option(help="ray: one worker a core, or a cluster; inline: this process.")]
RayAddress = Annotated[str | None, typer.Option(metavar="ADDR", help="A running ray cluster.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what was trained before.")]
Continue = Annotated[bool, typer.Option("--continue", help="Keep runs that were trained before the target's source changed.")]
ProfileOption = Annotated[bool, typer.Option("--profile", help="Note where each run's time goes, for the report's appendix.")]
PaperOption = Annotated[Paper, typer.Option("--paper", help="Paper of the PDF.")]


def planned(study: Path, seeds: int | None, quick: bool, settings: list[str] | None) -> Plan:
    from ablate.design import make_plan
    from ablate.study import load_study
    from ablate.target import load_target

    loaded = load_study(study)
    return make_plan(loaded, load_target(loaded.target), quick, parsed_settings(settings or []), seeds)


def parsed_settings(settings: list[str]) -> dict[str, Any]:
    from ablate.study import parse_value

    parsed = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise BadInput(f"--set: {shown(text)} must be KEY=VALUE, for example --set lr=0.001")
        parsed[key] = parse_value(value)
    return parsed


def device_for(asked: Device, resources: Resources) -> str:
    return "cuda" if asked is Device.cuda or (asked is Device.auto and resources.gpus) else "cpu"


def taken_on(device: str, resources: Resources) -> Resources:
    """What a training takes there: where a study that asks for GPUs is trained on a CPU, none of them."""
    return resources if device == "cuda" else resources.model_copy(update={"gpus": 0})


def check_place(device: Device, resources: Resources, engine: EngineName = EngineName.inline, address: str | None = None) -> None:
    """See, before anything is written, that what trainings are to run on is there.

    Raises:
        BadInput: where no cluster answers, or torch sees no CUDA device on this machine.
    """
    if address and engine is EngineName.ray:
        from ablate.engines.session import check_address

        check_address(address)
    elif device_for(device, resources) == "cuda" and not _sees_cuda():
        key = "--device: 'cuda'" if device is Device.cuda else f"resources.gpus: {resources.gpus:g}"
        raise BadInput(f"{key}, but torch sees no CUDA device on this machine; give --device cpu, or mend its driver or torch")


def _sees_cuda() -> bool:
    """Whether torch sees a device; also where a target uses no torch. In a process of its own: the driver does without torch."""
    code = "import torch, sys; sys.exit(not torch.cuda.is_available())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return ran.returncode == 0 or "No module named 'torch'" in ran.stderr


def engine_for(name: EngineName, workers: int | None, address: str | None, resources: Resources, runs: int) -> Engine:
    from ablate.engines.base import Limits

    limits = Limits(resources.max_retries, resources.progress_deadline)
    if name is EngineName.inline:
        from ablate.engines.inline import InlineEngine

        return InlineEngine(limits)
    from ablate.engines.ray import RayEngine

    return RayEngine(workers, resources.cpus, resources.gpus, address, at_most=runs, limits=limits)


def command_line(command: str, study: Path, **options: Any) -> str:
    """A command line that a shell takes, without passwords: options that are None, False or empty are left out."""
    words = ["python", "-m", "ablate", command, str(study)]
    for name, value in options.items():
        flag = "--" + name.strip("_").replace("_", "-")
        if value is True:
            words.append(flag)
        elif value is not None and value is not False:
            words += [word for each in (value if isinstance(value, list) else [value]) for word in (flag, str(each))]
    return shlex.join(map(word_without_secrets, words))


def sync_command(study: Path, uri: str | None, **options: Any) -> str:
    """The command line that delivers later. An address with a password is left for the environment: shown, it can't be typed."""
    if uri and word_without_secrets(uri) != uri:
        return f"MLFLOW_TRACKING_URI=… {command_line('sync', study, **options)}"
    return command_line("sync", study, **options, tracking_uri=uri)


def write_all(found: Assessment, records: Records, paper: Paper = Paper.a4) -> Path:
    from ablate.report import write_report
    from ablate.written import write_results

    write_results(found, records.out)
    return write_report(found, records, records.out, paper.value)
