// Prints what Apache Kafka itself says about its configuration keys, one tab-separated line per key, for the comparison
// in `tests/kafka_config.rs`. Nothing here decides anything; it only asks Kafka's own definitions.

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import kafka.server.DynamicBrokerConfig$;
import kafka.server.KafkaConfig;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

public class DumpConfig {
    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
    }

    private static String defaultOf(ConfigDef.ConfigKey key) {
        if (!key.hasDefault()) return "-";
        if (key.defaultValue == null) return "null";
        return "=" + escape(ConfigDef.convertToString(key.defaultValue, key.type));
    }

    private static void dump(String kind, Map<String, ConfigDef.ConfigKey> keys, Map<String, String> modes) {
        for (ConfigDef.ConfigKey key : new TreeMap<>(keys).values()) {
            String validator = key.validator == null ? "" : escape(key.validator.toString());
            System.out.println(String.join("\t", kind, key.name, key.type.toString(), defaultOf(key), validator,
                modes.getOrDefault(key.name, "read-only"), key.importance.toString(), Boolean.toString(key.internalConfig)));
        }
    }

    public static void main(String[] args) {
        dump("broker", KafkaConfig.configDef().configKeys(), DynamicBrokerConfig$.MODULE$.dynamicConfigUpdateModes());
        dump("topic", LogConfig.configKeys(), Collections.emptyMap());
        Map<String, List<ConfigSynonym>> synonyms = new TreeMap<>(ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS);
        for (Map.Entry<String, List<ConfigSynonym>> entry : synonyms.entrySet()) {
            StringBuilder line = new StringBuilder("synonym\t" + entry.getKey());
            for (ConfigSynonym synonym : entry.getValue()) line.append('\t').append(synonym.name());
            System.out.println(line);
        }
    }
}
