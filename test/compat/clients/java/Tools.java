import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.common.utils.Exit;

/** Runs the main class of one of Kafka's own tools inside this JVM and returns what it printed and its exit code. */
final class Tools {
    private Tools() {}

    private static final class ExitException extends RuntimeException {
        ExitException(int status) {
            super("exit " + status, null, false, false);
        }
    }

    /** Standard output as a switch: Scala's Console keeps the stream that it first saw. */
    private static final class Switch extends OutputStream {
        private OutputStream target = OutputStream.nullOutputStream();

        @Override
        public synchronized void write(int octet) throws IOException {
            target.write(octet);
        }

        @Override
        public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
            target.write(bytes, offset, length);
        }

        synchronized void to(OutputStream next) {
            target = next;
        }
    }

    private static final Switch OUT = new Switch();
    private static final Switch ERR = new Switch();
    private static final List<Runnable> HOOKS = new CopyOnWriteArrayList<>();
    private static InputStream requests;
    private static volatile int firstStatus;

    static void captureStandardStreams() {
        requests = System.in;
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> exit(status));
        Exit.setHaltProcedure((status, message) -> exit(status));
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
    }

    /** The first status counts: some tools catch what ends them and exit once more. */
    private static void exit(int status) {
        if (firstStatus < 0) firstStatus = status;
        throw new ExitException(status);
    }

    static synchronized Object run(JsonNode request) throws Exception {
        JsonNode list = request.get("arguments");
        String[] arguments = new String[list.size()];
        for (int i = 0; i < arguments.length; i++) arguments[i] = list.get(i).asText();
        ByteArrayOutputStream out = new ByteArrayOutputStream(), err = new ByteArrayOutputStream();
        OUT.to(out);
        ERR.to(err);
        System.setIn(new ByteArrayInputStream(request.path("input").asText("").getBytes(StandardCharsets.UTF_8)));
        firstStatus = -1;
        HOOKS.clear();
        try {
            Class.forName(request.get("main").asText()).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException wrapped) {
            if (!(wrapped.getCause() instanceof ExitException)) throw wrapped.getCause() instanceof Exception cause ? cause : wrapped;
        } finally {
            HOOKS.forEach(Runnable::run);
            System.out.flush();
            System.err.flush();
            OUT.to(OutputStream.nullOutputStream());
            ERR.to(OutputStream.nullOutputStream());
            System.setIn(requests);
        }
        int status = Math.max(firstStatus, 0);
        return Map.of("status", status, "out", out.toString(StandardCharsets.UTF_8), "err", err.toString(StandardCharsets.UTF_8));
    }
}
