"""Wall time and peak memory of one command.

Standard library only, and kept small: a child process starts as a copy of this one, so its peak is
never reported below this one's own (about 20 MB).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.005


@dataclass(frozen=True)
class Measured:
    """One run.

    Attributes:
        seconds: wall time.
        peak_mb: the highest resident size, in 10^6 bytes, mapped files included.
        private_mb: the highest resident size without mapped files, by samples (Linux; else 0).
        failed: whether the command did not end with 0.
        output: what a failed command printed.
    """

    seconds: float
    peak_mb: float
    private_mb: float
    failed: bool = False
    output: str = ""


def measure(command: list[str]) -> Measured:
    """Runs a command to its end and measures it."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        private_kb = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            private_kb = max(private_kb, _private_kb(process.pid))
            time.sleep(_SAMPLE_SECONDS)
        seconds = time.perf_counter() - start
        # wait4 has reaped it: tell Popen, which else would wait for it again.
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace") if process.returncode else ""
    # Linux counts in KiB.
    return Measured(
        seconds=seconds,
        peak_mb=usage.ru_maxrss * 1024 / 1e6,
        private_mb=private_kb * 1024 / 1e6,
        failed=process.returncode != 0,
        output=text,
    )


def _private_kb(pid: int) -> int:
    """The resident memory of a process that no file backs; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in status.splitlines())
    return next((int(fields[1]) for fields in lines if fields[0] == "RssAnon:"), 0)
