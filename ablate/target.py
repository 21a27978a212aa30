"""Targets: how a training is found, and what it may declare about itself.

A target is any function `train(params, run) -> final metrics`. One that wants its metrics checked before anything is
trained, its defaults resolved or its weights prepared once says so with `@declare(...)`; this module imports nothing heavy,
so a target's module should import its own heavy parts inside the function.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ablate.collecting import importing
from ablate.errors import AblateError, BadInput, EngineError
from ablate.shown import shown
from ablate.study import suggest

Train = Callable[..., Mapping[str, float] | None]
TrainT = TypeVar("TrainT", bound=Train)


@dataclass(frozen=True)
class Metric:
    """What a target says of one of its metrics.

    Attributes:
        text: what it measures, with its unit.
        step: logged as training goes on.
        final: among the final metrics (what the target returns).
        incomparable: why it can't be compared across arms; empty where it can.
        chance: the step metric that holds its chance level, if it has one.
        twin: the metric to look at where this one can't be compared.
        unit: as axes show it: `nats`, `share`; `1` for a plain number, empty where it is not known.
        event: what happens at the first step at which it is above 0 (`bank starts`): curves mark it.
        probe: the panel of the page of probes that it is drawn in, by what is seen there (`logits, least and greatest`);
            empty where it is no probe.
    """

    text: str
    step: bool = False
    final: bool = False
    incomparable: str = ""
    chance: str | None = None
    twin: str | None = None
    unit: str = ""
    event: str = ""
    probe: str = ""


@dataclass(frozen=True)
class Prefix:
    """What a run has in common with others of its seed.

    Attributes:
        family: two runs of one family and seed do exactly the same until the smaller of their points; empty for none.
        point: in steps of the target's own counting, from the start.
        steps: of the whole run.
    """

    family: str = ""
    point: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Declaration:
    """What a target declares. Where `metrics` is empty nothing is known beforehand, and all are taken as comparable.

    Attributes:
        metrics: by name.
        params: every param it takes, with its default; empty where any is accepted.
        resolve: params → the full, canonical params. Two runs that resolve alike are one run.
        check: whether what params name (a model, a data set) can be used: raises BadInput, and warns of what is left out.
            Called with resolved params before anything is trained or written.
        fingerprint: identifies the contents of what params name; empty where they name nothing. Runs of other contents are not
            taken for those of a plan.
        dataset: what a run with these params and this seed trains on, for MLflow: its `name`, and all that tells its contents
            apart. Where it is not declared, the param `data` names it, if there is one.
        prepare: what all its runs need, made once before the first (a pretrained start).
            Called as `prepare(params)` by every worker at once; it makes a thing once and lets the others wait.
        shares: resolved params → how far a run with them does the same as others. Only a target that goes on from where another
            run of `Run.family` came to declares it; what was shared it says by `Run.take_over`.
        seconds: about how long a run with these params takes on one core, for `plan` before any was timed; None where unknown.
        quick: the params of `--quick`.
        diagnose: the params of `diagnose`: enough of a training to see its symptoms.
        units: of numeric params, as axes show them.
        step: what a step of its curves is: `forward`, `epoch`.
        version: part of every cell's id: raise it when the same params start to mean another training.
    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    resolve: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    check: Callable[[Mapping[str, Any]], None] | None = None
    fingerprint: Callable[[Mapping[str, Any]], str] | None = None
    dataset: Callable[[Mapping[str, Any], int], Mapping[str, Any]] | None = None
    prepare: Callable[[Mapping[str, Any]], None] | None = None
    shares: Callable[[Mapping[str, Any]], Prefix] | None = None
    seconds: Callable[[Mapping[str, Any]], float | None] | None = None
    quick: Mapping[str, Any] = field(default_factory=dict)
    diagnose: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    step: str = "step"
    version: int = 1


def declare(**parts: Any) -> Callable[[TrainT], TrainT]:
    """Attach a `Declaration` to a training function."""

    def attach(train: TrainT) -> TrainT:
        train.declaration = Declaration(**parts)  # type: ignore[attr-defined]
        return train

    return attach


@dataclass(frozen=True)
class Target:
    """A training function, by its name, with what it declares."""

    name: str
    train: Train
    declaration: Declaration

    @property
    def described(self) -> str:
        """The function with the file that it was imported from: the one thing of a study file that is run."""
        module = sys.modules.get(self.name.partition(":")[0])
        return f"{self.name} ({getattr(module, '__file__', None) or 'built in'})"


@contextmanager
def target_errors(name: str, doing: str) -> Iterator[None]:
    """Whatever a target raises within is one line.

    Args:
        name: the target's.
        doing: what it was asked for: `preparing what its runs share`.

    Raises:
        EngineError: of that line.
    """
    try:
        yield
    except AblateError:
        raise
    except Exception as error:  # whatever the target raises
        why = str(error).strip().rpartition("\n")[2] or type(error).__name__
        raise EngineError(f"{name} failed while {doing} ({why}); mend it and run again") from error


def load_target(name: str) -> Target:
    """Import `module:function`; the current directory is searched too.

    Raises:
        BadInput: with the part of the name that can't be found.
    """
    module_name, colon, function = name.partition(":")
    if not (module_name and colon and function):
        raise BadInput(f"target: {shown(name)} must be module:function, for example ablate.targets.region_clip:train")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with importing() if module_name not in sys.modules else nullcontext():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise BadInput(
            f"target: {shown(name)} can't be imported (no module {shown(error.name)}); mend the name or install it"
        ) from None
    except (Exception, SystemExit) as error:  # whatever that module does; a script may end the process
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadInput(f"target: {shown(name)} fails on import ({why}); mend that module") from None
    train = getattr(module, function, None)
    if not callable(train):
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise BadInput(
            f"target: module {shown(module_name)} has no function {shown(function)}; use {suggest(function, functions)}"
        )
    declared = getattr(train, "declaration", None)
    return Target(name, train, declared if isinstance(declared, Declaration) else Declaration())
