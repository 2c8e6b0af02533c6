import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The records of the scenarios, and how a check is reported. */
final class Checks {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final List<String> ACKS = List.of("0", "1", "all");
    /** An hour ago, so that no broker finds the timestamps too new or too old. */
    static final long BASE = System.currentTimeMillis() - 3_600_000;
    static final Duration LIMIT = Duration.ofSeconds(60);

    static boolean failed = false;

    private Checks() {}

    interface Steps {
        void run() throws Exception;
    }

    /** Runs the steps and prints the outcome; a failure lets the scenario go on. */
    static void check(String name, Steps steps) {
        try {
            steps.run();
            System.out.println("ok " + name);
        } catch (Exception | AssertionError error) {
            failed = true;
            System.out.println("FAIL " + name + " " + String.valueOf(error).replaceAll("\\s+", " "));
            error.printStackTrace();
        }
    }

    static void same(Object found, Object expected, String what) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError(what + ": found " + found + ", expected " + expected);
        }
    }

    static void eventually(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + LIMIT + ": " + what);
            }
            Thread.sleep(20);
        }
    }

    /** The steps must end with this error, as such or as the cause of what a future throws. */
    static Throwable expectError(Class<? extends Throwable> kind, Steps steps) {
        try {
            steps.run();
        } catch (Exception error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            same(cause.getClass(), kind, "error (" + cause.getMessage() + ")");
            return cause;
        }
        throw new AssertionError("no error where " + kind.getSimpleName() + " was expected");
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Record number i of the scenarios, for one of so many partitions. */
    static ProducerRecord<byte[], byte[]> record(String topic, int i, int partitions) {
        List<Header> headers = List.of(
                new RecordHeader("number", bytes("" + i)), new RecordHeader("bytes", new byte[] {0, (byte) 0xff}));
        byte[] value = bytes("value-" + i + "-" + "x".repeat(200));
        return new ProducerRecord<>(topic, i % partitions, BASE + i * 1000L, bytes("key-" + i), value, headers);
    }
}
