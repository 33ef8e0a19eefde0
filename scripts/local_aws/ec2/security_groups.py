"""Rules of security groups: descriptions and prefix lists."""

from ministack.services import ec2

from local_aws.patching import replaces

API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
_MOST_PREFIX_LISTS = 1000


@replaces(ec2, "_authorize_sg_egress", written_for="35b543334920", follows=API + "API_AuthorizeSecurityGroupEgress.html")
def authorize_sg_egress(original, params):
    """A default rule that is declared again takes the new description: the old one goes first."""
    group = ec2._security_groups.get(ec2._p(params, "GroupId"))
    if group:
        for rule in ec2._parse_ip_permissions(params, "IpPermissions"):
            group["IpPermissionsEgress"] = [old for old in group["IpPermissionsEgress"] if not ec2._rules_match(rule, old)]
    return original(params)


@replaces(ec2, "_parse_ip_permissions", written_for="7c2dbe7668af", follows=API + "API_IpPermission.html")
def parse_ip_permissions(original, params, prefix):
    """With the prefix lists of each rule."""
    rules = original(params, prefix)
    for index, rule in enumerate(rules, 1):
        for number in range(1, _MOST_PREFIX_LISTS):
            at = f"{prefix}.{index}.PrefixListIds.{number}"
            id, description = ec2._p(params, f"{at}.PrefixListId"), ec2._p(params, f"{at}.Description")
            if not id:
                break
            rule["PrefixListIds"].append({"PrefixListId": id, **({"Description": description} if description else {})})
    return rules


@replaces(ec2, "_sg_rule_xml", written_for="1827f3e2af78", follows=API + "API_SecurityGroupRule.html")
def sg_rule_xml(original, group_id, rule, is_egress=False):
    xml = original(group_id, rule, is_egress=is_egress)
    has_nothing_else = any(rule.get(key) == [] for key in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs"))
    for prefix_list in rule.get("PrefixListIds", [])[:1] if has_nothing_else else []:
        xml = xml.replace("</toPort>", f"</toPort><prefixListId>{prefix_list['PrefixListId']}</prefixListId>")
    return xml
