"""How `peers.py` speaks with a peer that lives in an environment of its own: a line of JSON there, a line back.

`{"do": "add", "track_id": ..., "path": ...}`, `{"do": "save"}`, `{"do": "query", "path": ..., "seconds": ...}`.
The answer has `cpu_s`, the CPU seconds of the peer and of the programs that it ran; what a query gives back under
`answer` is `None` or the best track: `track_id`, `track_start_s`, `score` (more is better) and `accepted`, whether
the peer itself would report it. Imports nothing but the standard library.
"""

import json
import os
import resource
import sys
import time

__all__ = ["serve"]


def _cpu_s():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def serve(make):
    """Answer until the input ends; `make(folder)` returns an object with `add`, `save` and `query`."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peer prints is none of our answers
    peer = make(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        what = asked.pop("do")
        before = _cpu_s()
        given = getattr(peer, what)(*asked.values())
        answers.write(json.dumps({"answer": given, "cpu_s": _cpu_s() - before}) + "\n")
        answers.flush()
