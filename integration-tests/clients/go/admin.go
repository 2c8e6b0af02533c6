// Real work through franz-go: topics, configs, offsets.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func text(s string) *string { return &s }

func (w work) config(ctx context.Context, admin *kadm.Client, key string) (string, string, error) {
	described, err := admin.DescribeTopicConfigs(ctx, w.topic)
	if err != nil {
		return "", "", err
	}
	for _, config := range described[0].Configs {
		if config.Key == key {
			return config.MaybeValue(), config.Source.String(), described[0].Err
		}
	}
	return "", "", fmt.Errorf("no config %s: %w", key, described[0].Err)
}

func (w work) admin() {
	admin := w.adminClient()
	defer admin.Close()
	check("admin/create", func(ctx context.Context) error {
		err := w.create(ctx, w.topic, 3, map[string]*string{"retention.ms": text("123456")})
		if err != nil {
			return err
		}
		listed, err := admin.ListTopics(ctx)
		return errors.Join(err, same(len(listed[w.topic].Partitions), 3, "partitions"),
			same(len(listed[w.topic].Partitions[0].ISR), 1, "isr"))
	})
	check("admin/refused", func(ctx context.Context) error {
		bad := map[string]*string{"retention.ms": text("soon")}
		return errors.Join(
			expectError(w.create(ctx, w.topic, 1, nil), kerr.TopicAlreadyExists),
			expectError(w.create(ctx, w.prefix+" with spaces", 1, nil), kerr.InvalidTopicException),
			expectError(w.create(ctx, w.prefix+"-none", 0, nil), kerr.InvalidPartitions),
			expectError(w.create(ctx, w.prefix+"-bad", 1, bad), kerr.InvalidConfig),
		)
	})
	check("admin/configs", func(ctx context.Context) error { return w.configs(ctx, admin) })
	check("admin/partitions", func(ctx context.Context) error {
		grown, err := admin.UpdatePartitions(ctx, 5, w.topic)
		if err = errors.Join(err, grown.Error()); err != nil {
			return err
		}
		err = eventually("five partitions", func() bool {
			listed, err := admin.ListTopics(ctx, w.topic)
			return err == nil && len(listed[w.topic].Partitions) == 5
		})
		shrunk, asked := admin.UpdatePartitions(ctx, 2, w.topic)
		return errors.Join(err, asked, expectError(shrunk.Error(), kerr.InvalidPartitions))
	})
	check("admin/delete", func(ctx context.Context) error {
		deleted, err := admin.DeleteTopics(ctx, w.topic)
		if err = errors.Join(err, deleted.Error()); err != nil {
			return err
		}
		err = eventually("gone", func() bool {
			listed, err := admin.ListTopics(ctx)
			return err == nil && !listed.Has(w.topic)
		})
		again, asked := admin.DeleteTopics(ctx, w.topic)
		return errors.Join(err, asked, expectError(again.Error(), kerr.UnknownTopicOrPartition))
	})
	check("admin/cluster", func(ctx context.Context) error {
		metadata, err := admin.BrokerMetadata(ctx)
		if err != nil {
			return err
		}
		one := metadata.Brokers[0]
		return errors.Join(same(len(metadata.Brokers), 1, "brokers"),
			same(fmt.Sprintf("%s:%d", one.Host, one.Port), w.bootstrap, "address"))
	})
}

func (w work) configs(ctx context.Context, admin *kadm.Client) error {
	value, source, err := w.config(ctx, admin, "retention.ms")
	if err = errors.Join(err, same(value, "123456", "retention.ms"),
		same(source, "DYNAMIC_TOPIC_CONFIG", "source")); err != nil {
		return err
	}
	changed, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "max.message.bytes", Value: text("54321")},
		{Op: kadm.DeleteConfig, Name: "retention.ms"},
	}, w.topic)
	if err = errors.Join(err, changed[0].Err); err != nil {
		return err
	}
	err = eventually("the change shows", func() bool {
		value, _, err := w.config(ctx, admin, "max.message.bytes")
		return err == nil && value == "54321"
	})
	value, _, asked := w.config(ctx, admin, "retention.ms")
	return errors.Join(err, asked, same(value, "604800000", "retention.ms"))
}

func (w work) byTime() {
	ctx := context.Background()
	must(w.create(ctx, w.topic, 1, nil))
	must(w.produce(ctx, w.topic, 0, 100, 1))
	admin := w.adminClient()
	defer admin.Close()
	lookup := func(name string, milli, offset int64) {
		check(name, func(ctx context.Context) error {
			listed, err := admin.ListOffsetsAfterMilli(ctx, milli, w.topic)
			if err != nil {
				return err
			}
			return errors.Join(listed.Error(), same(listed[w.topic][0].Offset, offset, "offset"))
		})
	}
	lookup("by-time/between", base.UnixMilli()+30_500, 31)
	lookup("by-time/before-first", 1, 0)
	// The wire says -1 here; this library then asks for the end.
	lookup("by-time/after-last", base.UnixMilli()+99_001, 100)
}

func (w work) offsets() {
	ctx := context.Background()
	must(w.create(ctx, w.topic, 1, nil))
	must(w.produce(ctx, w.topic, 0, 100, 1))
	admin := w.adminClient()
	defer admin.Close()
	offset := func(listed kadm.ListedOffsets, err error) int64 {
		must(errors.Join(err, listed.Error()))
		return listed[w.topic][0].Offset
	}
	check("offsets/latest", func(ctx context.Context) error {
		return errors.Join(same(offset(admin.ListStartOffsets(ctx, w.topic)), 0, "earliest"),
			same(offset(admin.ListEndOffsets(ctx, w.topic)), 100, "latest"))
	})
	check("offsets/max-timestamp", func(ctx context.Context) error {
		return same(offset(admin.ListMaxTimestampOffsets(ctx, w.topic)), 99, "max timestamp")
	})
	check("offsets/delete-records", func(ctx context.Context) error {
		before := func(at int64) (kadm.DeleteRecordsResponses, error) {
			return admin.DeleteRecords(ctx, kadm.Offsets{w.topic: {0: {Topic: w.topic, At: at}}})
		}
		deleted, err := before(40)
		if err = errors.Join(err, deleted.Error()); err != nil {
			return err
		}
		beyond, err := before(1000)
		return errors.Join(err, same(deleted[w.topic][0].LowWatermark, 40, "low watermark"),
			same(offset(admin.ListStartOffsets(ctx, w.topic)), 40, "earliest"),
			expectError(beyond.Error(), kerr.OffsetOutOfRange))
	})
	check("offsets/reset-to-earliest", func(ctx context.Context) error {
		found, err := w.read(ctx, w.topic, 60, 1)
		if err != nil {
			return err
		}
		return same(found[0].Offset, 40, "first offset")
	})
}
