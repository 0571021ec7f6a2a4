"""librdkafka as a load: produces, checks every delivery, prints one line of JSON.

    librdkafka.py full ADDRESS TOPIC VALUE_BYTES SECONDS MAX_BYTES
    librdkafka.py paced ADDRESS TOPIC VALUE_BYTES SECONDS RATE

The library is the one inside PyPI's confluent-kafka, called through ctypes: a Python call per message would measure Python.
`consume` reads whole partitions with librdkafka's defaults and check.crcs: its callback is a C function without effect, the
library counts, and its position in each partition must end up where the partition ends.
`full` keeps librdkafka's defaults (acks=all). `paced` sends single messages at their own times with linger.ms=0 and counts
latency from the time each was due.

Handshake: prints "start" when warmed up, waits for a line on stdin, loads, prints the result, waits for the end of stdin.
"""

import ctypes as c
import glob
import json
import os
import resource
import sys
import threading
import time

import confluent_kafka

MSG_F_BLOCK, EVENT_DR, PARTITION_UA = 4, 1, -1
CONF_OK = 0
CHUNK = 5000


class Message(c.Structure):
    _fields_ = [
        ("err", c.c_int),
        ("topic", c.c_void_p),
        ("partition", c.c_int32),
        ("payload", c.c_void_p),
        ("len", c.c_size_t),
        ("key", c.c_void_p),
        ("key_len", c.c_size_t),
        ("offset", c.c_int64),
        ("private", c.c_void_p),
    ]


class Partition(c.Structure):
    _fields_ = [
        ("topic", c.c_char_p),
        ("partition", c.c_int32),
        ("offset", c.c_int64),
        ("metadata", c.c_void_p),
        ("metadata_size", c.c_size_t),
        ("opaque", c.c_void_p),
        ("err", c.c_int),
        ("private", c.c_void_p),
    ]


class Partitions(c.Structure):
    _fields_ = [("cnt", c.c_int), ("size", c.c_int), ("elems", c.POINTER(Partition))]


def library():
    package = os.path.dirname(confluent_kafka.__file__)
    found = glob.glob(os.path.join(package + ".libs", "librdkafka-*.so*"))
    if len(found) != 1:
        sys.exit("librdkafka: expected one library beside confluent_kafka, found %d" % len(found))
    lib = c.CDLL(found[0])
    for name, result, *arguments in [
        ("rd_kafka_conf_new", c.c_void_p),
        ("rd_kafka_conf_set", c.c_int, c.c_void_p, c.c_char_p, c.c_char_p, c.c_char_p, c.c_size_t),
        ("rd_kafka_conf_set_events", None, c.c_void_p, c.c_int),
        ("rd_kafka_new", c.c_void_p, c.c_int, c.c_void_p, c.c_char_p, c.c_size_t),
        ("rd_kafka_topic_new", c.c_void_p, c.c_void_p, c.c_char_p, c.c_void_p),
        ("rd_kafka_produce", c.c_int, c.c_void_p, c.c_int32, c.c_int, c.c_void_p, c.c_size_t, c.c_void_p, c.c_size_t, c.c_void_p),
        ("rd_kafka_produce_batch", c.c_int, c.c_void_p, c.c_int32, c.c_int, c.POINTER(Message), c.c_int),
        ("rd_kafka_flush", c.c_int, c.c_void_p, c.c_int),
        ("rd_kafka_outq_len", c.c_int, c.c_void_p),
        ("rd_kafka_queue_get_main", c.c_void_p, c.c_void_p),
        ("rd_kafka_queue_poll", c.c_void_p, c.c_void_p, c.c_int),
        ("rd_kafka_event_type", c.c_int, c.c_void_p),
        ("rd_kafka_event_message_array", c.c_size_t, c.c_void_p, c.POINTER(c.POINTER(Message)), c.c_size_t),
        ("rd_kafka_event_destroy", None, c.c_void_p),
        ("rd_kafka_version_str", c.c_char_p),
        ("rd_kafka_query_watermark_offsets", c.c_int, c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int64), c.POINTER(c.c_int64), c.c_int),
        ("rd_kafka_queue_new", c.c_void_p, c.c_void_p),
        ("rd_kafka_consume_start_queue", c.c_int, c.c_void_p, c.c_int32, c.c_int64, c.c_void_p),
        ("rd_kafka_consume_callback_queue", c.c_int, c.c_void_p, c.c_int, c.c_void_p, c.c_void_p),
        ("rd_kafka_topic_partition_list_new", c.POINTER(Partitions), c.c_int),
        ("rd_kafka_topic_partition_list_add", c.c_void_p, c.POINTER(Partitions), c.c_char_p, c.c_int32),
        ("rd_kafka_position", c.c_int, c.c_void_p, c.POINTER(Partitions)),
        ("rd_kafka_err2name", c.c_char_p, c.c_int),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Producer:
    def __init__(self, lib, address, topic, settings):
        self.lib, self.failed, self.errors = lib, 0, {}
        conf, why = lib.rd_kafka_conf_new(), c.create_string_buffer(512)
        for key, value in {"bootstrap.servers": address, "broker.address.family": "v4", **settings}.items():
            if lib.rd_kafka_conf_set(conf, key.encode(), value.encode(), why, 512) != CONF_OK:
                sys.exit("librdkafka: %s" % why.value.decode())
        lib.rd_kafka_conf_set_events(conf, EVENT_DR)
        self.handle = lib.rd_kafka_new(0, conf, why, 512)
        if not self.handle:
            sys.exit("librdkafka: %s" % why.value.decode())
        self.topic = lib.rd_kafka_topic_new(self.handle, topic.encode(), None)
        self.queue = lib.rd_kafka_queue_get_main(self.handle)
        self.slots = (c.POINTER(Message) * 1024)()

    def reports(self, wait_ms, each=None):
        """Serves delivery reports; with delivery.report.only.error those are the failures."""
        while True:
            event = self.lib.rd_kafka_queue_poll(self.queue, wait_ms)
            if not event:
                return
            if self.lib.rd_kafka_event_type(event) == EVENT_DR:
                while count := self.lib.rd_kafka_event_message_array(event, self.slots, 1024):
                    for message in self.slots[:count]:
                        if message.contents.err:
                            name = self.lib.rd_kafka_err2name(message.contents.err).decode()
                            self.failed += 1
                            self.errors[name] = self.errors.get(name, 0) + 1
                        elif each:
                            each(message.contents.private)
            self.lib.rd_kafka_event_destroy(event)
            wait_ms = 0

    def drain(self):
        end = time.monotonic() + 60
        while self.lib.rd_kafka_outq_len(self.handle) > 0:
            self.lib.rd_kafka_flush(self.handle, 20)
            self.reports(0)
            if time.monotonic() > end:
                sys.exit("librdkafka: messages not delivered within 60 s")

    def check(self):
        if self.failed:
            sys.exit("librdkafka: %d messages not delivered: %s" % (self.failed, self.errors))


def values(size):
    letters = bytes(97 + (i * 7919 + i // 26) % 26 for i in range(size))
    return c.create_string_buffer(letters, size)


def handshake():
    print("start", flush=True)
    if not sys.stdin.readline():
        sys.exit("librdkafka: nobody said go")


def finish(result):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result["own_cpu"] = usage.ru_utime + usage.ru_stime - result.pop("cpu_before")
    print(json.dumps(result), flush=True)
    sys.stdin.read()
    os._exit(0)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def full(address, topic, size, seconds, max_bytes):
    lib = library()
    producer = Producer(lib, address, topic, {"delivery.report.only.error": "true"})
    value = values(size)
    chunk = max(1, min(CHUNK, (8 << 20) // size))
    messages = (Message * chunk)()

    def send():
        # The library fills in err and keeps only payload, length and private of each.
        for message in messages:
            message.payload, message.len = c.addressof(value), size
        taken = lib.rd_kafka_produce_batch(producer.topic, PARTITION_UA, MSG_F_BLOCK, messages, chunk)
        producer.reports(0)
        if taken != chunk:
            sys.exit("librdkafka: took %d of %d messages: error %d" % (taken, chunk, messages[taken].err))
        return taken

    warm, end = 0, time.monotonic() + 0.3
    while time.monotonic() < end:
        warm += send()
    producer.drain()
    producer.check()
    handshake()
    before, begin, sent = cpu(), time.monotonic(), 0
    while time.monotonic() - begin < seconds and sent * size < max_bytes:
        sent += send()
    producer.drain()
    elapsed = time.monotonic() - begin
    producer.check()
    finish({"version": lib.rd_kafka_version_str().decode(), "warm": warm, "records": sent, "seconds": elapsed, "cpu_before": before})


def paced(address, topic, size, seconds, rate):
    lib = library()
    producer = Producer(lib, address, topic, {"linger.ms": "0"})
    value, due, took = values(size), [], {}
    stop = threading.Event()

    def note(index):
        took[index or 0] = time.monotonic() - due[index or 0]

    def poll():
        while not stop.is_set():
            producer.reports(50, note)

    def send(count):
        begin = time.monotonic() + 0.01
        first = len(due)
        for number in range(count):
            at = begin + number / rate
            while (left := at - time.monotonic()) > 0:
                time.sleep(left)
            due.append(at)
            error = lib.rd_kafka_produce(producer.topic, PARTITION_UA, 0, c.addressof(value), size, None, 0, len(due) - 1)
            if error:
                sys.exit("librdkafka: a message was not taken")
        end = time.monotonic() + 60
        while len(took) + producer.failed < len(due):
            time.sleep(0.001)
            if time.monotonic() > end:
                sys.exit("librdkafka: messages not delivered within 60 s")
        return first

    poller = threading.Thread(target=poll)
    poller.start()
    send(int(rate * 0.3))
    handshake()
    before, begin = cpu(), time.monotonic()
    first = send(int(rate * seconds))
    elapsed = time.monotonic() - begin
    stop.set()
    poller.join()
    producer.check()
    order = sorted(took[index] for index in range(first, len(due)))
    at = {name: order[min(len(order) - 1, int(len(order) * q))] * 1e6 for name, q in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1)]}
    finish({"version": lib.rd_kafka_version_str().decode(), "warm": first, "records": len(order), "seconds": elapsed, "latency": at, "cpu_before": before})


def consume(address, topic, partitions, _seconds, records):
    BEGINNING = -2
    lib, why = library(), c.create_string_buffer(512)
    conf = lib.rd_kafka_conf_new()
    for key, value in {"bootstrap.servers": address, "broker.address.family": "v4", "check.crcs": "true"}.items():
        if lib.rd_kafka_conf_set(conf, key.encode(), value.encode(), why, 512) != CONF_OK:
            sys.exit("librdkafka: %s" % why.value.decode())
    handle = lib.rd_kafka_new(1, conf, why, 512)
    if not handle:
        sys.exit("librdkafka: %s" % why.value.decode())
    name = lib.rd_kafka_topic_new(handle, topic.encode(), None)
    ends, low, high = [], c.c_int64(), c.c_int64()
    for partition in range(partitions):
        # This connects, so that the window holds reading and nothing else.
        error = lib.rd_kafka_query_watermark_offsets(handle, topic.encode(), partition, c.byref(low), c.byref(high), 10000)
        if error:
            sys.exit("librdkafka: %s" % lib.rd_kafka_err2name(error).decode())
        ends.append(high.value)
    if sum(ends) != records:
        sys.exit("librdkafka: %d records expected, the partitions end at %s" % (records, ends))
    # Takes what the library passes to a callback, does nothing with it.
    nothing = c.cast(c.CDLL(None).labs, c.c_void_p)
    queue = lib.rd_kafka_queue_new(handle)

    handshake()
    before, begin, got = cpu(), time.monotonic(), 0
    for partition in range(partitions):
        if lib.rd_kafka_consume_start_queue(name, partition, BEGINNING, queue):
            sys.exit("librdkafka: cannot start partition %d" % partition)
    positions = lib.rd_kafka_topic_partition_list_new(partitions)
    for partition in range(partitions):
        lib.rd_kafka_topic_partition_list_add(positions, topic.encode(), partition)
    at = []
    while at != ends:
        got += lib.rd_kafka_consume_callback_queue(queue, 100, nothing, None)
        # Events that are no records are counted too, so the count alone does not tell the end.
        if got >= records:
            lib.rd_kafka_position(handle, positions)
            at = [positions.contents.elems[index].offset for index in range(partitions)]
        if time.monotonic() - begin > 60:
            sys.exit("librdkafka: %d of %d records within 60 s, positions %s where %s are the ends" % (got, records, at, ends))
    elapsed = time.monotonic() - begin
    used = cpu() - before
    if got > records + 100:
        sys.exit("librdkafka: %d records where %d are" % (got, records))
    finish({"version": lib.rd_kafka_version_str().decode(), "warm": 0, "records": int(records), "seconds": elapsed, "cpu_before": cpu() - used})


def main():
    if len(sys.argv) != 7 or sys.argv[1] not in ("full", "paced", "consume"):
        sys.exit(__doc__)
    mode, address, topic, size, seconds, last = sys.argv[1:]
    {"full": full, "paced": paced, "consume": consume}[mode](address, topic, int(size), float(seconds), float(last))


main()
