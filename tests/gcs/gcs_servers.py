"""Servers that speak as much of Google Cloud Storage as ledger, storage and publication use.

`SmallGcs` decides preconditions under a lock, and can be told to be busy, to refuse, or to lose its
answer after it has written. `fake_gcs_server` starts the emulator of that name, which decides
preconditions itself, where it is installed.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

FAKE = "fake-gcs-server"


class SmallGcs(ThreadingHTTPServer):
    """Objects with generations in memory.

    Attributes:
        objects: Generation and content by name.
        types: Content type of what was written, by name.
        caching: What caches are told of it, by name.
        faults: What goes wrong with the next writes, first to last: a status, or `lost`.
        writes: Number of requests to write.
        written: Names in the order in which they were written or deleted.
        refuse: Status of all answers, or None.
        refuse_below: Beginning of names whose writes are refused with 403, or None.
        flaky: Every which request goes wrong in its turn, busy or with a lost answer; 0 for none.
    """

    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = {}
        self.types = {}
        self.caching = {}
        self.faults = []
        self.writes = 0
        self.written = []
        self.refuse = None
        self.refuse_below = None
        self.flaky = 0
        self.requests = 0
        self.uploads = {}
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def is_ill(self):
        """Whether it is the turn of a request to go wrong."""
        with self.lock:
            self.requests += 1
            return self.flaky > 0 and self.requests % self.flaky == 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"{}", generation=0, more=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Goog-Generation", str(generation))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def lose_answer(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def is_in_bucket(self, path):
        return re.search(r"/b/([^/]+)(/|$)", path)[1] == "b"

    def answer_list(self, query):
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        with self.server.lock:
            found = {n: o for n, o in self.server.objects.items() if n.startswith(prefix)}
        folders, items = set(), []
        for name, (generation, content) in sorted(found.items()):
            first, is_deeper, _ = name.removeprefix(prefix).partition(delimiter or "\0")
            if delimiter and is_deeper:
                folders.add(f"{prefix}{first}{delimiter}")
            else:
                items.append(resource(name, generation, content))
        answer = {"kind": "storage#objects", "items": items, "prefixes": sorted(folders)}
        self.answer(200, json.dumps(answer).encode())

    def do_DELETE(self):
        name = unquote(urlsplit(self.path).path.partition("/o/")[2])
        with self.server.lock:
            found = self.server.objects.pop(name, None)
            self.server.written.append(name)
        self.answer(404 if found is None else 204, b"")

    def do_PUT(self):
        """The last part of an upload in parts, as Beam makes them."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            name = self.server.uploads[self.path]
            generation = self.server.objects.get(name, (0, b""))[0] + 1
            self.server.objects[name] = (generation, content)
            self.server.written.append(name)
        self.answer(200, json.dumps(resource(name, generation, content)).encode())

    def do_GET(self):
        if self.server.refuse:
            self.answer(self.server.refuse)
            return
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        _, in_bucket, object_name = parts.path.partition("/o/")
        if self.server.is_ill():
            self.answer(503)
            return
        if not self.is_in_bucket(parts.path):
            self.answer(404)
            return
        if parts.path.endswith("/o"):
            self.answer_list(query)
            return
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
            self.answer_media(content, generation)
        else:
            self.answer(200, json.dumps(resource(name, generation, content)).encode())

    def answer_media(self, content, generation):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self.answer(200, content, generation)
            return
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        where = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        if first >= len(content):
            self.answer(416)
        else:
            self.answer(206, content[first : last + 1], generation, where)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        query = parse_qs(urlsplit(self.path).query)
        if query["uploadType"] == ["resumable"]:
            path = f"/session/{len(server.uploads)}"
            server.uploads[path] = json.loads(body)["name"]
            self.answer(200, more={"Location": f"{server.url}{path}"})
            return
        assert query["uploadType"] == ["multipart"]
        boundary = re.search(r'boundary="?([^"]+)"?', self.headers["Content-Type"])[1]
        parts = [part.partition(b"\r\n\r\n")[2] for part in body.split(f"--{boundary}".encode())]
        name, content = json.loads(parts[1])["name"], parts[2].removesuffix(b"\r\n")
        headers = body.split(f"--{boundary}".encode())[2].partition(b"\r\n\r\n")[0].decode()
        if not self.is_in_bucket(urlsplit(self.path).path):
            self.answer(404)
            return
        is_ill = server.is_ill()
        with server.lock:
            server.writes += 1
            fault = server.faults.pop(0) if server.faults else server.refuse
            if server.refuse_below is not None and name.startswith(server.refuse_below):
                fault = 403
            if is_ill:
                fault = "lost" if server.requests // server.flaky % 2 else 503
            if isinstance(fault, int):
                self.answer(fault)
                return
            current, _ = server.objects.get(name, (0, b""))
            if int(query.get("ifGenerationMatch", [current])[0]) != current:
                self.answer(412)
                return
            generation = current + 1
            server.objects[name] = (generation, content)
            server.caching[name] = json.loads(parts[1]).get("cacheControl")
            server.types[name] = re.search(r"(?i)content-type: *([^\r\n]+)", headers)[1]
            server.written.append(name)
        if fault == "lost":
            self.lose_answer()
            return
        self.answer(200, json.dumps(resource(name, generation, content)).encode())


def resource(name, generation, content):
    size, time = str(len(content)), "2026-11-01T00:00:00Z"
    return {
        **{"bucket": "b", "name": name, "generation": str(generation)},
        **{"size": size, "updated": time, "crc32c": crc32c(content)},
    }


def crc32c(content):
    """The checksum that Beam's uploads are held against."""
    import google_crc32c

    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


@contextmanager
def small_bucket():
    """Runs a `SmallGcs` that is found by who looks for Google Cloud Storage meanwhile."""
    with small_gcs() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


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
    """The emulator where it is: where FAKE_GCS_SERVER says, beside this Python, or on the path."""
    beside = shutil.which(FAKE, path=Path(sys.executable).parent)
    return os.environ.get("FAKE_GCS_SERVER") or beside or shutil.which(FAKE)


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
