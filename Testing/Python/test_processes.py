"""Programs outside: heard line by line, and gone with all that they started once the work is cancelled."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hccoutcome.errors import Cancelled, EnvironmentNeeded
from hccoutcome.processes import run_program

Children = Callable[[], list[psutil.Process]]

TALKS = r"""
import sys
sys.stdout.write("first\n")
sys.stderr.write("  50%|bar| 1/2\r 100%|bar| 2/2\r")
sys.stdout.write("caf\u00e9 last")
sys.exit(3)
"""
STARTS_ANOTHER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
LEAVES_ONE_BEHIND = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
"""


def test_every_line_is_heard_the_rewritten_ones_of_a_bar_too(tmp_path: Path) -> None:
    heard: list[str] = []
    ended = run_program([sys.executable, "-X", "utf8", "-c", TALKS], os.environ, tmp_path, heard.append)
    assert ended.status == 3
    assert sorted(heard) == sorted(["first", "  50%|bar| 1/2", " 100%|bar| 2/2", "café last"])
    assert sorted(ended.lines) == sorted(heard)


def test_a_cancelled_program_is_gone_with_its_children_within_two_seconds(tmp_path: Path, children: Children) -> None:
    started: list[int] = []

    def reader(line: str) -> tuple[float, str]:
        started.append(int(line))
        return 0.5, "working"

    def cancel(fraction: float, message: str) -> None:
        if started:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run_program([sys.executable, "-c", STARTS_ANOTHER], os.environ, tmp_path, reader, cancel)
    assert not psutil.pid_exists(started[0]) or psutil.Process(started[0]).status() == psutil.STATUS_ZOMBIE
    assert not children()


def test_a_silent_program_can_be_cancelled_too(tmp_path: Path, children: Children) -> None:
    beats: list[float] = []

    def cancel(fraction: float, message: str) -> None:
        beats.append(fraction)
        if len(beats) == 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run_program(
            [sys.executable, "-c", "import time; time.sleep(60)"], os.environ, tmp_path, lambda line: None, cancel
        )
    assert not children()


def test_what_a_program_leaves_behind_does_not_hold_us_up(tmp_path: Path) -> None:
    left: list[str] = []
    ended = run_program([sys.executable, "-c", LEAVES_ONE_BEHIND], os.environ, tmp_path, left.append)
    assert ended.status == 0
    other = psutil.Process(int(left[0]))
    assert other.is_running(), "it waited for a process that nobody asked for"
    other.kill()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentNeeded, match=r"cannot be started .*: check its path and install it again"):
        run_program([tmp_path / "absent"], os.environ, tmp_path, lambda line: None)
