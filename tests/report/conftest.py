"""One full report that the tests of this folder read."""

from __future__ import annotations

import pytest

from tests.report.reading import Written, write
from tests.report.synthetic import planned


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Three fixes, six seeds, two sweeps, four claims, nothing failed."""
    return write(planned(), tmp_path_factory.mktemp("full"))
