import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Members of consumer groups, each polled by a thread of its own, for the runner to join, ask, commit and leave. */
final class Members {
    private Members() {}

    private static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();

    static Object join(JsonNode request) {
        Map<String, String> settings = new HashMap<>();
        settings.put("group.id", request.get("group").asText());
        settings.put("session.timeout.ms", "10000");
        settings.put("heartbeat.interval.ms", "500");
        settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
        Member member = new Member(request.get("topic").asText(), settings);
        MEMBERS.put(request.get("member").asText(), member);
        return null;
    }

    static Object status(JsonNode request) {
        return MEMBERS.get(request.get("member").asText()).status();
    }

    static Object commit(JsonNode request) throws Exception {
        return MEMBERS.get(request.get("member").asText()).commit();
    }

    static Object leave(JsonNode request) throws Exception {
        MEMBERS.remove(request.get("member").asText()).leave();
        return null;
    }

    static final class Member implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final Map<String, long[]> received = new TreeMap<>();
        private final TreeSet<Integer> assigned = new TreeSet<>();
        private final ConcurrentLinkedQueue<CompletableFuture<Map<String, Long>>> commits = new ConcurrentLinkedQueue<>();
        private final Thread thread;
        private volatile boolean stop;

        Member(String topic, Map<String, String> settings) {
            consumer = Bulk.consumer(settings);
            consumer.subscribe(List.of(topic), this);
            thread = new Thread(this::loop, "member");
            thread.setDaemon(true);
            thread.start();
        }

        @Override
        public synchronized void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> assigned.add(partition.partition()));
        }

        @Override
        public synchronized void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> assigned.remove(partition.partition()));
        }

        private void loop() {
            try (consumer) {
                while (!stop) {
                    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) add(record);
                    CompletableFuture<Map<String, Long>> commit = commits.poll();
                    if (commit != null) commitNow(commit);
                }
            }
        }

        private synchronized void add(ConsumerRecord<byte[], byte[]> record) {
            long[] entry = received.computeIfAbsent(String.valueOf(record.partition()), p -> new long[] {record.offset(), 0, 0});
            entry[1] = record.offset();
            entry[2]++;
        }

        private void commitNow(CompletableFuture<Map<String, Long>> done) {
            try {
                consumer.commitSync(Duration.ofSeconds(15));
                Map<String, Long> committed = new TreeMap<>();
                for (Map.Entry<TopicPartition, OffsetAndMetadata> entry : consumer.committed(consumer.assignment()).entrySet()) {
                    if (entry.getValue() != null) committed.put(String.valueOf(entry.getKey().partition()), entry.getValue().offset());
                }
                done.complete(committed);
            } catch (RuntimeException failure) {
                done.completeExceptionally(failure);
            }
        }

        synchronized Map<String, Object> status() {
            return Map.of("assigned", new ArrayList<>(assigned), "received", new TreeMap<>(received));
        }

        Map<String, Long> commit() throws Exception {
            CompletableFuture<Map<String, Long>> done = new CompletableFuture<>();
            commits.add(done);
            return done.get(20, TimeUnit.SECONDS);
        }

        void leave() throws Exception {
            stop = true;
            thread.join(20_000);
            if (thread.isAlive()) throw new AssertionError("close did not return in 20 s");
        }
    }
}
