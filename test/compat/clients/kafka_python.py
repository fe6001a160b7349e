"""python3-kafka (kafka-python) as a client of the suites. Usage: kafka_python.py BOOTSTRAP"""

import logging
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import MessageSizeTooLargeError, TopicAlreadyExistsError

from host import Digest, Received, check, equal, read_records, serve

BOOTSTRAP = sys.argv[1]
logging.disable(logging.CRITICAL)


def producer(**settings):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all", linger_ms=5, **settings)


def consumer(*topics, **settings):
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "group_id": None, **settings}
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, session_timeout_ms=10000, heartbeat_interval_ms=500, **settings)


def send_all(client, messages):
    futures = [client.send(topic, **message) for topic, message in messages]
    client.flush(60)
    return [future.get(20) for future in futures]


def read_from(topic, offset, count, partition=0, timeout=20):
    client = consumer()
    client.assign([TopicPartition(topic, partition)])
    client.seek(TopicPartition(topic, partition), offset)
    messages, end = [], time.time() + timeout
    while len(messages) < count and time.time() < end:
        for batch in client.poll(timeout_ms=200).values():
            messages.extend(batch)
    client.close()
    check(len(messages) >= count, "%d records read from %s, expected %d" % (len(messages), topic, count))
    return messages[:count]


def produce(request):
    codec = None if request["codec"] == "none" else request["codec"]
    client = producer(compression_type=codec, batch_size=200000, max_in_flight_requests_per_connection=1)
    records = read_records(request["file"], request["from"], request["to"])
    partitions = request["partitions"]
    sent = send_all(client, ((request["topic"], {"key": k, "value": v, "partition": i % partitions}) for i, k, v in records))
    client.close()
    return len(sent)


def consume(request):
    topic, counts = request["topic"], request["counts"]
    client = consumer(max_poll_records=5000, max_partition_fetch_bytes=4000000)
    partitions = [TopicPartition(topic, p) for p in range(len(counts))]
    client.assign(partitions)
    client.seek_to_beginning(*partitions)
    digests = [Digest() for _ in counts]
    left, end = sum(counts), time.time() + 90
    while left > 0 and time.time() < end:
        for partition, batch in client.poll(timeout_ms=500).items():
            for message in batch:
                digests[partition.partition].add(message.key, message.value)
            left -= len(batch)
    client.close()
    return [digest.result(p) for p, digest in enumerate(digests)]


MEMBERS = {}


class Member(ConsumerRebalanceListener):
    def __init__(self, topic, group):
        self.received, self.commands = Received(), []
        self.stop = False
        self.client = consumer(group_id=group, partition_assignment_strategy=[RangePartitionAssignor])
        self.client.subscribe([topic], listener=self)
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def on_partitions_assigned(self, assigned):
        self.received.assign([p.partition for p in assigned])

    def on_partitions_revoked(self, revoked):
        self.received.assign([])

    def loop(self):
        while not self.stop:
            for partition, batch in self.client.poll(timeout_ms=100).items():
                for message in batch:
                    self.received.add(partition.partition, message.offset)
            if self.commands:
                done, box = self.commands.pop(0)
                try:
                    self.client.commit()
                    box.append({str(p.partition): self.client.committed(p) for p in self.client.assignment()})
                except Exception as error:  # handed to the thread that asked
                    box.append(error)
                done.set()
        self.client.close(autocommit=False)

    def commit(self):
        done, box = threading.Event(), []
        self.commands.append((done, box))
        check(done.wait(20), "commit did not return in 20 s")
        if isinstance(box[0], Exception):
            raise box[0]
        return box[0]

    def leave(self):
        self.stop = True
        self.thread.join(20)
        check(not self.thread.is_alive(), "close did not return in 20 s")


def join(request):
    MEMBERS[request["member"]] = Member(request["topic"], request["group"])


def leave(request):
    MEMBERS.pop(request["member"]).leave()


# Scenarios: each gets the name of a topic of its own, not created yet.


def make_topic(topic, partitions=1, config=None):
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config or {})])
    return admin


def config_values(response):
    """The entries of one DescribeConfigs answer as a dict, whatever the version."""
    return {entry[0]: entry[1] for entry in response.resources[0][4]}


def topics_partitions_configs(topic):
    admin = make_topic(topic, 2, {"retention.ms": "123456789"})
    try:
        make_topic(topic)
        check(False, "the topic was created twice")
    except TopicAlreadyExistsError:
        pass
    described = admin.describe_topics([topic])[0]
    equal(sorted(p["partition"] for p in described["partitions"]), [0, 1], "partitions")
    admin.create_partitions({topic: NewPartitions(5)})
    equal(len(admin.describe_topics([topic])[0]["partitions"]), 5, "partitions after create_partitions")
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    equal(config_values(admin.describe_configs([resource])[0])["retention.ms"], "123456789", "retention.ms")
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "2000000"})])
    equal(config_values(admin.describe_configs([resource])[0])["max.message.bytes"], "2000000", "max.message.bytes")
    check(topic in admin.list_topics(), "the topic is listed")
    check(admin.describe_cluster()["brokers"], "brokers of the cluster")
    admin.delete_topics([topic])
    check(topic not in admin.list_topics(), "the topic is gone")
    admin.close()


def keys_headers_nulls(topic):
    make_topic(topic).close()
    sent = [
        {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("a", b"2"), ("empty", b"")]},
        {"key": None, "value": b"no key"},
        {"key": b"tombstone", "value": None},
        {"key": b"", "value": b""},
        {"key": bytes(range(256)), "value": bytes(reversed(range(256)))},
    ]
    client = producer()
    send_all(client, [(topic, {"partition": 0, **message}) for message in sent])
    client.close()
    for expected, message in zip(sent, read_from(topic, 0, len(sent))):
        equal(message.key, expected["key"], "key")
        equal(message.value, expected["value"], "value")
        equal(message.headers, expected.get("headers", []), "headers")


def timestamps_and_offsets_for_times(topic):
    make_topic(topic).close()
    start = 1700000000000
    client = producer()
    sent = send_all(client, [(topic, {"value": b"%d" % i, "partition": 0, "timestamp_ms": start + i * 1000}) for i in range(100)])
    client.close()
    equal([s.offset for s in sent], list(range(100)), "offsets of the acknowledgements")
    equal(read_from(topic, 42, 1)[0].timestamp, start + 42000, "timestamp of offset 42")
    reader, partition = consumer(), TopicPartition(topic, 0)
    for wanted, offset in ((start + 42000, 42), (start + 41001, 42), (start - 5, 0), (start + 99000, 99)):
        equal(reader.offsets_for_times({partition: wanted})[partition].offset, offset, "offset for time %d" % wanted)
    equal(reader.offsets_for_times({partition: start + 99001})[partition], None, "offset for a time past the end")
    equal(reader.beginning_offsets([partition]), {partition: 0}, "beginning")
    equal(reader.end_offsets([partition]), {partition: 100}, "end")
    reader.close()


def message_sizes(topic):
    make_topic(topic).close()
    client = producer(max_request_size=3000000)
    big = os.urandom(900000)
    send_all(client, [(topic, {"value": big, "partition": 0})])
    check(read_from(topic, 0, 1)[0].value == big, "the large value came back")
    try:
        send_all(client, [(topic, {"value": os.urandom(1500000), "partition": 0})])
        check(False, "a batch over max.message.bytes was taken")
    except MessageSizeTooLargeError:
        pass
    client.close()


def auto_creation(topic):
    client = producer()
    send_all(client, [(topic, {"value": b"first"})])
    client.close()
    equal(read_from(topic, 0, 1)[0].value, b"first", "the record of the created topic")


def offset_reset(topic):
    make_topic(topic).close()
    client = producer()
    send_all(client, [(topic, {"value": b"%d" % i, "partition": 0}) for i in range(50)])
    client.close()
    equal(read_from(topic, 45, 1)[0].offset, 45, "offset sought")
    equal(read_from(topic, 1000, 1)[0].offset, 0, "an offset out of range resets to the earliest")


def groups_listed(topic):
    admin = make_topic(topic)
    client = producer()
    send_all(client, [(topic, {"value": b"x", "partition": 0})])
    client.close()
    group = topic + "-group"
    member = Member(topic, group)
    try:
        end = time.time() + 20
        while not member.received.partitions and time.time() < end:
            time.sleep(0.1)
        member.commit()
        described = admin.describe_consumer_groups([group])[0]
        equal((described.state, described.protocol_type, described.protocol), ("Stable", "consumer", "range"), "the group")
        equal(len(described.members), 1, "members")
        check((group, "consumer") in admin.list_consumer_groups(), "the group is listed")
        offsets = admin.list_consumer_group_offsets(group)
        equal(offsets[TopicPartition(topic, 0)].offset, 1, "committed offset")
    finally:
        member.leave()
    equal(admin.delete_consumer_groups([group])[0][1].errno, 0, "deleting the group")
    admin.close()


SCENARIOS = {
    f.__name__: f
    for f in (
        topics_partitions_configs,
        keys_headers_nulls,
        timestamps_and_offsets_for_times,
        message_sizes,
        auto_creation,
        offset_reset,
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
