// Command clients carries out one job with one Go client: it writes the records it is given, or prints those it reads.
// Decides nothing about what is right: the stories compare.
//
//	clients franz|sarama|segmentio produce|consume|admin <job.json
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Record is one record, or one that was read: then with its offset.
type Record struct {
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	Key       []byte     `json:"key"`
	Value     []byte     `json:"value"`
	Headers   [][2]Bytes `json:"headers"`
	Time      int64      `json:"time"`
	// TimeType is "create" or "append", where the client tells it.
	TimeType string `json:"time_type,omitempty"`
}

// Bytes are bytes or nothing, in base64.
type Bytes []byte

// Job is what is asked for.
type Job struct {
	Address    string   `json:"address"`
	Topic      string   `json:"topic"`
	Codec      string   `json:"codec"`
	Idempotent bool     `json:"idempotent"`
	Records    []Record `json:"records"`
	// Counts has for each partition how many records are read of it.
	Counts []int `json:"counts"`
}

// seen counts until there are so many: Kafka's brokers hear a moment later of what their controller has answered for.
func seen(wanted int, count func() (int, error)) (n int, err error) {
	for range 100 {
		if n, err = count(); err != nil || n == wanted {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	return
}

// Client is one of the libraries.
type Client interface {
	// Produce writes all records and returns when all are acknowledged.
	Produce(Job) error
	// Consume reads by assigned partition, from the beginning.
	Consume(Job, func(Record)) error
	// Admin makes the topic with three partitions and retention.ms=60000, writes down what it is told of it, and removes it.
	Admin(Job, func(string, any)) error
}

func run(name, verb string) error {
	client, known := map[string]Client{"franz": franz{}, "sarama": saramas{}, "segmentio": segmentio{}}[name]
	if !known {
		return fmt.Errorf("no client is called %q", name)
	}
	var job Job
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	switch verb {
	case "produce":
		return client.Produce(job)
	case "consume":
		return client.Consume(job, func(r Record) { _ = out.Encode(r) })
	case "admin":
		told := map[string]any{}
		err := client.Admin(job, func(what string, value any) { told[what] = value })
		_ = out.Encode(told)
		return err
	}
	return fmt.Errorf("no job is called %q", verb)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "clients franz|sarama|segmentio produce|consume|admin <job.json")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
