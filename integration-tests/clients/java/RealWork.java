import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;

/** Real work through Apache Kafka's Java client: producing, consuming, groups. */
public final class RealWork {
    static final String RANGE = "org.apache.kafka.clients.consumer.RangeAssignor";
    static final String COOPERATIVE = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

    final String bootstrap;
    final String prefix;
    final String topic;
    final String group;

    RealWork(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
        this.topic = prefix + "-topic";
        this.group = prefix + "-group";
    }

    public static void main(String[] arguments) {
        var work = new RealWork(arguments[0], arguments[2]);
        var administration = new Administration(work);
        try {
            switch (arguments[1]) {
                case "codecs" -> work.codecs();
                case "idempotent" -> work.idempotent();
                case "edges" -> work.edges();
                case "group" -> work.rebalance("group", RANGE);
                case "group-cooperative" -> work.rebalance("group-cooperative", COOPERATIVE);
                case "group-static" -> work.groupStatic();
                case "commit-resume" -> work.commitResume();
                case "by-time" -> work.byTime();
                case "admin" -> administration.topics();
                case "offsets" -> administration.offsets();
                case "groups-admin" -> administration.groups();
                default -> throw new IllegalArgumentException(arguments[1]);
            }
        } catch (Throwable error) {
            // Outside of any check: what was to be checked never ran.
            error.printStackTrace();
            System.exit(1);
        }
        System.exit(Checks.failed ? 1 : 0);
    }

    Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        try (var admin = admin()) {
            var wanted = new NewTopic(topic, Optional.of(partitions), Optional.of((short) 1)).configs(configs);
            admin.createTopics(List.of(wanted)).all().get();
            // A KRaft broker leads the partitions a little after the controller has answered; what is sent with acks=0
            // before that is lost.
            Checks.eventually("topic is there", () -> leads(admin, topic, partitions));
        }
    }

    private static boolean leads(Admin admin, String topic, int partitions) {
        var asked = IntStream.range(0, partitions).boxed()
                .collect(Collectors.toMap(p -> new TopicPartition(topic, p), p -> OffsetSpec.latest()));
        try {
            admin.listOffsets(asked).all().get();
            return true;
        } catch (Exception notYet) {
            return false;
        }
    }

    KafkaProducer<byte[], byte[]> producer(Map<String, String> options) {
        var properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put("linger.ms", "20");
        properties.putAll(options);
        return new KafkaProducer<>(properties);
    }

    void produce(String topic, int from, int to, int partitions, Map<String, String> options) throws Exception {
        try (var producer = producer(options)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = from; i < to; i++) {
                sent.add(producer.send(Checks.record(topic, i, partitions)));
            }
            producer.flush();
            for (var one : sent) {
                one.get();
            }
        }
    }

    KafkaConsumer<byte[], byte[]> consumer(Map<String, String> options) {
        return new KafkaConsumer<>(Member.properties(bootstrap, group, options));
    }

    static List<ConsumerRecord<byte[], byte[]>> take(KafkaConsumer<byte[], byte[]> consumer, int count) {
        var found = new ArrayList<ConsumerRecord<byte[], byte[]>>();
        long deadline = System.nanoTime() + Checks.LIMIT.toNanos();
        while (found.size() < count && System.nanoTime() < deadline) {
            consumer.poll(Duration.ofMillis(200)).forEach(found::add);
        }
        Checks.same(found.size(), count, "records");
        return found;
    }

    List<ConsumerRecord<byte[], byte[]>> read(String topic, int count, int partitions) {
        try (var consumer = consumer(Map.of("enable.auto.commit", "false"))) {
            var all = IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            return take(consumer, count);
        }
    }

    static void compare(List<ConsumerRecord<byte[], byte[]>> found, int partitions) {
        int[] next = new int[partitions];
        for (var record : found) {
            int partition = record.partition();
            int offset = next[partition]++;
            var sent = Checks.record(record.topic(), offset * partitions + partition, partitions);
            Checks.same(record.offset(), (long) offset, "offset");
            Checks.same(Arrays.equals(record.key(), sent.key()), true, "key of " + offset);
            Checks.same(Arrays.equals(record.value(), sent.value()), true, "value of " + offset);
            Checks.same(record.headers(), sent.headers(), "headers of " + offset);
            Checks.same(record.timestamp(), sent.timestamp(), "timestamp of " + offset);
        }
    }

    private void codecs() {
        for (var codec : Checks.CODECS) {
            for (var acks : Checks.ACKS) {
                Checks.check("codec/" + codec + "/acks=" + acks, () -> {
                    var own = prefix + "-" + codec + "-" + acks;
                    create(own, 2, Map.of());
                    var options = Map.of("compression.type", codec, "acks", acks, "enable.idempotence", "false");
                    produce(own, 0, 60, 2, options);
                    compare(read(own, 60, 2), 2);
                });
            }
        }
    }

    private void idempotent() {
        Checks.check("idempotent", () -> {
            var own = prefix + "-idempotent";
            create(own, 3, Map.of());
            produce(own, 0, 1000, 3, Map.of("enable.idempotence", "true", "linger.ms", "1"));
            compare(read(own, 1000, 3), 3);
        });
    }

    private void edges() throws Exception {
        create(topic, 1, Map.of());
        Checks.check("edges/absent-and-empty", () -> {
            List<ProducerRecord<byte[], byte[]>> sent = List.of(
                    new ProducerRecord<>(topic, 0, null, null),
                    new ProducerRecord<>(topic, 0, new byte[0], new byte[0]),
                    new ProducerRecord<>(topic, 0, Checks.bytes("schlüssel"), new byte[1]),
                    new ProducerRecord<>(topic, 0, Checks.bytes("big"), new byte[900_000]));
            sent.get(1).headers().add("", new byte[0]).add("nothing", null);
            sent.get(2).headers().add("twice", new byte[] {1}).add("twice", new byte[] {2});
            try (var producer = producer(Map.of())) {
                for (var record : sent) {
                    producer.send(record).get();
                }
            }
            var found = read(topic, sent.size(), 1);
            for (int i = 0; i < sent.size(); i++) {
                Checks.same(Arrays.equals(found.get(i).key(), sent.get(i).key()), true, "key " + i);
                Checks.same(Arrays.equals(found.get(i).value(), sent.get(i).value()), true, "value " + i);
                Checks.same(found.get(i).headers(), sent.get(i).headers(), "headers " + i);
            }
        });
        Checks.check("edges/too-large", () -> {
            create(prefix + "-small", 1, Map.of("max.message.bytes", "10000"));
            try (var producer = producer(Map.of())) {
                var large = new ProducerRecord<byte[], byte[]>(prefix + "-small", new byte[50_000]);
                Checks.expectError(RecordTooLargeException.class, () -> producer.send(large).get());
            }
        });
    }

    private void rebalance(String name, String assignor) throws Exception {
        create(topic, 4, Map.of());
        produce(topic, 0, 40, 4, Map.of());
        var properties = Member.properties(bootstrap, group, Map.of("partition.assignment.strategy", assignor));
        var first = new Member(properties, topic);
        Checks.check(name + "/alone", () -> {
            Checks.eventually("one member owns all", () -> first.owned.equals(Set.of(0, 1, 2, 3)));
            Checks.eventually("first records", () -> first.seen.size() == 40);
        });
        var second = new Member(properties, topic);
        Checks.check(name + "/shared", () ->
            Checks.eventually("both own two", () -> Member.sharedEvenly(first, second)));
        Checks.check(name + "/all-records", () -> {
            produce(topic, 40, 80, 4, Map.of());
            Checks.eventually("all records seen", () -> {
                var both = new HashSet<>(first.seen);
                both.addAll(second.seen);
                return both.size() == 80;
            });
        });
        if (assignor.equals(COOPERATIVE)) {
            Checks.check(name + "/only-what-moves", () -> Checks.same(
                    first.revoked.stream().map(Set::size).filter(size -> size > 0).toList(), List.of(2), "revoked"));
        }
        second.stop();
        Checks.check(name + "/takeover", () ->
            Checks.eventually("the one that stayed owns all", () -> first.owned.equals(Set.of(0, 1, 2, 3))));
        first.stop();
    }

    private Member staticMember(String instance) {
        return new Member(Member.properties(bootstrap, group, Map.of("group.instance.id", instance)), topic);
    }

    private void groupStatic() throws Exception {
        create(topic, 4, Map.of());
        var one = staticMember("one");
        var leaving = staticMember("other");
        Checks.eventually("both own two", () -> Member.sharedEvenly(one, leaving));
        var before = new HashSet<>(leaving.owned);
        int rebalances = one.assignments;
        leaving.stop();
        var returned = staticMember("other");
        Checks.check("group-static/returns", () -> {
            Checks.eventually("the returned member owns the same", () -> returned.owned.equals(before));
            Checks.same(one.assignments, rebalances, "rebalances that the other member saw");
        });
        var usurper = staticMember("other");
        Checks.check("group-static/fenced", () -> {
            Checks.eventually("the older member is fenced", () -> returned.fenced);
            Checks.eventually("the newer one owns its partitions", () -> usurper.owned.equals(before));
        });
        usurper.stop();
        one.stop();
    }

    private void commitResume() throws Exception {
        create(topic, 1, Map.of());
        produce(topic, 0, 100, 1, Map.of());
        var partition = new TopicPartition(topic, 0);
        var manual = Map.of("enable.auto.commit", "false", "max.poll.records", "50");
        Checks.check("commit-resume/commit", () -> {
            try (var consumer = consumer(manual)) {
                consumer.subscribe(List.of(topic));
                take(consumer, 50);
                consumer.commitSync(Map.of(partition, new OffsetAndMetadata(50, "halfway")));
            }
        });
        Checks.check("commit-resume/resume", () -> {
            try (var consumer = consumer(manual)) {
                var committed = consumer.committed(Set.of(partition)).get(partition);
                Checks.same(committed.offset() + committed.metadata(), "50halfway", "committed");
                consumer.subscribe(List.of(topic));
                Checks.same(take(consumer, 50).get(0).offset(), 50L, "first offset");
            }
        });
    }

    private void byTime() throws Exception {
        create(topic, 1, Map.of());
        produce(topic, 0, 100, 1, Map.of());
        var partition = new TopicPartition(topic, 0);
        try (var consumer = consumer(Map.of())) {
            Checks.check("by-time/between", () -> {
                var found = consumer.offsetsForTimes(Map.of(partition, Checks.BASE + 30_500)).get(partition);
                Checks.same(found.offset(), 31L, "offset");
                Checks.same(found.timestamp(), Checks.BASE + 31_000, "timestamp");
                Checks.same(found.leaderEpoch(), Optional.of(0), "leader epoch");
                var exact = consumer.offsetsForTimes(Map.of(partition, Checks.BASE + 30_000)).get(partition);
                Checks.same(exact.offset(), 30L, "offset of an exact match");
            });
            Checks.check("by-time/before-first", () ->
                Checks.same(consumer.offsetsForTimes(Map.of(partition, 1L)).get(partition).offset(), 0L, "offset"));
            Checks.check("by-time/after-last", () -> Checks.same(
                    consumer.offsetsForTimes(Map.of(partition, Checks.BASE + 99_001)).get(partition), null, "found"));
        }
    }
}
