"""Every doubtful question, asked of the broker and compared with what Apache Kafka 4.3.1 answered.

Decides that an answer is right when it is Kafka's, or one that differences.py allows with its reason.
"""

import questions_admin  # noqa: F401  (registers its questions)
import questions_describe  # noqa: F401
import questions_requests  # noqa: F401
import questions_settings  # noqa: F401
import questions_versions  # noqa: F401
import questions_sessions  # noqa: F401
import questions_records  # noqa: F401, I001
from asking import QUESTIONS, Broker
from differences import OURS
from target import HERE

heard = {}


def kept():
    rows = (HERE / "answers.tsv").read_text().splitlines()[1:]
    return dict(row.split("\t") for row in rows)


def write(path):
    # With --only some were asked; what the others were answered stays.
    said = {**kept(), **heard}
    rows = ["question\tApache Kafka 4.3.1 answers", *(f"{q}\t{said[q]}" for q in QUESTIONS if q in said)]
    path.write_text("\n".join(rows) + "\n")


def stories(target, asked):
    known = {} if asked.bless else kept()
    unknown = set(OURS) - set(QUESTIONS)
    assert not unknown, f"differences.py names what nobody asks: {unknown}"
    for question, answer in QUESTIONS.items():

        def story(question=question, answer=answer):
            broker = Broker(target.address)
            try:
                got = heard[question] = answer(broker)
            finally:
                broker.close()
            if asked.bless:
                return
            allowed = [known[question]]
            if target.kind == "sawlog" and question in OURS:
                allowed = OURS[question][0]
            # Ours may name the record at fault where Kafka names none.
            assert got in allowed or got.split(" records ")[0] in allowed, f"answered {got!r}, where {' or '.join(map(repr, allowed))} is right"

        yield question, story
