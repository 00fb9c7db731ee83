"""The real TF.js in a headless Chromium that lives as long as the test session.

No driver is needed: the page (`tests/js/page.html`) asks this module's own web server for a job,
runs it and posts the answer. The model is loaded over HTTP, as a user's page loads it.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
import threading
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from envs import chromium_flags

from tests.support.protocol import JsonObject, TfjsHost
from tests.support.tools import JS_FOLDER, find_chromium

# By the clock, and long: the machine may be loaded.
TIMEOUT_SECONDS = 60.0
# A new Chromium needs some seconds until its page asks for the first job.
_START_SECONDS = 60.0
# How long the page's question for a job stays open before it asks again.
_POLL_SECONDS = 5.0


class _Server(ThreadingHTTPServer):
    """Serves tests/js at /, the model of the job in hand at /model/, and hands out jobs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model_folder = JS_FOLDER
        self.jobs: queue.Queue[JsonObject] = queue.Queue()
        self.answers: queue.Queue[JsonObject] = queue.Queue()
        self.asked = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(SimpleHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path != "/job":
            super().do_GET()
            return
        self.server.asked.set()
        try:
            job = self.server.jobs.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()
            return
        body = json.dumps(job).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put(json.loads(body))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def translate_path(self, path: str) -> str:
        # The base class joins the path to self.directory and drops what would leave it.
        is_model = path.startswith("/model/")
        self.directory = str(self.server.model_folder if is_model else JS_FOLDER)
        return super().translate_path(path.removeprefix("/model") if is_model else path)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *args: Any) -> None:
        """Nothing: the requests are of no interest to a test."""


class Browser(TfjsHost):
    """Runs models in TF.js in headless Chromium; a hanging job costs a new browser.

    Use as a context manager, or call `close`. Backends: `webgl` (in software), `cpu`, `wasm`.
    """

    def __init__(self) -> None:
        self._server = _Server()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self._process: subprocess.Popen[bytes] | None = None
        self._profile = ""
        self._jobs = 0

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_job(self, model: Path, job: JsonObject) -> JsonObject:
        """Hands the page one job and waits for the answer."""
        if job.get("custom") or job["op"] == "save":
            raise ValueError("the browser page neither registers classes nor saves models")
        self._start()
        self._jobs += 1
        self._server.model_folder = model.parent
        self._server.jobs.put({**job, "id": self._jobs, "path": f"/model/{model.name}"})
        seconds = job.get("timeout", TIMEOUT_SECONDS)
        try:
            answer = self._server.answers.get(timeout=seconds)
        except queue.Empty:
            self._stop()
            message = f"TF.js did not answer within {seconds:g} s"
            return {"ok": False, "error": {"name": "Timeout", "message": message, "stack": ""}}
        assert answer["id"] == self._jobs
        return answer

    def close(self) -> None:
        """Ends the browser and the server."""
        self._stop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def _start(self) -> None:
        if self._process is not None:
            return
        chromium = find_chromium()
        if chromium is None:
            raise FileNotFoundError("no Chromium: install it or name it in CHROMIUM")
        self._profile = tempfile.mkdtemp(prefix="tfjs-chromium-")
        self._server.asked.clear()
        flags = chromium_flags(self._profile)
        self._process = subprocess.Popen(
            [chromium, *flags, f"{self._server.url}/page.html"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not self._server.asked.wait(_START_SECONDS):
            self._stop()
            raise TimeoutError(f"{chromium} did not open the test page in {_START_SECONDS:g} s")

    def _stop(self) -> None:
        if self._process is None:
            return
        # Chromium ends its children itself; it starts them in sessions of their own.
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        # Its last processes may still write there for a moment.
        shutil.rmtree(self._profile, ignore_errors=True)
