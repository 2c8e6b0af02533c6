import java.io.FileWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/**
 * An idempotent producer and a member of a group that write down what they do, until SIGTERM: the lines that chaos/checker.py
 * describes. Called with FILE BOOTSTRAP GROUP SECONDS_LEFT TOPIC=PARTITIONS…
 */
final class Histories {
    private static final String PADDING = ":" + ".".repeat(80);
    private static final int TICK_MS = 50;
    /** Of one partition on its way. */
    private static final int IN_FLIGHT = 200;
    private static final int COMMIT_EVERY_MS = 400;

    private final String bootstrap;
    private final PrintWriter file;
    private volatile boolean stopping = false;

    private Histories(String file, String bootstrap) throws Exception {
        this.bootstrap = bootstrap;
        this.file = new PrintWriter(new FileWriter(file, StandardCharsets.UTF_8, true), true);
    }

    public static void main(String[] arguments) throws Exception {
        var histories = new Histories(arguments[0], arguments[1]);
        int left = Integer.parseInt(arguments[3]) * 1000;
        var topics = new TreeMap<String, Integer>();
        for (String given : List.of(arguments).subList(4, arguments.length)) {
            topics.put(given.split("=")[0], Integer.parseInt(given.split("=")[1]));
        }
        var threads = List.of(
                new Thread(() -> histories.produce("jp", left, topics)),
                new Thread(() -> histories.consume("jc1", arguments[2], topics)),
                new Thread(() -> histories.consume("jc2", arguments[2], topics)));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> histories.stop(threads)));
        threads.forEach(Thread::start);
    }

    private void stop(List<Thread> threads) {
        stopping = true;
        try {
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
        // What ends a JVM by a signal counts as a failure otherwise.
        Runtime.getRuntime().halt(0);
    }

    private synchronized void note(String by, String what, String facts) {
        file.println("{\"at\":" + System.nanoTime() + ",\"by\":\"" + by + "\",\"what\":\"" + what + "\"," + facts + "}");
    }

    private static String at(String topic, int partition) {
        return "\"topic\":\"" + topic + "\",\"partition\":" + partition;
    }

    private static String error(Throwable error) {
        return "\"error\":\"" + error.getClass().getSimpleName() + "\"";
    }

    private Properties properties() {
        var properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("metadata.max.age.ms", "1000");
        properties.put("reconnect.backoff.max.ms", "500");
        properties.put("socket.connection.setup.timeout.ms", "2000");
        properties.put("request.timeout.ms", "5000");
        for (String kind : List.of("key", "value")) {
            properties.put(kind + ".serializer", "org.apache.kafka.common.serialization.StringSerializer");
            properties.put(kind + ".deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        }
        return properties;
    }

    private void produce(String by, int leftMs, Map<String, Integer> topics) {
        var properties = properties();
        properties.put("enable.idempotence", "true");
        properties.put("acks", "all");
        properties.put("linger.ms", "5");
        // With more, this client sends on to a new leader while what the old one has not answered is on its way. The new one may have
        // that as well, knows it by its five last batches only, and refuses the retry once there are more: until the end of time.
        properties.put("max.in.flight.requests.per.connection", "1");
        properties.put("delivery.timeout.ms", "" + leftMs);
        properties.put("max.block.ms", "" + leftMs);
        var sent = new TreeMap<String, Integer>();
        var waiting = new ConcurrentHashMap<String, AtomicInteger>();
        try (var producer = new KafkaProducer<String, String>(properties)) {
            while (!stopping) {
                for (var topic : topics.entrySet()) {
                    for (int partition = 0; partition < topic.getValue(); partition++) {
                        var name = topic.getKey() + "-" + partition;
                        var flying = waiting.computeIfAbsent(name, none -> new AtomicInteger());
                        if (flying.get() < IN_FLIGHT) {
                            flying.incrementAndGet();
                            send(producer, by, topic.getKey(), partition, sent.merge(name, 1, Integer::sum) - 1, flying);
                        }
                    }
                }
                Thread.sleep(TICK_MS);
            }
            producer.flush();
        } catch (KafkaException | InterruptedException error) {
            note(by, "fatal", error(error));
            error.printStackTrace();
        }
        var counts = new ArrayList<String>();
        sent.forEach((name, count) -> counts.add("\"" + name + "\":" + count));
        note(by, "stopped", "\"sent\":{" + String.join(",", counts) + "}");
    }

    private void send(
            KafkaProducer<String, String> producer, String by, String topic, int partition, int number, AtomicInteger flying) {
        long began = System.nanoTime();
        var record = new ProducerRecord<String, String>(topic, partition, null, by + ":" + number + PADDING);
        producer.send(record, (where, failure) -> {
            flying.decrementAndGet();
            var said = failure == null ? "\"offset\":" + where.offset() : error(failure);
            note(by, "send", at(topic, partition) + ",\"number\":" + number + ",\"began\":" + began + "," + said);
        });
    }

    /** Many lives of one member: whoever goes lets the others share what it had. */
    private void consume(String by, String group, Map<String, Integer> topics) {
        var random = new Random();
        for (int life = 1; !stopping; life++) {
            long until = System.nanoTime() + (15 + random.nextInt(25)) * 1_000_000_000L;
            var properties = properties();
            properties.put("group.id", group);
            properties.put("enable.auto.commit", "false");
            properties.put("auto.offset.reset", "earliest");
            properties.put("session.timeout.ms", "6000");
            properties.put("heartbeat.interval.ms", "1000");
            properties.put("default.api.timeout.ms", "5000");
            try (var consumer = new KafkaConsumer<String, String>(properties)) {
                new Life(by + "." + life, group, consumer).live(topics.keySet(), until);
            } catch (KafkaException error) {
                note(by + "." + life, "ended", error(error));
                error.printStackTrace();
            }
        }
    }

    /** One life of a member of a group. */
    private final class Life implements ConsumerRebalanceListener {
        private final String by;
        private final String group;
        private final KafkaConsumer<String, String> consumer;
        private final Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();

        Life(String by, String group, KafkaConsumer<String, String> consumer) {
            this.by = by;
            this.group = group;
            this.consumer = consumer;
        }

        void live(Collection<String> topics, long until) {
            consumer.subscribe(topics, this);
            long committed = System.nanoTime();
            while (!stopping && System.nanoTime() < until) {
                poll();
                if (System.nanoTime() - committed > COMMIT_EVERY_MS * 1_000_000L) {
                    committed = System.nanoTime();
                    commit();
                }
            }
            commit();
        }

        private void poll() {
            var records = consumer.poll(Duration.ofMillis(100));
            for (var where : records.partitions()) {
                var found = new ArrayList<String>();
                for (var record : records.records(where)) {
                    found.add("[" + record.offset() + ",\"" + record.value().substring(0, record.value().lastIndexOf(':')) + "\"]");
                    positions.put(where, new OffsetAndMetadata(record.offset() + 1));
                }
                note(by, "poll", at(where.topic(), where.partition()) + ",\"records\":[" + String.join(",", found) + "]");
            }
        }

        private void commit() {
            if (positions.isEmpty()) {
                return;
            }
            var offsets = Map.copyOf(positions);
            long began = System.nanoTime();
            var said = "\"error\":null";
            try {
                consumer.commitSync(offsets);
            } catch (WakeupException error) {
                throw error;
            } catch (KafkaException error) {
                said = error(error);
            }
            for (var one : offsets.entrySet()) {
                var where = at(one.getKey().topic(), one.getKey().partition()) + ",\"group\":\"" + group + "\"";
                note(by, "commit", where + ",\"began\":" + began + ",\"offset\":" + one.getValue().offset() + "," + said);
            }
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            if (partitions.isEmpty()) {
                return;
            }
            while (true) {
                long began = System.nanoTime();
                try {
                    assigned(consumer.committed(Set.copyOf(partitions)), partitions, began);
                    return;
                } catch (KafkaException error) {
                    note(by, "asked", error(error));
                    if (stopping) {
                        throw error;
                    }
                }
            }
        }

        private void assigned(
                Map<TopicPartition, OffsetAndMetadata> committed, Collection<TopicPartition> partitions, long began) {
            for (var where : partitions) {
                var told = committed.get(where);
                var named = at(where.topic(), where.partition());
                var offset = told == null ? "null" : "" + told.offset();
                note(by, "committed", named + ",\"group\":\"" + group + "\",\"began\":" + began + ",\"offset\":" + offset);
                long from = told == null ? 0 : told.offset();
                note(by, "assigned", named + ",\"offset\":" + from);
                consumer.seek(where, from);
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            commit();
            onPartitionsLost(partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            positions.keySet().removeAll(partitions);
        }
    }
}
