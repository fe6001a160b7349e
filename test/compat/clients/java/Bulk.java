import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The main job: every record of the input file in, every record of a topic out as digests. */
final class Bulk {
    private Bulk() {}

    static KafkaProducer<byte[], byte[]> producer(Map<String, ?> settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", Host.bootstrap);
        properties.put("linger.ms", "5");
        properties.putAll(settings);
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(Map<String, ?> settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", Host.bootstrap);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("group.protocol", "classic");
        properties.putAll(settings);
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static Object produce(JsonNode request) throws Exception {
        ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(Path.of(request.get("file").asText())));
        String topic = request.get("topic").asText();
        int from = request.get("from").asInt(), to = request.get("to").asInt(), partitions = request.get("partitions").asInt();
        AtomicInteger acknowledged = new AtomicInteger();
        AtomicReference<Exception> failure = new AtomicReference<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("compression.type", request.get("codec").asText()))) {
            for (int index = 0; index < to; index++) {
                byte[] key = next(data), value = next(data);
                if (index < from) continue;
                producer.send(new ProducerRecord<>(topic, index % partitions, key, value), (metadata, error) -> {
                    if (error == null) acknowledged.incrementAndGet();
                    else failure.compareAndSet(null, error);
                });
            }
        }
        if (failure.get() != null) throw failure.get();
        return acknowledged.get();
    }

    private static byte[] next(ByteBuffer data) {
        byte[] bytes = new byte[data.getInt()];
        data.get(bytes);
        return bytes;
    }

    static Object consume(JsonNode request) throws Exception {
        String topic = request.get("topic").asText();
        List<Digest> digests = new ArrayList<>();
        List<TopicPartition> assignment = new ArrayList<>();
        long left = 0;
        for (JsonNode count : request.get("counts")) {
            assignment.add(new TopicPartition(topic, digests.size()));
            digests.add(new Digest());
            left += count.asLong();
        }
        long end = System.currentTimeMillis() + 60_000;
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of("max.poll.records", "5000", "max.partition.fetch.bytes", "4000000"))) {
            consumer.assign(assignment);
            consumer.seekToBeginning(assignment);
            while (left > 0 && System.currentTimeMillis() < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    digests.get(record.partition()).add(record.key(), record.value());
                    left--;
                }
            }
        }
        List<Object> results = new ArrayList<>();
        for (int partition = 0; partition < digests.size(); partition++) results.add(digests.get(partition).result(partition));
        return results;
    }

    /** SHA-256 over every record of a partition in order; the same in every client. */
    private static final class Digest {
        private final MessageDigest sha = MessageDigest.getInstance("SHA-256");
        private long count;

        Digest() throws Exception {}

        void add(byte[] key, byte[] value) {
            count++;
            for (byte[] part : new byte[][] {key, value}) {
                sha.update(ByteBuffer.allocate(4).putInt(part == null ? -1 : part.length).array());
                if (part != null) sha.update(part);
            }
        }

        Map<String, Object> result(int partition) {
            return Map.of("partition", partition, "count", count, "hash", HexFormat.of().formatHex(sha.digest()));
        }
    }
}
