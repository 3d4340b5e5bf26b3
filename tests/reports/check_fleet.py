#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Holds the files under reports/fleet to what their readers want, and to what ovl2-probe
writes.

    check_fleet.py FLEET PROGRAM DOCUMENT

FLEET is the directory, PROGRAM ovl2-probe, DOCUMENT JSON of a host. Prints what was
checked; fails at the first thing that is wrong. Where no tool of Debian reads a format,
the reader's own rules are here.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

fleet, program, document = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def export(name):
    """The document in another format, as if it had been asked for Kubernetes."""
    asked = json.loads(Path(document).read_text())
    asked["profile"]["id"] = "kubernetes"
    run = subprocess.run(
        [program, "--from", "-", "--format", name], input=json.dumps(asked),
        capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1, 2), run.stderr
    return run.stdout


def metrics():
    """Name -> labels of all that is exported."""
    found = {}
    for line in export("prometheus").splitlines():
        if line.startswith("# TYPE "):
            found.setdefault(line.split()[2], set())
        elif not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? \S+$", line).groups()
            found[name] |= set(re.findall(r'(\w+)="', labels or ""))
    return found


# What Prometheus adds to every series.
ADDED = {"instance", "job"}


def check_expression(text, known, where):
    names = set(re.findall(r"\bovl2_\w+", text))
    assert names, f"{where}: asks for nothing of ours"
    for name in names:
        assert name in known, f"{where}: {name} is not exported"
    allowed = set().union(*(known[name] for name in names)) | ADDED
    labels = set(re.findall(r"(\w+)\s*=~?\s*\"", text))
    for group in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", text):
        labels |= {label.strip() for label in group.split(",")}
    assert labels <= allowed, f"{where}: no label {labels - allowed}"


def check_rules(known):
    rules = yaml.safe_load((fleet / "prometheus/ovl2.rules.yml").read_text())
    count = 0
    for group in rules["groups"]:
        for rule in group["rules"]:
            check_expression(rule["expr"], known, rule.get("alert") or rule["record"])
            for text in rule.get("annotations", {}).values():
                labels = set(re.findall(r"\$labels\.(\w+)", text))
                assert labels <= {"profile", "path"} | ADDED, text
            count += 1
    print(f"{count} Prometheus rules")


def check_dashboard(known):
    board = json.loads((fleet / "grafana/ovl2.json").read_text())
    variables = {item["name"] for item in board["templating"]["list"]}
    taken, ids = set(), set()
    for panel in board["panels"]:
        assert panel["id"] not in ids and panel["title"] and panel["description"]
        ids.add(panel["id"])
        grid = panel["gridPos"]
        assert 0 <= grid["x"] and grid["x"] + grid["w"] <= 24
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"])
                 for y in range(grid["y"], grid["y"] + grid["h"])}
        assert not cells & taken, f"{panel['title']} lies on another"
        taken |= cells
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        for target in panel["targets"]:
            check_expression(target["expr"], known, panel["title"])
            assert set(re.findall(r"\$\{?(\w+)", json.dumps(target))) <= variables
    print(f"{len(ids)} panels")


def features():
    """The feature file as nfd-worker's source `local` reads it."""
    found = {}
    text = export("nfd")
    assert len(text.encode()) <= 64 * 1024
    for line in text.splitlines():
        if line.startswith("#"):
            if line.startswith("# +"):
                assert re.fullmatch(
                    r"# \+(no-feature|no-label|expiry-time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)",
                    line), line
            continue
        key, _, value = line.partition("=")
        domain, _, name = key.rpartition("/")
        assert domain == "feature.node.kubernetes.io", line
        assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", name), line
        assert re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", value), line
        assert key not in found
        found[key] = value
    return found


def check_nfd():
    rule = yaml.safe_load((fleet / "kubernetes/nfd-rule.yaml").read_text())
    assert (rule["apiVersion"], rule["kind"]) == ("nfd.k8s-sigs.io/v1alpha1", "NodeFeatureRule")
    known = features()
    for one in rule["spec"]["rules"]:
        assert one["labels"] if "labels" in one else one["taints"]
        for label in one.get("labels", {}):
            assert label.startswith("feature.node.kubernetes.io/")
        for taint in one.get("taints", []):
            # nfd-master refuses taints of any other place.
            assert taint["key"].startswith("feature.node.kubernetes.io/")
            assert taint["effect"] in ("NoSchedule", "PreferNoSchedule", "NoExecute")
        for matcher in one["matchFeatures"]:
            assert matcher["feature"] == "local.label"
            for key, expression in matcher["matchExpressions"].items():
                assert key in known, f"{key} is in no feature file"
                assert expression["op"] == "In"
                assert set(expression["value"]) <= {"qualified", "not_qualified", "undetermined"}
    print(f"{len(known)} features, {len(rule['spec']['rules'])} rules of them")


def seconds(duration):
    assert re.fullmatch(r"(\d+(h|m|s))+", duration), duration
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[u] for n, u in re.findall(r"(\d+)(h|m|s)", duration))


def check_npd():
    config = json.loads((fleet / "kubernetes/npd-config.json").read_text())
    conditions = {condition["type"] for condition in config["conditions"]}
    for condition in config["conditions"]:
        assert condition["reason"] and condition["message"]
    for rule in config["rules"]:
        assert rule["type"] in ("permanent", "temporary")
        assert rule["type"] != "permanent" or rule["condition"] in conditions
        assert rule["path"].startswith("/") and rule["reason"]
        assert seconds(rule["timeout"]) <= seconds(config["pluginConfig"]["invoke_interval"])
        assert rule["args"] == ["--profile", "kubernetes", "--format", "npd"]
        message = export("npd")
        assert message.count("\n") == 1 and message.isascii()
        assert len(message.strip()) <= config["pluginConfig"]["max_output_length"]
    print(f"{len(config['rules'])} rule of node-problem-detector")


def check_kubernetes():
    base = fleet / "kubernetes"
    kustomization = yaml.safe_load((base / "kustomization.yaml").read_text())
    objects = []
    for name in kustomization["resources"]:
        objects += [o for o in yaml.safe_load_all((base / name).read_text()) if o]
    kinds = {o["kind"]: o for o in objects}
    assert kinds["Namespace"]["metadata"]["name"] == kustomization["namespace"]
    daemon = kinds["DaemonSet"]
    template = daemon["spec"]["template"]
    wanted = daemon["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= template["metadata"]["labels"].items()
    (container,) = template["spec"]["containers"]
    assert container["image"] in {image["name"] for image in kustomization["images"]}
    volumes = {volume["name"] for volume in template["spec"]["volumes"]}
    for mount in container["volumeMounts"]:
        assert mount["name"] in volumes
    print(f"{len(objects)} Kubernetes objects")


exported = metrics()
check_rules(exported)
check_dashboard(exported)
check_nfd()
check_npd()
check_kubernetes()
