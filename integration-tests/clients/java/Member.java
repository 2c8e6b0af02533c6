import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** A consumer that polls in a thread of its own. */
final class Member implements ConsumerRebalanceListener {
    final Set<Integer> owned = ConcurrentHashMap.newKeySet();
    final Set<String> seen = ConcurrentHashMap.newKeySet();
    final List<Set<Integer>> revoked = new CopyOnWriteArrayList<>();
    volatile int assignments = 0;
    volatile boolean fenced = false;
    volatile Exception error = null;
    private volatile boolean stopping = false;
    private final Thread thread;

    Member(Properties properties, String topic) {
        thread = new Thread(() -> poll(properties, topic));
        thread.setDaemon(true);
        thread.start();
    }

    private void poll(Properties properties, String topic) {
        try (var consumer = new KafkaConsumer<byte[], byte[]>(properties)) {
            consumer.subscribe(List.of(topic), this);
            while (!stopping) {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    seen.add(record.partition() + "/" + record.offset());
                }
            }
        } catch (FencedInstanceIdException expected) {
            fenced = true;
        } catch (Exception unexpected) {
            error = unexpected;
            unexpected.printStackTrace();
        }
    }

    private static Set<Integer> numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::partition).collect(Collectors.toSet());
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        assignments++;
        owned.addAll(numbers(partitions));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        revoked.add(numbers(partitions));
        owned.removeAll(numbers(partitions));
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        owned.removeAll(numbers(partitions));
    }

    void stop() throws InterruptedException {
        stopping = true;
        thread.join(Checks.LIMIT.toMillis());
        Checks.same(thread.isAlive(), false, "thread of a stopped member alive");
        Checks.same(error, null, "error of a member");
    }

    static boolean sharedEvenly(Member one, Member other) {
        Set<Integer> both = new HashSet<>(one.owned);
        both.retainAll(other.owned);
        return one.owned.size() == 2 && other.owned.size() == 2 && both.isEmpty();
    }

    static Properties properties(String bootstrap, String group, Map<String, String> options) {
        var properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("auto.offset.reset", "earliest");
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        properties.putAll(options);
        return properties;
    }
}
