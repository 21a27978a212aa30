"""Study files: from the schema by hypothesis, and from the real ones by changes to their structure and to their bytes."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ablate.yamlfile import parse_yaml
from benchmarks.fuzzing.tokens import YAML, Raw, damaged, mutated, written

ROOT = Path(__file__).parents[2]
#: Real files, all of whose targets are harmless to import.
REAL = [*sorted((ROOT / "studies").glob("*.yaml")), ROOT / "ablate" / "init.yaml"]
#: The only modules that a generated file names, and names of none: a study file imports its target.
TARGETS = ["ablate.targets.planted:train", "ablate.targets.region_clip:train", "ablate.targets.planted:settling", "math:sqrt"]
TARGETS += [
    "ablate.targets.planted:missing",
    "no.such.module:train",
    "nonsense",
    ":",
    "a:",
    ":b",
    "..x:y",
    "a b:c",
    "",
    "é:漢",
    "math:pi",
]
_TARGET = re.compile(rb"target *: *[^\s#]*")

odd = st.sampled_from(YAML).map(Raw)
wild_words = ["a@b", "a_b", "a/b", "..", "", " a", "x" * 130, "a'b`", "step", "placebo", "context", "A", "a+b", "all_on", "<b>$#"]
wild_numbers = st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False)


def mostly(usual: st.SearchStrategy[Any], wild: st.SearchStrategy[Any] = odd) -> st.SearchStrategy[Any]:
    """What belongs there, and about one time in fifty something else."""
    return st.integers(0, 49).flatmap(lambda which: usual if which < 48 else wild if which == 48 else odd)


def one_of(*usual: Any) -> st.SearchStrategy[Any]:
    return mostly(st.sampled_from(usual), st.sampled_from(wild_words))


def number(*usual: Any) -> st.SearchStrategy[Any]:
    return mostly(st.sampled_from(usual), wild_numbers)


def some(needed: dict[str, st.SearchStrategy[Any]] | None = None, /, **keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A mapping with the keys that are needed and some of the others."""
    return mostly(st.fixed_dictionaries(needed or {}, optional=keys))


metric = one_of("score", "progress", "seconds")
final, step = one_of("score", "score", "seconds"), one_of("progress", "score")
steps = mostly(st.sampled_from([[0, 3], [2, 2], [1, 9]]), st.lists(st.integers(-1, 9), max_size=3))
value = number(0, 1, 2, 0.5, 0.05, -1)
params = mostly(st.dictionaries(one_of("noise", "rate", "steps", "shift", "evals"), number(1, 2, 3), max_size=2))
extra = mostly(st.dictionaries(one_of("noise", "evals", "shift"), number(1, 2, 3), max_size=1))
change = some({"metric": metric}, steps=steps)
harms = some({"off": st.just({"harms": 0}), "on": st.just({"harms": 1})}, changes=change)
idle = some(
    {"off": extra.map(lambda _: {"nothing": 0}), "on": mostly(st.just({"nothing": 1}), params)}, placebo=mostly(st.booleans())
)
fixes = some(
    {"good": some({"off": mostly(st.just({"helps": 0})), "on": mostly(st.just({"helps": 1}))})},
    bad=harms,
    idle=idle,
    **{"a'b <i>": some({"off": mostly(st.just({"note": "x"})), "on": mostly(st.just({"note": "<y>"}))})},
)
arms = one_of("all_on", "all_off", "good")
design = some(kind=one_of("full_factorial", "one_at_a_time"), seeds=number(2, 3, 6, 40))
custom = some({"kind": one_of("custom"), "arms": mostly(st.just(["all_off", "all_on"]), st.lists(arms, max_size=3))})
fraction = some({"kind": one_of("fractional")}, resolution=one_of(4, 5, "IV", "V"), seeds=number(2, 3))
values = mostly(st.sampled_from([[0, 1], [0.5, 1, 2]]), st.lists(wild_numbers, max_size=4))
held = one_of("all_on", "all_off", ["good"])
sweep = some(
    {"param": one_of("rate", "noise"), "values": values}, seeds=number(2, 3), fixes=held, toggle=mostly(st.just(["good"]))
)
picked = {"param": one_of("rate"), "low": number(0.5, 1), "high": number(2, 8), "trials": number(2, 5)}
search = some(picked, log=mostly(st.booleans()), integer=mostly(st.booleans()), sampler=one_of("tpe", "gp", "random", "qmc"))
compared = {"comparison": one_of("<", "<=", ">", ">=", "=="), "value": value}
claim = some({"name": one_of("c", "d"), "metric": final, "arm": arms, **compared}, by=number(3), against=arms)
over = one_of("first", "last", "min", "max", "mean", "growth")
curve = some({"name": one_of("e"), "metric": step, "reduction": over, "steps": steps, **compared}, against=arms)
named = {"name": one_of("s", "t"), "metric": step}
shown = {"digits": number(2, 4), "note": one_of("n"), "steps": steps, "where": mostly(st.dictionaries(step, value, max_size=1))}
typical = some(
    named,
    reported=mostly(number(3) | st.just([1, 2, 3])),
    reduction=one_of("last", "mean", "median"),
    fix=one_of("good"),
    **shown,
)
counts = mostly(st.fixed_dictionaries({"count": number(1, 2), "of": number(3, 9)}))
counted = some({**named, "reduction": one_of("count"), **compared, "reported": counts}, set=mostly(st.booleans()), **shown)
told = some(
    {**named, "reduction": one_of("values"), "reported": mostly(st.dictionaries(one_of("1", "2"), number(1, 2), min_size=1))}
)
goal = some({"metric": final}, goal=one_of("maximize", "minimize"))
outcome = some(
    {"metric": one_of("score")}, goal=one_of("maximize", "minimize"), minimum_effect=number(0, 0.5), on_divergence=value
)
looks = mostly(st.sampled_from([[2, 4], [4, 6, 9]]), st.lists(st.integers(0, 12), max_size=4))
names = one_of("trial", "ok.1", "a-b_C")
wild_names = st.sampled_from(["CON", "nul.x", "a.", "a-quick", "x" * 101, "../x", "a\nb", ".", "trial "])
#: A whole study.
WHOLE = some(
    {
        "name": mostly(names, wild_names),
        "target": mostly(st.just(TARGETS[0]), st.sampled_from(TARGETS)),
        "fixes": fixes,
        "outcome": outcome,
    },
    params=params,
    design=design | design | custom | fraction,
    sweeps=mostly(st.dictionaries(one_of("s1", "s 2"), sweep | search, max_size=2)),
    secondary=mostly(st.lists(goal | final, max_size=2)),
    curves=mostly(st.lists(step, max_size=2)),
    claims=mostly(st.lists(claim | curve, max_size=2)),
    symptoms=mostly(st.lists(typical | counted | told, max_size=2)),
    contexts=mostly(st.dictionaries(one_of("wide", "c.1"), extra, max_size=1)),
    stopping=some({"looks": looks}, alpha=number(0.05, 0.01), spending=one_of("pocock", "obrien_fleming")),
    resources=some(
        cpus=number(1, 2), gpus=number(0), max_retries=number(0, 2), progress_deadline=number(60), share_prefixes=st.booleans()
    ),
)
SCHEMA = WHOLE.map(lambda study: written(study).encode(errors="surrogatepass"))


def _structure(seed: int) -> bytes:
    rng = random.Random(seed)
    real = parse_yaml(rng.choice(REAL).read_text(encoding="utf-8"))
    changed = mutated(real, rng, YAML, lambda path: path == ("target",))
    if rng.random() < 0.05:
        changed["target"] = rng.choice(TARGETS)
    return written(changed).encode(errors="surrogatepass")


def _bytes(seed: int) -> bytes:
    rng = random.Random(seed)
    text = damaged(rng.choice(REAL).read_bytes(), rng, YAML)
    return _TARGET.sub(
        lambda found: found[0] if found[0].split(b":", 1)[1].strip().decode(errors="replace") in TARGETS else b"target: nonsense",
        text,
    )


seeds = st.integers(0, 2**64 - 1)
#: Study files, by how they are made.
STUDIES = {"schema": SCHEMA, "structure": seeds.map(_structure), "bytes": seeds.map(_bytes)}
settings = st.sampled_from(["noise", "rate", "x", "", "a b", "data"]).flatmap(
    lambda key: st.sampled_from(YAML).map(lambda text: f"{key}={text}")
)
counts_of = st.sampled_from(["2", "3", "0", "-1", "1e3", "nan", "true", "1" * 400, "", "1_000", "1001"])
further = settings.map(lambda text: ["--set", text.replace("\0", "")]) | counts_of.map(lambda text: ["--seeds", text])
#: Words of `plan` beside the file: mostly none.
OPTIONS = st.integers(0, 9).flatmap(
    lambda which: (
        st.just([]) if which < 8 else further if which == 8 else st.sampled_from([["--quick"], ["--json"], ["--nonsense"]])
    )
)
