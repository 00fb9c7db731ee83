"""The real TF.js in a Node process that lives as long as the test session."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from tests.support.protocol import JsError, JsonObject, TfjsHost
from tests.support.tools import JS_FOLDER, find_node


class TfjsRuntime(TfjsHost):
    """Runs models in the real TF.js, one at a time; a model that hangs or kills it costs one job.

    Use as a context manager, or call `close`.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[bytes] | None = None
        self._jobs = 0

    def __enter__(self) -> TfjsRuntime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_job(self, model: Path, job: JsonObject) -> JsonObject:
        """Sends one job to Node and waits for its answer; Node itself ends a job that hangs."""
        self._jobs += 1
        line = self._exchange(json.dumps({**job, "id": self._jobs, "path": str(model)}))
        if not line:
            raise JsError("NodeDied", self._last_words())
        answer: JsonObject = json.loads(line)
        assert answer["id"] == self._jobs
        return answer

    def save_layers(
        self,
        model: Path,
        dest: Path,
        *,
        layout: str = "file",
        name: str = "model",
        include_optimizer: bool = False,
    ) -> Path:
        """Loads a layers model and lets TF.js save it again.

        Args:
            model: its folder or JSON file.
            dest: the folder to write into.
            layout: `file` writes as tfjs-node's `file://` does (`model.json`, `weights.bin`),
                `downloads` as a browser's `downloads://NAME` (`NAME.json`, `NAME.weights.bin`).
            name: the NAME of `downloads`.
            include_optimizer: as `model.save` takes `includeOptimizer`.

        Returns:
            The JSON file that was written.
        """
        job: JsonObject = {
            "op": "save",
            "dest": str(dest.resolve()),
            "layout": layout,
            "name": name,
            "include_optimizer": include_optimizer,
        }
        self._ask(model, job, (), None)
        return dest / ("model.json" if layout == "file" else f"{name}.json")

    def close(self) -> None:
        """Ends the process."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._errors is not None
        # Closing flushes: a job that Node did not live to read has nowhere to go.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        self._errors.close()
        self._process = None

    def _exchange(self, line: str) -> str:
        """The line that Node answers; empty where it has died."""
        process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return ""
        return process.stdout.readline()

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as Node)
            self._process = subprocess.Popen(
                [find_node(), str(JS_FOLDER / "run_model.mjs")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
            )
        return self._process

    def _last_words(self) -> str:
        """Why the process ended; it is started anew for the next job."""
        assert self._process is not None
        assert self._errors is not None
        code = self._process.wait(timeout=30)
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace")
        self.close()
        return f"Node ended with code {code}: {text[-2000:]}"
