// Answers what Apache Kafka itself makes of configuration keys, values and files, for the comparisons in the tests beside it.
// One question a line on stdin, its parts separated by tabs, one or more lines of answer on stdout, then an empty line.
// Tabs, line feeds and backslashes within a part are escaped by a backslash.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

import kafka.server.DynamicBrokerConfig$;
import kafka.server.KafkaConfig;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

public class ConfigOracle {
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
    }

    private static String unescape(String text) {
        StringBuilder result = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\') {
                c = text.charAt(++i);
                c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
            }
            result.append(c);
        }
        return result.toString();
    }

    private static void answer(String... parts) {
        List<String> escaped = new ArrayList<>();
        for (String part : parts) escaped.add(escape(part));
        OUT.print(String.join("\t", escaped) + "\n");
    }

    private static String defaultOf(ConfigDef.ConfigKey key) {
        if (!key.hasDefault()) return "-";
        return key.defaultValue == null ? "null" : "=" + ConfigDef.convertToString(key.defaultValue, key.type);
    }

    private static void definitions(String kind, Map<String, ConfigDef.ConfigKey> keys, Map<String, String> modes) {
        for (ConfigDef.ConfigKey key : new TreeMap<>(keys).values()) {
            answer(kind, key.name, key.type.toString(), defaultOf(key), key.validator == null ? "" : key.validator.toString(),
                modes.getOrDefault(key.name, "read-only"), key.importance.toString(), Boolean.toString(key.internalConfig));
        }
    }

    private static void synonyms() {
        for (Map.Entry<String, List<ConfigSynonym>> entry : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.entrySet()) {
            List<String> names = new ArrayList<>(List.of("synonym", entry.getKey()));
            for (ConfigSynonym synonym : entry.getValue()) names.add(synonym.name());
            answer(names.toArray(new String[0]));
        }
    }

    private static Properties properties(String[] question) {
        Properties properties = new Properties();
        for (int i = 1; i + 1 < question.length; i += 2) properties.put(question[i], question[i + 1]);
        return properties;
    }

    // The broker's configuration: the defaults of its topics, or why it is refused.
    private static void broker(Properties properties) {
        properties.putIfAbsent("zookeeper.connect", "localhost:2181");
        Map<String, Object> defaults = new TreeMap<>(KafkaConfig.fromProps(properties, false).extractLogConfigMap());
        for (Map.Entry<String, Object> entry : defaults.entrySet()) {
            answer(entry.getKey(), ConfigDef.convertToString(entry.getValue(), LogConfig.configKeys().get(entry.getKey()).type));
        }
    }

    // A topic's overrides on a broker without configuration: every value in force, or why they are refused.
    private static void topic(Properties overrides) {
        Properties broker = new Properties();
        broker.put("zookeeper.connect", "localhost:2181");
        Map<String, Object> defaults = KafkaConfig.fromProps(broker, false).extractLogConfigMap();
        LogConfig.validate(Collections.emptyMap(), overrides, defaults, false, true);
        LogConfig config = LogConfig.fromProps(defaults, overrides);
        for (String name : LogConfig.configNames()) {
            answer(name, ConfigDef.convertToString(config.values().get(name), LogConfig.configKeys().get(name).type));
        }
    }

    private static void file(byte[] bytes) throws Exception {
        Properties properties = new Properties();
        properties.load(new InputStreamReader(new ByteArrayInputStream(bytes), StandardCharsets.UTF_8));
        for (String name : new java.util.TreeSet<>(properties.stringPropertyNames())) answer(name, properties.getProperty(name));
    }

    private static void ask(String[] question) {
        try {
            switch (question[0]) {
                case "definitions":
                    definitions("broker", KafkaConfig.configDef().configKeys(), DynamicBrokerConfig$.MODULE$.dynamicConfigUpdateModes());
                    definitions("topic", LogConfig.configKeys(), Collections.emptyMap());
                    synonyms();
                    break;
                case "broker": broker(properties(question)); break;
                case "topic": topic(properties(question)); break;
                case "file": file(HexFormat.of().parseHex(question.length > 1 ? question[1] : "")); break;
                default: throw new IllegalStateException("no such question: " + question[0]);
            }
        } catch (Exception e) {
            answer("refused", e.getMessage() == null ? e.toString() : e.getMessage());
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] question = line.split("\t", -1);
            for (int i = 0; i < question.length; i++) question[i] = unescape(question[i]);
            ask(question);
            OUT.print("\n");
        }
        OUT.flush();
    }
}
