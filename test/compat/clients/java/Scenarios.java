import static org.apache.kafka.clients.admin.AlterConfigOp.OpType.DELETE;
import static org.apache.kafka.clients.admin.AlterConfigOp.OpType.SET;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What the Java clients can ask of a broker. Each scenario gets the name of a topic of its own, not created yet. */
final class Scenarios {
    private Scenarios() {}

    interface Scenario {
        void run(String topic) throws Exception;
    }

    static Map<String, Scenario> all() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("admin_topics_and_partitions", Scenarios::topicsAndPartitions);
        all.put("admin_configs", Scenarios::configs);
        all.put("admin_refusals", Scenarios::refusals);
        all.put("admin_cluster_and_log_dirs", Scenarios::clusterAndLogDirs);
        all.put("admin_list_offsets_and_delete_records", Scenarios::offsetsAndDeleteRecords);
        all.put("admin_groups", Scenarios::groups);
        all.put("admin_delete_groups", Scenarios::deleteGroups);
        all.put("admin_delete_group_offsets", Scenarios::deleteGroupOffsets);
        all.put("producer_idempotent_order", Scenarios::idempotentOrder);
        all.put("keys_headers_nulls", Scenarios::keysHeadersNulls);
        all.put("consumer_offsets_and_seeks", Scenarios::consumerOffsets);
        all.put("consumer_many_partitions", Scenarios::manyPartitions);
        all.put("consumer_static_member", Scenarios::staticMember);
        all.put("auto_creation", Scenarios::autoCreation);
        return all;
    }

    private static Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", Host.bootstrap));
    }

    private static void create(Admin admin, String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void send(List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = Bulk.producer(Map.of())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (ProducerRecord<byte[], byte[]> record : records) sent.add(producer.send(record));
            for (Future<RecordMetadata> one : sent) one.get();
        }
    }

    private static List<ProducerRecord<byte[], byte[]>> numbered(String topic, int count) {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < count; i++) records.add(new ProducerRecord<>(topic, 0, 1700000000000L + i * 1000L, null, bytes("" + i)));
        return records;
    }

    private static List<ConsumerRecord<byte[], byte[]>> take(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> taken = new ArrayList<>();
        long end = System.currentTimeMillis() + 20_000;
        while (taken.size() < count && System.currentTimeMillis() < end) consumer.poll(Duration.ofMillis(200)).forEach(taken::add);
        Checks.check(taken.size() >= count, "only " + taken.size() + " of " + count + " records came");
        return taken;
    }

    private static void topicsAndPartitions(String topic) throws Exception {
        try (Admin admin = admin()) {
            create(admin, topic, 2, Map.of("retention.ms", "123456789"));
            TopicDescription described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            Checks.equal(described.partitions().size(), 2, "partitions");
            Checks.equal(described.partitions().get(0).isr().size(), 1, "in-sync replicas");
            Checks.check(!described.isInternal(), "not internal");
            Checks.equal(admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(described.topicId())))
                    .allTopicIds().get().get(described.topicId()).name(), topic, "described by id");
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
            Checks.equal(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size(), 5, "partitions after the increase");
            Checks.check(admin.listTopics().names().get().contains(topic), "listed");
            admin.deleteTopics(List.of(topic)).all().get();
            Checks.check(!admin.listTopics().names().get().contains(topic), "gone");
            Checks.fails(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of(topic)).allTopicNames().get(), "describing a deleted topic");
        }
    }

    private static Config describe(Admin admin, ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    private static void configs(String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try (Admin admin = admin()) {
            create(admin, topic, 1, Map.of("retention.ms", "123456789"));
            Config config = describe(admin, resource);
            Checks.equal(config.get("retention.ms").value(), "123456789", "retention.ms");
            Checks.equal(config.get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source of retention.ms");
            Checks.equal(config.get("segment.bytes").value(), "1073741824", "segment.bytes by default");
            Checks.check(config.get("segment.bytes").isDefault(), "segment.bytes is a default");
            Collection<AlterConfigOp> changes = List.of(
                    new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), SET),
                    new AlterConfigOp(new ConfigEntry("retention.ms", ""), DELETE),
                    new AlterConfigOp(new ConfigEntry("cleanup.policy", "delete"), AlterConfigOp.OpType.APPEND));
            admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
            config = describe(admin, resource);
            Checks.equal(config.get("max.message.bytes").value(), "2000000", "max.message.bytes set");
            Checks.equal(config.get("retention.ms").value(), "604800000", "retention.ms deleted");
            Checks.equal(config.get("cleanup.policy").value(), "delete", "cleanup.policy with what it had appended");
            Collection<AlterConfigOp> bad = List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), SET));
            Checks.fails(InvalidConfigurationException.class, () -> admin.incrementalAlterConfigs(Map.of(resource, bad)).all().get(), "a bad value");
            String node = admin.describeCluster().nodes().get().iterator().next().idString();
            Config broker = describe(admin, new ConfigResource(ConfigResource.Type.BROKER, node));
            Checks.check(broker.get("num.partitions") != null, "the broker names num.partitions");
        }
    }

    private static void refusals(String topic) throws Exception {
        try (Admin admin = admin()) {
            create(admin, topic, 1, Map.of());
            Checks.fails(TopicExistsException.class, () -> create(admin, topic, 1, Map.of()), "creating a topic again");
            Checks.fails(InvalidTopicException.class, () -> create(admin, "a/b", 1, Map.of()), "a bad name");
            Checks.fails(InvalidPartitionsException.class, () -> create(admin, topic + "-0", 0, Map.of()), "no partitions");
            Checks.fails(InvalidReplicationFactorException.class,
                    () -> admin.createTopics(List.of(new NewTopic(topic + "-r", 1, (short) 3))).all().get(), "three replicas on one node");
            Checks.fails(InvalidConfigurationException.class, () -> create(admin, topic + "-c", 1, Map.of("no.such.config", "1")), "an unknown config");
            Checks.fails(InvalidPartitionsException.class,
                    () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all().get(), "no more partitions than there are");
            Checks.fails(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(topic + "-absent")).all().get(), "deleting an absent topic");
        }
        Map<String, String> large = Map.of("max.request.size", "4000000");
        try (KafkaProducer<byte[], byte[]> producer = Bulk.producer(large)) {
            Checks.fails(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>(topic, new byte[1_500_000])).get(), "too large a record");
            producer.send(new ProducerRecord<>(topic, new byte[900_000])).get();
        }
    }

    private static void clusterAndLogDirs(String topic) throws Exception {
        try (Admin admin = admin()) {
            create(admin, topic, 1, Map.of());
            send(numbered(topic, 1000));
            Checks.equal(admin.describeCluster().nodes().get().size(), 1, "nodes");
            Checks.check(!admin.describeCluster().clusterId().get().isEmpty(), "the cluster has an id");
            int node = admin.describeCluster().controller().get().id();
            Map<String, LogDirDescription> directories = admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node);
            TopicPartition partition = new TopicPartition(topic, 0);
            long size = 0;
            for (LogDirDescription directory : directories.values()) {
                Checks.check(directory.error() == null, "log directory without error");
                if (directory.replicaInfos().containsKey(partition)) size = directory.replicaInfos().get(partition).size();
            }
            Checks.check(size > 5000, "size of the partition: " + size);
        }
    }

    private static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).all().get().get(partition).offset();
    }

    private static void offsetsAndDeleteRecords(String topic) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Admin admin = admin()) {
            create(admin, topic, 1, Map.of());
            send(numbered(topic, 100));
            Checks.equal(offset(admin, partition, OffsetSpec.earliest()), 0L, "earliest");
            Checks.equal(offset(admin, partition, OffsetSpec.latest()), 100L, "latest");
            Checks.equal(offset(admin, partition, OffsetSpec.maxTimestamp()), 99L, "max timestamp");
            Checks.equal(offset(admin, partition, OffsetSpec.forTimestamp(1700000041001L)), 42L, "for a time");
            Checks.equal(offset(admin, partition, OffsetSpec.forTimestamp(1800000000000L)), -1L, "for a time past the end");
            long low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(10))).lowWatermarks().get(partition).get().lowWatermark();
            Checks.equal(low, 10L, "low watermark");
            Checks.equal(offset(admin, partition, OffsetSpec.earliest()), 10L, "earliest after deleting records");
            Checks.equal(offset(admin, partition, OffsetSpec.forTimestamp(0)), 10L, "a time before the log start");
            Checks.fails(OffsetOutOfRangeException.class,
                    () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(101))).all().get(), "past the high watermark");
            low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(partition).get().lowWatermark();
            Checks.equal(low, 100L, "all of it");
        }
    }

    private static KafkaConsumer<byte[], byte[]> grouped(String group, Map<String, String> more) {
        Map<String, String> settings = new LinkedHashMap<>(Map.of("group.id", group, "session.timeout.ms", "10000", "heartbeat.interval.ms", "500"));
        settings.putAll(more);
        return Bulk.consumer(settings);
    }

    private static void groups(String topic) throws Exception {
        String group = topic + "-group";
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Admin admin = admin(); KafkaConsumer<byte[], byte[]> consumer = grouped(group, Map.of())) {
            create(admin, topic, 1, Map.of());
            send(numbered(topic, 10));
            consumer.subscribe(List.of(topic));
            take(consumer, 10);
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(7, Optional.of(0), "note")));
            ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            Checks.equal(described.groupState(), GroupState.STABLE, "state");
            Checks.equal(described.members().size(), 1, "members");
            Checks.equal(described.members().iterator().next().assignment().topicPartitions(), Set.of(partition), "assignment");
            Checks.check(admin.listGroups().all().get().stream().map(GroupListing::groupId).anyMatch(group::equals), "listed");
            OffsetAndMetadata committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition);
            Checks.equal(committed.offset(), 7L, "committed offset");
            Checks.equal(committed.metadata(), "note", "committed metadata");
        }
        try (Admin admin = admin()) {
            Checks.equal(admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState(), GroupState.EMPTY, "state after leaving");
            admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(3))).all().get();
            Checks.equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition).offset(), 3L, "altered offset");
        }
    }

    private static void deleteGroups(String topic) throws Exception {
        String group = topic + "-group";
        try (Admin admin = admin()) {
            create(admin, topic, 1, Map.of());
            admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(3))).all().get();
            admin.deleteConsumerGroups(List.of(group)).all().get();
            Checks.check(admin.listGroups().all().get().stream().map(GroupListing::groupId).noneMatch(group::equals), "gone");
        }
    }

    private static void deleteGroupOffsets(String topic) throws Exception {
        String group = topic + "-group";
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Admin admin = admin()) {
            create(admin, topic, 1, Map.of());
            admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(3))).all().get();
            admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
            Checks.equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition), null, "committed offset");
        }
    }

    private static void idempotentOrder(String topic) throws Exception {
        int count = 20_000;
        try (Admin admin = admin()) {
            create(admin, topic, 1, Map.of());
        }
        Map<String, String> settings = Map.of("enable.idempotence", "true", "acks", "all", "max.in.flight.requests.per.connection", "5", "linger.ms", "0", "batch.size", "2000");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = Bulk.producer(settings)) {
            for (int i = 0; i < count; i++) sent.add(producer.send(new ProducerRecord<>(topic, 0, null, bytes("" + i))));
        }
        for (int i = 0; i < count; i++) Checks.equal(sent.get(i).get().offset(), (long) i, "offset of record " + i);
        try (KafkaConsumer<byte[], byte[]> consumer = Bulk.consumer(Map.of("isolation.level", "read_committed"))) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            consumer.seek(new TopicPartition(topic, 0), 0);
            int next = 0;
            for (ConsumerRecord<byte[], byte[]> record : take(consumer, count)) {
                Checks.equal(new String(record.value(), StandardCharsets.UTF_8), "" + next, "value at offset " + record.offset());
                next++;
            }
        }
    }

    private static void keysHeadersNulls(String topic) throws Exception {
        ProducerRecord<byte[], byte[]> first = new ProducerRecord<>(topic, 0, 1700000000000L, bytes("k"), bytes("v"));
        first.headers().add("a", bytes("1")).add("a", bytes("2")).add("none", null).add("empty", new byte[0]);
        send(List.of(first, new ProducerRecord<>(topic, 0, null, bytes("no key")), new ProducerRecord<>(topic, 0, bytes("tombstone"), null),
                new ProducerRecord<>(topic, 0, new byte[0], new byte[0])));
        try (KafkaConsumer<byte[], byte[]> consumer = Bulk.consumer(Map.of())) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            List<ConsumerRecord<byte[], byte[]>> got = take(consumer, 4);
            Checks.equal(got.get(0).headers(), first.headers(), "headers");
            Checks.equal(got.get(0).timestamp(), 1700000000000L, "timestamp");
            Checks.equal(got.get(1).key(), null, "null key");
            Checks.equal(got.get(2).value(), null, "null value");
            Checks.equal(got.get(3).value().length, 0, "empty value");
        }
    }

    private static void consumerOffsets(String topic) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        send(numbered(topic, 100));
        try (KafkaConsumer<byte[], byte[]> consumer = Bulk.consumer(Map.of("max.poll.records", "10"))) {
            consumer.assign(List.of(partition));
            Checks.equal(consumer.beginningOffsets(List.of(partition)), Map.of(partition, 0L), "beginning");
            Checks.equal(consumer.endOffsets(List.of(partition)), Map.of(partition, 100L), "end");
            Checks.equal(consumer.offsetsForTimes(Map.of(partition, 1700000041001L)).get(partition).offset(), 42L, "for a time");
            Checks.equal(consumer.offsetsForTimes(Map.of(partition, 1800000000000L)).get(partition), null, "for a time past the end");
            Checks.equal(consumer.partitionsFor(topic).size(), 1, "partitions for the topic");
            Checks.check(consumer.listTopics().containsKey(topic), "listed");
            consumer.seek(partition, 95);
            Checks.equal(take(consumer, 1).get(0).offset(), 95L, "sought");
            consumer.seekToEnd(List.of(partition));
            Checks.equal(consumer.position(partition), 100L, "position at the end");
            consumer.seek(partition, 5000);
            Checks.equal(take(consumer, 1).get(0).offset(), 0L, "out of range resets to the earliest");
        }
    }

    /** Sixty partitions through an incremental fetch session; what arrives later arrives too. */
    private static void manyPartitions(String topic) throws Exception {
        try (Admin admin = admin(); KafkaConsumer<byte[], byte[]> consumer = Bulk.consumer(Map.of())) {
            create(admin, topic, 60, Map.of());
            List<TopicPartition> all = new ArrayList<>();
            for (int p = 0; p < 60; p++) all.add(new TopicPartition(topic, p));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            for (int round = 0; round < 5; round++) {
                List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
                for (int p = round; p < 60; p += 7) records.add(new ProducerRecord<>(topic, p, null, bytes(round + "/" + p)));
                send(records);
                List<ConsumerRecord<byte[], byte[]>> got = take(consumer, records.size());
                Checks.equal(got.size(), records.size(), "records of round " + round);
                for (ConsumerRecord<byte[], byte[]> record : got) {
                    Checks.equal(new String(record.value(), StandardCharsets.UTF_8), round + "/" + record.partition(), "value");
                }
            }
        }
    }

    /** A static member that comes back within its session keeps its partitions without a rebalance. */
    private static void staticMember(String topic) throws Exception {
        String group = topic + "-static";
        try (Admin admin = admin()) {
            create(admin, topic, 2, Map.of());
            send(numbered(topic, 10));
            List<String> memberIds = new ArrayList<>();
            for (int round = 0; round < 2; round++) {
                try (KafkaConsumer<byte[], byte[]> consumer = grouped(group, Map.of("group.instance.id", "one"))) {
                    consumer.subscribe(List.of(topic));
                    take(consumer, 10);
                    memberIds.add(consumer.groupMetadata().memberId());
                    Checks.equal(consumer.groupMetadata().generationId(), 1, "generation in round " + round);
                }
            }
            Checks.check(!memberIds.get(0).equals(memberIds.get(1)), "the second start has a new member id");
        }
    }

    private static void autoCreation(String topic) throws ExecutionException, InterruptedException {
        try (KafkaProducer<byte[], byte[]> producer = Bulk.producer(Map.of())) {
            Checks.equal(producer.send(new ProducerRecord<>(topic, bytes("first"))).get().offset(), 0L, "offset of the first record");
        }
    }
}
