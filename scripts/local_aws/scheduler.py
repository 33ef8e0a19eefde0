"""EventBridge Scheduler: CreateSchedule honours `ClientToken`."""

from ministack.services import scheduler

from local_aws.patching import replaces

_answers: dict[tuple, tuple] = {}


@replaces(
    scheduler,
    "_create_schedule",
    written_for="5b205607c15c",
    follows="https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html",
)
def create_schedule(original, name: str, body: dict):
    """A repeated call with the same token is the same request: the SDK repeats one that timed out."""
    token = body.get("ClientToken")
    key = (body.get("GroupName", "default"), name, token)
    if token and key in _answers:
        return _answers[key]
    answer = original(name, body)
    if answer[0] == 200 and token:
        _answers[key] = answer
    return answer
