"""How much an answer may use."""

from __future__ import annotations

from dataclasses import dataclass

NOBODY = 65534  # the user that an answer runs as where the grader is root
ALONE = 65533  # the same where no namespace keeps answers apart: all of this user's processes are the answer's


@dataclass(frozen=True)
class Limits:
    """What one exercise may use. Wall time is kept by the grader: each case has its exercise's own limit."""

    memory_mib: int = 1024  # beyond what the warm process holds already, all processes together
    processes: int = 64  # threads too
    cpu_s: int = 120  # of each process
    file_mib: int = 128  # one file
    tmp_mib: int = 256  # all files
    files: int = 8192  # in /tmp
    open_files: int = 256
