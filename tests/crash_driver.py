"""Does things to catalogs in children of its own that are killed, or that meet a full disk; a program, fed JSON lines.

It has everything imported, so that a child takes no longer than what it does. Each line names the operation, the
catalog, and one of: `line`, kill at that line of `earmark.catalog`, counted as it is executed; `after_s`, kill then;
`max_bytes`, no file may grow beyond. With `trace` false lines are not counted, so that the time is that of a child that
is killed by the clock. The answer is how it ended, how many lines there were, and how long it took.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import earmark.catalog
from earmark.catalog import Layout, add_tracks, build_catalog, compact_catalog, remove_tracks, update_tracks
from earmark.errors import CatalogError
from earmark.fingerprint import load_model

PACKAGE = str(Path(earmark.catalog.__file__).parent)
MODEL = load_model()
# Segments of a few of the tests' tracks, so that kills come between them too.
SMALL = Layout(max_patches=80, exact_below=100)


def operate(name, path, arguments):
    paths = [Path(one) for one in arguments]
    if name == "build":
        build_catalog(path, paths, model=MODEL, jobs=1, layout=SMALL)
    elif name == "add":
        add_tracks(path, paths, model=MODEL, jobs=1, layout=SMALL)
    elif name == "remove":
        remove_tracks(path, arguments)
    elif name == "update":
        update_tracks(path, paths[0])
    elif name == "compact":
        compact_catalog(path, model=MODEL, layout=Layout(max_patches=300, exact_below=100))


class Lines:
    """Counts the lines that are executed in the package, and ends the process at one of them."""

    def __init__(self, last):
        self.n, self.last = 0, last

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.n += 1
            if self.n == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def child(job, answer):
    if "max_bytes" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["max_bytes"], job["max_bytes"]))
    lines = Lines(job.get("line"))
    os.write(answer, b"started\n")
    start = time.monotonic()
    if "after_s" not in job and job.get("trace", True):
        sys.settrace(lines)
    try:
        operate(job["operation"], Path(job["path"]), job["arguments"])
        error = None
    except CatalogError as raised:
        error = str(raised)
    sys.settrace(None)
    told = {"lines": lines.n, "elapsed_s": time.monotonic() - start, "error": error}
    os.write(answer, json.dumps(told).encode())
    os._exit(0)


def run(job):
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ours)
        try:
            child(job, theirs)
        finally:
            os._exit(9)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answers:
        assert answers.readline() == b"started\n"
        if "after_s" in job:
            time.sleep(job["after_s"])
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        told = answers.read()
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, **(json.loads(told) if code == 0 else {})}


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    say("ready")
    for line in sys.stdin:
        say(json.dumps(run(json.loads(line))))
