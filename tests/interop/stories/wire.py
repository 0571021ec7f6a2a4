"""A second codec of the served API keys, written apart from the broker's own, and a plain connection.

Decides how bytes are laid out and nothing about what an answer should be. A layout is a text: one field a line,
`name type versions [default]`, nested by indentation; `[]` an array, `?` may be null from that version on (`?3+`),
`#N` a tagged field. KIP-482 (flexible versions) is applied from the version that a key names.
"""

import re
import socket
import struct


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise ValueError(f"wanted {n} bytes at {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n : self.at]

    def int(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        n = shift = 0
        while True:
            byte = self.take(1)[0]
            n |= (byte & 0x7F) << shift
            if byte < 0x80:
                return n
            shift += 7


INTS = {"int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint16": "H"}
ZERO = {"bool": False, "string": "", "bytes": b"", "records": None, "uuid": bytes(16)}


def within(span, version):
    low, _, high = span.replace("+", "-").partition("-")
    return int(low) <= version <= (int(high) if high else (int(low) if "+" not in span and "-" not in span else 999))


class Field:
    def __init__(self, line):
        words = line.split()
        self.name, self.type, self.versions = words[:3]
        self.nullable = self.tag = None
        self.default = None
        self.parts = []
        for word in words[3:]:
            if word[0] == "?":
                self.nullable = word[1:]
            elif word[0] == "#":
                self.tag = int(word[1:])
            else:
                self.default = {"null": None, "true": True}.get(word, int(word) if re.fullmatch(r"-?\d+", word) else word)
        self.array = self.type.startswith("[]")
        self.item = self.type.removeprefix("[]")
        if self.default is None and not any(w == "null" for w in words[3:]):
            self.default = [] if self.array else ZERO.get(self.item, 0)


def layout(text):
    """The tree of fields that the indented text draws."""
    root, stack = [], []
    for line in text.splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        field = Field(line)
        while stack and stack[-1][0] >= depth:
            stack.pop()
        (stack[-1][1].parts if stack else root).append(field)
        stack.append((depth, field))
    return root


def put_length(out, n, flexible, form):
    out += varint(n + 1) if flexible else struct.pack(">" + form, n)


def put(out, field, value, version, flexible):
    if field.array:
        if value is None:
            return put_length(out, -1, flexible, "i")
        put_length(out, len(value), flexible, "i")
        for item in value:
            put_item(out, field, item, version, flexible)
    else:
        put_item(out, field, value, version, flexible)


def put_item(out, field, value, version, flexible):
    kind = field.item
    if field.parts:
        if field.nullable and not field.array:
            out += b"\xff" if value is None else b"\1"
        if value is not None:
            put_struct(out, field.parts, value, version, flexible)
    elif kind in INTS:
        out += struct.pack(">" + INTS[kind], value)
    elif kind == "bool":
        out.append(1 if value else 0)
    elif kind == "uuid":
        out += value
    else:
        form = "h" if kind == "string" else "i"
        if value is None:
            return put_length(out, -1, flexible, form)
        data = value.encode() if isinstance(value, str) else value
        put_length(out, len(data), flexible, form)
        out += data


def put_struct(out, fields, values, version, flexible):
    unknown = set(values) - {f.name for f in fields}
    if unknown:
        raise KeyError(f"no such fields: {unknown}")
    tagged = []
    for field in fields:
        if not within(field.versions, version):
            continue
        if field.tag is not None:
            if field.name in values:
                body = bytearray()
                put(body, field, values[field.name], version, flexible)
                tagged.append((field.tag, bytes(body)))
        else:
            put(out, field, values.get(field.name, field.default), version, flexible)
    if flexible:
        out += varint(len(tagged))
        for tag, body in tagged:
            out += varint(tag) + varint(len(body)) + body


def get(r, field, version, flexible):
    if not field.array:
        return get_item(r, field, version, flexible)
    n = r.varint() - 1 if flexible else r.int("i")
    return None if n < 0 else [get_item(r, field, version, flexible) for _ in range(n)]


def get_item(r, field, version, flexible):
    kind = field.item
    if field.parts:
        if field.nullable and not field.array and r.int("b") < 0:
            return None
        return get_struct(r, field.parts, version, flexible)
    if kind in INTS:
        return r.int(INTS[kind])
    if kind == "bool":
        return r.take(1) != b"\0"
    if kind == "uuid":
        return r.take(16)
    n = r.varint() - 1 if flexible else r.int("h" if kind == "string" else "i")
    if n < 0:
        return None
    data = r.take(n)
    return data.decode() if kind == "string" else data


def get_struct(r, fields, version, flexible):
    got = {}
    for field in fields:
        if field.tag is None and within(field.versions, version):
            got[field.name] = get(r, field, version, flexible)
    if flexible:
        for _ in range(r.varint()):
            tag, size = r.varint(), r.varint()
            body = Reader(r.take(size))
            known = next((f for f in fields if f.tag == tag and within(f.versions, version)), None)
            if known:
                got[known.name] = get(body, known, version, flexible)
    return got


class Api:
    def __init__(self, key, versions, flexible, request, response):
        self.key, self.flexible = key, flexible
        low, high = versions.split("-")
        self.versions = range(int(low), int(high) + 1)
        self.request, self.response = layout(request), layout(response)


PRODUCE = Api(0, "3-13", 9, """
transactional_id string 3+ ?3+ null
acks int16 0+ -1
timeout_ms int32 0+ 10000
topics []topic 0+
  name string 0-12
  topic_id uuid 13+
  partitions []partition 0+
    index int32 0+
    records records 0+ ?0+
""", """
topics []topic 0+
  name string 0-12
  topic_id uuid 13+
  partitions []partition 0+
    index int32 0+
    error int16 0+
    base_offset int64 0+
    log_append_time int64 2+
    log_start_offset int64 5+
    record_errors []record 8+
      index int32 8+
      message string 8+ ?8+
    message string 8+ ?8+
    current_leader leader 10+ #0
      id int32 10+
      epoch int32 10+
throttle_ms int32 1+
endpoints []node 10+ #0
  id int32 10+
  host string 10+
  port int32 10+
  rack string 10+ ?10+
""")

FETCH = Api(1, "4-18", 12, """
cluster_id string 12+ ?12+ #0
replica_id int32 0-14 -1
replica_state state 15+ #1
  id int32 15+ -1
  epoch int64 15+ -1
max_wait_ms int32 0+ 500
min_bytes int32 0+ 1
max_bytes int32 3+ 52428800
isolation int8 4+
session_id int32 7+
session_epoch int32 7+ -1
topics []topic 0+
  name string 0-12
  topic_id uuid 13+
  partitions []partition 0+
    index int32 0+
    leader_epoch int32 9+ -1
    offset int64 0+
    last_fetched_epoch int32 12+ -1
    log_start_offset int64 5+ -1
    max_bytes int32 0+ 1048576
    directory uuid 17+ #0
    high_watermark int64 18+ #1
forgotten []topic 7+
  name string 7-12
  topic_id uuid 13+
  partitions []int32 7+
rack string 11+
""", """
throttle_ms int32 1+
error int16 7+
session_id int32 7+
topics []topic 0+
  name string 0-12
  topic_id uuid 13+
  partitions []partition 0+
    index int32 0+
    error int16 0+
    high_watermark int64 0+
    last_stable_offset int64 4+
    log_start_offset int64 5+
    diverging end 12+ #0
      epoch int32 12+
      offset int64 12+
    current_leader leader 12+ #1
      id int32 12+
      epoch int32 12+
    snapshot id 12+ #2
      offset int64 0+
      epoch int32 0+
    aborted []txn 4+ ?4+
      producer_id int64 4+
      first_offset int64 4+
    preferred_replica int32 11+
    records records 0+ ?0+
endpoints []node 16+ #0
  id int32 16+
  host string 16+
  port int32 16+
  rack string 16+ ?16+
""")

LIST_OFFSETS = Api(2, "1-11", 6, """
replica_id int32 0+ -1
isolation int8 2+
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
    leader_epoch int32 4+ -1
    timestamp int64 0+
timeout_ms int32 10+ 5000
""", """
throttle_ms int32 2+
topics []topic 0+
  name string 0+
  partitions []partition 0+
    index int32 0+
    error int16 0+
    timestamp int64 1+
    offset int64 1+
    leader_epoch int32 4+
""")

METADATA = Api(3, "0-13", 9, """
topics []topic 0+ ?1+
  topic_id uuid 10+
  name string 0+ ?10+
auto_create bool 4+ true
cluster_operations bool 8-10
topic_operations bool 8+
""", """
throttle_ms int32 3+
brokers []broker 0+
  id int32 0+
  host string 0+
  port int32 0+
  rack string 1+ ?1+
cluster_id string 2+ ?2+
controller_id int32 1+
topics []topic 0+
  error int16 0+
  name string 0+ ?12+
  topic_id uuid 10+
  is_internal bool 1+
  partitions []partition 0+
    error int16 0+
    index int32 0+
    leader int32 0+
    leader_epoch int32 7+
    replicas []int32 0+
    isr []int32 0+
    offline []int32 5+
  operations int32 8+
cluster_operations int32 8-10
error int16 13+
""")

FIND_COORDINATOR = Api(10, "0-6", 3, """
key string 0-3
key_type int8 1+
keys []string 4+
""", """
throttle_ms int32 1+
error int16 0-3
message string 1-3 ?1-3
node_id int32 0-3
host string 0-3
port int32 0-3
coordinators []coordinator 4+
  key string 4+
  node_id int32 4+
  host string 4+
  port int32 4+
  error int16 4+
  message string 4+ ?4+
""")

API_VERSIONS = Api(18, "0-5", 3, """
software_name string 3+ sawlog-interop
software_version string 3+ 1.0
cluster_id string 5+ ?5+ null
node_id int32 5+ -1
""", """
error int16 0+
keys []key 0+
  key int16 0+
  min int16 0+
  max int16 0+
throttle_ms int32 1+
supported_features []feature 3+ #0
  name string 3+
  min int16 3+
  max int16 3+
features_epoch int64 3+ #1
finalized_features []feature 3+ #2
  name string 3+
  max int16 3+
  min int16 3+
zk_ready bool 3+ #3
""")

CREATE_TOPICS = Api(19, "2-7", 5, """
topics []topic 0+
  name string 0+
  partitions int32 0+ 1
  replication int16 0+ 1
  assignments []assignment 0+
    index int32 0+
    brokers []int32 0+
  configs []config 0+
    name string 0+
    value string 0+ ?0+
timeout_ms int32 0+ 10000
validate_only bool 1+
""", """
throttle_ms int32 2+
topics []topic 0+
  name string 0+
  topic_id uuid 7+
  error int16 0+
  message string 1+ ?0+
  config_error int16 5+ #0
  partitions int32 5+
  replication int16 5+
  configs []config 5+ ?5+
    name string 5+
    value string 5+ ?5+
    read_only bool 5+
    source int8 5+
    sensitive bool 5+
""")

INIT_PRODUCER_ID = Api(22, "0-5", 2, """
transactional_id string 0+ ?0+ null
timeout_ms int32 0+ 60000
producer_id int64 3+ -1
producer_epoch int16 3+ -1
""", """
throttle_ms int32 0+
error int16 0+
producer_id int64 0+
producer_epoch int16 0+
""")

CODES = {
    name: number
    for number, name in (
        line.split(":")
        for line in """-1:UNKNOWN_SERVER_ERROR 0:NONE 1:OFFSET_OUT_OF_RANGE 2:CORRUPT_MESSAGE 3:UNKNOWN_TOPIC_OR_PARTITION
        4:INVALID_FETCH_SIZE 5:LEADER_NOT_AVAILABLE 6:NOT_LEADER_OR_FOLLOWER 7:REQUEST_TIMED_OUT 10:MESSAGE_TOO_LARGE
        14:COORDINATOR_LOAD_IN_PROGRESS 15:COORDINATOR_NOT_AVAILABLE 16:NOT_COORDINATOR 17:INVALID_TOPIC_EXCEPTION
        18:RECORD_LIST_TOO_LARGE 19:NOT_ENOUGH_REPLICAS 21:INVALID_REQUIRED_ACKS 24:INVALID_GROUP_ID 31:CLUSTER_AUTHORIZATION_FAILED
        32:INVALID_TIMESTAMP 35:UNSUPPORTED_VERSION 36:TOPIC_ALREADY_EXISTS 37:INVALID_PARTITIONS 38:INVALID_REPLICATION_FACTOR
        39:INVALID_REPLICA_ASSIGNMENT 40:INVALID_CONFIG 41:NOT_CONTROLLER 42:INVALID_REQUEST 43:UNSUPPORTED_FOR_MESSAGE_FORMAT 44:POLICY_VIOLATION
        45:OUT_OF_ORDER_SEQUENCE_NUMBER 46:DUPLICATE_SEQUENCE_NUMBER 47:INVALID_PRODUCER_EPOCH 48:INVALID_TXN_STATE
        49:INVALID_PRODUCER_ID_MAPPING 50:INVALID_TRANSACTION_TIMEOUT 53:TRANSACTIONAL_ID_AUTHORIZATION_FAILED 56:KAFKA_STORAGE_ERROR
        59:UNKNOWN_PRODUCER_ID 57:LOG_DIR_NOT_FOUND 69:GROUP_ID_NOT_FOUND 70:FETCH_SESSION_ID_NOT_FOUND 71:INVALID_FETCH_SESSION_EPOCH 73:TOPIC_DELETION_DISABLED 74:FENCED_LEADER_EPOCH
        75:UNKNOWN_LEADER_EPOCH 76:UNSUPPORTED_COMPRESSION_TYPE 77:STALE_BROKER_EPOCH 78:OFFSET_NOT_AVAILABLE 87:INVALID_RECORD
        90:PRODUCER_FENCED 100:UNKNOWN_TOPIC_ID 103:INCONSISTENT_TOPIC_ID 104:INCONSISTENT_CLUSTER_ID 106:FETCH_SESSION_TOPIC_ID_ERROR 114:MISMATCHED_ENDPOINT_TYPE
        115:UNSUPPORTED_ENDPOINT_TYPE 120:TRANSACTION_ABORTABLE
        129:REBOOTSTRAP_REQUIRED""".split()
    )
}
NAMES = {int(number): name for name, number in CODES.items()}


def name_of(code):
    return NAMES.get(code, str(code))


class Closed(Exception):
    """The broker ended the connection instead of answering."""


class Connection:
    def __init__(self, address, timeout=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.next = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as why:
            raise Closed from why

    def read(self, n):
        got = bytearray()
        while len(got) < n:
            try:
                part = self.socket.recv(n - len(got))
            except ConnectionResetError as why:
                raise Closed from why
            if not part:
                raise Closed
            got += part
        return bytes(got)

    def frame(self):
        return self.read(struct.unpack(">i", self.read(4))[0])

    def send(self, api, version, body, client="interop", extra=b"", flexible=None):
        """Writes one request; answers its correlation id. `body` is a dict, or bytes sent as they are."""
        flexible = version >= api.flexible if flexible is None else flexible
        correlation, self.next = self.next, self.next + 1
        out = bytearray(struct.pack(">hhi", api.key, version, correlation))
        out += struct.pack(">h", -1) if client is None else struct.pack(">h", len(client)) + client.encode()
        if flexible:
            out += b"\0"
        if isinstance(body, bytes):
            out += body
        else:
            put_struct(out, api.request, body, version, flexible)
        out += extra
        self.send_raw(struct.pack(">i", len(out)) + out)
        return correlation

    def answer(self, api, version, correlation):
        r = Reader(self.frame())
        got = r.int("i")
        assert got == correlation, f"answer {got} where {correlation} was due"
        if version >= api.flexible and api.key != 18:
            assert r.take(1) == b"\0", "tags in a response header"
        body = get_struct(r, api.response, version, version >= api.flexible)
        assert r.at == len(r.data), f"{len(r.data) - r.at} bytes left over in the answer"
        return body

    def call(self, api, version, body, **more):
        return self.answer(api, version, self.send(api, version, body, **more))
