// Real work through franz-go: consumer groups.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// member is a consumer that polls in a goroutine of its own.
type member struct {
	client      *kgo.Client
	lock        sync.Mutex
	owned       map[int32]bool
	seen        map[string]bool
	revoked     []int
	assignments int
	fenced      bool
	ended       chan struct{}
}

func (w work) member(options ...kgo.Opt) *member {
	m := &member{owned: map[int32]bool{}, seen: map[string]bool{}, ended: make(chan struct{})}
	assigned := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		m.lock.Lock()
		defer m.lock.Unlock()
		m.assignments++
		for _, p := range topics[w.topic] {
			m.owned[p] = true
		}
	}
	lost := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		m.lock.Lock()
		defer m.lock.Unlock()
		m.revoked = append(m.revoked, len(topics[w.topic]))
		for _, p := range topics[w.topic] {
			delete(m.owned, p)
		}
	}
	m.client = w.client(append([]kgo.Opt{kgo.ConsumerGroup(w.group), kgo.ConsumeTopics(w.topic),
		kgo.OnPartitionsAssigned(assigned), kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost)}, options...)...)
	go m.poll()
	return m
}

func (m *member) poll() {
	defer close(m.ended)
	for {
		fetches := m.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		m.lock.Lock()
		fetches.EachError(func(_ string, _ int32, err error) {
			m.fenced = m.fenced || errors.Is(err, kerr.FencedInstanceID)
		})
		fetches.EachRecord(func(r *kgo.Record) { m.seen[fmt.Sprintf("%d/%d", r.Partition, r.Offset)] = true })
		m.lock.Unlock()
	}
}

// stop commits what was polled and leaves; a static member does not tell the group that it goes.
func (m *member) stop() {
	m.client.Close()
	<-m.ended
}

func (m *member) owns() map[int32]bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return maps.Clone(m.owned)
}

func (m *member) sees() map[string]bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return maps.Clone(m.seen)
}

func sharedEvenly(one, other *member) func() bool {
	return func() bool {
		a, b := one.owns(), other.owns()
		all := maps.Clone(a)
		maps.Copy(all, b)
		return len(a) == 2 && len(b) == 2 && len(all) == 4
	}
}

func (w work) rebalance(name string, balancer kgo.GroupBalancer, cooperative bool) {
	ctx := context.Background()
	must(w.create(ctx, w.topic, 4, nil))
	must(w.produce(ctx, w.topic, 0, 40, 4))
	first := w.member(kgo.Balancers(balancer))
	check(name+"/alone", func(context.Context) error {
		return errors.Join(
			eventually("one member owns all", func() bool { return len(first.owns()) == 4 }),
			eventually("first records", func() bool { return len(first.sees()) == 40 }),
		)
	})
	second := w.member(kgo.Balancers(balancer))
	check(name+"/shared", func(context.Context) error { return eventually("both own two", sharedEvenly(first, second)) })
	check(name+"/all-records", func(ctx context.Context) error {
		return errors.Join(w.produce(ctx, w.topic, 40, 80, 4), eventually("all records seen", func() bool {
			all := first.sees()
			maps.Copy(all, second.sees())
			return len(all) == 80
		}))
	})
	if cooperative {
		check(name+"/only-what-moves", func(context.Context) error {
			var sizes []int
			for _, size := range first.revoked {
				if size > 0 {
					sizes = append(sizes, size)
				}
			}
			return same(fmt.Sprint(sizes), "[2]", "partitions revoked at a time")
		})
	}
	second.stop()
	check(name+"/takeover", func(context.Context) error {
		return eventually("the one that stayed owns all", func() bool { return len(first.owns()) == 4 })
	})
	first.stop()
}

func (w work) groupStatic() {
	must(w.create(context.Background(), w.topic, 4, nil))
	one, other := w.member(kgo.InstanceID("one")), w.member(kgo.InstanceID("other"))
	must(eventually("both own two", sharedEvenly(one, other)))
	before, assignments := other.owns(), one.assignments
	other.stop()
	returned := w.member(kgo.InstanceID("other"))
	check("group-static/returns", func(context.Context) error {
		return errors.Join(
			eventually("the returned member owns the same", func() bool { return maps.Equal(returned.owns(), before) }),
			same(one.assignments, assignments, "rebalances that the other member saw"),
		)
	})
	usurper := w.member(kgo.InstanceID("other"))
	check("group-static/fenced", func(context.Context) error {
		return errors.Join(
			eventually("the older member is fenced", func() bool {
				returned.lock.Lock()
				defer returned.lock.Unlock()
				return returned.fenced
			}),
			eventually("the newer one owns its partitions", func() bool { return maps.Equal(usurper.owns(), before) }),
		)
	})
	returned.stop()
	usurper.stop()
	one.stop()
}

func (w work) commitResume() {
	ctx := context.Background()
	must(w.create(ctx, w.topic, 1, nil))
	must(w.produce(ctx, w.topic, 0, 100, 1))
	consumer := func() *kgo.Client {
		return w.client(kgo.ConsumerGroup(w.group), kgo.ConsumeTopics(w.topic), kgo.DisableAutoCommit())
	}
	check("commit-resume/commit", func(ctx context.Context) error {
		client := consumer()
		defer client.Close()
		found, err := take(ctx, client, 50)
		if err != nil {
			return err
		}
		return client.CommitRecords(ctx, found...)
	})
	check("commit-resume/resume", func(ctx context.Context) error {
		admin := w.adminClient()
		defer admin.Close()
		committed, err := admin.FetchOffsets(ctx, w.group)
		if err != nil {
			return err
		}
		at, _ := committed.Lookup(w.topic, 0)
		client := consumer()
		defer client.Close()
		found, err := take(ctx, client, 50)
		if err != nil {
			return err
		}
		return errors.Join(same(at.At, 50, "committed"), same(found[0].Offset, 50, "first offset"),
			same(found[49].Offset, 99, "last offset"))
	})
}

func (w work) groupsAdmin() {
	ctx := context.Background()
	must(w.create(ctx, w.topic, 2, nil))
	must(w.produce(ctx, w.topic, 0, 10, 2))
	admin := w.adminClient()
	defer admin.Close()
	inState := func(state string) func() bool {
		return func() bool {
			described, err := admin.DescribeGroups(ctx, w.group)
			return err == nil && described[w.group].State == state
		}
	}
	m := w.member(kgo.Balancers(kgo.RangeBalancer()))
	check("groups-admin/stable", func(ctx context.Context) error {
		if err := eventually("stable", inState("Stable")); err != nil {
			return err
		}
		described, err := admin.DescribeGroups(ctx, w.group)
		if err != nil {
			return err
		}
		listed, err := admin.ListGroups(ctx)
		owned := described.AssignedPartitions()
		return errors.Join(err, same(described[w.group].Protocol, "range", "assignor"),
			same(len(owned[w.topic]), 2, "partitions assigned"), same(listed[w.group].Group, w.group, "listed"))
	})
	check("groups-admin/not-empty", func(ctx context.Context) error {
		deleted, err := admin.DeleteGroups(ctx, w.group)
		return errors.Join(err, expectError(deleted[w.group].Err, kerr.NonEmptyGroup))
	})
	must(eventually("all seen", func() bool { return len(m.sees()) == 10 }))
	m.stop()
	check("groups-admin/offsets", func(ctx context.Context) error {
		wanted := kadm.OffsetsFromRecords(kgo.Record{Topic: w.topic, Offset: 2}, kgo.Record{Topic: w.topic, Partition: 1})
		err := eventually("empty", inState("Empty"))
		if err == nil {
			err = admin.CommitAllOffsets(ctx, w.group, wanted)
		}
		if err != nil {
			return err
		}
		committed, err := admin.FetchOffsets(ctx, w.group)
		at, _ := committed.Lookup(w.topic, 0)
		return errors.Join(err, same(at.At, 3, "committed"))
	})
	check("groups-admin/delete", func(ctx context.Context) error {
		deleted, err := admin.DeleteGroups(ctx, w.group)
		if err != nil {
			return errors.Join(err, deleted.Error())
		}
		again, err := admin.DeleteGroups(ctx, w.group)
		return errors.Join(err, expectError(again[w.group].Err, kerr.GroupIDNotFound))
	})
}
