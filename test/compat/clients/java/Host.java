import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;

/**
 * Apache Kafka's Java clients and tools as a client of the suites: one JVM that answers requests line by line, as host.py
 * does, so that a run pays the start of a JVM once. Usage: Host BOOTSTRAP
 */
public final class Host {
    interface Handler {
        Object answer(JsonNode request) throws Exception;
    }

    static final ObjectMapper JSON = new ObjectMapper();
    static String bootstrap;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        PrintStream replies = System.out;
        Tools.captureStandardStreams();
        Map<String, Handler> handlers = new HashMap<>();
        handlers.put("produce", Bulk::produce);
        handlers.put("consume", Bulk::consume);
        handlers.put("join", Members::join);
        handlers.put("status", Members::status);
        handlers.put("commit", Members::commit);
        handlers.put("leave", Members::leave);
        handlers.put("tool", Tools::run);
        Map<String, Scenarios.Scenario> scenarios = Scenarios.all();
        handlers.put("scenarios", request -> new ArrayList<>(scenarios.keySet()));
        handlers.put("scenario", request -> {
            scenarios.get(request.get("name").asText()).run(request.get("topic").asText());
            return null;
        });
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode request = JSON.readTree(line);
            Handler handler = handlers.get(request.get("op").asText());
            Thread thread = new Thread(() -> answer(request, handler, replies), "request-" + request.get("id"));
            thread.setDaemon(true);
            thread.start();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void answer(JsonNode request, Handler handler, PrintStream replies) {
        ObjectNode reply = JSON.createObjectNode();
        reply.set("id", request.get("id"));
        try {
            reply.set("result", JSON.valueToTree(handler.answer(request)));
        } catch (Throwable failure) {
            reply.put("error", describe(failure));
        }
        synchronized (replies) {
            replies.println(reply);
            replies.flush();
        }
    }

    private static String describe(Throwable failure) {
        Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
        StringBuilder text = new StringBuilder(cause.toString());
        List<StackTraceElement> own = new ArrayList<>();
        for (StackTraceElement element : failure.getStackTrace()) {
            String name = String.valueOf(element.getFileName());
            if (List.of("Scenarios.java", "Bulk.java", "Members.java", "Checks.java", "Tools.java").contains(name)) own.add(element);
        }
        for (StackTraceElement element : own) text.append(" | ").append(element.getFileName()).append(':').append(element.getLineNumber());
        return text.toString();
    }
}
