"""Interface endpoints: their security groups and private DNS."""

from ministack.services import ec2

from local_aws.patching import replaces

API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"


@replaces(ec2, "_create_vpc_endpoint", written_for="d5a50e265189", follows=API + "API_CreateVpcEndpoint.html")
def create_vpc_endpoint(original, params):
    before = set(ec2._vpc_endpoints)
    answer = original(params)
    for made in set(ec2._vpc_endpoints) - before:
        ec2._vpc_endpoints[made].update(
            groups=ec2._parse_member_list(params, "SecurityGroupId"),
            private_dns=ec2._p(params, "PrivateDnsEnabled") == "true",
        )
    return answer


@replaces(ec2, "_modify_vpc_endpoint", written_for="f60c0a5a042f", follows=API + "API_ModifyVpcEndpoint.html")
def modify_vpc_endpoint(original, params):
    endpoint = ec2._vpc_endpoints.get(ec2._p(params, "VpcEndpointId"))
    if endpoint:
        removed = ec2._parse_member_list(params, "RemoveSecurityGroupId")
        kept = [group for group in endpoint.get("groups", []) if group not in removed]
        endpoint["groups"] = kept + ec2._parse_member_list(params, "AddSecurityGroupId")
        if ec2._p(params, "PrivateDnsEnabled"):
            endpoint["private_dns"] = ec2._p(params, "PrivateDnsEnabled") == "true"
    return original(params)


@replaces(ec2, "_vpce_fields_xml", written_for="645fd486d622", follows=API + "API_VpcEndpoint.html")
def vpce_fields_xml(original, endpoint, tag="item"):
    groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in endpoint.get("groups", []))
    private = str(endpoint.get("private_dns", False)).lower()
    more = f"<groupSet>{groups}</groupSet><privateDnsEnabled>{private}</privateDnsEnabled>"
    return original(endpoint, tag).replace("<routeTableIdSet>", more + "<routeTableIdSet>")
