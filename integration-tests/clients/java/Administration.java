import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupListing;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Real work through Apache Kafka's Java admin client. */
final class Administration {
    private final RealWork work;
    private final String topic;
    private final String group;

    Administration(RealWork work) {
        this.work = work;
        this.topic = work.topic;
        this.group = work.group;
    }

    private static Set<String> listed(Admin admin) {
        try {
            return admin.listTopics().names().get();
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private String config(Admin admin, String key) {
        return entry(admin, key).value();
    }

    private ConfigEntry entry(Admin admin, String key) {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try {
            return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key);
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private static AlterConfigOp operation(String key, String value, AlterConfigOp.OpType type) {
        return new AlterConfigOp(new ConfigEntry(key, value), type);
    }

    void topics() throws Exception {
        try (var admin = work.admin()) {
            Checks.check("admin/create", () -> {
                work.create(topic, 3, Map.of("retention.ms", "123456"));
                var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
                Checks.same(described.partitions().stream().map(p -> p.isr().size()).toList(), List.of(1, 1, 1), "isr");
                var byId = admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(
                        List.of(described.topicId()))).allTopicIds().get();
                Checks.same(byId.get(described.topicId()).name(), topic, "topic by id");
                Checks.same(listed(admin).contains(topic), true, "listed");
            });
            Checks.check("admin/refused", this::refused);
            Checks.check("admin/configs", () -> configs(admin));
            Checks.check("admin/partitions", () -> partitions(admin));
            Checks.check("admin/delete", () -> {
                admin.deleteTopics(List.of(topic)).all().get();
                Checks.eventually("gone", () -> !listed(admin).contains(topic));
                Checks.expectError(UnknownTopicOrPartitionException.class,
                        () -> admin.deleteTopics(List.of(topic)).all().get());
            });
            Checks.check("admin/cluster", () -> {
                var nodes = admin.describeCluster().nodes().get();
                Checks.same(nodes.stream().map(n -> n.host() + ":" + n.port()).toList(), List.of(work.bootstrap), "nodes");
                Checks.same(admin.describeCluster().clusterId().get().isEmpty(), false, "empty cluster id");
            });
        }
    }

    private void refused() {
        Checks.expectError(TopicExistsException.class, () -> work.create(topic, 1, Map.of()));
        Checks.expectError(InvalidTopicException.class, () -> work.create(topic + " with spaces", 1, Map.of()));
        Checks.expectError(InvalidPartitionsException.class, () -> work.create(topic + "-none", 0, Map.of()));
        Checks.expectError(InvalidConfigurationException.class,
                () -> work.create(topic + "-bad", 1, Map.of("retention.ms", "soon")));
    }

    private void configs(Admin admin) throws Exception {
        Checks.same(config(admin, "retention.ms"), "123456", "retention.ms");
        Checks.same(entry(admin, "retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
        Checks.same(entry(admin, "cleanup.policy").source(), ConfigEntry.ConfigSource.DEFAULT_CONFIG, "source");
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
                operation("max.message.bytes", "54321", AlterConfigOp.OpType.SET),
                operation("cleanup.policy", "compact", AlterConfigOp.OpType.APPEND),
                operation("retention.ms", "", AlterConfigOp.OpType.DELETE)))).all().get();
        Checks.eventually("the change shows", () -> config(admin, "max.message.bytes").equals("54321"));
        Checks.same(config(admin, "cleanup.policy"), "delete,compact", "cleanup.policy");
        Checks.same(config(admin, "retention.ms"), "604800000", "retention.ms");
        Checks.expectError(InvalidConfigurationException.class, () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(
                operation("segment.bytes", "many", AlterConfigOp.OpType.SET)))).all().get());
    }

    private void partitions(Admin admin) throws Exception {
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        Checks.eventually("five partitions", () -> {
            try {
                var described = admin.describeTopics(List.of(topic)).allTopicNames().get();
                return described.get(topic).partitions().size() == 5;
            } catch (Exception error) {
                throw new AssertionError(error);
            }
        });
        Checks.expectError(InvalidPartitionsException.class,
                () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
    }

    private static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).all().get().get(partition).offset();
    }

    void offsets() throws Exception {
        work.create(topic, 1, Map.of());
        work.produce(topic, 0, 100, 1, Map.of());
        var partition = new TopicPartition(topic, 0);
        try (var admin = work.admin()) {
            Checks.check("offsets/latest", () -> {
                Checks.same(offset(admin, partition, OffsetSpec.earliest()), 0L, "earliest");
                Checks.same(offset(admin, partition, OffsetSpec.latest()), 100L, "latest");
            });
            Checks.check("offsets/max-timestamp", () ->
                Checks.same(offset(admin, partition, OffsetSpec.maxTimestamp()), 99L, "max timestamp"));
            Checks.check("offsets/delete-records", () -> {
                var deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(40)));
                Checks.same(deleted.lowWatermarks().get(partition).get().lowWatermark(), 40L, "low watermark");
                Checks.same(offset(admin, partition, OffsetSpec.earliest()), 40L, "earliest");
                Checks.expectError(OffsetOutOfRangeException.class,
                        () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(1000))).all().get());
            });
        }
        Checks.check("offsets/reset-to-earliest", () -> {
            try (var consumer = work.consumer(Map.of())) {
                consumer.subscribe(List.of(topic));
                Checks.same(RealWork.take(consumer, 60).get(0).offset(), 40L, "first offset");
            }
        });
    }

    private boolean inState(Admin admin, String state) {
        try {
            return admin.describeConsumerGroups(List.of(group)).all().get().get(group).state().toString().equals(state);
        } catch (Exception notYet) {
            return false;
        }
    }

    private Set<String> groupsListed(Admin admin) throws Exception {
        return admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId)
                .collect(Collectors.toSet());
    }

    void groups() throws Exception {
        work.create(topic, 2, Map.of());
        work.produce(topic, 0, 10, 2, Map.of());
        var partition = new TopicPartition(topic, 0);
        var other = new TopicPartition(topic, 1);
        var options = Map.of("partition.assignment.strategy", RealWork.RANGE);
        var member = new Member(Member.properties(work.bootstrap, group, options), topic);
        try (var admin = work.admin()) {
            Checks.check("groups-admin/stable", () -> {
                Checks.eventually("stable", () -> inState(admin, "Stable"));
                var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                Checks.same(described.partitionAssignor(), "range", "assignor");
                var assignments = described.members().stream().map(m -> m.assignment().topicPartitions()).toList();
                Checks.same(assignments, List.of(Set.of(partition, other)), "assignments");
                Checks.same(groupsListed(admin).contains(group), true, "listed");
            });
            Checks.check("groups-admin/not-empty", () -> Checks.expectError(GroupNotEmptyException.class,
                    () -> admin.deleteConsumerGroups(List.of(group)).all().get()));
            Checks.eventually("all seen", () -> member.seen.size() == 10);
            member.stop();
            Checks.check("groups-admin/offsets", () -> {
                Checks.eventually("empty", () -> inState(admin, "Empty"));
                var wanted = Map.of(partition, new OffsetAndMetadata(3), other, new OffsetAndMetadata(2));
                admin.alterConsumerGroupOffsets(group, wanted).all().get();
                var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                Checks.same(committed.get(partition).offset(), 3L, "committed");
                // Kafka deletes an empty group with its last offset: the other partition's stays.
                admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
                committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                Checks.same(committed.keySet(), Set.of(other), "committed after OffsetDelete");
            });
            Checks.check("groups-admin/delete", () -> {
                admin.deleteConsumerGroups(List.of(group)).all().get();
                Checks.same(groupsListed(admin).contains(group), false, "listed");
                Checks.expectError(GroupIdNotFoundException.class,
                        () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            });
        }
    }
}
