// Sarama: how it writes the records it is given, and reads a partition from its beginning.
// Decides nothing: main.go says what a job is, the stories compare.

package main

import (
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// saramas is Sarama, at the newest level of the protocol that it knows.
type saramas struct{}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.ClientID = "sarama"
	return config
}

func (saramas) Produce(job Job) error {
	config := settings()
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.MaxMessageBytes = 2 << 20
	config.Producer.Flush.Frequency = 50 * time.Millisecond
	if err := config.Producer.Compression.UnmarshalText([]byte(job.Codec)); err != nil {
		return err
	}
	if job.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	producer, err := sarama.NewSyncProducer([]string{job.Address}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for _, r := range job.Records {
		message := &sarama.ProducerMessage{Topic: job.Topic, Partition: r.Partition, Timestamp: time.UnixMilli(r.Time)}
		if r.Key != nil {
			message.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			message.Value = sarama.ByteEncoder(r.Value)
		}
		for _, h := range r.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: h[0], Value: h[1]})
		}
		messages = append(messages, message)
	}
	return producer.SendMessages(messages)
}

func (saramas) Consume(job Job, tell func(Record)) error {
	config := settings()
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	consumer, err := sarama.NewConsumer([]string{job.Address}, config)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for partition, count := range job.Counts {
		if count == 0 {
			continue
		}
		part, err := consumer.ConsumePartition(job.Topic, int32(partition), sarama.OffsetOldest)
		if err != nil {
			return err
		}
		for ; count > 0; count-- {
			select {
			case m := <-part.Messages():
				record := Record{Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value, Time: m.Timestamp.UnixMilli()}
				for _, h := range m.Headers {
					record.Headers = append(record.Headers, [2]Bytes{h.Key, h.Value})
				}
				tell(record)
			case <-time.After(30 * time.Second):
				return errors.New("nothing came for 30 s")
			}
		}
		if err := part.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (saramas) Admin(job Job, tell func(string, any)) error {
	admin, err := sarama.NewClusterAdmin([]string{job.Address}, settings())
	if err != nil {
		return err
	}
	defer admin.Close()
	minute := "60000"
	detail := &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &minute}}
	if err := admin.CreateTopic(job.Topic, detail, false); err != nil {
		return err
	}
	tell("exists", errors.Is(admin.CreateTopic(job.Topic, detail, false), sarama.ErrTopicAlreadyExists))
	configs, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: job.Topic})
	if err != nil {
		return err
	}
	for _, config := range configs {
		if config.Name == "retention.ms" {
			tell("retention", config.Value)
		}
	}
	if err := admin.CreatePartitions(job.Topic, 5, nil, false); err != nil {
		return err
	}
	partitions, err := seen(5, func() (int, error) {
		topics, err := admin.DescribeTopics([]string{job.Topic})
		if err != nil {
			return 0, err
		}
		return len(topics[0].Partitions), nil
	})
	if err != nil {
		return err
	}
	tell("partitions", partitions)
	client, err := sarama.NewClient([]string{job.Address}, settings())
	if err != nil {
		return err
	}
	defer client.Close()
	end, err := client.GetOffset(job.Topic, 0, sarama.OffsetNewest)
	if err != nil {
		return err
	}
	tell("end", end)
	if err := admin.DeleteTopic(job.Topic); err != nil {
		return err
	}
	tell("gone", errors.Is(admin.DeleteTopic(job.Topic), sarama.ErrUnknownTopicOrPartition))
	return nil
}
