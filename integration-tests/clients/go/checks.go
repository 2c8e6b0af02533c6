package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const limit = 60 * time.Second

// An hour ago, so that no broker finds the timestamps too new or too old.
var base = time.UnixMilli(time.Now().Add(-time.Hour).UnixMilli())

var failed bool

// check runs the steps and prints the outcome; a failure lets the scenario go on.
func check(name string, steps func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := steps(ctx); err != nil {
		failed = true
		fmt.Println("FAIL", name, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	fmt.Println("ok", name)
}

// must ends the program: what was to be checked never ran.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func same[T comparable](found, expected T, what string) error {
	if found != expected {
		return fmt.Errorf("%s: found %v, expected %v", what, found, expected)
	}
	return nil
}

func expectError(found, expected error) error {
	if !errors.Is(found, expected) {
		return fmt.Errorf("error: found %v, expected %v", found, expected)
	}
	return nil
}

func eventually(what string, condition func() bool) error {
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s", limit, what)
		}
	}
	return nil
}

// record makes record number i of the scenarios, for one of so many partitions.
func record(topic string, i, partitions int) *kgo.Record {
	return &kgo.Record{
		Topic:     topic,
		Partition: int32(i % partitions),
		Key:       fmt.Appendf(nil, "key-%d", i),
		Value:     fmt.Appendf(nil, "value-%d-%s", i, strings.Repeat("x", 200)),
		Headers: []kgo.RecordHeader{
			{Key: "number", Value: fmt.Appendf(nil, "%d", i)},
			{Key: "bytes", Value: []byte{0, 0xff}},
		},
		Timestamp: base.Add(time.Duration(i) * time.Second),
	}
}

func sameBytes(found, expected []byte, what string) error {
	if (found == nil) != (expected == nil) || !bytes.Equal(found, expected) {
		return fmt.Errorf("%s: found %q, expected %q", what, found, expected)
	}
	return nil
}

func sameContent(found, expected *kgo.Record) error {
	err := errors.Join(
		sameBytes(found.Key, expected.Key, "key"),
		sameBytes(found.Value, expected.Value, "value"),
		same(len(found.Headers), len(expected.Headers), "headers"),
	)
	if err != nil {
		return err
	}
	for i, header := range found.Headers {
		err = errors.Join(err, same(header.Key, expected.Headers[i].Key, "header"),
			sameBytes(header.Value, expected.Headers[i].Value, "header "+header.Key))
	}
	return err
}

// compare expects the records number 0 to count of a topic, in order per partition.
func compare(found []*kgo.Record, partitions int) error {
	next := make([]int, partitions)
	for _, got := range found {
		offset := next[got.Partition]
		next[got.Partition]++
		want := record(got.Topic, offset*partitions+int(got.Partition), partitions)
		if err := errors.Join(sameContent(got, want), same(got.Offset, int64(offset), "offset"),
			same(got.Timestamp.UnixMilli(), want.Timestamp.UnixMilli(), "timestamp")); err != nil {
			return fmt.Errorf("partition %d: %w", got.Partition, err)
		}
	}
	return nil
}
