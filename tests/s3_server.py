"""A real S3 server on loopback (moto in server mode), and a proxy before it that breaks connections off."""

import contextlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def environment(endpoint, **changes):
    """The environment of a process that is to use the server; None takes a variable away."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FSSPEC_"))}
    # Without this, boto looks for credentials at an address of Amazon's machines.
    ours = {"AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    ours |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "COLUMNS": "200"} | KEYS | changes
    return clean | {name: value for name, value in ours.items() if value is not None}


@contextlib.contextmanager
def s3_server():
    """Run moto's server in a process of its own; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        for _ in range(600):
            if server.poll() is not None:
                raise RuntimeError(f"moto's server ended with {server.returncode}")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5):
                break
            time.sleep(0.1)
        yield endpoint
    finally:
        server.kill()
        server.wait()


def request(endpoint, path, data=None, method=None):
    """Ask moto's own interface, or put an object the simplest way."""
    asked = urllib.request.Request(f"{endpoint}/{path}", data=data, method=method)
    asked.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request")
    asked.add_header("Content-Type", "application/octet-stream")  # or Flask takes the body for a form
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return answer.read()


@contextlib.contextmanager
def web_server(files):
    """Serve name -> bytes on loopback, whole or in ranges; give its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = files.get(self.path.lstrip("/"))
            if data is None:
                self.send_error(404)
                return
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = (int(asked[1]), int(asked[2] or len(data) - 1)) if asked else (0, len(data) - 1)
            part = data[first : last + 1]
            self.send_response(206 if asked else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(part)))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(part)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class BreakingProxy:
    """Passes bytes on, and breaks every connection off after so many bytes of answer, as often as asked for.

    Attributes
    ----------
    away_after
        Bytes of answers, all together, after which every connection breaks off; None is never.
    n_broken
        Connections broken off so far.
    n_bytes
        Bytes of answers passed on so far.
    """

    def __init__(self, endpoint, *, after_bytes, n_breaks):
        self._port = int(endpoint.rpartition(":")[2])
        self._after_bytes, self._breaks_left = after_bytes, n_breaks
        self.n_broken = self.n_bytes = 0
        self.away_after = None
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._pass, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, self._after_bytes), daemon=True).start()

    def _pass(self, source, target, after_bytes):
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                passed += len(data)
                if after_bytes is not None:
                    with self._lock:
                        self.n_bytes += len(data)
                        away = self.away_after is not None and self.n_bytes > self.away_after
                        broken = away or (passed > after_bytes and self._breaks_left > 0)
                        self._breaks_left -= broken and not away
                        self.n_broken += broken
                    if broken:
                        break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
