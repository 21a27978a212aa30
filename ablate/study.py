"""The study file: its schema, and the only place that reads YAML.

YAML 1.2 is read, where `on` and `off` are words and not booleans.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ablate.errors import BadInput
from ablate.statements import Claim, Section, Symptom


def _is_param(value: object, depth: int = 0) -> bool:
    if isinstance(value, list):  # a YAML list may hold itself, hence the depth
        return depth < 8 and all(_is_param(item, depth + 1) for item in value)
    return isinstance(value, bool | int | float | str | None)


def _check_param(value: Any) -> Any:
    if not _is_param(value):
        raise ValueError(f"must be a number, a word, true, false, null or a list of these, but is a {type(value).__name__}")
    return value


ParamValue = Annotated[bool | int | float | str | list[Any] | None, BeforeValidator(_check_param)]
Params = dict[str, ParamValue]

#: Keys of the design's contract that this version can't honour yet: refused by name rather than as a typing error.
NOT_YET = {"stopping": "every run that is planned is trained", "contexts": "run a study a context with --set and --out"}


class Fix(Section):
    """What a fix means, as params: the state it is proposed against (`off`) and the proposal (`on`)."""

    off: Params = Field(description="params while the fix is not applied")
    on: Params = Field(description="params once the fix is applied")


class Design(Section):
    """Which arms are trained, and over how many paired seeds."""

    kind: Literal["full_factorial"] = Field("full_factorial", description="every on/off combination of the fixes")
    seeds: int = Field(6, ge=2, le=1000, description="paired seeds a cell; at least 2, or there is no noise to judge by")


class Sweep(Section):
    """A numeric knob varied while the fixes are held."""

    param: str = Field(description="the param that is swept")
    values: list[int | FiniteFloat] = Field(min_length=2, description="the values it takes")
    fixes: Literal["all_on", "all_off"] | list[str] = Field("all_on", description="the fixes that are on meanwhile")
    seeds: int = Field(3, ge=2, le=1000, description="paired seeds a value")

    @field_validator("values")
    @classmethod
    def _distinct(cls, values: list[int | float]) -> list[int | float]:
        if len(set(values)) < len(values):
            raise ValueError(f"must not repeat a value, but is {values}")
        return values


class Goal(Section):
    """A final metric and the direction that is better."""

    metric: str
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


class Resources(Section):
    """What one training takes."""

    cpus: float = Field(1, gt=0)
    gpus: float = Field(0, ge=0)


class Study(Section):
    """A study: the fixes proposed for a training, and how they are to be judged."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="names the MLflow experiment, Optuna study and folder")
    target: str = Field(description="the training, as module:function")
    params: Params = Field(default_factory=dict, description="given to every run")
    fixes: dict[str, Fix] = Field(min_length=1, description="what is proposed")
    design: Design = Field(default_factory=lambda: Design())
    sweeps: dict[str, Sweep] = Field(default_factory=dict)
    outcome: Outcome
    secondary: list[Goal] = Field(default_factory=list, description="the same analysis, never the verdict")
    curves: list[str] = Field(default_factory=list, description="step metrics that are drawn and sent to MLflow in full")
    claims: list[Claim] = Field(default_factory=list)
    symptoms: list[Symptom] = Field(default_factory=list, description="what a report saw without the fixes, to be looked for")
    resources: Resources = Field(default_factory=lambda: Resources())

    @field_validator("secondary", mode="before")
    @classmethod
    def _metric_alone(cls, value: Any) -> Any:
        return [{"metric": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def _fixes_are_separate(self) -> Study:
        owner: dict[str, str] = {}
        for name, fix in self.fixes.items():
            _check_fix(name, fix)
            for param in {**fix.off, **fix.on}:
                if param in owner:
                    raise ValueError(f"fixes.{owner[param]} and fixes.{name} both set {param!r}; give each param to one fix")
                owner[param] = name
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Study:
        for name, sweep in self.sweeps.items():
            if name in self.fixes:
                raise ValueError(f"sweeps.{name}: a fix has this name; give the sweep another")
            if isinstance(sweep.fixes, list):
                _check_known(f"sweeps.{name}.fixes", sweep.fixes, self.fixes)
        for claim in self.claims:
            self.arm(claim.arm, f"claims.{claim.name}.arm")
            if claim.against is not None:
                self.arm(claim.against, f"claims.{claim.name}.against")
        for symptom in self.symptoms:
            if symptom.fix is not None:
                _check_known(f"symptoms.{symptom.name}.fix", [symptom.fix], self.fixes)
        return self

    def arm(self, text: str, key: str = "arm") -> frozenset[str]:
        """The fixes that are on in the arm called `text` (`all_on`, `all_off`, or names joined by `+`)."""
        if text == "all_on":
            return frozenset(self.fixes)
        if text == "all_off":
            return frozenset()
        names = [part.strip() for part in text.split("+")]
        _check_known(key, names, self.fixes)
        return frozenset(names)


def _check_fix(name: str, fix: Fix) -> None:
    if "+" in name or "*" in name:
        raise ValueError(f"fixes.{name}: the name must not hold '+' or '*', which join fixes in names of arms and interactions")
    if name in ("all_on", "all_off"):
        raise ValueError(f"fixes.{name}: the name stands for an arm; give the fix another")
    if fix.on == fix.off or not fix.on:
        raise ValueError(f"fixes.{name}.on must change at least one param that off sets, but on is {fix.on} and off is {fix.off}")


def _check_known(key: str, names: list[str], known: Mapping[str, Any]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{key}: {name!r} is not a fix of this study; use {suggest(name, known)}")


def suggest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """The nearest of the known names as a remedy, or all of them: `'seeds'` / `one of: kind, seeds`."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return repr(close[0]) if close else "one of: " + ", ".join(sorted(known))


def parse_value(text: str) -> ParamValue:
    """A param's value as the study file would read it: `5` → int, `1e-3` → float, `on` → str."""
    try:
        value: ParamValue = YAML(typ="safe", pure=True).load(text)
    except Exception:  # ruamel's constructors raise their own
        return text
    return value if _is_param(value) else text


def load_study(path: Path) -> Study:
    """Read and validate a study file.

    Raises:
        BadInput: with one line that names the key, its value and the remedy.
    """
    raw = _read(path)
    for key, reason in NOT_YET.items():
        if key in raw:
            raise BadInput(f"{path}: {key} is not supported yet; remove it ({reason})")
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise BadInput(f"{path}: {' '.join(_one_line(error, raw).split())}") from None


def override(study: Study, params: Mapping[str, ParamValue], seeds: int | None = None) -> Study:
    """A study with some shared params (`--set`) and its number of seeds (`--seeds`) replaced.

    Raises:
        BadInput: if a replacement can't be used, or would change nothing.
    """
    for param in params:
        for name, fix in study.fixes.items():
            if param in fix.off and param in fix.on:
                raise BadInput(f"--set {param}: fixes.{name} sets it both off and on, so it would change nothing; edit the fix")
    raw = study.model_dump()
    raw["params"] |= params
    raw["design"]["seeds"] = study.design.seeds if seeds is None else seeds
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise BadInput(f"{' '.join(_one_line(error, raw).split())}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; `python -m ablate init > {path}` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: can't be read ({error}); give a YAML text file") from None
    try:
        raw = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise BadInput(f"{path}: {_yaml_line(error)}") from None
    except Exception as error:  # ruamel's constructors raise their own, as ValueError for 2020-13-45
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise BadInput(f"{path}: not valid YAML ({why}); mend it") from None
    if not isinstance(raw, dict):
        raise BadInput(f"{path}: must be a mapping with name, target, fixes and outcome, but is {type(raw).__name__}")
    return raw


def _yaml_line(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not valid YAML ({problem}); mend that line"


def _one_line(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """The first complaint of a validation, as `key: value: remedy`."""
    first = error.errors()[0]
    kind, context = first["type"], first.get("ctx", {})
    location = first["loc"] if kind == "missing" else _in_file(first["loc"], raw)
    key = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        parent, name = first["loc"][:-1], str(first["loc"][-1])
        return f"{key}: unknown key; use {suggest(name, _keys_at(parent))}"
    if kind == "missing":
        return f"{key} is missing; add it"
    if kind == "value_error":
        text = str(context["error"])
        return f"{key} {text}" if key and text.startswith("must") else text
    value = first["input"]
    if kind == "too_short":
        return f"{key} holds {context['actual_length']}; give at least {context['min_length']}"
    shown = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    remedy = first["msg"].replace("Input should", "it should").replace("String should", "it should")
    return f"{key}: {shown} can't be used; {remedy}"


def _in_file(location: tuple[int | str, ...], raw: Any) -> tuple[int | str, ...]:
    """The part of a place that the file itself has: pydantic puts the tried branch of a union behind it."""
    for depth, part in enumerate(location):
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return location[:depth]
    return location


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the schema allows at a place in the file."""
    sections: dict[str, type[BaseModel]] = {
        "fixes": Fix,
        "design": Design,
        "sweeps": Sweep,
        "outcome": Outcome,
        "secondary": Goal,
        "claims": Claim,
        "symptoms": Symptom,
        "resources": Resources,
    }
    model: type[BaseModel] = sections.get(str(location[0]), Study) if location else Study
    return list(model.model_fields)
