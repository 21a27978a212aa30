"""What all tests share: a cache of their own, and the command line as a user runs it."""

import os
import subprocess

import hypothesis
import pytest

from tests.shell import ROOT, command, environment

#: `browser` and `page`.
pytest_plugins = ["tests.browser"]

#: The files that take longest, the longest first: what comes last is short then, and workers end together.
LONGEST = (
    "test_chaos",
    "test_main_job",
    "test_deaths",
    "test_cli",
    "test_ui",
    "test_mirror",
    "test_photos",
    "test_diagnose",
    "test_engines",
    "test_bad_input",
    "test_region_clip",
    "test_stores",
    "test_start",
    "test_calibration",
    "test_report",
    "test_first",
    "test_many_kinds",
    "test_html",
    "test_full_disk",
    "test_exposed",
    "test_tracking",
    "test_trials",
    "test_copied",
    "test_source",
    "test_search",
    "test_fuzz",
)


def pytest_collection_modifyitems(items):
    """Put files in the order in which they are to begin; those that are not named follow as they were found."""
    place = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


# A busy machine is no failure; where CI is set, the same examples each time.
hypothesis.settings.register_profile(
    "ablate", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("ablate")


# Servers that tests start need no workers for jobs, each of which imports all of MLflow.
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Pretrained weights of tests stay out of the user's cache, and tests don't find the user's."""
    os.environ["ABLATE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def cli(tmp_path):
    """Run `python -m ablate ...` in a fresh folder that sees the project's studies; returns the finished process."""
    (tmp_path / "studies").symlink_to(ROOT / "studies")

    def run(*words, **options):
        return subprocess.run(command(*words), cwd=tmp_path, env=environment(), text=True, capture_output=True, **options)

    run.folder = tmp_path
    return run
