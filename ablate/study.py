"""The study file: its schema, and what it says of what it refuses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ablate.errors import BadInput
from ablate.sections import (
    PLACEBO,
    Change,
    Design,
    Fix,
    Goal,
    Outcome,
    Params,
    ParamValue,
    Resources,
    Stopping,
    Sweep,
    is_param,
)
from ablate.shown import ends, shown
from ablate.statements import LONGEST, Claim, MetricName, Name, Section, Symptom
from ablate.yamlfile import Refused, parse_yaml, read_yaml

#: Names that Windows keeps for devices, whatever stands behind a dot.
RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)


class Study(Section):
    """A study: the fixes proposed for a training, and how they are to be judged."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        max_length=100,
        description="names the MLflow experiment, Optuna study and folder",
    )
    target: str = Field(description="the training, as module:function")
    params: Params = Field(default_factory=dict, description="given to every run")
    fixes: dict[Name, Fix] = Field(min_length=1, description="what is proposed")
    design: Design = Field(default_factory=lambda: Design())
    sweeps: dict[Name, Sweep] = Field(default_factory=dict)
    outcome: Outcome
    secondary: list[Goal] = Field(default_factory=list, description="the same analysis, never the verdict")
    curves: list[MetricName] = Field(default_factory=list, description="step metrics that are drawn and sent to MLflow in full")
    claims: list[Claim] = Field(default_factory=list)
    symptoms: list[Symptom] = Field(default_factory=list, description="what a report saw without the fixes, to be looked for")
    contexts: dict[Name, Params] = Field(default_factory=dict, description="the whole design again, under other shared params")
    stopping: Stopping | None = Field(None, description="add seed blocks until every fix is decided")
    resources: Resources = Field(default_factory=lambda: Resources())

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if name.endswith("."):
            raise ValueError(f"must not end in a dot, but is {name!r}: some systems drop it from a folder's name")
        if RESERVED.fullmatch(name.partition(".")[0]):
            raise ValueError(f"must be a name that a folder can have, but is {name!r}, which Windows keeps for a device")
        if name.endswith("-quick"):
            raise ValueError(f"must not end in -quick, but is {name!r}: so the runs of --quick are kept")
        return name

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
        if not self.proposed:
            raise ValueError("fixes holds placebos alone; propose at least one fix")
        for name, sweep in self.sweeps.items():
            if name in self.fixes:
                raise ValueError(f"sweeps.{name}: a fix has this name; give the sweep another")
            if isinstance(sweep.fixes, list):
                _check_known(f"sweeps.{name}.fixes", sweep.fixes, self.proposed)
            _check_known(f"sweeps.{name}.toggle", sweep.toggle, self.proposed)
        for text in self.design.arms or ():
            self.arm(text, "design.arms")
        if self.contexts and "context" in {*self.fixes, *self.sweeps}:
            raise ValueError("contexts can't be told from the fix or sweep that is called context; give it another name")
        for name, params in self.contexts.items():
            _check_context(name, params, self.fixes)
        for claim in self.claims:
            self.arm(claim.arm, f"claims.{claim.name}.arm")
            if claim.against is not None:
                self.arm(claim.against, f"claims.{claim.name}.against")
        for symptom in self.symptoms:
            if symptom.fix is not None:
                _check_known(f"symptoms.{symptom.name}.fix", [symptom.fix], self.fixes)
        return self

    @property
    def proposed(self) -> dict[str, Fix]:
        """The fixes that are judged: all but placebos."""
        return {name: fix for name, fix in self.fixes.items() if not self.is_placebo(name)}

    def is_placebo(self, name: str) -> bool:
        """Whether a fix changes nothing by design: marked so, or called so."""
        return self.fixes[name].placebo or name == PLACEBO

    def arm(self, text: str, key: str = "arm") -> frozenset[str]:
        """The fixes that are on in the arm called `text` (`all_on`, `all_off`, or names joined by `+`)."""
        if text == "all_on":
            return frozenset(self.proposed)
        if text == "all_off":
            return frozenset()
        names = [part.strip() for part in text.split("+")]
        _check_known(key, names, self.proposed)
        return frozenset(names)


def _check_fix(name: str, fix: Fix) -> None:
    if "+" in name or "*" in name:
        raise ValueError(f"fixes.{name}: the name must not hold '+' or '*', which join fixes in names of arms and interactions")
    if name in ("all_on", "all_off"):
        raise ValueError(f"fixes.{name}: the name stands for an arm; give the fix another")
    if fix.on == fix.off or not fix.on:
        shown_on, shown_off = shown(dict(fix.on)), shown(dict(fix.off))
        raise ValueError(
            f"fixes.{name}.on must change at least one param that off sets, but on is {shown_on} and off is {shown_off}"
        )


def _check_context(name: str, params: Params, fixes: Mapping[str, Fix]) -> None:
    if not name.replace("-", "_").replace(".", "_").replace("_", "a").isalnum():
        raise ValueError(f"contexts.{name}: the name must be of letters, digits, '.', '_' and '-'")
    for param in params:
        owner = next((fix for fix, means in fixes.items() if param in means.off or param in means.on), None)
        if owner:
            raise ValueError(f"contexts.{name}.{param}: fixes.{owner} sets this param; a context changes params that no fix sets")


def _check_known(key: str, names: list[str], known: Mapping[str, Any]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{key}: {shown(name)} is not a fix of this study; use {suggest(name, known)}")


def suggest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """The nearest of the known names as a remedy, or all of them: `'seeds'` / `one of: kind, seeds`."""
    close = difflib.get_close_matches(name[:LONGEST], list(known), n=1, cutoff=0.6)
    return shown(close[0]) if close else ends("one of: " + ", ".join(sorted(known)), 200)


def parse_value(text: str) -> ParamValue:
    """A param's value as the study file would read it: `5` → int, `1e-3` → float, `on` → str."""
    try:
        value: ParamValue = parse_yaml(text)
    except Refused:
        return text
    unfit = isinstance(value, float | list)  # a number that is none: the schema says so, by the param's name
    return value if unfit or is_param(value) else text


def load_study(path: Path) -> Study:
    """Read and validate a study file.

    Raises:
        BadInput: with one line that names the key, its value and the remedy.
    """
    raw = _read(path)
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
    if seeds is not None:  # so many, whatever the looks say
        raw["design"]["seeds"], raw["stopping"] = seeds, None
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise BadInput(f"{' '.join(_one_line(error, raw).split())}") from None


def _read(path: Path) -> dict[str, Any]:
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise BadInput(f"{path}: must be a mapping with name, target, fixes and outcome, but is {type(raw).__name__}")
    return raw


def _one_line(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """The first complaint of a validation, as `key: value: remedy`."""
    complaints = error.errors()
    first = next(
        (each for each in complaints if each["type"] == "extra_forbidden"), complaints[0]
    )  # the misspelt, not the missing
    if first["type"].startswith("int"):  # of a number that may be whole or not, the second says what it can be
        first = [each for each in complaints if _in_file(each["loc"], raw) == _in_file(first["loc"], raw)][-1]
    kind, context = first["type"], first.get("ctx", {})
    location = first["loc"] if kind == "missing" else _in_file(first["loc"], raw)
    key = ".".join(ends(str(part)) for part in location)
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
    written = shown(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    remedy = first["msg"].replace("Input should", "it should").replace("String should", "it should")
    return f"{key}: {written} can't be used; {remedy}"


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
        "stopping": Stopping,
        "resources": Resources,
    }
    if len(location) == 3 and location[0] == "fixes" and location[2] == "changes":
        return list(Change.model_fields)
    model: type[BaseModel] = sections.get(str(location[0]), Study) if location else Study
    return list(model.model_fields)
