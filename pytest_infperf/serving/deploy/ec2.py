"""Deployments on EC2: created from a plan, found by their tags, and removed completely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from time import sleep
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.host.termination import held_back
from pytest_infperf.serving.deploy import aws
from pytest_infperf.serving.deploy.plan import VOLUME_GIB, DeploymentPlan
from pytest_infperf.serving.deploy.user_data import script

NAME_TAG = "infperf:deployment"
SUITE_TAG = "infperf:suite"
VARIANT_TAG = "infperf:variant"
_IMAGE_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
_NOT_TERMINATED = ["pending", "running", "shutting-down", "stopping", "stopped"]
_DELETE_TRIES = 10
_DELETE_PAUSE_S = 3.0


@dataclass(frozen=True)
class DeployedInstance:
    """An instance of a deployment, as AWS describes it."""

    name: str
    """Name of the deployment."""
    suite: str
    variant: str
    instance: str
    """Id of the instance."""
    instance_type: str
    state: str
    """State of the instance, as AWS calls it."""
    address: str | None
    """Public address, or the private one if there is none."""
    since: str
    """Launch time, as text."""


class Ec2:
    """The deployments of a region. Every method raises UserError if AWS refuses a call."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._ec2 = aws.client("ec2", region)
        self._ssm = aws.client("ssm", region)

    def instances(self, name: str | None = None) -> list[DeployedInstance]:
        """Return instances with the tag that are not terminated, of one deployment or of all."""
        filters = [{"Name": "instance-state-name", "Values": _NOT_TERMINATED}, _tag_filter(name)]
        with aws.user_errors():
            pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
            return [
                _deployed_instance(instance)
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
            ]

    def security_groups(self, name: str | None = None) -> dict[str, str]:
        """Return the ids of security groups with the tag, and the names of their deployments."""
        with aws.user_errors():
            pages = self._ec2.get_paginator("describe_security_groups").paginate(
                Filters=[_tag_filter(name)]
            )
            return {
                group["GroupId"]: _tags(group)[NAME_TAG]
                for page in pages
                for group in page["SecurityGroups"]
            }

    def create(
        self, plan: DeploymentPlan, report_progress: Callable[[str], None]
    ) -> DeployedInstance:
        """Create the security group and the instance, and wait until the instance runs.

        AWS's dry run checks permissions and limits first, so that nothing is created if they are
        missing. If a later step fails, everything that was created is removed.

        Raises UserError if the deployment exists, or if AWS refuses a step.
        """
        if self.instances(plan.name) or self.security_groups(plan.name):
            raise UserError(
                f"a deployment {plan.name} exists in {self.region}: choose another --name, or tear "
                f"it down with `infperf deploy --teardown {plan.name} --region {self.region}`"
            )
        with aws.user_errors():
            group_request = self._group_request(plan)
            instance_request = self._instance_request(plan)
            self._dry_run(self._ec2.create_security_group, group_request)
            self._dry_run(self._ec2.run_instances, instance_request)
        report_progress(f"the dry run passed; image {instance_request['ImageId']}")
        groups: list[str] = []
        instances: list[str] = []
        try:
            with aws.user_errors():
                with held_back():  # an interrupt could otherwise lose the id of the new resource
                    groups.append(self._ec2.create_security_group(**group_request)["GroupId"])
                report_progress(f"security group {groups[0]}")
                self._ec2.get_waiter("security_group_exists").wait(GroupIds=groups)
                if plan.allow:
                    self._ec2.authorize_security_group_ingress(
                        GroupId=groups[0], IpPermissions=[_ingress(plan.allow, plan.port)]
                    )
                with held_back():
                    created = self._ec2.run_instances(**instance_request, SecurityGroupIds=groups)
                    instances += [i["InstanceId"] for i in created["Instances"]]
                report_progress(f"instance {instances[0]}; waiting until it runs")
                self._ec2.get_waiter("instance_running").wait(InstanceIds=instances)
                described = self._ec2.describe_instances(InstanceIds=instances)
            return _deployed_instance(described["Reservations"][0]["Instances"][0])
        except BaseException as error:
            with held_back():
                notice = self._clean_up(plan.name, instances, groups, report_progress)
            if isinstance(error, UserError):
                raise UserError(f"{error}\n{notice}") from error
            report_progress(notice)
            raise

    def teardown(self, name: str) -> list[str]:
        """Terminate the instances, delete the security groups, and return the ids of all.

        Raises UserError if nothing has the tag of that name.
        """
        instances = [deployed.instance for deployed in self.instances(name)]
        groups = list(self.security_groups(name))
        if not instances and not groups:
            raise UserError(
                f"there is no deployment {name} in {self.region}; "
                f"`infperf deploy --list --region {self.region}` lists all of them"
            )
        self._remove(instances, groups)
        return [*instances, *groups]

    def _clean_up(
        self,
        name: str,
        instances: Sequence[str],
        groups: Sequence[str],
        report_progress: Callable[[str], None],
    ) -> str:
        """Remove the resources of a failed `create`, and return a notice about them."""
        created = ", ".join([*instances, *groups])
        if not created:
            return "nothing was created"
        report_progress(f"removing {created}")
        try:
            self._remove(instances, groups)
        except UserError as error:
            return (
                f"{created} could not all be removed: {error}\nThey may cost money until "
                f"`infperf deploy --teardown {name} --region {self.region}` succeeds"
            )
        return f"removed again: {created}"

    def _remove(self, instances: Sequence[str], groups: Sequence[str]) -> None:
        with aws.user_errors():
            if instances:
                self._ec2.terminate_instances(InstanceIds=list(instances))
                self._ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances))
            for group in groups:
                self._delete(group)

    def _delete(self, group: str) -> None:
        """Delete a security group, with retries: it may be in use after its instance has ended."""
        for tries_left in reversed(range(_DELETE_TRIES)):
            try:
                self._ec2.delete_security_group(GroupId=group)
                return
            except Exception as error:
                if aws.error_code(error) != "DependencyViolation" or not tries_left:
                    raise
                sleep(_DELETE_PAUSE_S)

    def _dry_run(self, call: Callable[..., Any], arguments: dict[str, Any]) -> None:
        try:
            call(**arguments, DryRun=True)
        except Exception as error:
            if aws.error_code(error) != "DryRunOperation":
                raise

    def _group_request(self, plan: DeploymentPlan) -> dict[str, Any]:
        return {
            "GroupName": f"infperf-{plan.name}",
            "Description": f"infperf deploy {plan.name}",
            "VpcId": self._vpc(plan),
            "TagSpecifications": _tag_specifications(plan, "security-group"),
        }

    def _vpc(self, plan: DeploymentPlan) -> str:
        if plan.subnet:
            (subnet,) = self._ec2.describe_subnets(SubnetIds=[plan.subnet])["Subnets"]
            return str(subnet["VpcId"])
        default = [{"Name": "is-default", "Values": ["true"]}]
        vpcs = self._ec2.describe_vpcs(Filters=default)["Vpcs"]
        if not vpcs:
            raise UserError(f"{self.region} has no default VPC: specify a subnet with --subnet")
        return str(vpcs[0]["VpcId"])

    def _instance_request(self, plan: DeploymentPlan) -> dict[str, Any]:
        image = self._image(plan.instance_type)
        request: dict[str, Any] = {
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
            request["KeyName"] = plan.key_name
        if plan.instance_profile:
            request["IamInstanceProfile"] = {"Name": plan.instance_profile}
        if plan.subnet:
            request["SubnetId"] = plan.subnet
        return request

    def _image(self, instance_type: str) -> dict[str, Any]:
        """Return the newest Amazon Linux 2023 for the type's processor, according to SSM."""
        (described,) = self._ec2.describe_instance_types(InstanceTypes=[instance_type])[
            "InstanceTypes"
        ]
        supported = described["ProcessorInfo"]["SupportedArchitectures"]
        architecture = next((a for a in ("x86_64", "arm64") if a in supported), None)
        if architecture is None:
            raise UserError(
                f"--instance {instance_type} supports {', '.join(supported)} only: specify a type "
                "with x86_64 or arm64"
            )
        parameter = self._ssm.get_parameter(Name=_IMAGE_PARAMETER.format(architecture=architecture))
        (image,) = self._ec2.describe_images(ImageIds=[parameter["Parameter"]["Value"]])["Images"]
        return dict(image)


def _tag_filter(name: str | None) -> dict[str, Any]:
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
    tag_list = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": resource, "Tags": tag_list} for resource in resources]


def _ingress(allow: str, port: int) -> dict[str, Any]:
    description = {"Description": "infperf serve"}
    network = ip_network(allow)
    ranges = (
        {"Ipv6Ranges": [{"CidrIpv6": str(network), **description}]}
        if network.version == 6
        else {"IpRanges": [{"CidrIp": str(network), **description}]}
    )
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ranges}


def _deployed_instance(instance: dict[str, Any]) -> DeployedInstance:
    tags = _tags(instance)
    return DeployedInstance(
        tags.get(NAME_TAG, ""),
        tags.get(SUITE_TAG, ""),
        tags.get(VARIANT_TAG, ""),
        instance["InstanceId"],
        instance["InstanceType"],
        instance["State"]["Name"],
        instance.get("PublicIpAddress") or instance.get("PrivateIpAddress"),
        f"{instance['LaunchTime']:%Y-%m-%d %H:%M %Z}",
    )
