"""A capacity plan as a CloudFormation template: a load balancer and an Auto Scaling group."""

from __future__ import annotations

from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.serving import backlog
from pytest_infperf.serving.capacity import CapacityPlan
from pytest_infperf.serving.deploy.plan import VOLUME_GIB, DeploymentPlan
from pytest_infperf.serving.deploy.user_data import LIMIT_BYTES, script

_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
"""Amazon Linux's names of processor architectures, by the names of the system."""
_GRACE_S = 900
"""Time limit for an instance to install its packages and load the model, in seconds."""
_READINGS = 12
_PUBLISHER = """\
cat > /usr/local/bin/infperf-backlog <<'END'
#!/bin/bash
# Publishes a minute's readings of the waiting requests on this instance.
set -euo pipefail
values=()
for reading in {{1..{readings}}}; do
  waiting=$(curl --silent --fail --max-time 4 http://localhost:{port}/metrics \\
    | awk '$1 == "{metric}" {{ print $2 }}') || waiting=
  [ -z "$waiting" ] || values+=("$waiting")
  sleep 5
done
[ "${{!#values[@]}}" -gt 0 ] || exit 0
list=$(IFS=,; echo "${{!values[*]}}")
aws cloudwatch put-metric-data --region ${{AWS::Region}} --namespace {namespace} --metric-data \\
  '[{{"MetricName": "{metric}", "Values": ['"$list"'],
"Dimensions": [{{"Name": "{dimension}", "Value": "${{AWS::StackName}}"}}]}}]'
END
chmod 755 /usr/local/bin/infperf-backlog
cat > /etc/systemd/system/infperf-backlog.service <<'UNIT'
[Unit]
Description=waiting requests of infperf serve, for CloudWatch
After=infperf.service

[Service]
DynamicUser=yes
ExecStart=/usr/local/bin/infperf-backlog
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now infperf-backlog.service
"""
"""The part of the user data that publishes the backlog, for Fn::Sub."""


def publisher(port: int) -> str:
    """Return the part of the user data that publishes the backlog, for Fn::Sub."""
    return _PUBLISHER.format(
        readings=_READINGS,
        port=port,
        metric=backlog.METRIC,
        namespace=backlog.NAMESPACE,
        dimension=backlog.DIMENSION,
    )


def template(deployment: DeploymentPlan, plan: CapacityPlan) -> dict[str, Any]:
    """Return the template of a plan, in JSON types.

    Its parameters are the network, the image, the instance type and who may reach the load
    balancer. The policies are those of `CapacityPlan.target_tracking`; each adds instances, and
    instances end when all of them allow it.

    Raises
    ------
    UserError
        If the user data is longer than EC2 allows, or if Amazon Linux has no image for the host.
    """
    architecture = _ARCHITECTURES.get(plan.capacity.architecture)
    if architecture is None:
        raise UserError(
            f"Amazon Linux has no image for {plan.capacity.architecture}, on which "
            f"{plan.capacity.host} was measured"
        )
    scaling = plan.target_tracking({"Ref": "AWS::StackName"})
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{deployment.suite}[{deployment.variant}] for {plan.demand.rate:,.4g} "
        "requests per second, by infperf plan",
        "Parameters": _parameters(plan, _IMAGE.format(architecture=architecture)),
        "Resources": {
            **_access(deployment),
            **_balancer(deployment),
            **_group(deployment, scaling),
            **_policies(scaling),
        },
        "Outputs": {
            "Address": {
                "Description": "Address of the load balancer",
                "Value": {"Fn::Sub": "http://${LoadBalancer.DNSName}"},
            }
        },
    }


def to_yaml(content: dict[str, Any]) -> str:
    """Return a template as YAML. Raises UserError if PyYAML is not installed."""
    try:
        import yaml
    except ImportError as error:
        raise UserError("a template needs PyYAML: pip install 'pytest-infperf[aws]'") from error

    class Dumper(yaml.SafeDumper):
        """Writes multi-line texts as blocks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar(
            "tag:yaml.org,2002:str", value, style="|" if "\n" in value else None
        )

    Dumper.add_representer(str, text)
    return str(yaml.dump(content, Dumper=Dumper, sort_keys=False, width=100))


def _parameters(plan: CapacityPlan, image: str) -> dict[str, Any]:
    return {
        "Vpc": {"Type": "AWS::EC2::VPC::Id"},
        "Subnets": {
            "Type": "List<AWS::EC2::Subnet::Id>",
            "Description": "At least two, in different zones, with access to the internet",
        },
        "AllowedAddresses": {
            "Type": "String",
            "Description": "Who may reach the load balancer, as 203.0.113.0/24; the server has no "
            "password",
            "AllowedPattern": r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}",
        },
        "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": image},
        "InstanceType": {
            "Type": "String",
            "Default": plan.capacity.host,
            "Description": "The type that was measured; the plan is valid for this type only",
        },
    }


def _access(deployment: DeploymentPlan) -> dict[str, Any]:
    def security_group(description: str, port: int, **source: Any) -> dict[str, Any]:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        properties = {
            "GroupDescription": description,
            "VpcId": {"Ref": "Vpc"},
            "SecurityGroupIngress": [rule],
        }
        return {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}

    publish = {
        "Effect": "Allow",
        "Action": "cloudwatch:PutMetricData",
        "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": backlog.NAMESPACE}},
    }
    assume = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {
        "LoadBalancerSecurityGroup": security_group(
            "who may reach the load balancer", 80, CidrIp={"Ref": "AllowedAddresses"}
        ),
        "InstanceSecurityGroup": security_group(
            "only the load balancer",
            deployment.port,
            SourceSecurityGroupId={"Ref": "LoadBalancerSecurityGroup"},
        ),
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [assume]},
                "Policies": [
                    {
                        "PolicyName": "publish-the-backlog",
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": [publish]},
                    }
                ],
            },
        },
        "InstanceProfile": {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {"Roles": [{"Ref": "Role"}]},
        },
    }


def _balancer(deployment: DeploymentPlan) -> dict[str, Any]:
    return {
        "LoadBalancer": {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {
                "Type": "application",
                "Subnets": {"Ref": "Subnets"},
                "SecurityGroups": [{"Ref": "LoadBalancerSecurityGroup"}],
            },
        },
        "TargetGroup": {
            "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "Protocol": "HTTP",
                "Port": deployment.port,
                "HealthCheckPath": "/readyz",
                "HealthCheckIntervalSeconds": 10,
                "HealthyThresholdCount": 2,
                "Matcher": {"HttpCode": "200"},
                "TargetGroupAttributes": [
                    {
                        "Key": "load_balancing.algorithm.type",
                        "Value": "least_outstanding_requests",
                    },
                ],
            },
        },
        "Listener": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "LoadBalancer"},
                "Protocol": "HTTP",
                "Port": 80,
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "TargetGroup"}}],
            },
        },
    }


def _group(deployment: DeploymentPlan, scaling: dict[str, Any]) -> dict[str, Any]:
    own, published = script(deployment), publisher(deployment.port)
    if (size := len((own + published).encode())) > LIMIT_BYTES:
        raise UserError(f"the user data has {size:,} bytes, and EC2 allows {LIMIT_BYTES:,}")
    volume = {"VolumeSize": VOLUME_GIB, "VolumeType": "gp3", "Encrypted": True}
    return {
        "LaunchTemplate": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateData": {
                    "ImageId": {"Ref": "Image"},
                    "InstanceType": {"Ref": "InstanceType"},
                    "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["InstanceProfile", "Arn"]}},
                    "SecurityGroupIds": [{"Ref": "InstanceSecurityGroup"}],
                    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                    "BlockDeviceMappings": [
                        {"DeviceName": "/dev/xvda", "Ebs": {**volume, "DeleteOnTermination": True}}
                    ],
                    "UserData": {"Fn::Base64": {"Fn::Join": ["", [own, {"Fn::Sub": published}]]}},
                }
            },
        },
        "Group": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "DependsOn": "Listener",
            "Properties": {
                "MinSize": str(scaling["MinSize"]),
                "MaxSize": str(scaling["MaxSize"]),
                "DesiredCapacity": str(scaling["DesiredCapacity"]),
                "VPCZoneIdentifier": {"Ref": "Subnets"},
                "TargetGroupARNs": [{"Ref": "TargetGroup"}],
                "HealthCheckType": "ELB",
                "HealthCheckGracePeriod": _GRACE_S,
                "DefaultInstanceWarmup": _GRACE_S,
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "LaunchTemplate"},
                    "Version": {"Fn::GetAtt": ["LaunchTemplate", "LatestVersionNumber"]},
                },
                "Tags": [
                    {
                        "Key": "Name",
                        "Value": f"infperf-{deployment.name}",
                        "PropagateAtLaunch": True,
                    }
                ],
            },
        },
    }


def _policies(scaling: dict[str, Any]) -> dict[str, Any]:
    """Return a scaling policy for each target tracking configuration."""
    policies = {}
    for name, settings in scaling.items():
        if not isinstance(settings, dict):
            continue
        configuration = {key: dict(v) if isinstance(v, dict) else v for key, v in settings.items()}
        if name == "ALBRequestCountPerTarget":
            # CloudFormation has no attribute for this, so the two full names are joined by a slash.
            configuration["PredefinedMetricSpecification"]["ResourceLabel"] = {
                "Fn::Sub": "${LoadBalancer.LoadBalancerFullName}/${TargetGroup.TargetGroupFullName}"
            }
        policies[f"{name}Policy"] = {
            "Type": "AWS::AutoScaling::ScalingPolicy",
            "Properties": {
                "AutoScalingGroupName": {"Ref": "Group"},
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingConfiguration": configuration,
            },
        }
    return policies
