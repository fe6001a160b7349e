"""Reads what the writers wrote and says what is wrong with it. Usage: reader.py BOOTSTRAP TOPIC PARTITIONS

Commands, one a line: "advance" reads from where it was to the end, "all" begins again at offset 0. Each answers with one line
of JSON: {"read": records so far, "writers": {id: [next n per partition]}, "wrong": [what], "offsets": …}. Every writer numbers
its records 0, 1, 2, … in each partition, so that a loss, a duplicate or a change of order each show as a wrong number.
"""

import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, TopicPartition

bootstrap, topic, partitions = sys.argv[1], sys.argv[2], int(sys.argv[3])

consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": "reader",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "check.crcs": True,
        "fetch.wait.max.ms": 50,
        "fetch.message.max.bytes": 8000000,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 100,
        "log_level": 0,
    }
)
positions = [0] * partitions
writers = {}
wrong = []
read = 0


def complain(text):
    if len(wrong) < 20:
        wrong.append(text)


def take(message):
    global read
    partition, offset = message.partition(), message.offset()
    if offset != positions[partition]:
        complain("partition %d: offset %d came where %d was next" % (partition, offset, positions[partition]))
    positions[partition] = offset + 1
    name, number, _ = message.value().split(b" ", 2)
    name, number = name.decode(), int(number)
    state = writers.setdefault(name, [[] for _ in range(partitions)])[partition]
    if number != len(state):
        what = "again or late" if number < len(state) else "with %d missing before it" % (number - len(state))
        complain("partition %d offset %d: record %d of %s, %s" % (partition, offset, number, name, what))
    while len(state) < number:
        state.append(-1)
    if number == len(state):
        state.append(offset)
    read += 1


def advance():
    """Reads every partition up to the end that the server names now."""
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(partitions)]
    for partition, end in enumerate(ends):
        if end < positions[partition]:
            complain("partition %d: the end went back from %d to %d" % (partition, positions[partition], end))
    consumer.assign([TopicPartition(topic, p, positions[p]) for p in range(partitions)])
    limit = time.time() + 60
    while any(positions[p] < ends[p] for p in range(partitions)):
        for message in consumer.consume(5000, 0.2):
            if message.error() is None:
                take(message)
                limit = time.time() + 60
            elif message.error().code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                complain("fetch: %s" % message.error())
                return
        if time.time() > limit:
            complain("nothing came for 60 s; positions %s, ends %s" % (positions, ends))
            return


for line in sys.stdin:
    if line.strip() == "all":
        positions, writers, read = [0] * partitions, {}, 0
    advance()
    answer = {"read": read, "writers": {n: [len(s) for s in states] for n, states in writers.items()}, "wrong": wrong}
    if line.strip() == "all":
        answer["offsets"] = writers
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
