"""RDS: log exports, the key of Performance Insights, and the address of an Aurora cluster."""

from ministack.services import rds

from local_aws.patching import replaces

API = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/"
_MOST_LOG_TYPES = 8


def _members(params, prefix: str) -> list[str]:
    values = (rds._p(params, f"{prefix}.member.{index}") for index in range(1, _MOST_LOG_TYPES + 1))
    return [value for value in values if value]


def _remember(original, params, kept: dict, name: str):
    answer = original(params)
    made = kept.get(rds._p(params, name))
    if answer[0] == 200 and made is not None:
        change = "CloudwatchLogsExportConfiguration"
        on = _members(params, "EnableCloudwatchLogsExports") + _members(params, f"{change}.EnableLogTypes")
        off = _members(params, f"{change}.DisableLogTypes") + on
        before = made.get("EnabledCloudwatchLogsExports") or []
        made["EnabledCloudwatchLogsExports"] = [export for export in before if export not in off] + on
        key = rds._p(params, "PerformanceInsightsKMSKeyId") or made.get("PerformanceInsightsKMSKeyId", "")
        made["PerformanceInsightsKMSKeyId"] = key
    return answer


@replaces(rds, "_create_db_instance_impl", written_for="cfde6023907a", follows=API + "API_CreateDBInstance.html")
def create_db_instance(original, params):
    return _remember(original, params, rds._instances, "DBInstanceIdentifier")


@replaces(rds, "_modify_db_instance", written_for="05a4f3f74e13", follows=API + "API_ModifyDBInstance.html")
def modify_db_instance(original, params):
    return _remember(original, params, rds._instances, "DBInstanceIdentifier")


@replaces(rds, "_create_db_cluster", written_for="fd744759e311", follows=API + "API_CreateDBCluster.html")
def create_db_cluster(original, params):
    return _remember(original, params, rds._clusters, "DBClusterIdentifier")


@replaces(rds, "_modify_db_cluster", written_for="59ebd866fc4d", follows=API + "API_ModifyDBCluster.html")
def modify_db_cluster(original, params):
    return _remember(original, params, rds._clusters, "DBClusterIdentifier")


def _with_exports(xml: str, made: dict) -> str:
    exports = "".join(f"<member>{export}</member>" for export in made.get("EnabledCloudwatchLogsExports") or [])
    more = f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>"
    if made.get("PerformanceInsightsKMSKeyId"):
        more += f"<PerformanceInsightsKMSKeyId>{made['PerformanceInsightsKMSKeyId']}</PerformanceInsightsKMSKeyId>"
    xml = xml.replace("<EnabledCloudwatchLogsExports/>", "")
    return xml.replace("<DeletionProtection>", more + "<DeletionProtection>")


@replaces(rds, "_instance_xml", written_for="97bb74e4c17b", follows=API + "API_DBInstance.html")
def instance_xml(original, instance: dict) -> str:
    return _with_exports(original(instance), instance)


@replaces(rds, "_cluster_xml", written_for="df19661da2b0", follows=API + "API_DBCluster.html")
def cluster_xml(original, cluster: dict) -> str:
    return _with_exports(original(cluster), cluster)


@replaces(rds, "_sync_cluster_endpoints", written_for="40cd7e2a947a", follows=API + "API_DBCluster.html")
def sync_cluster_endpoints(original, cluster: dict) -> None:
    """A cluster keeps its address when it gets instances."""
