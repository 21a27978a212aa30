"""A file system of its own, small enough to be filled up."""

import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(folder, size="200k"):
    """A tmpfs at a folder; skips the test where none may be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def mount_again(folder, options):
    """Change how it is mounted: `ro`, `size=50m`."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
