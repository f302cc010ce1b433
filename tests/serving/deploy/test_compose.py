"""The compose file and its nginx; no Docker engine is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from pytest_infperf.suite.serving import Serving
from tests.serving.deploy.made import ROOT, assert_it_serves_a_shipped_variant

FILE = ROOT / "deploy" / "compose.yaml"
NGINX = (ROOT / "deploy" / "nginx.conf").read_text()


@pytest.fixture
def services() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return loaded


def default(text: str) -> str:
    """Return the text with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_replicas_have_limits_of_cpu_time_memory_and_processes(services: dict[str, Any]) -> None:
    api = services["api"]
    limits = (api["scale"], api["cpus"], api["mem_limit"])
    assert limits == ("${REPLICAS:-2}", "${CPUS:-1}", "${MEMORY:-2G}")
    assert api["memswap_limit"] == api["mem_limit"]  # no swap
    for service in services.values():
        assert service.keys() >= {"cpus", "mem_limit"}
        assert service["pids_limit"] > 0


def test_limits_are_not_below_deploy(services: dict[str, Any]) -> None:
    """docker-compose 1.29 ignores them there, and Compose 2 wants that of processes there too."""
    assert not any("deploy" in service for service in services.values())


def test_a_replica_has_no_more_threads_than_cpu_time(services: dict[str, Any]) -> None:
    api = services["api"]
    arguments = assert_it_serves_a_shipped_variant([default(word) for word in api["command"]])
    assert arguments.workers == 1
    assert arguments.threads == int(default(api["cpus"]))


def test_the_served_variant_can_be_chosen() -> None:
    variables = set(re.findall(r"\$\{(\w+):-", FILE.read_text()))
    assert variables == {
        "SUITE", "VARIANT", "WORKERS", "THREADS", "IMAGE", "REPLICAS", "CPUS", "MEMORY", "PORT",
    }  # fmt: skip


def test_the_image_is_built_from_the_repository(services: dict[str, Any]) -> None:
    build = services["api"]["build"]
    context = (FILE.parent / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()


def test_only_the_front_is_reachable_and_only_from_this_host(services: dict[str, Any]) -> None:
    assert "ports" not in services["api"]
    (port,) = services["front"]["ports"]
    assert port == "127.0.0.1:${PORT:-8000}:8080"
    assert yaml.safe_load(FILE.read_text())["networks"]["inside"] == {"internal": True}
    assert services["api"]["networks"] == ["inside"]


def test_the_front_waits_for_replicas_that_are_ready(services: dict[str, Any]) -> None:
    assert services["front"]["depends_on"] == {"api": {"condition": "service_healthy"}}
    assert "/readyz" in services["front"]["healthcheck"]["test"][-1]


def test_services_have_no_more_rights_than_they_need(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert services["api"]["volumes"] == ["artifacts:/var/cache/infperf"]


def test_open_requests_are_finished_before_a_replica_is_stopped(
    services: dict[str, Any],
) -> None:
    grace_s = int(services["api"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > Serving().timeout_s + 1


def test_the_front_asks_all_replicas(services: dict[str, Any]) -> None:
    assert "server api:8000 resolve" in NGINX
    assert "resolver 127.0.0.11 " in NGINX
    (mounted,) = services["front"]["volumes"]
    source, target, mode = mounted.split(":")
    assert (FILE.parent / source).is_file()
    assert (target, mode) == ("/etc/nginx/nginx.conf", "ro")
    image = services["front"]["image"].partition(":")[2]
    assert tuple(int(part) for part in re.findall(r"\d+", image)[:2]) >= (1, 28)


def test_the_front_waits_longer_than_a_replica_takes() -> None:
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)
    assert int(seconds) > Serving().timeout_s


def test_docker_compose_accepts_it() -> None:
    compose = next(
        (c for c in (["docker", "compose"], ["docker-compose"]) if _is_installed(c)), None
    )
    if compose is None:
        pytest.skip("neither `docker compose` nor docker-compose is installed")
    completed = subprocess.run(
        [*compose, "--file", str(FILE), "config"], capture_output=True, text=True, timeout=60
    )
    assert completed.returncode == 0, completed.stderr
    config = yaml.safe_load(completed.stdout)["services"]
    assert config["api"]["scale"] == 2
    assert float(config["api"]["cpus"]) == 1
    assert config.keys() == {"api", "front"}


def _is_installed(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "version"], capture_output=True, timeout=60).returncode == 0
