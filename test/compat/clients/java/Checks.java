import java.util.Objects;
import java.util.concurrent.ExecutionException;

/** Assertions whose messages name what differed. */
final class Checks {
    private Checks() {}

    interface Body {
        void run() throws Exception;
    }

    static void check(boolean condition, String what) {
        if (!condition) throw new AssertionError(what);
    }

    static void equal(Object actual, Object expected, String what) {
        if (!Objects.equals(actual, expected)) throw new AssertionError(what + ": expected " + expected + ", got " + actual);
    }

    /** Fails unless `body` throws `expected`, itself or as the cause of a future's failure. */
    static void fails(Class<? extends Throwable> expected, Body body, String what) throws Exception {
        try {
            body.run();
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
            if (expected.isInstance(cause)) return;
            throw new AssertionError(what + ": expected " + expected.getSimpleName() + ", got " + cause, cause);
        }
        throw new AssertionError(what + ": expected " + expected.getSimpleName() + ", nothing was thrown");
    }
}
