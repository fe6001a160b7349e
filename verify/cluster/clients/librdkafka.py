"""confluent_kafka (librdkafka), idempotent and otherwise stock, as a driver of load (load.ts tells the protocol)."""

from confluent_kafka import Producer

from load import Given, Load

given = Given()
producer = Producer(
    {
        "bootstrap.servers": given.bootstrap,
        "client.id": given.name,
        "enable.idempotence": True,
        "message.timeout.ms": given.timeout_ms,
        "log_level": 0,
    }
)


def report(n):
    def reported(error, message):
        if error is None:
            load.acknowledged(n, message.offset())
        else:
            load.failed(n, error)

    return reported


def send(n, partition, key, value):
    producer.produce(given.topic, value=value, key=key, partition=partition, on_delivery=report(n))


load = Load(given, send, producer.poll)
producer.list_topics(given.topic, timeout=20)
load.serve()
