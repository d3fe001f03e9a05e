"""Are the recipes of deploy/ what the programs that read them expect? `make deploy-check`.

Each file goes to the linter of its own kind, in build/lint: hadolint, shellcheck, the schemas of
Compose and Kubernetes, Caddy itself, and `systemd-analyze` where the machine has it. The pods that
KubeRay is told to start are checked as pods; the schema of RayJob is in no package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
COMPOSE = "deploy/compose.yaml"
YAML = "{extends: relaxed, rules: {line-length: disable}}"


def main() -> None:
    """Run every linter, and leave with 1 where one of them complains."""
    os.chdir(ROOT)
    os.environ["EMELIA_NAME"] = "emelia.example.org"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pods = [str(p) for p in _pods(Path("deploy/kubernetes/score.yaml"), folder)]
        found = [
            _run("hadolint", "deploy/Dockerfile", "deploy/Dockerfile.ray"),
            _run("shellcheck", "deploy/machines.sh", ".ci/run"),
            _run("yamllint", "--strict", "-d", YAML, "deploy"),
            _run("check-jsonschema", "--builtin-schema=vendor.compose-spec", COMPOSE),
            _run("kubernetes-validate", "--strict", "deploy/kubernetes/server.yaml", *pods),
            _run("caddy", "validate", "--adapter=caddyfile", "--config=deploy/proxy/Caddyfile"),
            _run("systemd-analyze", "verify", "--man=no", str(_unit(folder))),
        ]  # fmt: skip
    sys.exit(not all(found))


def _run(tool: str, *arguments: str) -> bool:
    """Whether it has nothing to complain about, or is not here."""
    program = shutil.which(tool, path=f"{TOOLS}:{os.environ['PATH']}")
    if program is None:
        print(f"{tool}: not on this machine, left out")
        return True
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    print(f"{tool}: {'as it should be' if done.returncode == 0 else 'complains'}")
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode == 0


def _pods(job: Path, folder: Path) -> list[Path]:
    """The pods of a RayJob, of its head and of each group of workers, as files of their own."""
    cluster = yaml.safe_load(job.read_text(encoding="utf-8"))["spec"]["rayClusterSpec"]
    written = []
    for number, group in enumerate([cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}}
        file = folder / f"pod-{number}.json"
        file.write_text(json.dumps(pod | group["template"]), encoding="utf-8")
        written.append(file)
    return written


def _unit(folder: Path) -> Path:
    """The unit with the program of this clone, as systemd looks whether it can be run."""
    text = Path("deploy/emelia.service").read_text(encoding="utf-8")
    unit = folder / "emelia.service"
    unit.write_text(text.replace("/srv/emelia/.venv", str(ROOT / ".venv")), encoding="utf-8")
    return unit


if __name__ == "__main__":
    main()
