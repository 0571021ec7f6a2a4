"""What a question to a broker needs: topics of its own, one-line calls, and answers as short words.

Decides how an answer is written down; the questions lie in questions_*.py, what Kafka said in ../answers.tsv.
"""

import itertools
import time

import batch
from wire import (CREATE_TOPICS, FETCH, INIT_PRODUCER_ID, LIST_OFFSETS, METADATA, PRODUCE, Closed, Connection, name_of)

QUESTIONS = {}
_fresh = itertools.count(1)


def ask(text):
    """Registers a question; the function gets a Broker and answers with words."""

    def keep(question):
        assert text not in QUESTIONS, text
        QUESTIONS[text] = question
        return question

    return keep


class Broker:
    """One address, asked over a new connection for every question."""

    def __init__(self, address):
        self.address = address
        self.connection = Connection(address)
        self.run = f"{int(time.time() * 1000):x}"

    def close(self):
        self.connection.socket.close()

    def call(self, api, version, body, **more):
        return self.connection.call(api, version, body, **more)

    def name(self, stem="t"):
        return f"{stem}-{self.run}-{next(_fresh)}"

    def topic(self, partitions=1, **configs):
        """A new topic that already has its leader."""
        name = self.name()
        made = self.create(name, partitions=partitions, configs=[{"name": k.replace("_", "."), "value": v} for k, v in configs.items()])
        assert made["error"] == 0, made
        # Metadata may know a leader before the leader knows itself, so each partition is asked too.
        until(lambda: self.metadata([name], auto=False)[0]["error"] == 0)
        for index in range(partitions):
            until(lambda: self.fetch_part(name, index=index, min_bytes=0, max_wait_ms=0, part={"leader_epoch": 0})["error"] == 0)
        return name

    def id_of(self, name):
        return self.metadata([name], auto=False)[0]["topic_id"]

    def metadata(self, names, version=12, auto=True):
        topics = None if names is None else [{"name": n} for n in names]
        return self.call(METADATA, version, {"topics": topics, "auto_create": auto})["topics"]

    def create(self, name, version=7, **fields):
        body = {"topics": [{"name": name, **fields}]}
        return self.call(CREATE_TOPICS, version, body)["topics"][0]

    def produce(self, topic, records, version=11, acks=-1, index=0, txn=None, topic_id=None):
        target = {"name": topic} if topic_id is None else {"topic_id": topic_id}
        body = {"acks": acks, "transactional_id": txn, "topics": [{**target, "partitions": [{"index": index, "records": records}]}]}
        return self.call(PRODUCE, version, body)["topics"][0]["partitions"][0]

    def fetch(self, topic, offset=0, version=12, index=0, topic_id=None, part=None, **fields):
        target = {"name": topic} if topic_id is None else {"topic_id": topic_id}
        body = {"topics": [{**target, "partitions": [{"index": index, "offset": offset, **(part or {})}]}], **fields}
        return self.call(FETCH, version, body)

    def fetch_part(self, *args, **fields):
        answer = self.fetch(*args, **fields)
        assert answer.get("error", 0) == 0, name_of(answer["error"])
        return answer["topics"][0]["partitions"][0]

    def offsets(self, topic, timestamp, version=7, index=0, **part):
        body = {"topics": [{"name": topic, "partitions": [{"index": index, "timestamp": timestamp, **part}]}]}
        return self.call(LIST_OFFSETS, version, body)["topics"][0]["partitions"][0]

    def producer_id(self):
        got = until(lambda: (lambda g: g if g["error"] == 0 else None)(self.call(INIT_PRODUCER_ID, 4, {})))
        return got["producer_id"], got["producer_epoch"]


def until(holds, seconds=10):
    """Asks until `holds` answers something true, and gives that."""
    deadline = time.monotonic() + seconds
    while True:
        got = holds()
        if got:
            return got
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def closes(do):
    """Runs `do`; "closes" when the broker hangs up, else what `do` answered."""
    try:
        return do()
    except Closed:
        return "closes"
    except TimeoutError:
        return "no answer at all"


def said(part):
    """A produce answer: its error, with Kafka's text and the record it names where there is one."""
    words = name_of(part["error"])
    if part["error"] == 0:
        words = f"ok at {part['base_offset']}"
    if part.get("record_errors"):
        words += " records " + str([r["index"] for r in part["record_errors"]])
    return words


def created(part):
    return name_of(part["error"])


def batches(part):
    return batch.headers_of(part["records"] or b"")
