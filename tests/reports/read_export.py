#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads an export of ovl2-report as the tool that it is for would read it.

    read_export.py FORMAT <FILE

Prints one line a measurement, "KEY VALUE", nanoseconds where it is a time; fails on
anything that the tool would refuse.
"""

import csv
import json
import re
import sys


def finite(token):
    raise ValueError(f"{token} is not JSON")


def read_json(text):
    return json.loads(text, parse_constant=finite)


def hyperfine(text):
    """What Bencher's adapter shell_hyperfine and hyperfine's own scripts want."""
    for run in read_json(text)["results"]:
        for name in ("mean", "median", "user", "system", "min", "max"):
            assert isinstance(run[name], float), name
        assert run["stddev"] is None or run["stddev"] >= 0
        assert run["min"] <= run["median"] <= run["max"]
        assert abs(sum(run["times"]) / len(run["times"]) - run["mean"]) < 1e-9
        for value in run.get("parameters", {}).values():
            assert isinstance(value, str)
        yield run["command"], run["median"] * 1e9


def bencher(text):
    """Bencher Metric Format: names and measures have limits."""
    for name, measures in read_json(text).items():
        assert 0 < len(name) <= 1024
        for slug, measure in measures.items():
            assert re.fullmatch(r"[a-z0-9-]{1,64}", slug), slug
            assert measure["lower_value"] <= measure["value"] <= measure["upper_value"]
        yield name, measures["latency"]["value"]


def github_action(text):
    """github-action-benchmark, extractCustomBenchmarkResult."""
    names = set()
    for entry in read_json(text):
        assert isinstance(entry["name"], str) and isinstance(entry["unit"], str)
        assert isinstance(entry["value"], (int, float))
        assert entry["name"] not in names
        names.add(entry["name"])
        yield entry["name"], entry["value"]


def go(text):
    """The Go benchmark data format: what does not match is ignored, so all must."""
    for line in text.splitlines():
        if re.fullmatch(r"[a-z][^\sA-Z]*:[ \t].*\S", line):
            continue
        fields = line.split()
        assert re.match(r"Benchmark[^a-z]", fields[0]), line
        assert int(fields[1]) > 0 and len(fields) % 2 == 0 and len(fields) >= 4, line
        values = {fields[i + 1]: float(fields[i]) for i in range(2, len(fields), 2)}
        yield fields[0], values["ns/op"]


def openmetrics(text):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            scale = 1e9 if sample.name.endswith("_seconds") else 1
            yield f"{sample.name}{{{labels}}}", sample.value * scale


def csv_table(text):
    for row in csv.DictReader(text.splitlines(), strict=True):
        assert None not in row and None not in row.values()
        yield f"{row['benchmark']}/{row['variant']}/{row['value']}/{row['arm']}", row["median_ns"]


def main():
    readers = {
        "bencher": bencher,
        "csv": csv_table,
        "github-action": github_action,
        "go": go,
        "hyperfine": hyperfine,
        "openmetrics": openmetrics,
    }
    for key, value in readers[sys.argv[1]](sys.stdin.read()):
        print(key, f"{float(value):.6g}" if value != "" else "-")


main()
