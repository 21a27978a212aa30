"""An engine that is up ahead of its work, and that goes down beside what comes next."""

import threading

import pytest

from ablate.engines.ahead import Ahead
from ablate.engines.inline import InlineEngine


class Slow(InlineEngine):
    """Takes its time to go down, and may fail at it."""

    def __init__(self, fails=False):
        super().__init__()
        self.up, self.may_go, self.seen, self.fails = False, threading.Event(), [], fails

    def __enter__(self):
        self.up = True
        return self

    def __exit__(self, kind, error, trace):
        assert self.may_go.wait(60)
        self.up = False
        self.seen.append((threading.current_thread() is threading.main_thread(), kind))
        if self.fails:
            raise OSError("its folder is busy")


def test_its_caller_goes_on_while_it_goes_down_and_waits_for_it_at_the_end():
    slow = Slow()
    with Ahead(slow) as ahead:
        assert ahead.engine is slow and slow.up
        ahead.leave()
        assert slow.up
        slow.may_go.set()
    assert (slow.up, slow.seen) == (False, [(False, None)])


def test_what_went_wrong_with_it_is_raised_at_the_end():
    slow = Slow(fails=True)
    slow.may_go.set()
    with pytest.raises(OSError, match="its folder is busy"), Ahead(slow) as ahead:
        ahead.leave()


def test_an_error_before_takes_it_down_at_once():
    slow = Slow()
    slow.may_go.set()
    with pytest.raises(KeyboardInterrupt), Ahead(slow):
        raise KeyboardInterrupt
    assert slow.seen == [(True, KeyboardInterrupt)]
