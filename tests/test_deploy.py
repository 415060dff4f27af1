"""The files of docs/deploy: configurations that load, manifests that name each other, units that systemd takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from fastflv.config.load import load
from fastflv.config.model.cluster import ClusterMode

DEPLOY = Path(__file__).parents[1] / "docs" / "deploy"
CONFIGURATIONS = (
    sorted(DEPLOY.rglob("fastflv.conf"))
    + sorted(DEPLOY.rglob("origin.conf"))
    + sorted(DEPLOY.rglob("edge.conf"))
)


def manifests(name: str) -> list[dict]:
    return [each for each in yaml.safe_load_all((DEPLOY / name).read_text()) if each]


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: "/".join(path.parts[-2:]))
def test_configurations_load_and_stay_in_the_foreground(path):
    settings = load(str(path), environ={})
    assert not settings.daemon
    vhost = settings.vhost("any")
    assert vhost is not None and vhost.http_remux.enabled
    assert (vhost.cluster.mode is ClusterMode.REMOTE) == (path.name == "edge.conf")


def test_the_units_listen_where_the_configuration_does():
    settings = load(str(DEPLOY / "systemd/fastflv.conf"), environ={})
    ports = {endpoint.port for endpoint in (*settings.listen, *settings.http_server.listen)}
    lines = (DEPLOY / "systemd/fastflv.socket").read_text().splitlines()
    assert {int(line.partition("=")[2]) for line in lines if line.startswith("ListenStream=")} == ports


def test_systemd_takes_the_units(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("no systemd-analyze")
    for name in ("fastflv.service", "fastflv.socket"):
        text = (DEPLOY / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/fastflv/bin/fastflv", "/bin/true"))
    done = subprocess.run(
        [verify, "verify", *(str(each) for each in tmp_path.iterdir())],
        capture_output=True,
        text=True,
        timeout=60,
    )
    complaints = [line for line in done.stderr.splitlines() if "fastflv" in line]
    assert not complaints, done.stderr


def test_the_image_is_built_of_files_that_there_are():
    (compose,) = manifests("docker/compose.yml")
    for service in compose["services"].values():
        if "build" in service:
            context = (DEPLOY / "docker" / service["build"]["context"]).resolve()
            assert context == DEPLOY.parents[1]
            dockerfile = context / service["build"]["dockerfile"]
    stages = re.findall(r"^FROM \S+(?: AS (\w+))?$", dockerfile.read_text(), re.MULTILINE)
    for stage, source in re.findall(r"^COPY (?:--from=(\w+) )?(\S+) ", dockerfile.read_text(), re.MULTILINE):
        assert stage in stages if stage else (context / source).exists(), source
    ignored = dockerfile.with_name("Dockerfile.dockerignore").read_text().splitlines()
    built = {"console", "docs", "fastflv", "tools", "setup.py", "pyproject.toml", "README.md", "LICENSE"}
    assert not built & set(ignored)


def test_compose_mounts_files_that_there_are_and_scrapes_its_servers():
    (compose,) = manifests("docker/compose.yml")
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            assert (DEPLOY / "docker" / volume.partition(":")[0]).exists(), volume
    (prometheus,) = manifests("docker/prometheus.yml")
    targets = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    assert {each.partition(":")[0] for each in targets} == set(compose["services"]) - {
        "redis",
        "prometheus",
        "grafana",
    }


def test_kustomization_names_all_manifests_and_pods_have_probes_and_no_rights():
    folder = DEPLOY / "kubernetes"
    (kustomization,) = manifests("kubernetes/kustomization.yaml")
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    generated = {each["name"]: each["files"] for each in kustomization["configMapGenerator"]}
    for file in sorted(files):
        for found in manifests(f"kubernetes/{file}"):
            if found["kind"] not in ("Deployment", "StatefulSet"):
                continue
            spec = found["spec"]["template"]["spec"]
            (container,) = spec["containers"]
            ports = {port["name"] for port in container["ports"]}
            for kind, path in (("liveness", "/healthz"), ("startup", "/healthz"), ("readiness", "/readyz")):
                get = container[f"{kind}Probe"]["httpGet"]
                assert get["path"] == path and get["port"] in ports
            assert spec["securityContext"]["runAsNonRoot"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            names = {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume}
            assert names <= set(generated)
            conf = load(str(folder / f"{found['metadata']['name']}.conf"), environ={})
            wait = (conf.grace_start_wait + conf.grace_final_wait) / 1000
            assert conf.force_grace_quit and spec["terminationGracePeriodSeconds"] > wait


def test_a_viewer_of_hls_stays_at_one_edge_of_a_kubernetes_service():
    edges = manifests("kubernetes/edge.yaml")
    (service,) = (found for found in edges if found["kind"] == "Service")
    (deployment,) = (found for found in edges if found["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] > 1
    assert load(str(DEPLOY / "kubernetes" / "edge.conf"), environ={}).vhosts["__defaultVhost__"].hls.enabled
    # Without it the viewer's address is that of a node.
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert service["spec"]["sessionAffinity"] == "ClientIP"


def test_kubectl_puts_the_kustomization_together():
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    kinds = [each["kind"] for each in yaml.safe_load_all(done.stdout)]
    assert kinds.count("ConfigMap") == 2 and "StatefulSet" in kinds and "Deployment" in kinds
