"""Reads a whole topic with librdkafka. Usage: reader.py BOOTSTRAP TOPIC END...

END is the end offset of each partition, from 0 on. Prints `PARTITION OFFSET TOKEN` for every record up to the ends, TOKEN being
the first line of the value, and fails when they have not come within a minute.
"""

import sys
import time

from confluent_kafka import Consumer, TopicPartition

bootstrap, topic, *ends = sys.argv[1:]
ends = [int(end) for end in ends]
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": "reader",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "check.crcs": True,
        "fetch.wait.max.ms": 50,
        "log_level": 0,
    }
)
consumer.assign([TopicPartition(topic, partition, 0) for partition in range(len(ends))])
positions = [0] * len(ends)
deadline = time.time() + 60
lines = []
while any(position < end for position, end in zip(positions, ends)):
    if time.time() > deadline:
        sys.exit("read up to %s of %s within a minute" % (positions, ends))
    for message in consumer.consume(5000, 0.2):
        if message.error() is not None:
            sys.exit(str(message.error()))
        partition, offset = message.partition(), message.offset()
        positions[partition] = max(positions[partition], offset + 1)
        lines.append("%d %d %s" % (partition, offset, message.value().split(b"\n", 1)[0].decode()))
consumer.close()
sys.stdout.write("\n".join(lines) + "\n")
