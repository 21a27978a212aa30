"""The sections of the study file but for what someone said of the training (`statements`): fixes, design, sweeps, outcome."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat, field_validator, model_validator

from ablate.shown import shown
from ablate.statements import MetricName, Name, Section, Steps
from ablate.yamlfile import GREATEST, LEAST, NO_TEXT


def is_param(value: object, depth: int = 0) -> bool:
    """Whether a value can be given to a training: a number, a word, true, false, null or a list of these."""
    if isinstance(value, list):  # a YAML list may hold itself, hence the depth
        return depth < 8 and all(is_param(item, depth + 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return LEAST <= value <= GREATEST
    return value is None or (isinstance(value, str) and not NO_TEXT.search(value))


def _check_param(value: Any) -> Any:
    if is_param(value):
        return value
    kind = shown(value) if isinstance(value, int | float | str | list) else f"a {type(value).__name__}"
    raise ValueError(f"must be a finite number, a word, true, false, null or a list of these, but is {kind}")


ParamValue = Annotated[bool | int | float | str | list[Any] | None, BeforeValidator(_check_param)]
Params = dict[Name, ParamValue]

#: Designs that `design.kind` can name.
Kind = Literal["full_factorial", "fractional", "one_at_a_time", "custom"]
#: The name of a fix that is taken for a placebo without being marked as one.
PLACEBO = "placebo"


class Change(Section):
    """What a fix says that it changes: a probe that must differ between off and on, or the verdict is withheld."""

    metric: MetricName = Field(description="a step metric, or a final one")
    steps: Steps | None = Field(None, description="[first, last]: the step at which the probe first differs lies there")

    @model_validator(mode="after")
    def _steps_fit(self) -> Change:
        if self.steps and self.steps[0] > self.steps[1]:
            raise ValueError(f"must hold steps from a first to a last one, but steps is {self.steps}")
        return self


class Fix(Section):
    """What a fix means, as params: the state it is proposed against (`off`) and the proposal (`on`)."""

    off: Params = Field(description="params while the fix is not applied")
    on: Params = Field(description="params once the fix is applied")
    changes: Change | None = Field(None, description="a probe that the fix must move; where absent, anything that a run logs")
    placebo: bool = Field(False, description="changes nothing by design: one more arm, whose effect must be exactly 0")


class Design(Section):
    """Which arms are trained, and over how many paired seeds."""

    kind: Kind = Field(
        "full_factorial",
        description="full_factorial: every on/off combination; fractional: a part of them; one_at_a_time: each fix added to all "
        "off and left out of all on; custom: the arms named",
    )
    seeds: int = Field(6, ge=2, le=1000, description="paired seeds a cell; at least 2, or there is no noise to judge by")
    resolution: Literal[4, 5] | None = Field(
        None,
        description="of fractional: 4 keeps main effects clear of two-way interactions, 5 these of each other too; default 4",
        json_schema_extra={"anyOf": [{"enum": [4, 5, "IV", "V"]}, {"type": "null"}]},
    )
    arms: list[str] | None = Field(None, min_length=2, description="of custom: all_on, all_off, or fixes joined by +")

    @field_validator("resolution", mode="before")
    @classmethod
    def _roman(cls, value: Any) -> Any:
        return {"IV": 4, "V": 5}.get(value, value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _belong(self) -> Design:
        if self.resolution is not None and self.kind != "fractional":
            raise ValueError(f"design.resolution belongs to kind: fractional, but kind is {self.kind}; remove it")
        if self.arms is not None and self.kind != "custom":
            raise ValueError(f"design.arms belongs to kind: custom, but kind is {self.kind}; remove it")
        if self.arms is None and self.kind == "custom":
            raise ValueError("design.arms is missing; name the arms, for example [all_off, all_on]")
        return self


class Sweep(Section):
    """A numeric knob varied while the fixes are held: at `values`, or at `trials` values that an Optuna sampler picks."""

    param: Name = Field(description="the param that is swept")
    values: list[int | FiniteFloat] | None = Field(None, min_length=2, description="the values it takes")
    low: FiniteFloat | None = Field(None, description="in place of values: the least value,")
    high: FiniteFloat | None = Field(None, description="the greatest,")
    log: bool = Field(False, description="whether to search in the logarithm,")
    integer: bool = Field(False, description="whether only whole numbers make sense,")
    trials: int | None = Field(None, ge=2, le=1000, description="how many values are tried,")
    sampler: Literal["tpe", "gp", "random", "qmc"] | None = Field(
        None, description="and Optuna's sampler that picks them; default tpe"
    )
    fixes: Literal["all_on", "all_off"] | list[str] = Field("all_on", description="the fixes that are on meanwhile")
    toggle: list[str] = Field(default_factory=list, description="fixes that are turned the other way too, at each value")
    seeds: int = Field(3, ge=2, le=1000, description="paired seeds a value")

    @field_validator("values")
    @classmethod
    def _distinct(cls, values: list[int | float] | None) -> list[int | float] | None:
        if values and len(set(values)) < len(values):
            raise ValueError(f"must not repeat a value, but is {shown(values)}")
        return values

    @model_validator(mode="after")
    def _one_of_two(self) -> Sweep:
        given = {"low": self.low, "high": self.high, "trials": self.trials}
        if self.values is not None:
            searched = [key for key, value in {**given, "sampler": self.sampler}.items() if value is not None]
            searched += [key for key in ("log", "integer") if getattr(self, key)]
            if searched:
                raise ValueError(f"must give either values, or low, high and trials, but gives values and {searched[0]}")
            return self
        if lacking := [key for key, value in given.items() if value is None]:
            raise ValueError(f"must give either values, or low, high and trials, but {lacking[0]} is missing")
        assert self.low is not None and self.high is not None
        if self.low >= self.high or (self.log and self.low <= 0):
            above = "0 < low < high, as log is true," if self.log else "low < high,"
            raise ValueError(f"must have {above} but low is {self.low:g} and high is {self.high:g}")
        if self.integer:
            self._whole(self.low, self.high, self.trials or 0)
        return self

    @staticmethod
    def _whole(low: float, high: float, trials: int) -> None:
        if not (low.is_integer() and high.is_integer()):
            raise ValueError(f"must have whole low and high, as integer is true, but low is {low:g} and high is {high:g}")
        if trials > high - low + 1:
            raise ValueError(
                f"must not try more than the {high - low + 1:g} whole numbers from low to high, but trials is {trials}"
            )

    @field_validator("toggle")
    @classmethod
    def _once(cls, toggle: list[str]) -> list[str]:
        if len(set(toggle)) < len(toggle):
            raise ValueError(f"must not repeat a fix, but is {shown(toggle)}")
        return toggle


class Goal(Section):
    """A final metric and the direction that is better."""

    metric: MetricName
    goal: Literal["maximize", "minimize"] = Field("maximize", description="default maximize; minimize for seconds")

    @model_validator(mode="before")
    @classmethod
    def _less_time_is_better(cls, raw: Any) -> Any:
        return {"goal": "minimize", **raw} if isinstance(raw, dict) and raw.get("metric") == "seconds" else raw

    @property
    def sign(self) -> float:
        """+1 where more is better, -1 where less is: effects are multiplied by it."""
        return 1.0 if self.goal == "maximize" else -1.0


class Outcome(Goal):
    """The one metric that the verdict is about."""

    minimum_effect: FiniteFloat = Field(0.0, ge=0, description="in the metric's unit: smaller than this is not worth having")
    on_divergence: FiniteFloat | None = Field(
        None, description="the value of a run that diverged, in the metric's unit; without it such a study gets no verdict"
    )


class Stopping(Section):
    """Looks at the verdict as seeds are added, with the error rate spent over them."""

    looks: list[int] = Field(min_length=1, description="paired seeds at each look; the study ends where every fix is decided")
    alpha: float = Field(
        0.05, gt=0, le=0.05, description="error rate over all looks, at most 0.05: of helps and harms, and of negligible"
    )
    spending: Literal["obrien_fleming", "pocock"] = Field(
        "obrien_fleming", description="how it is spent (Lan and DeMets 1983): mostly on the last look, or evenly"
    )

    @field_validator("looks")
    @classmethod
    def _grow(cls, looks: list[int]) -> list[int]:
        if looks[0] < 2 or any(later <= sooner for sooner, later in pairwise(looks)):
            raise ValueError(f"must grow from at least 2, but is {shown(looks)}")
        if looks[-1] > 1000:
            raise ValueError(f"must end at 1000 paired seeds or fewer, but is {shown(looks)}")
        return looks


class Resources(Section):
    """What one training takes."""

    cpus: FiniteFloat = Field(1, gt=0)
    gpus: FiniteFloat = Field(0, ge=0)
    max_retries: int = Field(1, ge=0, le=100, description="further attempts at a training that raises or whose worker dies")
    progress_deadline: FiniteFloat = Field(
        3600, gt=0, description="seconds that a training may take without logging anything before it is ended as hanging"
    )
    share_prefixes: bool = Field(
        True, description="whether runs that do the same up to a point train it once; the results are the same bit for bit"
    )
