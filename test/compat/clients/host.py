"""What the Python clients share: the line protocol with the runner, the input file, and the digests.

One JSON request per line on standard input, {"id": 1, "op": "produce", ...}; one JSON answer per line on standard
output, {"id": 1, "result": ...} or {"id": 1, "error": "..."}. Requests run in threads of their own, so that a group
member can be polled while another joins.
"""

import hashlib
import json
import struct
import sys
import threading
import traceback


def read_records(path, begin, end):
    """Records begin … end-1 of the input file: key length, key, value length, value, lengths as big-endian uint32."""
    with open(path, "rb") as file:
        data = file.read()
    position = 0
    for index in range(end):
        (size,) = struct.unpack_from(">I", data, position)
        key = data[position + 4 : position + 4 + size]
        position += 4 + size
        (size,) = struct.unpack_from(">I", data, position)
        value = data[position + 4 : position + 4 + size]
        position += 4 + size
        if index >= begin:
            yield index, key, value


class Digest:
    """SHA-256 over every record of a partition in order; the same in every client."""

    def __init__(self):
        self.count = 0
        self.sha = hashlib.sha256()

    def add(self, key, value):
        self.count += 1
        for part in (key, value):
            self.sha.update(struct.pack(">i", -1 if part is None else len(part)))
            if part is not None:
                self.sha.update(part)

    def result(self, partition):
        return {"partition": partition, "count": self.count, "hash": self.sha.hexdigest()}


class Received:
    """What one group member was given: per partition the first and last offset and how many records."""

    def __init__(self):
        self.lock = threading.Lock()
        self.partitions = {}
        self.assigned = []

    def add(self, partition, offset):
        with self.lock:
            entry = self.partitions.setdefault(str(partition), [offset, offset, 0])
            entry[1] = offset
            entry[2] += 1

    def assign(self, partitions):
        with self.lock:
            self.assigned = sorted(partitions)

    def status(self):
        with self.lock:
            return {"assigned": list(self.assigned), "received": {k: list(v) for k, v in self.partitions.items()}}


def check(condition, message):
    """Fails the scenario with `message` unless `condition` holds."""
    if not condition:
        raise AssertionError(message)


def equal(actual, expected, what):
    if actual != expected:
        raise AssertionError("%s: expected %r, got %r" % (what, expected, actual))


def serve(handlers):
    """Answers requests until standard input ends. `handlers` maps an op to a function of the request's dict."""
    out = threading.Lock()

    def answer(request):
        try:
            reply = {"id": request["id"], "result": handlers[request["op"]](request)}
        except BaseException as error:  # the runner must hear of every failure, whatever it is
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = "%s:%d" % (at.filename.rsplit("/", 1)[-1], at.lineno)
            reply = {"id": request["id"], "error": "%s: %s (%s)" % (type(error).__name__, error, where)}
        with out:
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()

    for line in sys.stdin:
        threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
