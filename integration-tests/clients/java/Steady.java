import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.util.HashSet;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Numbered records at an even pace, and when each was acknowledged: as clients/python/steady.py describes it. */
public final class Steady {
    static final long PACE_NS = 10_000_000;
    static final long NEWCOMER_EVERY_NS = 250_000_000;

    final Properties properties = new Properties();
    final String topic;
    final int partitions;
    final PrintWriter out;
    final Set<Integer> heard = new HashSet<>();
    final CountDownLatch ended = new CountDownLatch(1);

    Steady(String[] arguments) throws Exception {
        properties.put("bootstrap.servers", arguments[1]);
        for (int i = 5; i < arguments.length; i++) {
            String[] option = arguments[i].split("=", 2);
            properties.put(option[0], option[1]);
        }
        topic = arguments[2];
        partitions = Integer.parseInt(arguments[3]);
        out = new PrintWriter(new FileOutputStream(arguments[4]), true);
    }

    public static void main(String[] arguments) throws Exception {
        var steady = new Steady(arguments);
        switch (arguments[0]) {
            case "write" -> steady.write();
            case "newcomers" -> steady.newcomers();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        // Producers that still wait for somebody who hangs would hold the end up.
        Runtime.getRuntime().halt(0);
    }

    void write() throws Exception {
        watchInput();
        var producer = producer();
        long due = System.nanoTime();
        for (int number = 0; ended.getCount() > 0; number++) {
            for (int partition = 0; partition < partitions; partition++) {
                send(producer, partition, number);
            }
            due += PACE_NS;
            ended.await(due - System.nanoTime(), TimeUnit.NANOSECONDS);
        }
        // Waits for every answer, at most for delivery.timeout.ms.
        producer.flush();
    }

    void newcomers() throws Exception {
        // The classes of a producer take longer to load than the first acknowledgement takes to come.
        producer().partitionsFor(topic);
        out.println("ready");
        if (System.in.read() < 0) {
            return;
        }
        watchInput();
        long due = System.nanoTime();
        for (int number = 0; !isAllHeard(); number++) {
            newcomer(number);
            due += NEWCOMER_EVERY_NS;
            if (ended.await(due - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                return;
            }
        }
        ended.await();
    }

    /** In a thread of its own: a first send waits for metadata, which somebody who hangs may owe. */
    void newcomer(int number) {
        var thread = new Thread(() -> {
            var producer = producer();
            for (int partition = 0; partition < partitions; partition++) {
                send(producer, partition, number);
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    KafkaProducer<String, String> producer() {
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }

    void send(KafkaProducer<String, String> producer, int partition, int number) {
        producer.send(new ProducerRecord<>(topic, partition, null, "" + number), noting(partition, number));
    }

    Callback noting(int partition, int number) {
        return (metadata, error) -> {
            long at = System.nanoTime();
            synchronized (out) {
                if (error == null) {
                    heard.add(partition);
                }
                out.println(partition + " " + number + " " + (error == null ? "" + at : "failed " + error.getClass().getSimpleName()));
            }
        };
    }

    boolean isAllHeard() {
        synchronized (out) {
            return heard.size() == partitions;
        }
    }

    void watchInput() {
        var watcher = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {}
            } catch (java.io.IOException closed) {
                // As good as an end.
            }
            ended.countDown();
        });
        watcher.setDaemon(true);
        watcher.start();
    }
}
