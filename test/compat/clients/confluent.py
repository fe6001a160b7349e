"""python3-confluent-kafka (librdkafka) as a client of the suites. Usage: confluent.py BOOTSTRAP"""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from host import Digest, Received, check, equal, read_records, serve

BOOTSTRAP = sys.argv[1]


def producer(**settings):
    return Producer(
        {"bootstrap.servers": BOOTSTRAP, "acks": "all", "linger.ms": 5, **{k.replace("_", "."): v for k, v in settings.items()}}
    )


def consumer(group, **settings):
    base = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 500,
    }
    base.update({k.replace("_", "."): v for k, v in settings.items()})
    return Consumer(base)


def send_all(client, messages):
    """Produces dicts of arguments and returns the delivered messages in order of their reports; fails on any error."""
    reports, errors = [], []

    def report(error, message):
        (errors if error else reports).append(error or message)

    for message in messages:
        while True:
            try:
                client.produce(on_delivery=report, **message)
                break
            except BufferError:
                client.poll(0.05)
        client.poll(0)
    equal(client.flush(60), 0, "messages left after flush")
    if errors:
        raise KafkaException(errors[0])
    return reports


def read_from(topic, partition, offset, count, timeout=20):
    client = consumer("reader-" + topic)
    client.assign([TopicPartition(topic, partition, offset)])
    messages, end = [], time.time() + timeout
    while len(messages) < count and time.time() < end:
        message = client.poll(0.2)
        if message is not None:
            check(message.error() is None, str(message.error()))
            messages.append(message)
    client.close()
    equal(len(messages), count, "records read from " + topic)
    return messages


def produce(request):
    client = producer(compression_type=request["codec"], enable_idempotence=True)
    partitions = request["partitions"]
    records = read_records(request["file"], request["from"], request["to"])
    return len(
        send_all(client, ({"topic": request["topic"], "partition": i % partitions, "key": k, "value": v} for i, k, v in records))
    )


def consume(request):
    topic, counts = request["topic"], request["counts"]
    client = consumer("matrix-confluent", fetch_max_bytes=20000000)
    client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(len(counts))])
    digests = [Digest() for _ in counts]
    left, end = sum(counts), time.time() + 60
    while left > 0 and time.time() < end:
        for message in client.consume(1000, 0.5):
            check(message.error() is None, str(message.error()))
            digests[message.partition()].add(message.key(), message.value())
            left -= 1
    client.close()
    return [digest.result(p) for p, digest in enumerate(digests)]


MEMBERS = {}


class Member:
    def __init__(self, topic, group):
        self.received, self.commands = Received(), []
        self.stop, self.error = False, None
        self.client = consumer(group, partition_assignment_strategy="range")
        self.client.subscribe([topic], on_assign=self.on_assign, on_revoke=self.on_revoke)
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def on_assign(self, _, partitions):
        self.received.assign([p.partition for p in partitions])

    def on_revoke(self, _, partitions):
        self.received.assign([])

    def loop(self):
        while not self.stop:
            message = self.client.poll(0.1)
            if message is not None and message.error() is None:
                self.received.add(message.partition(), message.offset())
            if self.commands:
                done, box = self.commands.pop(0)
                try:
                    box.append(self.client.commit(asynchronous=False))
                except KafkaException as error:
                    box.append(error)
                done.set()
        self.client.close()

    def commit(self):
        done, box = threading.Event(), []
        self.commands.append((done, box))
        check(done.wait(20), "commit did not return in 20 s")
        if isinstance(box[0], KafkaException):
            raise box[0]
        return {str(p.partition): p.offset for p in box[0]}

    def leave(self):
        self.stop = True
        self.thread.join(20)
        check(not self.thread.is_alive(), "close did not return in 20 s")


def join(request):
    MEMBERS[request["member"]] = Member(request["topic"], request["group"])


def leave(request):
    MEMBERS.pop(request["member"]).leave()


# Scenarios: each gets the name of a topic of its own, not created yet.


def admin_results(futures):
    return {key: future.result(20) for key, future in futures.items()}


def make_topic(topic, partitions=1, **config):
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin_results(admin.create_topics([NewTopic(topic, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})]))
    return admin


def topics_partitions_configs(topic):
    admin = make_topic(topic, 2, retention_ms="123456789")
    described = admin.list_topics(topic, timeout=10).topics[topic]
    equal(sorted(described.partitions), [0, 1], "partitions")
    equal(described.partitions[0].isrs, [described.partitions[0].leader], "in-sync replicas")
    admin_results(admin.create_partitions([NewPartitions(topic, 5)]))
    equal(len(admin.list_topics(topic, timeout=10).topics[topic].partitions), 5, "partitions after create_partitions")
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    configs = list(admin_results(admin.describe_configs([resource])).values())[0]
    equal(configs["retention.ms"].value, "123456789", "retention.ms")
    equal(configs["cleanup.policy"].value, "delete", "cleanup.policy")
    check(configs["cleanup.policy"].is_default, "cleanup.policy is a default")
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, {"max.message.bytes": "2000000"})
    admin_results(admin.alter_configs([resource]))
    configs = list(admin_results(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)])).values())[0]
    equal(configs["max.message.bytes"].value, "2000000", "max.message.bytes")
    check(configs["retention.ms"].value != "123456789", "alter_configs replaces the whole set, as Kafka's does")
    try:
        make_topic(topic)
        check(False, "the topic was created twice")
    except KafkaException as error:
        equal(error.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS, "creating it again")
    broker = list(admin.list_topics(timeout=10).brokers.values())[0]
    resource = ConfigResource(ConfigResource.Type.BROKER, str(broker.id))
    check(list(admin_results(admin.describe_configs([resource])).values())[0], "broker configs are not empty")
    admin_results(admin.delete_topics([topic]))
    check(topic not in admin.list_topics(timeout=10).topics, "the topic is gone")


def keys_headers_nulls(topic):
    make_topic(topic)
    sent = [
        {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("a", b"2"), ("none", None), ("empty", b"")]},
        {"key": None, "value": b"no key"},
        {"key": b"tombstone", "value": None},
        {"key": b"", "value": b""},
        {"key": bytes(range(256)), "value": bytes(reversed(range(256)))},
    ]
    send_all(producer(), [{"topic": topic, "partition": 0, **m} for m in sent])
    got = read_from(topic, 0, OFFSET_BEGINNING, len(sent))
    for expected, message in zip(sent, got):
        equal(message.key(), expected["key"], "key")
        equal(message.value(), expected["value"], "value")
        equal(message.headers() or [], expected.get("headers", []), "headers")


def timestamps_and_offsets_for_times(topic):
    make_topic(topic)
    start = 1700000000000
    send_all(producer(), [{"topic": topic, "partition": 0, "value": b"%d" % i, "timestamp": start + i * 1000} for i in range(100)])
    equal(read_from(topic, 0, 42, 1)[0].timestamp()[1], start + 42000, "timestamp of offset 42")
    client = consumer("times")
    for wanted, offset in ((start + 42000, 42), (start + 41001, 42), (start - 5, 0), (start + 99000, 99)):
        found = client.offsets_for_times([TopicPartition(topic, 0, wanted)], timeout=10)[0]
        equal(found.offset, offset, "offset for time %d" % wanted)
    found = client.offsets_for_times([TopicPartition(topic, 0, start + 99001)], timeout=10)[0]
    equal(found.offset, -1, "offset for a time past the end")
    equal(client.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (0, 100), "watermarks")
    client.close()


def message_sizes(topic):
    make_topic(topic)
    big = os.urandom(900000)
    send_all(producer(message_max_bytes=3000000), [{"topic": topic, "partition": 0, "value": big}])
    equal(read_from(topic, 0, 0, 1)[0].value() == big, True, "the large value came back")
    try:
        send_all(producer(message_max_bytes=3000000), [{"topic": topic, "partition": 0, "value": os.urandom(1500000)}])
        check(False, "a batch over max.message.bytes was taken")
    except KafkaException as error:
        equal(error.args[0].code(), KafkaError.MSG_SIZE_TOO_LARGE, "too large")


def auto_creation_and_unknown_topics(topic):
    send_all(producer(), [{"topic": topic, "value": b"first"}])
    equal(read_from(topic, 0, 0, 1)[0].value(), b"first", "the record of the created topic")
    client = consumer("unknown", allow_auto_create_topics=False)
    client.subscribe([topic + "-absent"])
    message, end = None, time.time() + 15
    while message is None and time.time() < end:
        message = client.poll(0.2)
    check(message is not None and message.error() is not None, "an error for the unknown topic")
    equal(message.error().code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "the error of the unknown topic")
    client.close()


def seek_and_offset_reset(topic):
    make_topic(topic)
    send_all(producer(), [{"topic": topic, "partition": 0, "value": b"%d" % i} for i in range(50)])
    client = consumer("seek")
    client.assign([TopicPartition(topic, 0, 10)])
    equal(poll_one(client).offset(), 10, "assigned offset")
    client.seek(TopicPartition(topic, 0, 45))
    equal(poll_until(client, 45).offset(), 45, "offset sought")
    client.assign([TopicPartition(topic, 0, 1000)])
    equal(poll_one(client).offset(), 0, "an offset out of range resets to the earliest")
    client.close()


def poll_one(client):
    end = time.time() + 15
    while time.time() < end:
        message = client.poll(0.2)
        if message is not None:
            check(message.error() is None, str(message.error()))
            return message
    raise AssertionError("nothing to read in 15 s")


def poll_until(client, offset):
    for _ in range(100):
        message = poll_one(client)
        if message.offset() == offset:
            return message
    raise AssertionError("offset %d never came" % offset)


def groups_listed(topic):
    admin = make_topic(topic)
    send_all(producer(), [{"topic": topic, "partition": 0, "value": b"x"}])
    member = Member(topic, topic + "-group")
    try:
        end = time.time() + 20
        while not member.received.partitions and time.time() < end:
            time.sleep(0.1)
        group = admin.list_groups(topic + "-group", timeout=10)[0]
        equal(group.state, "Stable", "state of the group")
        equal((group.protocol_type, group.protocol), ("consumer", "range"), "protocol of the group")
        equal(len(group.members), 1, "members")
        check(topic + "-group" in [g.id for g in admin.list_groups(timeout=10)], "the group is listed")
    finally:
        member.leave()


SCENARIOS = {
    f.__name__: f
    for f in (
        topics_partitions_configs,
        keys_headers_nulls,
        timestamps_and_offsets_for_times,
        message_sizes,
        auto_creation_and_unknown_topics,
        seek_and_offset_reset,
        groups_listed,
    )
}

serve(
    {
        "produce": produce,
        "consume": consume,
        "join": join,
        "status": lambda request: MEMBERS[request["member"]].received.status(),
        "commit": lambda request: MEMBERS[request["member"]].commit(),
        "leave": leave,
        "scenarios": lambda request: list(SCENARIOS),
        "scenario": lambda request: SCENARIOS[request["name"]](request["topic"]),
    }
)
