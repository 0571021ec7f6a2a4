"""Runs the interop stories against one broker and prints what held, what did not, and what could not be run.

Decides what counts as passed: a story that ran and did not raise. Nothing that was skipped is counted as passed.
"""

import argparse
import pathlib
import sys
import tempfile
import time
import traceback

import answers
import book
import clients
import compose
import kcat
import mock
import others
import ours
import readme
import stock
import tools
from target import HERE, Target

SUITES = {"answers": answers, "clients": clients, "kcat": kcat, "others": others, "tools": tools, "compose": compose, "stock": stock, "ours": ours, "mock": mock, "book": book, "readme": readme}
OF_OURS = {"book", "compose", "mock", "readme"}


def main():
    words = argparse.ArgumentParser(description="Other people's clients and tools against a broker")
    words.add_argument("suites", nargs="*", choices=[[], *SUITES], help="all when none is named")
    words.add_argument("--against", choices=["sawlog", "kafka"], default="sawlog")
    words.add_argument("--binary", type=pathlib.Path, help="the sawlog binary; target/release/sawlog when not given")
    words.add_argument("--only", action="append", default=[], help="stories whose name contains this, or another that is given")
    words.add_argument("--bless", action="store_true", help="with --against kafka: write down what it answers")
    asked = words.parse_args()
    passed, failed, began = 0, [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sawlog-interop-") as folder:
        target = Target(asked.against, folder, binary=asked.binary).start()
        try:
            for suite in asked.suites or SUITES:
                before = passed + len(failed)
                for name, story in SUITES[suite].stories(target, asked):
                    name = f"{suite}: {name}"
                    if asked.only and not any(part in name for part in asked.only):
                        continue
                    try:
                        story()
                    except Exception as why:
                        failed.append(name)
                        where = "" if isinstance(why, AssertionError) else traceback.format_exc(limit=-4)
                        print(f"FAILED {name}\n    {why!r}\n{where}", flush=True)
                    else:
                        passed += 1
                # Some suites are of Sawlog only; any other that ran nothing compared nothing (#144).
                if passed + len(failed) == before and not asked.only and (asked.against == "sawlog" or suite not in OF_OURS):
                    failed.append(suite)
                    print(f"FAILED {suite}: vacuous, no story ran")
                if asked.bless and suite == "answers":
                    answers.write(HERE / "answers.tsv")
            if failed:
                print(f"the broker's last words:\n{target.said()}")
        finally:
            target.kill()
    print(f"against {asked.against}, {time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
