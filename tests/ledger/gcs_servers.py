"""Servers that speak as much of Google Cloud Storage as the ledger uses.

`SmallGcs` decides preconditions under a lock, and can be told to be busy, to refuse, or to lose its
answer after it has written. `fake_gcs_server` starts the emulator of that name, which decides
preconditions itself, where it is installed.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

FAKE = "fake-gcs-server"


class SmallGcs(ThreadingHTTPServer):
    """Objects with generations in memory.

    Attributes:
        objects: Generation and content by name.
        faults: What goes wrong with the next writes, first to last: a status, or `lost`.
        writes: Number of requests to write.
        refuse: Status of all answers, or None.
    """

    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = {}
        self.faults = []
        self.writes = 0
        self.refuse = None
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"{}", generation=0):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Goog-Generation", str(generation))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        if self.server.refuse:
            self.answer(self.server.refuse)
            return
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        _, in_bucket, object_name = parts.path.partition("/o/")
        if not in_bucket:
            self.answer(200, b'{"name": "b"}')
            return
        name = unquote(object_name)
        with self.server.lock:
            generation, content = self.server.objects.get(name, (0, None))
        if content is None:
            self.answer(404)
        elif int(query.get("ifGenerationMatch", [generation])[0]) != generation:
            self.answer(412)
        elif query.get("alt") == ["media"]:
            self.answer(200, content, generation)
        else:
            self.answer(200, json.dumps(resource(name, generation)).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        query = parse_qs(urlsplit(self.path).query)
        assert query["uploadType"] == ["multipart"]
        boundary = re.search(r'boundary="?([^"]+)"?', self.headers["Content-Type"])[1]
        parts = [part.partition(b"\r\n\r\n")[2] for part in body.split(f"--{boundary}".encode())]
        name, content = json.loads(parts[1])["name"], parts[2].removesuffix(b"\r\n")
        with server.lock:
            server.writes += 1
            fault = server.faults.pop(0) if server.faults else server.refuse
            if isinstance(fault, int):
                self.answer(fault)
                return
            current, _ = server.objects.get(name, (0, b""))
            if int(query["ifGenerationMatch"][0]) != current:
                self.answer(412)
                return
            generation = current + 1
            server.objects[name] = (generation, content)
        if fault == "lost":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.answer(200, json.dumps(resource(name, generation)).encode())


def resource(name, generation):
    return {"bucket": "b", "name": name, "generation": str(generation)}


@contextmanager
def small_gcs():
    """Runs a `SmallGcs`."""
    server = SmallGcs()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def installed_fake_gcs():
    """The emulator where it is installed: on the path, or where FAKE_GCS_SERVER says."""
    return os.environ.get("FAKE_GCS_SERVER") or shutil.which(FAKE)


@contextmanager
def fake_gcs_server():
    """Runs the emulator with a bucket `b`, and yields its URL."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "b").mkdir()
        options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-data", folder]
        options += ["-backend", "memory", "-external-url", url, "-log-level", "error"]
        process = subprocess.Popen([installed_fake_gcs(), *options], stderr=subprocess.DEVNULL)
        try:
            wait_until_up(f"{url}/storage/v1/b", process)
            yield url
        finally:
            process.terminate()
            process.wait(10)


def wait_until_up(url, process):
    for _ in range(200):
        assert process.poll() is None, "the emulator has left"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the emulator does not answer")
