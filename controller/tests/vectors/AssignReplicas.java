// Prints what Kafka's own AdminUtils assigns, one case a line, for assign_replicas.txt:
//   java -cp kafka-server-common-3.9.1.jar:kafka-clients-3.9.1.jar:slf4j-api.jar AssignReplicas.java > assign_replicas.txt
import java.util.*;
import org.apache.kafka.admin.AdminUtils;
import org.apache.kafka.admin.BrokerMetadata;

public class AssignReplicas {
    public static void main(String[] args) throws Exception {
        var random = AdminUtils.class.getDeclaredField("RAND");
        random.setAccessible(true);
        var kafkas = (Random) random.get(null);
        var cases = new Random(20240607);
        for (int number = 0; number < 400; number++) {
            int brokers = 1 + cases.nextInt(9);
            int racks = cases.nextInt(3) == 0 ? 0 : 1 + cases.nextInt(brokers);
            int factor = 1 + cases.nextInt(brokers);
            int count = 1 + cases.nextInt(3 * brokers);
            int first = cases.nextInt(3) == 0 ? cases.nextInt(20) : -1;
            var list = new ArrayList<BrokerMetadata>();
            var text = new StringJoiner(",");
            int id = cases.nextInt(3);
            for (int broker = 0; broker < brokers; broker++, id += 1 + cases.nextInt(3)) {
                Optional<String> rack = racks == 0 ? Optional.empty() : Optional.of("rack" + cases.nextInt(racks));
                list.add(new BrokerMetadata(id, rack));
                text.add(id + ":" + rack.orElse("-"));
            }
            long seed = cases.nextLong();
            var draws = new Random(seed);
            int index = draws.nextInt(brokers), shift = draws.nextInt(brokers);
            kafkas.setSeed(seed);
            var assigned = new TreeMap<>(AdminUtils.assignReplicasToBrokers(list, count, factor, -1, first));
            var result = new StringJoiner(";");
            assigned.values().forEach(replicas -> result.add(replicas.toString().replaceAll("[\\[\\] ]", "")));
            System.out.printf("%s %d %d %d %d %d %s%n", text, count, factor, index, shift, first, result);
        }
    }
}
