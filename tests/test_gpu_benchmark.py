"""The one-GPU benchmark on a CPU: every program takes the steps that eager mode takes, and what needs a GPU stays open."""

import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu import main
from benchmarks.onegpu.floor import BYTES_A_WEIGHT, kept_bytes
from benchmarks.onegpu.frames import bank_plan
from benchmarks.onegpu.measure import BOUNDS, Case, Measured, alone, difference, measure
from benchmarks.onegpu.programs import Eager, Static
from benchmarks.onegpu.rows import Row, row_named, rows
from benchmarks.onegpu.setting import WINDOWS, arms, setting
from benchmarks.onegpu.stacking import Stacked
from tests.shell import ROOT, environment

HERE = [row.name for row in rows("tiny") if not row.needs and row.processes == 1]
NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    torch.set_num_threads(1)
    return setting("tiny", "fp32", "cpu", tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("name", HERE[1:])
def test_a_program_takes_the_steps_of_eager_mode_forward_by_forward(one, name):
    assert difference(row_named("tiny", name), one) < 1e-5


def test_the_arms_that_are_stacked_are_different_trainings(one):
    every = arms(one, 10)
    assert len({repr((sorted(each.params.items()), each.seed)) for each in every}) == 10
    assert [each.seed for each in every] == [0] * 8 + [1] * 2
    losses = torch.stack([torch.stack([program.step(i) for i in range(WINDOWS)]) for program in map(Eager, every)])
    assert len({round(loss, 4) for loss in losses[:, -1].tolist()}) == 10


@pytest.mark.parametrize("arm", [1, 2, 4])
def test_a_program_of_another_arm_is_told(one, arm):
    """Bank, filter and scale: each shows in the losses, so a program that left one out would be found."""
    assert difference(Row("another arm", lambda of: Static(arms(of[0], 8)[arm])), arms(one, 1)[0]) > BOUNDS["fp32"]


def test_a_program_that_did_not_train_is_told(one):
    class Idle(Static):
        def step(self, place):
            self.load(place)
            return self.losses(*self.input, *self.bank)[0].detach()

    assert difference(Row("idle", lambda of: Idle(of[0])), one) > 1e-2


def test_a_compiler_sees_the_losses_whole(one):
    assert difference(Row("compiled", lambda of: Static(of[0], "aot_eager")), one) < 1e-5


class NothingToTheHost(TorchDispatchMode):
    """Refuses what would wait for a GPU: a graph can't hold it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_") and any(i is not None and i.dtype == torch.bool for i in args[1])
        assert not masks and name not in ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal"), name
        return func(*args, **(kwargs or {}))


@pytest.fixture
def nothing_to_the_host(monkeypatch):
    """What a CPU's tensors hand out without a word to the dispatcher is refused too."""

    def refused(*given):
        raise AssertionError("a tensor's values")

    @contextmanager
    def refusing():
        with monkeypatch.context() as patched, NothingToTheHost():
            for name in ("tolist", "numpy", "cpu"):
                patched.setattr(torch.Tensor, name, refused)
            yield

    return refusing


@pytest.mark.parametrize("build", [Static, lambda one: Stacked(arms(one, 4))], ids=["one", "stacked"])
def test_a_step_for_a_graph_hands_nothing_to_the_host_and_begins_again_where_it_began(one, build, nothing_to_the_host):
    program = build(one)
    first = [program.step(place) for place in range(3)]
    program.rewind()
    with nothing_to_the_host():
        again = [program.step(place) for place in range(3)]
    assert torch.equal(torch.stack(first), torch.stack(again))
    assert not torch.equal(first[0], first[2])


def test_what_would_wait_for_a_gpu_is_noticed(one, nothing_to_the_host):
    program = Eager(one)
    with pytest.raises(AssertionError, match=r"a tensor's values|_local_scalar"), nothing_to_the_host():
        program.step(0)
    for wait in (lambda tensor: tensor.item(), lambda tensor: tensor[tensor > 0]):
        with pytest.raises(AssertionError, match=r"^_local_scalar_dense|^index"), nothing_to_the_host():
            wait(torch.ones(1))


def test_the_bank_holds_the_last_pairs_and_begins_after_its_warm_up():
    allowed, carry, held = bank_plan((2, 1, 2), range(3), held=0, boxes=6, size=4, warmup=1)
    own, past, bank = allowed[:, :6], allowed[:, 6:12], allowed[:, 12:]
    assert own.sum(1).tolist() == [2, 2, 1, 2, 2, 1]  # the last is padding
    assert past.sum(1).tolist() == [0, 0, 0, 1, 1, 0] and past[3, 2]
    assert not bank.any() and held == 3
    assert carry.tolist() == [0, 4 + 2, 4 + 3, 4 + 4]
    allowed, carry, held = bank_plan((2, 2), range(3, 5), held=3, boxes=6, size=4, warmup=1)
    assert allowed[:, 12:].tolist()[:4] == [[False, True, True, True]] * 2 + [[False, False, True, True]] * 2
    assert allowed[2, 6:12].tolist() == [True, True, False, False, False, False]
    assert carry.tolist() == [4, 5, 6, 7] and held == 4


def test_what_is_kept_for_the_backward_pass_grows_with_the_model(one, tmp_path):
    deeper = setting("tiny", "fp32", "cpu", tmp_path, vision_layers=3)
    assert 0 < kept_bytes(Eager(one)) < kept_bytes(Eager(deeper))
    assert BYTES_A_WEIGHT == {"bf16": 34, "fp32": 40}


def script(*words):
    told = [sys.executable, "benchmarks/gpu.py", *words]
    ran = subprocess.run(told, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    return ran, read(ran.stdout)


def read(said):
    """The table's rows, cell by cell."""
    lines = [line for line in said.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:] if not line.startswith("| ---")]


def test_the_script_prints_a_table_on_a_cpu():
    only = "fixed shapes", "folded, CUDA graph", "2 processes, folded, eager"
    ran, table = script("--device", "cpu", "--small", "--seconds", "0.1", "--only", *only)
    assert ran.returncode == 0, ran.stderr
    named = {row[1].removeprefix("tiny CLIP, 64 px: "): row for row in table}
    assert {row[0] for row in table} == {"one CPU core"}
    assert named["folded, CUDA graph"][2] == "needs CUDA"
    names = "eager, forward by forward", "folded, eager", "folded, fixed shapes", "packed: 2 processes, folded, eager"
    eager, folded, fixed, packed = (named[name] for name in names)
    assert (eager[2], eager[5], folded[6]) == ("0.0e+00", "1.00", "1.00")
    assert all(float(row[2]) < 1e-5 and float(row[4].replace(",", "")) > 0 for row in (folded, fixed, packed))
    assert all(re.fullmatch(r"\d+\.\d%", row[7]) for row in (eager, folded, fixed, packed))
    assert "tiny CLIP, 64 px on one CPU core: a step takes" in ran.stdout


@pytest.fixture
def scaled(monkeypatch):
    """Makes the losses of fixed shapes wrong by a factor."""

    def scale(factor, right=Static.step):
        monkeypatch.setattr(Static, "step", lambda program, place: factor * right(program, place))

    return scale


def test_a_row_that_is_off_has_no_figures_and_fails_the_script(scaled, capsys):
    scaled(float("inf"))
    assert main(["--device", "cpu", "--small", "--seconds", "0.01", "--only", "fixed shapes"]) == 1
    said = capsys.readouterr().out
    eager, folded, fixed = read(said)
    assert fixed[2:] == ["inf", "–", "**differs**", "–", "–", "–"]
    assert all(float(row[4].replace(",", "")) > 0 for row in (eager, folded))
    assert "**differs**: it is above 0.001 in fp32 or 0.05 in bf16" in said


@pytest.mark.parametrize(("precision", "just", "over"), [("fp32", 1.0009, 1.0011), ("bf16", 1.03, 1.08)])
def test_each_precision_has_its_bound(scaled, tmp_path, precision, just, over):
    case = Case("tiny", "cpu", tmp_path, (precision,), 0.01)
    scaled(just)
    within = measure(case, "folded, fixed shapes")
    assert not within.differs and within.runs is not None
    scaled(over)
    beyond = measure(case, "folded, fixed shapes")
    assert beyond.differs and beyond.runs is None and beyond.off[precision] < 2 * BOUNDS[precision]


@NO_CUDA
def test_without_cuda_all_that_needs_it_stays_open(capsys):
    assert main([]) == 0
    table = read(capsys.readouterr().out)
    assert len(table) == len(rows("small")) + len(rows("vit"))
    assert {cell for row in table for cell in row[2:]} == {"open"}


@NO_CUDA
def test_a_row_is_measured_in_a_process_of_its_own_on_a_gpu_and_says_why_it_cannot_be(tmp_path):
    case = Case("tiny", "cpu", tmp_path, ("fp32",), 0.1)
    assert measure(case, "folded, CUDA graph") == Measured(why="needs CUDA")
    with pytest.raises((RuntimeError, AssertionError), match=r"CUDA|NVIDIA"):  # as torch says it, from the other process
        alone(measure, replace(case, device="cuda"), "folded, eager")
