// franz-go: how it writes the records it is given, and reads a partition from its beginning.
// Decides nothing: main.go says what a job is, the stories compare.

package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz is franz-go: idempotent by default, topic ids and fetch sessions wherever they are offered.
type franz struct{}

func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 40*time.Second)
}

func (franz) Produce(job Job) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(job.Address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(50 * time.Millisecond),
		kgo.ProducerBatchCompression(codecs[job.Codec]), kgo.ProducerBatchMaxBytes(2 << 20),
	}
	if !job.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for _, r := range job.Records {
		record := &kgo.Record{Topic: job.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Time)}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: string(h[0]), Value: h[1]})
		}
		records = append(records, record)
	}
	ctx, done := within()
	defer done()
	return client.ProduceSync(ctx, records...).FirstErr()
}

func (franz) Consume(job Job, tell func(Record)) error {
	from, left := map[int32]kgo.Offset{}, 0
	for partition, count := range job.Counts {
		if count > 0 {
			from[int32(partition)] = kgo.NewOffset().AtStart()
			left += count
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(job.Address), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{job.Topic: from}))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, done := within()
	defer done()
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		for _, failed := range fetches.Errors() {
			return failed.Err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			kind := map[int8]string{0: "create", 1: "append"}[r.Attrs.TimestampType()]
			record := Record{Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp.UnixMilli(), TimeType: kind}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, [2]Bytes{Bytes(h.Key), h.Value})
			}
			tell(record)
			left--
		})
	}
	return nil
}

func (franz) Admin(job Job, tell func(string, any)) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(job.Address))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, done := within()
	defer done()
	minute := "60000"
	if _, err := admin.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": &minute}, job.Topic); err != nil {
		return err
	}
	_, again := admin.CreateTopic(ctx, 3, 1, nil, job.Topic)
	tell("exists", errors.Is(again, kerr.TopicAlreadyExists))
	configs, err := admin.DescribeTopicConfigs(ctx, job.Topic)
	if err != nil {
		return err
	}
	for _, config := range configs[0].Configs {
		if config.Key == "retention.ms" {
			tell("retention", config.MaybeValue())
		}
	}
	if _, err := admin.CreatePartitions(ctx, 2, job.Topic); err != nil {
		return err
	}
	partitions, err := seen(5, func() (int, error) {
		topics, err := admin.ListTopics(ctx, job.Topic)
		return len(topics[job.Topic].Partitions), err
	})
	if err != nil {
		return err
	}
	tell("partitions", partitions)
	ends, err := admin.ListEndOffsets(ctx, job.Topic)
	if err != nil {
		return err
	}
	end, _ := ends.Lookup(job.Topic, 0)
	tell("end", end.Offset)
	if _, err := admin.DeleteTopic(ctx, job.Topic); err != nil {
		return err
	}
	_, err = admin.DeleteTopic(ctx, job.Topic)
	tell("gone", errors.Is(err, kerr.UnknownTopicOrPartition))
	return nil
}
