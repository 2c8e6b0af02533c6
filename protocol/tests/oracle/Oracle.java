// The oracle of the wire format: Apache Kafka's own classes, asked by the test `oracle.rs` over tab-separated lines.
//
//   Oracle facts                    error codes and header versions
//   Oracle defaults                 every message in every version as it is before anything is set, one element in each array
//   Oracle encode                   fills every message in every version: name, version, variant, hex, JSON
//   Oracle strays                   sets each field that a version lacks: kind, version, structure, field, whether that is refused
//   Oracle decode  < name version hex           decodes what Rust wrote: name, version, bytes left, hex, JSON
//   Oracle write-batches            batches with every codec: hex
//   Oracle read-batches  < hex      validates and reads batches that Rust wrote: one line per record
//
// Before Kafka 4.2 the classes of `common.record.internal` lie in `common.record`; the test compiles this file accordingly.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.TimestampType;

public class Oracle {
    static final HexFormat HEX = HexFormat.of();
    static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    static PrintStream out;

    public static void main(String[] arguments) throws Exception {
        out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, "UTF-8");
        switch (arguments[0]) {
            case "facts" -> facts();
            case "defaults" -> defaults();
            case "encode" -> encode();
            case "strays" -> strays();
            case "decode" -> decode();
            case "write-batches" -> writeBatches();
            case "read-batches" -> readBatches();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        out.flush();
    }

    // ---- facts

    static void facts() {
        for (Errors error : Errors.values()) {
            out.printf("error\t%d\t%s\t%s%n", error.code(), error.name(), error.exception() instanceof RetriableException);
        }
        for (ApiMessageType api : ApiMessageType.values()) {
            for (short v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++) {
                out.printf("header\t%d\t%s\t%d\t%d\t%d%n", api.apiKey(), api.name, v, api.requestHeaderVersion(v), api.responseHeaderVersion(v));
            }
        }
    }

    // ---- messages

    record Kind(String name, Class<?> data, Class<?> converter, short lowest, short highest) {
        Schema schema(short version) throws Exception {
            return ((Schema[]) data.getField("SCHEMAS").get(null))[version];
        }

        Message read(JsonNode json, short version) throws Exception {
            return (Message) converter.getMethod("read", JsonNode.class, short.class).invoke(null, json, version);
        }

        JsonNode write(Object message, short version) throws Exception {
            Method write = converter.getMethod("write", data, short.class, boolean.class);
            return (JsonNode) write.invoke(null, message, version, false);
        }

        Message decode(ByteBuffer bytes, short version) throws Exception {
            return (Message) data.getConstructor(Readable.class, short.class).newInstance(new ByteBufferAccessor(bytes), version);
        }
    }

    static List<Kind> kinds() throws Exception {
        List<Kind> kinds = new ArrayList<>();
        String messages = "org.apache.kafka.common.message.";
        for (ApiMessageType api : ApiMessageType.values()) {
            if (api.lowestSupportedVersion() > api.highestSupportedVersion(true)) continue;
            add(kinds, messages, api.name + "Request", "Data");
            add(kinds, messages, api.name + "Response", "Data");
        }
        add(kinds, messages, "RequestHeader", "Data");
        add(kinds, messages, "ResponseHeader", "Data");
        for (String name : List.of("ConsumerProtocolSubscription", "ConsumerProtocolAssignment", "DefaultPrincipalData", "ControlRecordTypeSchema",
                "EndTxnMarker", "LeaderChangeMessage", "SnapshotHeaderRecord", "SnapshotFooterRecord", "KRaftVersionRecord", "VotersRecord")) {
            add(kinds, messages, name, "");
        }
        for (String name : List.of("OffsetCommitKey", "OffsetCommitValue", "GroupMetadataKey", "GroupMetadataValue")) {
            add(kinds, "org.apache.kafka.coordinator.group.generated.", name, "");
        }
        for (String name : List.of("TransactionLogKey", "TransactionLogValue")) {
            add(kinds, "org.apache.kafka.coordinator.transaction.generated.", name, "");
        }
        return kinds;
    }

    static void add(List<Kind> kinds, String prefix, String name, String suffix) throws Exception {
        Class<?> data;
        try {
            data = Class.forName(prefix + name + suffix);
        } catch (ClassNotFoundException absent) {
            out.printf("absent\t%s%n", name);
            return;
        }
        Class<?> converter = Class.forName(prefix + name + suffix + "JsonConverter");
        short lowest = data.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
        short highest = data.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
        kinds.add(new Kind(name, data, converter, lowest, highest));
    }

    static ByteBuffer bytes(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        buffer.flip();
        return buffer;
    }

    static String hex(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return HEX.formatHex(bytes);
    }

    static void encode() throws Exception {
        for (Kind kind : kinds()) {
            for (short version = kind.lowest; version <= kind.highest; version++) {
                for (Variant variant : Variant.values()) {
                    JsonNode json = new Filler(variant, kind.name).structure(kind.schema(version), kind.data);
                    Message message = kind.read(json, version);
                    ByteBuffer bytes = bytes(message, version);
                    Message again = kind.decode(bytes.duplicate(), version);
                    if (!again.equals(message)) throw new IllegalStateException(kind.name + " v" + version + " " + json);
                    out.printf("message\t%s\t%d\t%s\t%s\t%s%n", kind.name, version, variant, hex(bytes), kind.write(message, version));
                }
            }
        }
    }

    static void defaults() throws Exception {
        for (Kind kind : kinds()) {
            for (short version = kind.lowest; version <= kind.highest; version++) {
                Message message = (Message) kind.data.getConstructor().newInstance();
                deepen(message, kind.schema(version));
                out.printf("message\t%s\t%d\t%s%n", kind.name, version, kind.write(message, version));
            }
        }
    }

    /** Puts an element of its own into every array of structures, and empty records where there are none. */
    @SuppressWarnings("unchecked")
    static void deepen(Object structure, Schema schema) throws Exception {
        for (BoundField bound : schema.fields()) {
            List<Field> fields = new ArrayList<>(List.of(bound.def));
            if (bound.def.type instanceof TaggedFields tagged) fields = new ArrayList<>(Filler.known(tagged).values());
            for (Field known : fields) {
                var field = Filler.field(structure.getClass(), known.name);
                field.setAccessible(true);
                Object value = field.get(structure);
                if (value == null && known.type.toString().endsWith("RECORDS")) field.set(structure, MemoryRecords.EMPTY);
                if (value == null) continue;
                if (known.type.arrayElementType().orElse(null) instanceof Schema of) {
                    Object element = Filler.element(field.getGenericType()).getConstructor().newInstance();
                    deepen(element, of);
                    ((java.util.Collection<Object>) value).add(element);
                } else if (known.type instanceof Schema of) {
                    deepen(value, of);
                }
            }
        }
    }

    static void strays() throws Exception {
        for (Kind kind : kinds()) {
            for (short version = kind.lowest; version <= kind.highest; version++) {
                strays(kind, version, kind.data, kind.schema(version));
            }
        }
    }

    static void strays(Kind kind, short version, Class<?> data, Schema schema) throws Exception {
        Map<String, Type> present = new java.util.HashMap<>();
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Field known : Filler.known(tagged).values()) present.put(Filler.field(data, known.name).getName(), known.type);
            } else {
                present.put(Filler.field(data, bound.def.name).getName(), bound.def.type);
            }
        }
        for (var field : data.getDeclaredFields()) {
            boolean own = !java.lang.reflect.Modifier.isStatic(field.getModifiers()) && !Set.of("_unknownTaggedFields", "next", "prev").contains(field.getName());
            Type type = present.get(field.getName());
            if (own && type == null) {
                Message structure = (Message) data.getConstructor().newInstance();
                disturb(structure, field);
                boolean refused = false;
                try {
                    ObjectSerializationCache cache = new ObjectSerializationCache();
                    structure.size(cache, version);
                    structure.write(new ByteBufferAccessor(ByteBuffer.allocate(1 << 16)), cache, version);
                } catch (UnsupportedVersionException error) {
                    refused = true;
                } catch (NullPointerException nullRecords) {
                    // Records that may not be null are null by default; whatever comes before them was written.
                }
                out.printf("stray\t%s\t%d\t%s\t%s\t%s%n", kind.name, version, data.getSimpleName(), field.getName(), refused);
            } else if (type != null) {
                Type of = type.arrayElementType().orElse(type);
                if (of instanceof Schema nested) strays(kind, version, Filler.element(field.getGenericType()), nested);
            }
        }
    }

    /** Gives the field another value than its default. */
    @SuppressWarnings("unchecked")
    static void disturb(Object structure, java.lang.reflect.Field field) throws Exception {
        field.setAccessible(true);
        Class<?> type = field.getType();
        Object value = field.get(structure);
        if (type == boolean.class) field.set(structure, !(Boolean) value);
        else if (type == byte.class) field.set(structure, (byte) ((Byte) value + 1));
        else if (type == short.class) field.set(structure, (short) ((Short) value + 1));
        else if (type == int.class) field.set(structure, (Integer) value + 1);
        else if (type == long.class) field.set(structure, (Long) value + 1);
        else if (type == double.class) field.set(structure, (Double) value + 1);
        else if (type == String.class) field.set(structure, "stray");
        else if (type == Uuid.class) field.set(structure, new Uuid(1, 2));
        else if (type == byte[].class) field.set(structure, new byte[] {1});
        else if (type == ByteBuffer.class) field.set(structure, ByteBuffer.wrap(new byte[] {1}));
        else if (type.getSimpleName().equals("BaseRecords")) field.set(structure, MemoryRecords.EMPTY);
        else if (java.util.Collection.class.isAssignableFrom(type)) {
            Class<?> element = Filler.element(field.getGenericType());
            Object one = element == Integer.class ? (Object) 1 : element == Long.class ? (Object) 1L : element == Short.class ? (Object) (short) 1
                : element == Byte.class ? (Object) (byte) 1 : element == String.class ? "stray" : element == Uuid.class ? new Uuid(1, 2)
                : element.getConstructor().newInstance();
            Object collection = type == List.class ? new ArrayList<>() : type.getConstructor().newInstance();
            ((java.util.Collection<Object>) collection).add(one);
            field.set(structure, collection);
        } else {
            Object nested = type.getConstructor().newInstance();
            for (var inner : type.getDeclaredFields()) {
                if (inner.getType() == int.class && !java.lang.reflect.Modifier.isStatic(inner.getModifiers())) disturb(nested, inner);
            }
            field.set(structure, nested);
        }
    }

    static void decode() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Map<String, Kind> kinds = new java.util.HashMap<>();
        for (Kind kind : kinds()) kinds.put(kind.name, kind);
        for (String line; (line = in.readLine()) != null; ) {
            String[] columns = line.split("\t", -1);
            Kind kind = kinds.get(columns[0]);
            short version = Short.parseShort(columns[1]);
            if (kind == null || version < kind.lowest || version > kind.highest) {
                out.printf("unknown\t%s\t%d%n", columns[0], version);
                continue;
            }
            ByteBuffer bytes = ByteBuffer.wrap(HEX.parseHex(columns[2]));
            try {
                Message message = kind.decode(bytes, version);
                out.printf("message\t%s\t%d\t%d\t%s\t%s%n", kind.name, version, bytes.remaining(), hex(bytes(message, version)), kind.write(message, version));
            } catch (java.lang.reflect.InvocationTargetException error) {
                out.printf("refused\t%s\t%d\t%s%n", kind.name, version, error.getCause());
            }
        }
    }

    // ---- values: every field another one

    enum Variant { FULL, NULLS, EMPTY, EXTREME }

    static class Filler {
        /** Kafka 3.9's schemas do not say which structures may be null; those of 4.x do. */
        static final Set<String> NULLABLE = Set.of("ConsumerGroupHeartbeatResponse.assignment", "ShareGroupHeartbeatResponse.assignment",
            "DescribeTopicPartitionsRequest.cursor", "DescribeTopicPartitionsResponse.nextCursor");

        /** The same for records: where there is no type for records that may be null, any `records` may. */
        static final boolean RECORDS_MAY_BE_NULL =
            Stream.of(Type.class.getFields()).noneMatch(field -> field.getName().equals("NULLABLE_RECORDS"));

        final Variant variant;
        final String message;
        int next = 1;

        Filler(Variant variant, String message) {
            this.variant = variant;
            this.message = message;
        }

        ObjectNode structure(Schema schema, Class<?> data) {
            ObjectNode node = new ObjectNode(JSON);
            for (BoundField field : schema.fields()) {
                if (field.def.type instanceof TaggedFields tagged) {
                    if (variant == Variant.FULL || variant == Variant.EXTREME) {
                        for (Field known : known(tagged).values()) set(node, data, known.name, known.type);
                    }
                } else {
                    set(node, data, field.def.name, field.def.type);
                }
            }
            return node;
        }

        /** The schema says snake_case, the JSON wants the names of the class. */
        void set(ObjectNode node, Class<?> data, String snake, Type type) {
            var field = field(data, snake);
            node.set(field.getName(), value(field.getName(), type, element(field.getGenericType())));
        }

        static java.lang.reflect.Field field(Class<?> data, String snake) {
            String plain = snake.replace("_", "");
            for (var field : data.getDeclaredFields()) {
                if (field.getName().equalsIgnoreCase(plain)) return field;
            }
            throw new IllegalStateException(data + " has no " + snake);
        }

        static Class<?> element(java.lang.reflect.Type type) {
            if (type instanceof ParameterizedType list) return (Class<?>) list.getActualTypeArguments()[0];
            Class<?> plain = (Class<?>) type;
            return plain.getGenericSuperclass() instanceof ParameterizedType collection ? (Class<?>) collection.getActualTypeArguments()[0] : plain;
        }

        @SuppressWarnings("unchecked")
        static Map<Integer, Field> known(TaggedFields tagged) {
            try {
                var fields = TaggedFields.class.getDeclaredField("fields");
                fields.setAccessible(true);
                return (Map<Integer, Field>) fields.get(tagged);
            } catch (ReflectiveOperationException error) {
                throw new IllegalStateException(error);
            }
        }

        JsonNode value(String name, Type type, Class<?> data) {
            int number = next++;
            boolean extreme = variant == Variant.EXTREME;
            boolean empty = variant == Variant.EMPTY;
            if (type.arrayElementType().isPresent()) {
                if (variant == Variant.NULLS && type.isNullable()) return JSON.nullNode();
                ArrayNode array = new ArrayNode(JSON);
                int length = switch (variant) { case FULL -> 3; case NULLS, EXTREME -> 1; case EMPTY -> 0; };
                for (int i = 0; i < length; i++) array.add(value(name, type.arrayElementType().get(), data));
                return array;
            }
            if (type instanceof Schema schema) {
                boolean nullable = type.isNullable() || NULLABLE.contains(message + "." + name);
                return variant == Variant.NULLS && nullable ? JSON.nullNode() : structure(schema, data);
            }
            return switch (type.toString()) {
                case "BOOLEAN" -> JSON.booleanNode(!empty && number % 2 == 1);
                case "INT8" -> JSON.numberNode(extreme ? Byte.MIN_VALUE : empty ? 0 : (byte) (number % 127 + 1));
                case "INT16" -> JSON.numberNode(extreme ? Short.MIN_VALUE : empty ? 0 : (short) (100 + number));
                case "UINT16" -> JSON.numberNode(extreme ? 65535 : empty ? 0 : 40000 + number);
                case "INT32" -> JSON.numberNode(extreme ? Integer.MAX_VALUE - number : empty ? 0 : 100_000 + number);
                case "INT64" -> JSON.numberNode(extreme ? Long.MIN_VALUE + number : empty ? 0L : 10_000_000_000L + number);
                case "FLOAT64" -> JSON.numberNode(empty ? 0.0 : number + 0.25);
                case "UUID" -> JSON.textNode((empty ? Uuid.ZERO_UUID : new Uuid(0x1234_5678_9abcL + number, number)).toString());
                case "STRING", "COMPACT_STRING" -> JSON.textNode(string(number));
                case "NULLABLE_STRING", "COMPACT_NULLABLE_STRING" -> variant == Variant.NULLS ? JSON.nullNode() : JSON.textNode(string(number));
                case "BYTES", "COMPACT_BYTES" -> JSON.binaryNode(blob(number));
                case "NULLABLE_BYTES", "COMPACT_NULLABLE_BYTES" -> variant == Variant.NULLS ? JSON.nullNode() : JSON.binaryNode(blob(number));
                case "RECORDS", "COMPACT_RECORDS" ->
                    variant == Variant.NULLS && RECORDS_MAY_BE_NULL && name.equals("records") ? JSON.nullNode() : JSON.binaryNode(blob(number));
                case "NULLABLE_RECORDS", "COMPACT_NULLABLE_RECORDS" -> variant == Variant.NULLS ? JSON.nullNode() : JSON.binaryNode(blob(number));
                default -> throw new IllegalArgumentException("type " + type + " of " + message + "." + name);
            };
        }

        String string(int number) {
            return switch (variant) {
                case EMPTY -> "";
                case EXTREME -> "é€😀" + "x".repeat(200) + number;
                default -> "s" + number;
            };
        }

        byte[] blob(int number) {
            return switch (variant) {
                case EMPTY -> new byte[0];
                case EXTREME -> ("b" + number + "-").repeat(700).getBytes(StandardCharsets.UTF_8);
                default -> ("b" + number).getBytes(StandardCharsets.UTF_8);
            };
        }
    }

    // ---- record batches

    static void writeBatches() throws Exception {
        for (CompressionType type : CompressionType.values()) {
            for (int records : new int[] {1, 10, 3000}) {
                for (TimestampType timestamps : new TimestampType[] {TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME}) {
                    ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
                    MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, (byte) 2, Compression.of(type).build(), timestamps, 500L, 777L,
                        9000L, (short) 3, 70, timestamps == TimestampType.LOG_APPEND_TIME, 12);
                    for (int i = 0; i < records; i++) {
                        byte[] key = i % 3 == 0 ? null : ("key" + i).getBytes(StandardCharsets.UTF_8);
                        byte[] value = i % 5 == 4 ? null : ("value " + i * 31).repeat(i % 7 + 1).getBytes(StandardCharsets.UTF_8);
                        Header[] headers = i % 2 == 0 ? new Header[0]
                            : new Header[] {new RecordHeader("h" + i, null), new RecordHeader("é", new byte[] {1, 2, (byte) i})};
                        builder.append(1000L + i, key, value, headers);
                    }
                    MemoryRecords batch = builder.build();
                    out.printf("batch\t%s\t%d\t%s\t%s%n", type.name, records, timestamps.name, hex(batch.buffer()));
                    describe(batch);
                }
            }
        }
    }

    static void readBatches() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            out.printf("batch%n");
            describe(MemoryRecords.readableRecords(ByteBuffer.wrap(HEX.parseHex(line))));
        }
    }

    static void describe(MemoryRecords records) {
        for (MutableRecordBatch batch : records.batches()) {
            batch.ensureValid();
            out.printf("header\t%d\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%d\t%d%n", batch.baseOffset(), batch.lastOffset(), batch.sizeInBytes(),
                batch.partitionLeaderEpoch(), batch.compressionType().name, batch.timestampType().name, batch.maxTimestamp(), batch.producerId(),
                batch.producerEpoch(), batch.baseSequence(), batch.isTransactional(), batch.isControlBatch(), batch.countOrNull(), batch.lastSequence());
            for (Record record : batch) {
                StringBuilder headers = new StringBuilder();
                for (Header header : record.headers()) {
                    headers.append(HEX.formatHex(header.key().getBytes(StandardCharsets.UTF_8))).append('=')
                        .append(header.value() == null ? "null" : HEX.formatHex(header.value())).append(',');
                }
                out.printf("record\t%d\t%d\t%d\t%s\t%s\t%s%n", record.offset(), record.timestamp(), record.sizeInBytes(),
                    record.hasKey() ? hex(record.key()) : "null", record.hasValue() ? hex(record.value()) : "null", headers);
            }
        }
    }
}
