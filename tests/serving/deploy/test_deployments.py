"""Deployments in a simulated account: the resources that are created and removed."""

from __future__ import annotations

import base64
import re
import signal
import sys
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from pytest_infperf.errors import UserError
from pytest_infperf.serving.deploy import aws
from pytest_infperf.serving.deploy.ec2 import Ec2
from pytest_infperf.serving.deploy.user_data import script
from tests.serving.deploy.made import REGION, Planned, Refusing, groups, instances, tags


def silent(text: str) -> None:
    """Ignore the progress of `create`."""


def test_it_makes_one_instance_that_runs(account: Any, planned: Planned) -> None:
    made = Ec2(REGION).create(planned(), silent)
    (instance,) = instances(account)
    assert (made.instance, made.state) == (instance["InstanceId"], "running")
    assert instance["InstanceType"] == made.instance_type == "c7i.large"
    assert made.address == instance["PublicIpAddress"]


def test_it_is_closed_by_default(account: Any, planned: Planned) -> None:
    Ec2(REGION).create(planned(), silent)
    (group,) = groups(account)
    assert group["IpPermissions"] == []
    (instance,) = instances(account)
    assert [g["GroupId"] for g in instance["SecurityGroups"]] == [group["GroupId"]]


@pytest.mark.parametrize(
    ("allow", "kind", "key"),
    [
        ("203.0.113.7/32", "IpRanges", "CidrIp"),
        ("2001:db8::/32", "Ipv6Ranges", "CidrIpv6"),
    ],
)
def test_the_serving_port_alone_is_opened_to_whom_it_is_allowed(
    account: Any, planned: Planned, allow: str, kind: str, key: str
) -> None:
    Ec2(REGION).create(planned(allow=allow, port=8123), silent)
    (group,) = groups(account)
    (rule,) = group["IpPermissions"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 8123, 8123)
    assert [found[key] for found in rule[kind]] == [allow]
    assert len(rule["IpRanges"]) + len(rule["Ipv6Ranges"]) == 1


def test_an_address_without_a_length_is_allowed_alone(account: Any, planned: Planned) -> None:
    Ec2(REGION).create(planned(allow="203.0.113.7"), silent)
    (group,) = groups(account)
    (rule,) = group["IpPermissions"]
    assert [found["CidrIp"] for found in rule["IpRanges"]] == ["203.0.113.7/32"]


def test_all_that_is_made_is_tagged(account: Any, planned: Planned) -> None:
    Ec2(REGION).create(planned(), silent)
    (volume,) = account.describe_volumes()["Volumes"]
    expected = {
        "Name": "infperf-translation-fast",
        "infperf:deployment": "translation-fast",
        "infperf:suite": "translation",
        "infperf:variant": "fast",
    }
    for made in (*instances(account), *groups(account), volume):
        assert tags(made) == expected


def test_the_metadata_service_takes_tokens_alone(account: Any, planned: Planned) -> None:
    Ec2(REGION).create(planned(), silent)
    (instance,) = instances(account)
    options = instance["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)


def test_the_volume_is_encrypted_and_ends_with_the_instance(account: Any, planned: Planned) -> None:
    Ec2(REGION).create(planned(), silent)
    (volume,) = account.describe_volumes()["Volumes"]
    assert (volume["VolumeType"], volume["Encrypted"], volume["Size"]) == ("gp3", True, 20)
    (instance,) = instances(account)
    (mapping,) = instance["BlockDeviceMappings"]
    assert mapping["DeviceName"] == instance["RootDeviceName"]
    assert mapping["Ebs"]["DeleteOnTermination"]


def test_the_instance_gets_the_script_as_user_data(account: Any, planned: Planned) -> None:
    Ec2(REGION).create(planned(), silent)
    (instance,) = instances(account)
    answer = account.describe_instance_attribute(
        InstanceId=instance["InstanceId"], Attribute="userData"
    )
    assert base64.b64decode(answer["UserData"]["Value"]).decode() == script(planned())


@pytest.mark.parametrize(
    ("instance_type", "architecture"), [("c7i.large", "x86_64"), ("c7g.large", "arm64")]
)
def test_the_image_is_the_newest_amazon_linux_for_the_processor(
    account: Any, planned: Planned, instance_type: str, architecture: str
) -> None:
    parameter = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
    answer = boto3.client("ssm", region_name=REGION).get_parameter(Name=parameter)
    Ec2(REGION).create(planned(instance_type=instance_type), silent)
    (instance,) = instances(account)
    assert instance["ImageId"] == answer["Parameter"]["Value"]


def test_subnet_and_key_are_those_that_are_named(account: Any, planned: Planned) -> None:
    network = account.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = account.create_subnet(VpcId=network, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    account.create_key_pair(KeyName="mine")
    made = Ec2(REGION).create(planned(subnet=subnet, key_name="mine"), silent)
    (instance,) = instances(account)
    assert (instance["SubnetId"], instance["KeyName"]) == (subnet, "mine")
    (group,) = groups(account)
    assert group["VpcId"] == network
    assert made.address == instance["PrivateIpAddress"]


def test_a_second_one_of_the_name_is_refused(account: Any, planned: Planned) -> None:
    ec2 = Ec2(REGION)
    ec2.create(planned(), silent)
    with pytest.raises(
        UserError, match=r"a deployment translation-fast exists in us-east-1.*--teardown"
    ):
        ec2.create(planned(), silent)
    assert len(instances(account)) == len(groups(account)) == 1


@pytest.mark.parametrize("operation", ["CreateSecurityGroup", "RunInstances"])
def test_a_missing_permission_shows_before_anything_is_made(
    account: Any, planned: Planned, refusing: Refusing, operation: str
) -> None:
    refusing(operation, "UnauthorizedOperation", dry_run=True)
    refusing("CreateSecurityGroup", AssertionError("made before the dry run"))
    with pytest.raises(UserError, match=r"UnauthorizedOperation.*docs/deploy.md"):
        Ec2(REGION).create(planned(), silent)
    assert (instances(account), groups(account)) == ([], [])


@pytest.mark.parametrize(
    ("operation", "code", "remedy"),
    [
        (
            "AuthorizeSecurityGroupIngress",
            "RulesPerSecurityGroupLimitExceeded",
            "the message of AWS",
        ),
        ("RunInstances", "VcpuLimitExceeded", "Service Quotas"),
        ("RunInstances", "InsufficientInstanceCapacity", "specify another --instance or --subnet"),
    ],
)
def test_what_was_made_before_a_failure_is_removed(
    account: Any, planned: Planned, refusing: Refusing, operation: str, code: str, remedy: str
) -> None:
    refusing(operation, code)
    with pytest.raises(UserError, match="removed again: sg-") as raised:
        Ec2(REGION).create(planned(allow="203.0.113.7/32"), silent)
    assert code in str(raised.value)
    assert remedy in str(raised.value)
    assert (instances(account), groups(account)) == ([], [])


def interrupted_while_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_waiter(self: Any, name: str) -> Any:
        if name == "instance_running":
            raise KeyboardInterrupt
        return original(self, name)

    original = boto3.client("ec2", region_name=REGION).__class__.get_waiter
    monkeypatch.setattr("botocore.client.BaseClient.get_waiter", get_waiter)


def test_interrupting_it_removes_the_instance_too(
    account: Any, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_while_it_starts(monkeypatch)
    notices: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        Ec2(REGION).create(planned(), notices.append)
    assert "removed again: i-" in notices[-1]
    assert (instances(account), groups(account)) == ([], [])


def test_an_interruption_while_aws_makes_the_instance_leaves_nothing(
    account: Any, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = BaseClient._make_api_call

    def interrupted(self: Any, name: str, arguments: dict[str, Any]) -> Any:
        answer = call(self, name, arguments)
        if name == "RunInstances" and not arguments.get("DryRun"):
            signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Ec2(REGION).create(planned(), silent)
    assert (instances(account), groups(account)) == ([], [])


def test_what_could_not_be_removed_is_named_with_what_it_takes(
    planned: Planned, refusing: Refusing
) -> None:
    refusing("RunInstances", "InsufficientInstanceCapacity")
    refusing("DeleteSecurityGroup", "UnauthorizedOperation")
    with pytest.raises(UserError) as raised:
        Ec2(REGION).create(planned(), silent)
    assert re.search("sg-[0-9a-f]+ could not all be removed", str(raised.value))
    assert "infperf deploy --teardown translation-fast --region us-east-1" in str(raised.value)


def test_tearing_down_leaves_nothing_of_it_and_all_of_others(
    account: Any, planned: Planned
) -> None:
    ec2 = Ec2(REGION)
    made = ec2.create(planned(), silent)
    (group,) = groups(account)
    other = ec2.create(planned(name="other"), silent)
    assert ec2.teardown("translation-fast") == [made.instance, group["GroupId"]]
    assert [instance["InstanceId"] for instance in instances(account)] == [other.instance]
    assert [tags(left)["infperf:deployment"] for left in groups(account)] == ["other"]
    assert [instance.name for instance in ec2.instances()] == ["other"]


def test_tearing_down_goes_on_where_an_earlier_one_stopped(account: Any, planned: Planned) -> None:
    ec2 = Ec2(REGION)
    made = ec2.create(planned(), silent)
    account.terminate_instances(InstanceIds=[made.instance])
    (group,) = groups(account)
    assert ec2.security_groups() == {group["GroupId"]: "translation-fast"}
    assert ec2.teardown("translation-fast") == [group["GroupId"]]
    assert groups(account) == []


def test_a_group_that_is_still_in_use_is_tried_again(
    account: Any, planned: Planned, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    ec2 = Ec2(REGION)
    made = ec2.create(planned(), silent)
    (group,) = groups(account)
    pauses: list[float] = []
    monkeypatch.setattr("pytest_infperf.serving.deploy.ec2.sleep", pauses.append)
    refusing("DeleteSecurityGroup", "DependencyViolation", times=2)
    assert ec2.teardown("translation-fast") == [made.instance, group["GroupId"]]
    assert len(pauses) == 2
    assert groups(account) == []


def test_a_group_that_stays_in_use_is_an_error(planned: Planned, refusing: Refusing) -> None:
    ec2 = Ec2(REGION)
    ec2.create(planned(), silent)
    refusing("DeleteSecurityGroup", "DependencyViolation")
    with pytest.raises(UserError, match="DependencyViolation"):
        ec2.teardown("translation-fast")


def test_an_unknown_deployment_is_reported(account: Any) -> None:
    with pytest.raises(UserError, match=r"there is no deployment none in us-east-1.*--list"):
        Ec2(REGION).teardown("none")


def test_an_unknown_instance_type(account: Any, planned: Planned) -> None:
    with pytest.raises(UserError, match=r"InvalidInstanceType.*--instance"):
        Ec2(REGION).create(planned(instance_type="c99.large"), silent)
    assert groups(account) == []


def test_a_region_without_a_default_network(account: Any, planned: Planned) -> None:
    for subnet in account.describe_subnets()["Subnets"]:
        account.delete_subnet(SubnetId=subnet["SubnetId"])
    account.delete_vpc(VpcId=account.describe_vpcs()["Vpcs"][0]["VpcId"])
    with pytest.raises(UserError, match="no default VPC: specify a subnet with --subnet"):
        Ec2(REGION).create(planned(), silent)


def test_missing_credentials_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(UserError, match=r"Unable to locate credentials.*aws sso login"):
        Ec2(REGION).instances()


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r"pip install 'pytest-infperf\[aws\]'"):
        aws.client("ec2", REGION)


def test_an_invalid_region_is_reported() -> None:
    with pytest.raises(UserError, match="--region"):
        aws.client("ec2", "not a region")
