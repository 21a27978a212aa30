"""What someone said of a training, as sections of the study file: claims (what an arm should show) and symptoms (what was seen).

A claim is confirmed or refuted; a symptom is reported, and then observed here or not.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, model_validator

from ablate.shown import shown

Comparison = Literal["<", "<=", ">", ">=", "=="]
Reduction = Literal["final", "first", "last", "min", "max", "mean", "growth"]
SymptomReduction = Literal["first", "last", "min", "max", "mean", "median", "count", "values"]
Steps = Annotated[list[int], Field(min_length=2, max_length=2)]

#: Reductions whose one number speaks of a typical step, so that a few typical values can be held against it.
TYPICAL = ("first", "last", "mean", "median")


#: Characters of a name at most: MLflow's keys take 250, and it puts a few of its own words around ours.
LONGEST = 120


def check_name(name: str) -> str:
    """A name that can be a column, a tag, a label and a part of an address: one line of visible characters."""
    if not name.strip() or name != name.strip():
        raise ValueError(f"must be a name with no blanks around it, but is {shown(name)}; give it one")
    if not name.isprintable():
        raise ValueError(f"must be of visible characters on one line, but is {shown(name)}; leave out what can't be seen")
    if len(name) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters, but {shown(name, 40)} has {len(name)}; shorten it")
    return name


def check_metric(name: str) -> str:
    """A metric's name; `step` is where the steps themselves are kept."""
    if name == "step":
        raise ValueError("must be another name than step, under which the steps themselves are kept; log it under another")
    return check_name(name)


Name = Annotated[str, AfterValidator(check_name)]
MetricName = Annotated[str, AfterValidator(check_metric)]


class Section(BaseModel):
    """A part of the study file: immutable. An unknown key in it is an error, and so is a value of another kind: true is no
    number, nor is one in quotes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Claim(Section):
    """A statement about what an arm should show, to be confirmed or refuted by its runs.

    Each seed's curve is reduced over `steps` to one number, less that of the arm `against` where one is named; the mean over
    seeds is compared with `value`, but `==` must hold of every seed.
    """

    name: Name
    arm: str = Field("all_on", description="all_on, all_off, or fixes joined by +")
    against: str | None = Field(None, description="another arm: the claim is then about arm less against, paired by seed")
    metric: MetricName
    reduction: Reduction = Field(
        "final",
        description="final: the final metric; else over the logged steps; growth: the mean over the last tenth of the steps "
        "less that over the first tenth",
    )
    steps: Steps | None = Field(None, description="[first, last], both included; all steps where absent")
    by: int | None = Field(
        None, ge=0, description="beside final: the step by which a run that still lacks the metric refutes the claim"
    )
    comparison: Comparison
    value: FiniteFloat

    @model_validator(mode="after")
    def _steps_fit(self) -> Claim:
        key = f"claims.{self.name}"
        _check_steps(key, self.steps)
        if self.steps and self.reduction == "final":
            raise ValueError(f"{key}.steps says nothing of a final metric; give a reduction, for example last")
        if self.by is not None and self.reduction != "final":
            raise ValueError(
                f"{key}.by is about a final metric, but reduction is {self.reduction}; use steps, or reduction: final"
            )
        if self.reduction == "growth" and (not self.steps or self.steps[0] == self.steps[1]):
            raise ValueError(f"{key}.steps is missing; growth is over at least two steps, for example steps: [0, 79]")
        return self

    @property
    def tenth(self) -> int:
        """How many steps a tenth of the claim's steps are, at least one."""
        assert self.steps is not None, "growth has steps"
        return max(1, (self.steps[1] - self.steps[0] + 1) // 10)

    @property
    def expected(self) -> str:
        """The claim as a person reads it: `max of logits_i2t/max, less that of all off > 0`."""
        what = self.metric if self.reduction == "final" else f"{self.reduction} of {self.metric}"
        when = _when(self.steps) if self.by is None else f" by step {self.by}"
        less = f", less that of {self.against.replace('_', ' ', self.against.startswith('all_'))}" if self.against else ""
        return f"{what}{when}{less} {self.comparison} {self.value:g}"


class Share(Section):
    """So many of so many: `{count: 34, of: 134}`."""

    count: int = Field(ge=0)
    of: int = Field(ge=1)


Reported = FiniteFloat | Annotated[list[FiniteFloat], Field(min_length=3)] | Share | dict[FiniteFloat, int]


def _check_reported(value: Any) -> Any:
    """Say in one line what may be reported: pydantic would complain of each branch of the union by itself."""
    if isinstance(value, Share | None) or _is_number(value):
        return value
    if isinstance(value, list) and len(value) >= 3 and all(map(_is_number, value)):
        return value
    if isinstance(value, dict) and _is_share(value):
        return value
    if isinstance(value, dict) and _is_table(value):
        return {float(key): count for key, count in value.items()}
    raise ValueError(
        "must be a number, a list of at least 3 numbers, {count: 34, of: 134} or a mapping of values to counts such as "
        f"{{4: 114, 5: 11}}, but is {shown(value)}"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: dict[Any, Any]) -> bool:
    return set(value) == {"count", "of"} and all(map(_is_count, value.values())) and 0 <= value["count"] <= value["of"] > 0


def _is_table(value: dict[Any, Any]) -> bool:
    """Values and how often each was seen; JSON writes the values as words."""
    try:
        keys = {float(key) for key in value if not isinstance(key, bool)}
    except (TypeError, ValueError, OverflowError):
        return False
    return (
        len(keys) == len(value) and all(map(_is_number, keys)) and all(map(_is_count, value.values())) and sum(value.values()) > 0
    )


class Symptom(Section):
    """Something that a report saw in a training, to be looked for in the runs without fixes.

    The metric's values at the steps are reduced; `comparison` and `value` say when that makes the symptom *present* (for `count`
    they say which steps are counted, and it is present when there is one); `reported` is what the report printed.
    """

    name: Name
    fix: str | None = Field(None, description="the fix whose defect this is a sign of")
    metric: MetricName = Field(description="a step metric")
    reduction: SymptomReduction = Field(
        "last", description="count: how many steps satisfy the comparison; values: how often each"
    )
    steps: Steps | None = Field(None, description="[first, last], both included; all steps where absent")
    where: dict[MetricName, FiniteFloat] = Field(
        default_factory=dict, description="only the steps at which these step metrics have these values"
    )
    comparison: Comparison | None = Field(None, description="with value: when the symptom is present")
    value: FiniteFloat | None = None
    reported: Annotated[Reported | None, BeforeValidator(_check_reported)] = Field(
        None,
        description="what the report printed: a number; at least 3 typical numbers; {count: 34, of: 134} for count; "
        "a mapping of values to counts for values",
    )
    digits: int = Field(4, ge=0, le=12, description="decimals to which a number is shown and compared")
    note: str = Field("", description="a few words shown beside it")
    set: bool = Field(
        False, description="the training was set up to show this figure, so agreement says only that it was set up rightly"
    )

    @model_validator(mode="after")
    def _fits(self) -> Symptom:
        key = f"symptoms.{self.name}"
        _check_steps(key, self.steps)
        if self.set and self.reported is None:
            raise ValueError(f"{key}.set is about a figure that was reported; give reported, or remove set")
        if (self.comparison is None) != (self.value is None):
            raise ValueError(f"{key}: comparison and value go together; give both or neither")
        if self.reduction == "count" and self.comparison is None:
            raise ValueError(f"{key}.comparison is missing; say which steps are counted, for example comparison: '>', value: 0")
        if self.reduction == "values" and self.comparison is not None:
            raise ValueError(f"{key}.comparison says nothing of a table of values; remove it, or count with reduction: count")
        self._check_kind(key)
        return self

    def _check_kind(self, key: str) -> None:
        """What is reported must be of the reduction's kind."""
        told = self.reported
        if told is None:
            return
        if self.reduction == "count" and not isinstance(told, Share):
            raise ValueError(f"{key}.reported must be {{count: …, of: …}} beside reduction: count, but is {shown(told)}")
        if self.reduction == "values" and not isinstance(told, dict):
            raise ValueError(f"{key}.reported must map values to counts beside reduction: values, but is {shown(told)}")
        if self.reduction not in ("count", "values") and isinstance(told, Share | dict):
            raise ValueError(
                f"{key}.reported must be one number or a list beside reduction: {self.reduction}; or use count or values"
            )
        if isinstance(told, list) and self.reduction not in TYPICAL:
            raise ValueError(f"{key}.reported is a list of typical values, which {self.reduction} is not; use reduction: median")

    @property
    def what(self) -> str:
        """What is looked at, as a person reads it: `median of logits_i2t/std over steps 0–99`."""
        if self.reduction == "count":
            text = f"steps with {self.metric} {self.sign}"
        else:
            text = f"{self.reduction} of {self.metric}" if self.reduction != "values" else f"values of {self.metric}"
        where = " and ".join(f"{name} = {value:g}" for name, value in self.where.items())
        return f"{text}{_when(self.steps)}" + (f" where {where}" if where else "")

    @property
    def sign(self) -> str:
        """When it is present: `< 4.6`; empty where the study doesn't say."""
        return "" if self.comparison is None else f"{self.comparison} {self.value:g}"


def _check_steps(key: str, steps: list[int] | None) -> None:
    if steps and steps[0] > steps[1]:
        raise ValueError(f"{key}.steps must be [first, last], but is {steps}")


def _when(steps: list[int] | None) -> str:
    if not steps:
        return ""
    return f" at step {steps[0]}" if steps[0] == steps[1] else f" over steps {steps[0]}–{steps[1]}"
