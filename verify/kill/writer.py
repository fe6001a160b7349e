"""An idempotent producer that never gives up: librdkafka with acks=all and no message timeout, through every restart.

Usage: writer.py BOOTSTRAP TOPIC PARTITIONS ID RECORD_BYTES bulk|single RATE_MAX
Record n of a partition has the value "ID n " and padding. Prints "acked N" every 50 ms. When standard input ends, it
stops, flushes, and prints {"offsets": [[…] per partition], "failed": […]}: the offset that each acknowledgement named,
in order of n (-1 where the server said only that it was a duplicate).
"""

import json
import os
import sys
import threading
import time

from confluent_kafka import KafkaException, Producer

bootstrap, topic, partitions, name, size, mode, rate = sys.argv[1:8]
partitions, size, rate = int(partitions), int(size), float(rate)

settings = {
    "bootstrap.servers": bootstrap,
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": 0,
    "retry.backoff.ms": 20,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    "topic.metadata.refresh.sparse": True,
    "log_level": 0,
}
if mode == "single":
    settings.update({"linger.ms": 0, "batch.num.messages": 1, "queue.buffering.max.messages": 20})
else:
    settings.update({"linger.ms": 5, "queue.buffering.max.messages": 20000})

failed = []


def on_error(error):
    """Losing the connection is expected; a fatal error ends the producer's promises."""
    if error.fatal():
        failed.append("fatal: %s" % error)


settings["error_cb"] = on_error
producer = Producer(settings)
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()

offsets = [[] for _ in range(partitions)]
padding = os.urandom(size)


def reported(number):
    """The delivery report of record `number` of its partition."""

    def report(error, message):
        if error is not None:
            failed.append("%s/%d: %s" % (message.partition(), number, error))
        elif number != len(offsets[message.partition()]):
            failed.append("%d/%d: acknowledged after record %d" % (message.partition(), number, len(offsets[message.partition()]) - 1))
        else:
            offsets[message.partition()].append(message.offset())

    return report


def poll(seconds):
    """Serves delivery reports. A fatal error is raised here as well as reported."""
    try:
        producer.poll(seconds)
    except KafkaException as error:
        failed.append("poll: %s" % error)


next_number = [0] * partitions
said = 0.0
started = time.time()
sent = 0
while not stopped.is_set() and not failed:
    partition = sent % partitions
    number = next_number[partition]
    value = b"%s %d " % (name.encode(), number) + padding[: size - len(str(number)) - len(name) - 2]
    try:
        producer.produce(topic, value=value, partition=partition, on_delivery=reported(number))
        next_number[partition] += 1
        sent += 1
    except BufferError:
        poll(0.01)
    if sent % 64 == 0 or mode == "single":
        poll(0)
        ahead = sent / rate - (time.time() - started)
        if ahead > 0:
            poll(min(ahead, 0.05))
    if time.time() - said > 0.05:
        said = time.time()
        sys.stdout.write("acked %d\n" % sum(map(len, offsets)))
        sys.stdout.flush()

left = 0
try:
    left = producer.flush(60)
except KafkaException as error:
    failed.append("flush: %s" % error)
if left:
    failed.append("%d records neither acknowledged nor failed within 60 s" % left)
sys.stdout.write(json.dumps({"offsets": offsets, "failed": failed}) + "\n")
