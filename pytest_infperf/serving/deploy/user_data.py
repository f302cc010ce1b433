"""The script that an instance runs at its first start: a server, as a service or in a container."""

from __future__ import annotations

from importlib.metadata import version
from shlex import quote

from pytest_infperf.errors import UserError
from pytest_infperf.serving.deploy.plan import BUILT, DeploymentPlan

LIMIT_BYTES = 16_384
"""Maximum size of user data on EC2, in bytes."""
_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_CLONE = """\
git clone --no-checkout {repository} /opt/infperf
cd /opt/infperf
git checkout --detach origin/{revision} || git checkout --detach {revision}"""
_SCRIPT = """\
#!/bin/bash
# Serves {variant} of {folder}. Its output is in /var/log/cloud-init-output.log.
set -euo pipefail
export TMPDIR=/var/tmp  # /tmp is in memory, and PyTorch is large
dnf install --assumeyes git python3.11 python3.11-pip
useradd --system --user-group --home-dir /var/cache/infperf --shell /sbin/nologin infperf
{clone}
python3.11 -m venv /opt/venv
if grep --quiet --no-messages '^name = "pytest-infperf"$' pyproject.toml; then
  package={own_package} constraints=constraints.txt
else
  package={package} constraints=/dev/null
fi
# PyTorch comes first, because a version range may install its CUDA build.
torch=$(grep '^torch==' "$constraints" || echo torch)
/opt/venv/bin/pip install --no-cache-dir --index-url {torch_index} "$torch"
/opt/venv/bin/pip install --no-cache-dir --constraint "$constraints" "$package"
cat > /etc/systemd/system/infperf.service <<'UNIT'
{unit}UNIT
systemctl daemon-reload
systemctl enable --now infperf.service
"""
_CONTAINER_SCRIPT = """\
#!/bin/bash
# Serves {variant} of {folder} in a container. Its output is in `docker logs infperf`.
set -euo pipefail
dnf install --assumeyes docker git
systemctl enable --now docker
{image_commands}
docker run --detach --name infperf --init --restart unless-stopped --read-only --tmpfs /tmp \\
  --cap-drop ALL --security-opt no-new-privileges --pids-limit 512 \\
  --volume infperf:/var/cache/infperf --publish {port}:{port} {image} \\
  {folder} --variant {variant} --host 0.0.0.0 --port {port} --cache /var/cache/infperf
"""
_PULL = "docker pull {image}"
_BUILD = """\
{clone}
# Amazon Linux has no buildx, without which the newer builder does not run.
DOCKER_BUILDKIT=0 docker build --file deploy/Dockerfile --tag {image} ."""
_BUILT_IMAGE = "infperf"
_UNIT = """\
[Unit]
Description=infperf serve {folder} --variant {variant}
Wants=network-online.target
After=network-online.target

[Service]
User=infperf
WorkingDirectory=/opt/infperf
Environment=HOME=/var/cache/infperf PYTHONDONTWRITEBYTECODE=1
CacheDirectory=infperf
ExecStart=/opt/venv/bin/infperf serve {folder} --variant {variant} --host {host} --port {port} \
--cache /var/cache/infperf
Restart=on-failure
RestartSec=5
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectHome=yes
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
"""


def unit(plan: DeploymentPlan) -> str:
    """Return the systemd unit.

    Its values need no quotes: `DeploymentPlan` and `Source` allow no special characters.
    """
    return _UNIT.format(
        folder=plan.source.folder,
        variant=plan.variant,
        host="::" if ":" in (plan.allow or "") else "0.0.0.0",
        port=plan.port,
    )


def script(plan: DeploymentPlan) -> str:
    """Return the user data. Raises UserError if it is longer than EC2 allows."""
    text = _service_script(plan) if plan.container is None else _container_script(plan)
    if (size := len(text.encode())) > LIMIT_BYTES:
        raise UserError(f"the user data has {size:,} bytes, and EC2 allows {LIMIT_BYTES:,}")
    return text


def _service_script(plan: DeploymentPlan) -> str:
    extras = ",".join(plan.extras)
    release = version("pytest-infperf")
    return _SCRIPT.format(
        folder=plan.source.folder,
        variant=plan.variant,
        clone=_clone(plan),
        own_package=quote(f".[{extras}]"),
        package=quote(f"pytest-infperf[{extras}]=={release}"),
        torch_index=_TORCH_INDEX,
        unit=unit(plan),
    )


def _container_script(plan: DeploymentPlan) -> str:
    image = plan.container or _BUILT_IMAGE
    commands = _BUILD if plan.container == BUILT else _PULL
    return _CONTAINER_SCRIPT.format(
        folder=plan.source.folder,
        variant=plan.variant,
        port=plan.port,
        image=image,
        image_commands=commands.format(image=image, clone=_clone(plan)),
    )


def _clone(plan: DeploymentPlan) -> str:
    source = plan.source
    return _CLONE.format(repository=quote(source.repository), revision=quote(source.revision))
