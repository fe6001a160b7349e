"""What the load drivers in Python share: the line protocol with the harness (load.ts tells it), and sending at a rate."""

import os
import sys
import threading
import time


class Given:
    """The command line."""

    def __init__(self):
        self.bootstrap, self.topic, partitions, self.name, size, timeout_ms = sys.argv[1:7]
        self.partitions, self.size, self.timeout_ms = int(partitions), int(size), int(timeout_ms)

    def record(self, n):
        """Partition, key and value of record n."""
        partition = n % self.partitions
        value = ("%s/%d\n" % (self.name, n)).ljust(self.size, "x")
        return partition, b"key-%d" % partition, value.encode()


class Load:
    """`send(n, partition, key, value)` hands a record over; `turn(seconds)` lets the client work, at most that long."""

    def __init__(self, given, send, turn):
        self.given, self.send, self.turn = given, send, turn
        self.lock = threading.Lock()
        self.commands = []
        self.next = 0
        self.left = 0
        self.unsettled = 0
        self.ended = False

    def say(self, line):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def acknowledged(self, n, offset):
        self.settled("ok %d %d %.3f" % (n, offset, time.time() * 1000))

    def failed(self, n, error):
        self.settled("no %d unknown %.3f %s" % (n, time.time() * 1000, str(error).replace("\n", " ")))

    def settled(self, line):
        with self.lock:
            self.unsettled -= 1
            self.say(line)

    def listen(self):
        for line in sys.stdin:
            with self.lock:
                self.commands.append(line.split())
        self.ended = True

    def give(self):
        n = self.next
        self.next += 1
        partition, key, value = self.given.record(n)
        with self.lock:
            self.unsettled += 1
            self.say("sent %d %d %.3f" % (n, partition, time.time() * 1000))
        try:
            self.send(n, partition, key, value)
        except Exception as error:  # whatever the client refuses with is the record's failure
            self.failed(n, "%s: %s" % (type(error).__name__, error))

    def serve(self):
        threading.Thread(target=self.listen, daemon=True).start()
        self.say("ready")
        busy, rate, owed, last = False, 0.0, 0.0, time.time()
        while not self.ended:
            with self.lock:
                commands, self.commands = self.commands, []
            for word, *rest in commands:
                if word == "send":
                    busy, self.left, rate = True, int(rest[0]), float(rest[1]) or 1e9
                    owed, last = 1.0, time.time()
                elif word == "stop":
                    self.left = 0
            now = time.time()
            owed, last = owed + (now - last) * rate, now
            while owed >= 1 and self.left > 0:
                owed, self.left = owed - 1, self.left - 1
                self.give()
            self.turn(0.004)
            with self.lock:
                if busy and self.left == 0 and self.unsettled == 0:
                    busy = False
                    self.say("done")
        os._exit(0)
