"""Where trainings are to run is looked at before anything is written."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from ablate.engines.session import GONE, Lifeline, check_address
from ablate.errors import BadInput, EngineError


def unused() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_cluster_that_does_not_answer_is_one_line_with_nothing_written(cli):
    address = f"127.0.0.1:{unused()}"
    began = time.monotonic()
    ran = cli("run", "studies/planted.yaml", "--ray-address", address)
    assert time.monotonic() - began < 10 and ran.returncode == 2 and ran.stdout == ""
    said = f"error: --ray-address: nothing answers at '{address}' (Connection refused); see that the cluster can be reached\n"
    assert ran.stderr == said
    assert [path.name for path in cli.folder.iterdir()] == ["studies"]


@pytest.mark.parametrize("address", ["cluster", "10.0.0.1:", ":6379", "host:port", "host:0", "host:99999", "ray://host"])
def test_what_is_no_address_is_said(address):
    with pytest.raises(BadInput, match=r"--ray-address: .* must be HOST:PORT, as `ray start --head` prints it, or auto"):
        check_address(address)


def test_an_address_that_answers_will_do():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        for form in ("127.0.0.1:{}", "ray://127.0.0.1:{}", "localhost:{}"):
            check_address(form.format(server.getsockname()[1]))


@pytest.mark.parametrize("command", ["run", "diagnose"])
def test_cuda_where_there_is_none_is_one_line_with_nothing_written(cli, command):
    study = "studies/three_fixes.yaml"
    ran = cli(command, study, "--device", "cuda")
    assert ran.returncode == 2 and ran.stdout == ""
    assert ran.stderr.startswith("error: --device: 'cuda', but torch sees no CUDA device on this machine; give --device cpu")
    assert [path.name for path in cli.folder.iterdir()] == ["studies"]


def test_a_lifeline_gives_up_only_after_several_looks(monkeypatch):
    monkeypatch.setattr("ablate.engines.session.BETWEEN", 0.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        line = Lifeline([server.getsockname()])
        for _ in range(5):
            line.check()
        line.hold()
    line.check()
    line.check()
    with pytest.raises(EngineError, match=GONE):
        line.check()
