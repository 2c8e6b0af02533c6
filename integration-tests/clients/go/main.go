// Real work through franz-go: producing and consuming.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type work struct {
	bootstrap, prefix, topic, group string
}

func main() {
	scenario, prefix := os.Args[2], os.Args[3]
	w := work{os.Args[1], prefix, prefix + "-topic", prefix + "-group"}
	scenarios := map[string]func(){
		"codecs":            w.codecs,
		"idempotent":        w.idempotent,
		"edges":             w.edges,
		"group":             func() { w.rebalance("group", kgo.RangeBalancer(), false) },
		"group-cooperative": func() { w.rebalance("group-cooperative", kgo.CooperativeStickyBalancer(), true) },
		"group-static":      w.groupStatic,
		"commit-resume":     w.commitResume,
		"by-time":           w.byTime,
		"admin":             w.admin,
		"offsets":           w.offsets,
		"groups-admin":      w.groupsAdmin,
	}
	run, known := scenarios[scenario]
	if !known {
		must(fmt.Errorf("no scenario of the name %s", scenario))
	}
	run()
	if failed {
		os.Exit(1)
	}
}

func (w work) client(options ...kgo.Opt) *kgo.Client {
	all := append([]kgo.Opt{kgo.SeedBrokers(w.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)
	client, err := kgo.NewClient(all...)
	must(err)
	return client
}

func (w work) adminClient() *kadm.Client {
	return kadm.NewClient(w.client())
}

func (w work) create(ctx context.Context, topic string, partitions int, configs map[string]*string) error {
	admin := w.adminClient()
	defer admin.Close()
	created, err := admin.CreateTopics(ctx, int32(partitions), 1, configs, topic)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		return err
	}
	// A KRaft broker leads the partitions a little after the controller has answered; what is sent with acks=0 before
	// that is lost.
	return eventually("topic is there", func() bool {
		listed, err := admin.ListEndOffsets(ctx, topic)
		return err == nil && listed.Error() == nil && len(listed[topic]) == partitions
	})
}

func (w work) produce(ctx context.Context, topic string, from, to, partitions int, options ...kgo.Opt) error {
	client := w.client(options...)
	defer client.Close()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, record(topic, i, partitions))
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func take(ctx context.Context, client *kgo.Client, count int) ([]*kgo.Record, error) {
	var found []*kgo.Record
	for len(found) < count {
		fetches := client.PollRecords(ctx, count-len(found))
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d of %d records: %w", len(found), count, err)
		}
		found = append(found, fetches.Records()...)
	}
	return found, nil
}

func (w work) read(ctx context.Context, topic string, count, partitions int) ([]*kgo.Record, error) {
	from := map[int32]kgo.Offset{}
	for p := range partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	client := w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	defer client.Close()
	return take(ctx, client, count)
}

func (w work) roundTrip(ctx context.Context, topic string, count, partitions int, options ...kgo.Opt) error {
	if err := w.create(ctx, topic, partitions, nil); err != nil {
		return err
	}
	if err := w.produce(ctx, topic, 0, count, partitions, options...); err != nil {
		return err
	}
	found, err := w.read(ctx, topic, count, partitions)
	if err != nil {
		return err
	}
	return compare(found, partitions)
}

func (w work) codecs() {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}
	for codecName, codec := range codecs {
		for acksName, acks := range acks {
			check("codec/"+codecName+"/acks="+acksName, func(ctx context.Context) error {
				topic := fmt.Sprintf("%s-%s-%s", w.prefix, codecName, acksName)
				return w.roundTrip(ctx, topic, 60, 2, kgo.ProducerBatchCompression(codec), kgo.RequiredAcks(acks),
					kgo.DisableIdempotentWrite(), kgo.ProducerLinger(20*time.Millisecond))
			})
		}
	}
}

func (w work) idempotent() {
	check("idempotent", func(ctx context.Context) error {
		// Many small batches, so that a small segment rolls.
		return w.roundTrip(ctx, w.prefix+"-idempotent", 1000, 3, kgo.MaxBufferedRecords(50),
			kgo.ProducerBatchCompression(kgo.NoCompression()))
	})
}

func (w work) edges() {
	check("edges/absent-and-empty", func(ctx context.Context) error {
		if err := w.create(ctx, w.topic, 1, nil); err != nil {
			return err
		}
		sent := []*kgo.Record{
			{},
			{Key: []byte{}, Value: []byte{}, Headers: []kgo.RecordHeader{{Key: "", Value: []byte{}}, {Key: "nothing"}}},
			{Key: []byte("schlüssel"), Value: []byte{0}, Headers: []kgo.RecordHeader{
				{Key: "twice", Value: []byte("1")}, {Key: "twice", Value: []byte("2")}}},
			{Key: []byte("big"), Value: bytes.Repeat([]byte("y"), 900_000)},
		}
		client := w.client()
		defer client.Close()
		for _, one := range sent {
			one.Topic = w.topic
			if err := client.ProduceSync(ctx, one).FirstErr(); err != nil {
				return err
			}
		}
		found, err := w.read(ctx, w.topic, len(sent), 1)
		for i := 0; i < len(sent) && err == nil; i++ {
			err = sameContent(found[i], sent[i])
		}
		return err
	})
	check("edges/too-large", func(ctx context.Context) error {
		small := "10000"
		if err := w.create(ctx, w.prefix+"-small", 1, map[string]*string{"max.message.bytes": &small}); err != nil {
			return err
		}
		client := w.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
		defer client.Close()
		large := &kgo.Record{Topic: w.prefix + "-small", Value: make([]byte, 50_000)}
		return expectError(client.ProduceSync(ctx, large).FirstErr(), kerr.MessageTooLarge)
	})
}
