"""A batch on a cluster of two machines, one of which goes away. The machines are processes on this one."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from test_batch import SMALL, command, count, wait_for

pytest.importorskip("ray", reason="needs Ray: pip install 'sherf[ray]'")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch):
    """A cluster whose head has no cores; machines are added later."""
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


def test_sigterm_ends_a_batch_on_a_cluster_in_order(cluster, manifest: Path, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=1)
    out = tmp_path / "out"
    arguments = command(manifest, "--out", out, "--cameras", "still", "--engine", "ray", *SMALL)
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    wait_for(lambda: count(out, "done") or running.poll() is not None, "a first result")
    running.terminate()
    _, errors = running.communicate()
    assert running.returncode == 143 and "terminated; run the same command again" in errors
    assert "Traceback" not in errors and "leaked" not in errors


def test_a_machine_that_goes_away_loses_nothing(cluster, manifest: Path, tmp_path: Path) -> None:
    machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
    photos = manifest.with_name("few.jsonl")
    photos.write_text("\n".join(manifest.read_text().splitlines()[:10]))
    out = tmp_path / "out"
    arguments = command(
        photos, "--out", out, "--motions", "walk", "wave", "--outputs", "npz", "--engine", "ray", *SMALL
    )
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    running = subprocess.Popen(
        [*arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    wait_for(lambda: count(out, "done") >= 6 or running.poll() is not None, "results of two photos")
    assert running.poll() is None, running.communicate()[1]
    cluster.remove_node(machines[0], allow_graceful=False)
    assert running.poll() is None and count(out, "done") < 30, "the batch was over before its machine went away"
    output, errors = running.communicate()
    assert running.returncode == 0, errors
    report = json.loads(output)
    assert (report["done"], report["failed"], report["waiting"]) == (30, 0, 0)
    assert len(list(out.glob("*/walk.npz"))) == len(list(out.glob("*/wave.npz"))) == 10
    with closing(sqlite3.connect(out / "ledger.sqlite")) as db:
        times = db.execute("SELECT COUNT(*) FROM event WHERE what IN ('done', 'found') GROUP BY key").fetchall()
    assert times == [(1,)] * 30
