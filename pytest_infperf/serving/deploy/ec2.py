"""Deployments on EC2: started from a plan, found by their tags, torn down without a rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from time import sleep
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.serving.deploy import aws
from pytest_infperf.serving.deploy.plan import VOLUME_GIB, DeploymentPlan
from pytest_infperf.serving.deploy.user_data import script

NAME_TAG = "infperf:deployment"
SUITE_TAG = "infperf:suite"
VARIANT_TAG = "infperf:variant"
_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
_LIVING = ["pending", "running", "shutting-down", "stopping", "stopped"]
_DELETE_TRIES = 10
_DELETE_PAUSE_S = 3.0


@dataclass(frozen=True)
class Deployed:
    """An instance of a deployment, as AWS describes it."""

    name: str
    suite: str
    variant: str
    instance: str
    instance_type: str
    state: str
    address: str | None
    """Public where there is one, else of its network."""
    since: str


class Ec2:
    """The deployments of a region. What AWS refuses is raised as UserError."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._ec2 = aws.client("ec2", region)
        self._ssm = aws.client("ssm", region)

    def deployed(self, name: str | None = None) -> list[Deployed]:
        """Instances that carry the tag and are not terminated; of all deployments or of one."""
        filters = [{"Name": "instance-state-name", "Values": _LIVING}, _tagged(name)]
        with aws.explained():
            pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
            reservations = [found for page in pages for found in page["Reservations"]]
        return [_deployed(i) for found in reservations for i in found["Instances"]]

    def groups(self, name: str | None = None) -> dict[str, str]:
        """Security groups that carry the tag, with the names of their deployments."""
        with aws.explained():
            pages = self._ec2.get_paginator("describe_security_groups").paginate(
                Filters=[_tagged(name)]
            )
            return {
                group["GroupId"]: _tags(group)[NAME_TAG]
                for page in pages
                for group in page["SecurityGroups"]
            }

    def create(self, plan: DeploymentPlan, report_progress: Callable[[str], None]) -> Deployed:
        """Make the security group, then the instance, and wait until it runs.

        Permissions and limits that AWS can check beforehand are checked with its dry run, so that
        nothing is made where they are missing. What was made is removed when a later step fails.
        Raises UserError.
        """
        if self.deployed(plan.name) or self.groups(plan.name):
            raise UserError(
                f"there is a deployment {plan.name} in {self.region}: choose a --name, or tear it "
                f"down with `infperf deploy --teardown {plan.name} --region {self.region}`"
            )
        with aws.explained():
            group = self._group(plan)
            instance = self._instance(plan)
            self._dry_run(self._ec2.create_security_group, group)
            self._dry_run(self._ec2.run_instances, instance)
        report_progress(f"the dry run passed; image {instance['ImageId']}")
        groups: list[str] = []
        instances: list[str] = []
        try:
            with aws.explained():
                groups.append(self._ec2.create_security_group(**group)["GroupId"])
                report_progress(f"security group {groups[0]}")
                self._ec2.get_waiter("security_group_exists").wait(GroupIds=groups)
                if plan.allow:
                    self._ec2.authorize_security_group_ingress(
                        GroupId=groups[0], IpPermissions=[_ingress(plan.allow, plan.port)]
                    )
                made = self._ec2.run_instances(**instance, SecurityGroupIds=groups)
                instances += [i["InstanceId"] for i in made["Instances"]]
                report_progress(f"instance {instances[0]}; waiting until it runs")
                self._ec2.get_waiter("instance_running").wait(InstanceIds=instances)
                answer = self._ec2.describe_instances(InstanceIds=instances)
            return _deployed(answer["Reservations"][0]["Instances"][0])
        except BaseException as error:
            undone = self._undone(plan.name, instances, groups, report_progress)
            if isinstance(error, UserError):
                raise UserError(f"{error}\n{undone}") from error
            report_progress(undone)
            raise

    def teardown(self, name: str) -> list[str]:
        """Terminate the instances, then delete the security groups; the ids of all of them.

        Raises UserError where nothing carries the name's tag.
        """
        instances = [found.instance for found in self.deployed(name)]
        groups = list(self.groups(name))
        if not instances and not groups:
            raise UserError(
                f"there is no deployment {name} in {self.region}; "
                f"`infperf deploy --list --region {self.region}` shows what there is"
            )
        self._remove(instances, groups)
        return [*instances, *groups]

    def _undone(
        self,
        name: str,
        instances: Sequence[str],
        groups: Sequence[str],
        report_progress: Callable[[str], None],
    ) -> str:
        made = ", ".join([*instances, *groups])
        if not made:
            return "nothing had been made"
        report_progress(f"removing what was made: {made}")
        try:
            self._remove(instances, groups)
        except UserError as error:
            return (
                f"not all that had been made could be removed ({made}): {error}\nit may cost money "
                f"until `infperf deploy --teardown {name} --region {self.region}` succeeds"
            )
        return f"what had been made was removed: {made}"

    def _remove(self, instances: Sequence[str], groups: Sequence[str]) -> None:
        with aws.explained():
            if instances:
                self._ec2.terminate_instances(InstanceIds=list(instances))
                self._ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances))
            for group in groups:
                self._delete(group)

    def _delete(self, group: str) -> None:
        """A network interface may hold on to its group for a while after its instance has ended."""
        for left in reversed(range(_DELETE_TRIES)):
            try:
                self._ec2.delete_security_group(GroupId=group)
                return
            except Exception as error:
                if aws.code_of(error) != "DependencyViolation" or not left:
                    raise
                sleep(_DELETE_PAUSE_S)

    def _dry_run(self, call: Callable[..., Any], arguments: dict[str, Any]) -> None:
        try:
            call(**arguments, DryRun=True)
        except Exception as error:
            if aws.code_of(error) != "DryRunOperation":
                raise

    def _group(self, plan: DeploymentPlan) -> dict[str, Any]:
        return {
            "GroupName": f"infperf-{plan.name}",
            "Description": f"infperf deploy {plan.name}",
            "VpcId": self._network(plan),
            "TagSpecifications": _tag_specifications(plan, "security-group"),
        }

    def _network(self, plan: DeploymentPlan) -> str:
        if plan.subnet:
            (subnet,) = self._ec2.describe_subnets(SubnetIds=[plan.subnet])["Subnets"]
            return str(subnet["VpcId"])
        default = [{"Name": "is-default", "Values": ["true"]}]
        found = self._ec2.describe_vpcs(Filters=default)["Vpcs"]
        if not found:
            raise UserError(f"{self.region} has no default VPC: name a subnet with --subnet")
        return str(found[0]["VpcId"])

    def _instance(self, plan: DeploymentPlan) -> dict[str, Any]:
        image = self._image(plan.instance_type)
        asked: dict[str, Any] = {
            "ImageId": image["ImageId"],
            "InstanceType": plan.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            "UserData": script(plan),
            "MetadataOptions": {
                "HttpEndpoint": "enabled",
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 1,
            },
            "BlockDeviceMappings": [
                {
                    "DeviceName": image["RootDeviceName"],
                    "Ebs": {
                        "VolumeSize": VOLUME_GIB,
                        "VolumeType": "gp3",
                        "Encrypted": True,
                        "DeleteOnTermination": True,
                    },
                }
            ],
            "TagSpecifications": _tag_specifications(plan, "instance", "volume"),
        }
        if plan.key_name:
            asked["KeyName"] = plan.key_name
        if plan.instance_profile:
            asked["IamInstanceProfile"] = {"Name": plan.instance_profile}
        if plan.subnet:
            asked["SubnetId"] = plan.subnet
        return asked

    def _image(self, instance_type: str) -> dict[str, Any]:
        """The newest Amazon Linux 2023 for the type's processor, by SSM's public parameter."""
        (described,) = self._ec2.describe_instance_types(InstanceTypes=[instance_type])[
            "InstanceTypes"
        ]
        known = described["ProcessorInfo"]["SupportedArchitectures"]
        architecture = next((a for a in ("x86_64", "arm64") if a in known), None)
        if architecture is None:
            raise UserError(f"{instance_type} is for {', '.join(known)}; name one of 64 bits")
        parameter = self._ssm.get_parameter(Name=_IMAGE.format(architecture=architecture))
        (image,) = self._ec2.describe_images(ImageIds=[parameter["Parameter"]["Value"]])["Images"]
        return dict(image)


def _tagged(name: str | None) -> dict[str, Any]:
    if name is None:
        return {"Name": "tag-key", "Values": [NAME_TAG]}
    return {"Name": f"tag:{NAME_TAG}", "Values": [name]}


def _tags(described: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}


def _tag_specifications(plan: DeploymentPlan, *resources: str) -> list[dict[str, Any]]:
    tags = {
        "Name": f"infperf-{plan.name}",
        NAME_TAG: plan.name,
        SUITE_TAG: plan.suite,
        VARIANT_TAG: plan.variant,
    }
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": resource, "Tags": listed} for resource in resources]


def _ingress(allow: str, port: int) -> dict[str, Any]:
    whom = {"Description": "infperf serve"}
    network = ip_network(allow)
    ranges = (
        {"Ipv6Ranges": [{"CidrIpv6": str(network), **whom}]}
        if network.version == 6
        else {"IpRanges": [{"CidrIp": str(network), **whom}]}
    )
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ranges}


def _deployed(instance: dict[str, Any]) -> Deployed:
    tags = _tags(instance)
    return Deployed(
        tags.get(NAME_TAG, ""),
        tags.get(SUITE_TAG, ""),
        tags.get(VARIANT_TAG, ""),
        instance["InstanceId"],
        instance["InstanceType"],
        instance["State"]["Name"],
        instance.get("PublicIpAddress") or instance.get("PrivateIpAddress"),
        f"{instance['LaunchTime']:%Y-%m-%d %H:%M %Z}",
    )
