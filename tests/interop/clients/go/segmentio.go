// segmentio/kafka-go: how it writes the records it is given, and reads a partition from its beginning.
// Decides nothing: main.go says what a job is, the stories compare.

package main

import (
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
)

// segmentio is segmentio/kafka-go, which knows no idempotence: it never asks for a producer id.
type segmentio struct{}

// named sends a record to the partition that it carries with it.
func named(message kafka.Message, _ ...int) int { return message.WriterData.(int) }

func (segmentio) Produce(job Job) error {
	codecs := map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
	writer := &kafka.Writer{
		Addr: kafka.TCP(job.Address), Topic: job.Topic, Balancer: kafka.BalancerFunc(named), RequiredAcks: kafka.RequireAll,
		BatchBytes: 2 << 20, BatchTimeout: 50 * time.Millisecond, Compression: codecs[job.Codec],
	}
	var messages []kafka.Message
	for _, r := range job.Records {
		message := kafka.Message{Key: r.Key, Value: r.Value, Time: time.UnixMilli(r.Time), WriterData: int(r.Partition)}
		for _, h := range r.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: string(h[0]), Value: h[1]})
		}
		messages = append(messages, message)
	}
	ctx, done := within()
	defer done()
	return errors.Join(writer.WriteMessages(ctx, messages...), writer.Close())
}

func (segmentio) Consume(job Job, tell func(Record)) error {
	ctx, done := within()
	defer done()
	for partition, count := range job.Counts {
		if count == 0 {
			continue
		}
		// Its end waits for the fetch under way, so that one is short.
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{job.Address}, Topic: job.Topic, Partition: partition, MaxBytes: 8 << 20, MaxWait: 100 * time.Millisecond,
		})
		for ; count > 0; count-- {
			m, err := reader.ReadMessage(ctx)
			if err != nil {
				return err
			}
			record := Record{Partition: int32(m.Partition), Offset: m.Offset, Key: m.Key, Value: m.Value, Time: m.Time.UnixMilli()}
			for _, h := range m.Headers {
				record.Headers = append(record.Headers, [2]Bytes{Bytes(h.Key), h.Value})
			}
			tell(record)
		}
		if err := reader.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (segmentio) Admin(job Job, tell func(string, any)) error {
	address := kafka.TCP(job.Address)
	client := &kafka.Client{Addr: address, Transport: &kafka.Transport{}}
	ctx, done := within()
	defer done()
	create := &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: job.Topic, NumPartitions: 3, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "60000"}},
	}}}
	made, err := client.CreateTopics(ctx, create)
	if err == nil {
		err = made.Errors[job.Topic]
	}
	if err != nil {
		return err
	}
	made, err = client.CreateTopics(ctx, create)
	if err != nil {
		return err
	}
	tell("exists", errors.Is(made.Errors[job.Topic], kafka.TopicAlreadyExists))
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: job.Topic, ConfigNames: []string{"retention.ms"}}
	configs, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}})
	if err != nil {
		return err
	}
	for _, config := range configs.Resources[0].ConfigEntries {
		tell("retention", config.ConfigValue)
	}
	more, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: job.Topic, Count: 5}}})
	if err == nil {
		err = more.Errors[job.Topic]
	}
	if err != nil {
		return err
	}
	partitions, err := seen(5, func() (int, error) {
		// A transport answers from what it heard up to MetadataTTL ago, which is its patience with an answer, too:
		// a new one knows nothing yet, and has the time that it has by default.
		transport := &kafka.Transport{}
		defer transport.CloseIdleConnections()
		metadata, err := (&kafka.Client{Addr: address, Transport: transport}).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{job.Topic}})
		if err != nil {
			return 0, err
		}
		return len(metadata.Topics[0].Partitions), nil
	})
	if err != nil {
		return err
	}
	tell("partitions", partitions)
	ends, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{job.Topic: {kafka.LastOffsetOf(0)}}})
	if err != nil {
		return err
	}
	tell("end", ends.Topics[job.Topic][0].LastOffset)
	remove := &kafka.DeleteTopicsRequest{Topics: []string{job.Topic}}
	removed, err := client.DeleteTopics(ctx, remove)
	if err == nil {
		err = removed.Errors[job.Topic]
	}
	if err != nil {
		return err
	}
	removed, err = client.DeleteTopics(ctx, remove)
	if err != nil {
		return err
	}
	tell("gone", errors.Is(removed.Errors[job.Topic], kafka.UnknownTopicOrPartition))
	return nil
}
