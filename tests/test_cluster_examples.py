"""The examples for Slurm and KubeRay in docs/scale.md, run with commands in place of the cluster's."""

import os
import re
import shlex
import subprocess

import pytest
import yaml
from documented import PAGES, blocks

from oodretrieval.cluster import connected
from oodretrieval.errors import WorkerError

PAGE = PAGES["docs/scale.md"]
NODES = ("srun", "scontrol", "ray", "sleep")


@pytest.fixture
def commands(tmp_path):
    """``run(shell, code)``: exit code and calls of a piece of shell whose ``python`` ends with a code."""

    def run(shell, code, **variables):
        folder, calls = tmp_path / "bin", tmp_path / "calls"
        folder.mkdir(exist_ok=True)
        calls.write_text("")
        for name in (*NODES, "python"):
            said = {"srun": "echo 10.0.0.1 fe80::1", "scontrol": "echo n1; echo n2", "python": f"exit {code}"}
            note = f'echo "{name} $* [$RAY_ADDRESS]" >> {shlex.quote(str(calls))}'
            (folder / name).write_text(f"#!/bin/bash\n{note}\n{said.get(name, '')}\n")
            (folder / name).chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **variables}
        done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        return done.returncode, calls.read_text().splitlines()

    return run


@pytest.mark.parametrize(("code", "expected"), [(0, 3), (3, 3), (1, 1)])
def test_the_slurm_script_starts_a_head_and_workers_and_goes_on_after_bad_images(
    commands, tmp_path, code, expected
):
    (script,) = [block for block in blocks(PAGE, "text") if "#SBATCH" in block]
    given = {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NNODES": "8", "SLURM_CPUS_PER_TASK": "32"}
    ended, calls = commands(["bash", "-c", script], code, SLURM_SUBMIT_DIR=str(tmp_path), **given)
    assert ended == (0 if code in (0, 3) else 1)
    assert any(call.startswith("ray get-auth-token --generate") for call in calls)
    (head,) = [call for call in calls if "ray start --head" in call]
    assert "-w n1 " in head
    (workers,) = [call for call in calls if "ray start --address=10.0.0.1:6379" in call]
    assert "--nodes=7 --ntasks=7 --exclude=n1" in workers
    stages = [call for call in calls if call.startswith("python")]
    assert len(stages) == expected and all("[10.0.0.1:6379]" in call for call in stages)


def test_the_ray_job_has_the_fields_of_its_type_and_lets_bad_images_pass(commands):
    (job,) = [yaml.safe_load(block) for block in blocks(PAGE, "yaml")]
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    # of KubeRay's types RayJobSpec, RayClusterSpec, HeadGroupSpec and WorkerGroupSpec, ray.io/v1
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert spec.keys() == {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "rayClusterSpec"}
    assert cluster.keys() == {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    assert cluster["headGroupSpec"].keys() == {"rayStartParams", "template"}
    (group,) = cluster["workerGroupSpecs"]
    sizes = {"replicas", "minReplicas", "maxReplicas"}
    assert group.keys() == {"groupName", *sizes, "rayStartParams", "template"}
    for part in (cluster["headGroupSpec"], group):
        assert all(isinstance(value, str) for value in part["rayStartParams"].values())
        pod = part["template"]["spec"]
        mounted = {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert re.search(
        rf"^ray=={cluster['rayVersion']}$", (PAGE.parents[1] / "constraints.txt").read_text(), re.M
    )
    # the pod that submits splits it, `ray job submit` joins it, and the head's shell runs it
    entrypoint = shlex.join(shlex.split(spec["entrypoint"]))
    for code, expected in ((0, 0), (3, 0), (1, 1)):
        ended, calls = commands(["sh", "-c", entrypoint], code)
        assert ended == expected and calls[0].startswith("python /code/scripts/pred_images.py with args.")


def test_a_cluster_that_lets_nobody_in_is_said_in_one_line(monkeypatch):
    ray = pytest.importorskip("ray")
    said = "Failed to connect to GCS. Traceback (most recent call last):\n  File x\nInvalidAuthToken: it is missing"

    def refuse(*given, **named):
        raise ray.exceptions.AuthenticationError(said)

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(
        WorkerError, match=r"^no Ray cluster answers \(.*\); .* set RAY_AUTH_MODE=token"
    ) as caught:
        connected()
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)
