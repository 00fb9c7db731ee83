"""Runs conversions of one model in headless Chromium, in WebGL; standard library only.

No driver is needed: optimizer_page.html asks this module's web server for what to run.
"""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import envs

HERE = Path(__file__).resolve().parent


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, models: Mapping[str, Path], options: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders = {f"/models/{name}": folder for name, folder in models.items()}
        self.folders["/modules"] = envs.JS_FOLDER / "node_modules"
        self.job = json.dumps({"names": list(models), **options}).encode()
        self.answer: queue.Queue[dict[str, Any]] = queue.Queue()


class _Handler(SimpleHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path != "/job":
            super().do_GET()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(self.server.job)))
        self.end_headers()
        self.wfile.write(self.server.job)

    def do_POST(self) -> None:
        self.server.answer.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def translate_path(self, path: str) -> str:
        # The base class joins the path to self.directory and drops what would leave it.
        for prefix, folder in self.server.folders.items():
            if path.startswith(f"{prefix}/"):
                self.directory = str(folder)
                return super().translate_path(path.removeprefix(prefix))
        self.directory = str(HERE)
        return super().translate_path(path)

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


def in_browser(
    models: Mapping[str, Path], options: Mapping[str, Any], timeout: float
) -> dict[str, Any]:
    """What optimizer_turns.mjs tells of conversions, run in WebGL.

    Args:
        models: the folder of each, by name.
        options: as optimizer_turns.mjs takes them.
        timeout: after so many seconds Chromium is ended.

    Raises:
        SetupError: there is no Chromium.
    """
    server = _Server(models, options)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Its last processes may still write there for a moment.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page = f"http://127.0.0.1:{server.server_address[1]}/optimizer_page.html"
        process = subprocess.Popen(
            [envs.chromium(), *envs.chromium_flags(profile), page],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return server.answer.get(timeout=timeout)
        except queue.Empty:
            return {"error": f"no answer within {timeout:g} s"}
        finally:
            process.terminate()
            process.wait()
            server.shutdown()
            server.server_close()
