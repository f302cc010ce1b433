"""The template of a capacity plan: its structure, cfn-lint's opinion, and the script in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_infperf.errors import UserError
from pytest_infperf.serving.backlog import LatencyLimit
from pytest_infperf.serving.capacity import CapacityPlan, Demand, InstanceCapacity
from pytest_infperf.serving.deploy.cloudformation import publisher, template, to_yaml
from pytest_infperf.serving.deploy.plan import Source
from pytest_infperf.serving.deploy.user_data import LIMIT_BYTES, script
from tests.serving.deploy.made import Planned

CAPACITY = InstanceCapacity(
    "c7i.large", "translation", "fast", 50.0, 2, 1.2, 2, 200.0, 0.09, service_s=[0.02] * 100
)
PLAN = CapacityPlan(CAPACITY, Demand(100, limit=LatencyLimit(0.25)))


@pytest.fixture
def written(planned: Planned) -> dict[str, Any]:
    """Return the template as a reader of its YAML sees it."""
    return dict(yaml.safe_load(to_yaml(template(planned(port=8123), PLAN))))


def properties(written: dict[str, Any], name: str) -> Any:
    return written["Resources"][name]["Properties"]


def test_the_group_has_the_sizes_of_the_plan(written: dict[str, Any]) -> None:
    group = properties(written, "Group")
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == ("2", "4", "8")
    assert group["TargetGroupARNs"] == [{"Ref": "TargetGroup"}]
    assert written["Parameters"]["InstanceType"]["Default"] == "c7i.large"
    assert written["Parameters"]["Image"]["Default"].endswith("x86_64")


def test_the_load_balancer_asks_readyz_and_alone_reaches_the_instances(
    written: dict[str, Any],
) -> None:
    target = properties(written, "TargetGroup")
    assert (target["HealthCheckPath"], target["Port"]) == ("/readyz", 8123)
    assert properties(written, "InstanceSecurityGroup")["SecurityGroupIngress"] == [
        {
            "IpProtocol": "tcp",
            "FromPort": 8123,
            "ToPort": 8123,
            "SourceSecurityGroupId": {"Ref": "LoadBalancerSecurityGroup"},
        }
    ]


def test_the_policies_have_the_numbers_of_the_plan(written: dict[str, Any]) -> None:
    tracking = PLAN.target_tracking()
    names = ("ALBRequestCountPerTarget", "ASGAverageCPUUtilization", "BacklogPerInstance")
    for name in names:
        policy = properties(written, f"{name}Policy")
        assert policy["AutoScalingGroupName"] == {"Ref": "Group"}
        configuration = policy["TargetTrackingConfiguration"]
        assert configuration["TargetValue"] == tracking[name]["TargetValue"]
    metric = configuration["CustomizedMetricSpecification"]
    assert metric["Dimensions"] == [{"Name": "Deployment", "Value": {"Ref": "AWS::StackName"}}]


def test_without_a_limit_of_latency_there_is_no_policy_on_the_backlog(planned: Planned) -> None:
    resources = template(planned(), replace(PLAN, demand=Demand(100)))["Resources"]
    policies = [name for name in resources if name.endswith("Policy")]
    assert policies == ["ALBRequestCountPerTargetPolicy", "ASGAverageCPUUtilizationPolicy"]


def test_the_user_data_is_that_of_a_single_instance_and_the_publisher(
    written: dict[str, Any], planned: Planned
) -> None:
    data = properties(written, "LaunchTemplate")["LaunchTemplateData"]["UserData"]
    [_, [own, published]] = data["Fn::Base64"]["Fn::Join"]
    assert own == script(planned(port=8123))
    assert published == {"Fn::Sub": publisher(8123)}


def test_other_processors_get_their_image(planned: Planned) -> None:
    arm = replace(PLAN, capacity=replace(CAPACITY, architecture="aarch64"))
    assert template(planned(), arm)["Parameters"]["Image"]["Default"].endswith("arm64")
    other = replace(PLAN, capacity=replace(CAPACITY, architecture="riscv64"))
    with pytest.raises(UserError, match="no image for riscv64"):
        template(planned(), other)


def test_the_size_of_the_user_data_is_limited(planned: Planned) -> None:
    free = LIMIT_BYTES - len(script(planned()).encode())
    longer = Source("https://example.org/acme/models.git", "x" * (free - 10), "suites/translation")
    with pytest.raises(UserError, match="EC2 allows 16,384"):
        template(planned(source=longer), PLAN)


def test_cfn_lint_finds_no_problem(tmp_path: Path, planned: Planned) -> None:
    cfn_lint = shutil.which("cfn-lint", path=str(Path(sys.executable).parent)) or shutil.which(
        "cfn-lint"
    )
    if cfn_lint is None:
        pytest.skip("cfn-lint is not installed; the extra `dev` has it")
    path = tmp_path / "template.yaml"
    path.write_text(to_yaml(template(planned(), PLAN)))
    completed = subprocess.run(
        [cfn_lint, "--regions", "us-east-1", "--", str(path)], capture_output=True, text=True
    )
    assert (completed.returncode, completed.stdout) == (0, "")


def test_the_publisher_sends_a_minute_of_readings(tmp_path: Path) -> None:
    """A real bash and awk run the script, after the replacements of Fn::Sub."""
    text = publisher(8123).replace("${AWS::Region}", "eu-west-1").replace("${!", "${")
    text = text.replace("${AWS::StackName}", "shop")
    inner = text.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    tools = {
        "curl": 'echo "# HELP infperf_waiting_requests"; echo "infperf_waiting_requests 3.0"',
        "sleep": "",
        "aws": f'printf "%s\\n" "$@" > {tmp_path}/sent',
    }
    for name, body in tools.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", inner], env=environment, check=True)
    sent = (tmp_path / "sent").read_text().splitlines()
    assert sent[:6] == [
        "cloudwatch", "put-metric-data", "--region", "eu-west-1", "--namespace", "infperf",
    ]  # fmt: skip
    [metric] = yaml.safe_load("".join(sent[7:]))
    assert metric == {
        "MetricName": "infperf_waiting_requests",
        "Values": [3.0] * 12,
        "Dimensions": [{"Name": "Deployment", "Value": "shop"}],
    }
    (tmp_path / "sent").unlink()
    (tmp_path / "curl").write_text("#!/bin/bash\nexit 7\n")
    subprocess.run(["bash", "-c", inner], env=environment, check=True)
    assert not (tmp_path / "sent").exists()  # a server that does not answer yet has no backlog
