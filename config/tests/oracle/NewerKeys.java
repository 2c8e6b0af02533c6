// Prints the name and type of every key of the broker in the release of Apache Kafka that is on the class path.

import java.util.TreeMap;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.AbstractKafkaConfig;

public class NewerKeys {
    public static void main(String[] args) {
        for (ConfigDef.ConfigKey key : new TreeMap<>(AbstractKafkaConfig.CONFIG_DEF.configKeys()).values()) {
            System.out.println(key.name + "\t" + key.type);
        }
    }
}
