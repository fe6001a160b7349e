"""kafka-python with its defaults (acks=1, no retries) as a driver of load (load.ts tells the protocol)."""

import logging
import time

from kafka import KafkaProducer

from load import Given, Load

logging.disable(logging.CRITICAL)
given = Given()
# It has no limit of its own but that of a request, which is also how long a record may wait to be sent.
producer = KafkaProducer(
    bootstrap_servers=given.bootstrap.split(","),
    client_id=given.name,
    request_timeout_ms=min(given.timeout_ms, 30000),
    max_block_ms=min(given.timeout_ms, 60000),
)


def send(n, partition, key, value):
    future = producer.send(given.topic, value=value, key=key, partition=partition)
    future.add_callback(lambda metadata: load.acknowledged(n, metadata.offset))
    future.add_errback(lambda error: load.failed(n, "%s: %s" % (type(error).__name__, error)))


load = Load(given, send, time.sleep)
producer.partitions_for(given.topic)
load.serve()
