"""Carries out one job with kafka-python or aiokafka: writes the records it is given, prints those it reads, or looks after a
topic. Decides nothing about what is right: the stories compare.

    python.py kafka-python|aiokafka produce|consume|admin <job.json
"""

import asyncio
import base64
import json
import sys
import time


def bytes_of(text):
    return None if text is None else base64.b64decode(text)


def text_of(data):
    return None if data is None else base64.b64encode(data).decode()


def headers_of(record):
    return [(bytes_of(key).decode(), bytes_of(value)) for key, value in record["headers"] or []]


def tell(record):
    headers = [[text_of(key.encode()), text_of(value)] for key, value in record.headers]
    kind = {0: "create", 1: "append"}.get(record.timestamp_type)
    row = {"partition": record.partition, "offset": record.offset, "key": text_of(record.key), "value": text_of(record.value), "headers": headers, "time": record.timestamp, "time_type": kind}
    print(json.dumps(row))


def codec_of(job):
    return None if job["codec"] == "none" else job["codec"]


class KafkaPython:
    @staticmethod
    def produce(job):
        from kafka import KafkaProducer

        producer = KafkaProducer(bootstrap_servers=job["address"], compression_type=codec_of(job), enable_idempotence=job["idempotent"], acks="all", linger_ms=50, max_request_size=2 << 20, batch_size=1 << 18)
        sent = [producer.send(job["topic"], key=bytes_of(r["key"]), value=bytes_of(r["value"]), headers=headers_of(r), partition=r["partition"], timestamp_ms=r["time"]) for r in job["records"]]
        producer.flush(30)
        for one in sent:
            one.get(1)
        producer.close()

    @staticmethod
    def consume(job):
        from kafka import KafkaConsumer, TopicPartition

        consumer = KafkaConsumer(bootstrap_servers=job["address"], group_id=None, auto_offset_reset="earliest", consumer_timeout_ms=20_000, max_partition_fetch_bytes=4 << 20)
        consumer.assign([TopicPartition(job["topic"], p) for p, n in enumerate(job["counts"]) if n])
        left = sum(job["counts"])
        for record in consumer:
            tell(record)
            left -= 1
            if left == 0:
                break
        consumer.close()

    @staticmethod
    def admin(job):
        from kafka import KafkaConsumer, TopicPartition
        from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
        from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

        admin, topic, told = KafkaAdminClient(bootstrap_servers=job["address"]), job["topic"], {}
        new = NewTopic(name=topic, num_partitions=3, replication_factor=1, topic_configs={"retention.ms": "60000"})
        admin.create_topics([new])
        told["exists"] = raises(TopicAlreadyExistsError, lambda: admin.create_topics([new]))
        told["retention"] = retention(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
        admin.create_partitions({topic: NewPartitions(5)})
        for _ in looks(told):
            told["partitions"] = len(admin.describe_topics([topic])[0]["partitions"])
        consumer = KafkaConsumer(bootstrap_servers=job["address"], group_id=None)
        told["end"] = consumer.end_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)]
        consumer.close()
        admin.delete_topics([topic])
        told["gone"] = raises(UnknownTopicOrPartitionError, lambda: admin.delete_topics([topic]))
        admin.close()
        print(json.dumps(told))


class Aiokafka:
    @staticmethod
    async def produce(job):
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(bootstrap_servers=job["address"], compression_type=codec_of(job), enable_idempotence=job["idempotent"], acks="all", linger_ms=50, max_request_size=2 << 20, max_batch_size=1 << 18)
        await producer.start()
        sent = [await producer.send(job["topic"], key=bytes_of(r["key"]), value=bytes_of(r["value"]), headers=headers_of(r), partition=r["partition"], timestamp_ms=r["time"]) for r in job["records"]]
        await asyncio.gather(*sent)
        await producer.stop()

    @staticmethod
    async def consume(job):
        from aiokafka import AIOKafkaConsumer, TopicPartition

        consumer = AIOKafkaConsumer(bootstrap_servers=job["address"], group_id=None, auto_offset_reset="earliest", max_partition_fetch_bytes=4 << 20)
        await consumer.start()
        parts = [TopicPartition(job["topic"], p) for p, n in enumerate(job["counts"]) if n]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        for _ in range(sum(job["counts"])):
            tell(await asyncio.wait_for(consumer.getone(), 20))
        await consumer.stop()

    @staticmethod
    async def admin(job):
        from aiokafka import AIOKafkaConsumer, TopicPartition
        from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

        admin, topic, told = AIOKafkaAdminClient(bootstrap_servers=job["address"]), job["topic"], {}
        await admin.start()
        new = NewTopic(name=topic, num_partitions=3, replication_factor=1, topic_configs={"retention.ms": "60000"})

        def code(answer):
            rows = getattr(answer, "topic_errors", None) or getattr(answer, "topic_error_codes", None)
            return rows[0][1]

        assert code(await admin.create_topics([new])) == 0
        told["exists"] = code(await admin.create_topics([new])) == 36
        told["retention"] = next(row[1] for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]) for resource in answer.resources for row in resource[4] if row[0] == "retention.ms")
        await admin.create_partitions({topic: NewPartitions(5)})
        for _ in looks(told):
            told["partitions"] = len((await admin.describe_topics([topic]))[0]["partitions"])
        consumer = AIOKafkaConsumer(bootstrap_servers=job["address"], group_id=None)
        await consumer.start()
        told["end"] = (await consumer.end_offsets([TopicPartition(topic, 0)]))[TopicPartition(topic, 0)]
        await consumer.stop()
        assert code(await admin.delete_topics([topic])) == 0
        told["gone"] = code(await admin.delete_topics([topic])) == 3
        await admin.close()
        print(json.dumps(told))


def raises(kind, do):
    try:
        do()
    except kind:
        return True
    return False


def looks(told):
    """Until five partitions are told: Kafka's brokers hear a moment later of what their controller has answered for."""
    for look in range(100):
        time.sleep(0.1 if look else 0)
        yield look
        if told["partitions"] == 5:
            return


def retention(told):
    """The value, in whichever nesting this release of kafka-python answers."""
    if isinstance(told, dict):
        if "retention.ms" in told:
            value = told["retention.ms"]
            return value["value"] if isinstance(value, dict) else value
        if told.get("name") == "retention.ms":
            return told["value"]
        told = told.values()
    elif not isinstance(told, (list, tuple)):
        return None
    return next((found for found in map(retention, told) if found is not None), None)


name, verb = sys.argv[1:]
work = getattr({"kafka-python": KafkaPython, "aiokafka": Aiokafka}[name], verb)(json.load(sys.stdin))
if asyncio.iscoroutine(work):
    asyncio.run(work)
