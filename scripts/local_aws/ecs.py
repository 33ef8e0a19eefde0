"""ECS: a service remembers its availability zone rebalancing."""

import json

from ministack.services import ecs

from local_aws.patching import replaces

API = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/"


def _remember(original, data: dict):
    answer = original(data)
    if answer[0] == 200:
        arn = json.loads(answer[2])["service"]["serviceArn"]
        for service in ecs._services.values():
            if service.get("serviceArn") == arn:
                before = service.get("availabilityZoneRebalancing")
                service["availabilityZoneRebalancing"] = data.get("availabilityZoneRebalancing") or before or "DISABLED"
    return answer


@replaces(ecs, "_create_service", written_for="8bc82a13551c", follows=API + "API_CreateService.html")
def create_service(original, data: dict):
    return _remember(original, data)


@replaces(ecs, "_update_service", written_for="bde69c11b50d", follows=API + "API_UpdateService.html")
def update_service(original, data: dict):
    return _remember(original, data)
