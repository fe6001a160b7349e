import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Apache Kafka's Java producer, idempotent and otherwise stock, as a driver of load (load.ts tells the protocol). */
public final class Load {
    private static final AtomicInteger UNSETTLED = new AtomicInteger();

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1], name = arguments[3];
        int partitions = Integer.parseInt(arguments[2]), size = Integer.parseInt(arguments[4]);
        int timeoutMs = Integer.parseInt(arguments[5]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("client.id", name);
        properties.put("enable.idempotence", "true");
        properties.put("delivery.timeout.ms", String.valueOf(timeoutMs));
        properties.put("request.timeout.ms", String.valueOf(Math.min(timeoutMs - 100, 30_000)));
        properties.put("max.block.ms", String.valueOf(timeoutMs));
        KafkaProducer<String, String> producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
        producer.partitionsFor(topic);
        BlockingQueue<String> commands = new LinkedBlockingQueue<>();
        Thread listener = new Thread(() -> listen(commands), "commands");
        listener.setDaemon(true);
        listener.start();
        say("ready");
        boolean busy = false;
        int next = 0;
        long left = 0, last = 0;
        double rate = 0, owed = 0;
        while (true) {
            String command = commands.poll(4, TimeUnit.MILLISECONDS);
            if (command != null) {
                String[] words = command.split(" ");
                if (words[0].equals("end")) Runtime.getRuntime().halt(0);
                left = words[0].equals("send") ? Long.parseLong(words[1]) : 0;
                if (words[0].equals("send")) {
                    busy = true;
                    rate = Double.parseDouble(words[2]);
                    if (rate == 0) rate = 1e9;
                    owed = 1;
                    last = System.nanoTime();
                }
            }
            long now = System.nanoTime();
            owed += (now - last) * rate / 1e9;
            last = now;
            for (; owed >= 1 && left > 0; owed--, left--) send(producer, topic, next % partitions, name, next++, size);
            if (busy && left == 0 && UNSETTLED.get() == 0) {
                busy = false;
                say("done");
            }
        }
    }

    private static void send(KafkaProducer<String, String> producer, String topic, int partition, String name, int n, int size) {
        StringBuilder value = new StringBuilder(name + "/" + n + "\n");
        while (value.length() < size) value.append('x');
        UNSETTLED.incrementAndGet();
        say("sent " + n + " " + partition + " " + System.currentTimeMillis());
        try {
            producer.send(new ProducerRecord<>(topic, partition, "key-" + partition, value.toString()), (metadata, error) -> {
                if (error == null) settled("ok " + n + " " + metadata.offset() + " " + System.currentTimeMillis());
                else failed(n, error);
            });
        } catch (RuntimeException error) {
            failed(n, error);
        }
    }

    private static void failed(int n, Exception error) {
        settled("no " + n + " unknown " + System.currentTimeMillis() + " " + String.valueOf(error).replace('\n', ' '));
    }

    private static void settled(String line) {
        say(line);
        UNSETTLED.decrementAndGet();
    }

    private static synchronized void say(String line) {
        byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(bytes, 0, bytes.length);
        System.out.flush();
    }

    private static void listen(BlockingQueue<String> commands) {
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) commands.add(line);
        } catch (java.io.IOException ended) {
            commands.add("end");
        }
        commands.add("end");
    }
}
