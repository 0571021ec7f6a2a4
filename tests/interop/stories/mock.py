"""librdkafka against `sawlog mock`: a broker in memory that refuses, cuts off, loses and delays what it is told to.

Decides that a client of the field gets through each fault with its records whole, in order and once; the faults are ours.
"""

import signal
import subprocess
import time

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from clients import consume


class Mock:
    """A running `sawlog mock`, for a `with`; `.address` is what its ready line says."""

    def __init__(self, target, *words):
        self.command = [target.binary, "mock", *words]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("sawlog mock ready on "), line
        self.address = line.split()[-1]
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=60)
        assert code == 0, f"exit code {code}"


def send(address, n, **config):
    """Sends records one request after the other; what was not delivered."""
    failed = []
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 0, **config})
    for i in range(n):
        producer.produce("orders", b"%d" % i, partition=0, on_delivery=lambda error, _: error and failed.append(error))
        assert producer.flush(60) == 0
    return failed


def stories(target, asked):
    if target.kind != "sawlog":
        return

    def faults():
        for fault in ("NOT_LEADER_OR_FOLLOWER:2", "after:REQUEST_TIMED_OUT", "close:2", "after:close", "lose"):
            with Mock(target, "--topic", "orders:1", "--fail", f"Produce={fault}") as mock:
                failed = send(mock.address, 5, **{"socket.timeout.ms": 1000})
                assert failed == [], (fault, failed)
                got = [message.value() for message in consume(mock.address, "orders", 5)]
                assert got == [b"%d" % i for i in range(5)], (fault, got)

    yield "an idempotent producer of librdkafka gets through refusals, breaks and lost answers, each record once", faults

    def final():
        with Mock(target, "--topic", "orders:1", "--fail", "Produce@orders/0=INVALID_RECORD") as mock:
            failed = send(mock.address, 2, **{"enable.idempotence": False})
            assert [error.name() for error in failed] == ["INVALID_RECORD"], failed
            got = [message.value() for message in consume(mock.address, "orders", 1)]
            assert got == [b"1"], got

    yield "what cannot be tried again is told, and the next record is stored", final

    def reading():
        for fault in ("NOT_LEADER_OR_FOLLOWER:2", "close:2", "after:close", "after:KAFKA_STORAGE_ERROR"):
            with Mock(target, "--topic", "orders:1", "--fail", f"Fetch@orders={fault}") as mock:
                assert send(mock.address, 5) == []
                got = [message.value() for message in consume(mock.address, "orders", 5)]
                assert got == [b"%d" % i for i in range(5)], (fault, got)

    yield "a consumer of librdkafka gets through them, too, without loss or repetition", reading

    def latency():
        with Mock(target, "--partitions", "2", "--latency", "200ms") as mock:
            began = time.monotonic()
            topics = AdminClient({"bootstrap.servers": mock.address}).list_topics("orders", timeout=30).topics
            assert len(topics["orders"].partitions) == 2, topics
            assert time.monotonic() - began >= 0.4, "ApiVersions and Metadata, one after the other"

    yield "latency delays each answer; topics are made by their use", latency

    def refused():
        with Mock(target, "--fail", "CreateTopics=POLICY_VIOLATION") as mock:
            from confluent_kafka.admin import NewTopic

            admin = AdminClient({"bootstrap.servers": mock.address})
            try:
                admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(30)
            except KafkaException as why:
                assert why.args[0].name() == "POLICY_VIOLATION", why
            else:
                raise AssertionError("it was made")
            admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(30)

    yield "a command is refused once, and carried out when it is tried again", refused
