"""All services: a call that Terraform's SDK repeats gets the answer of the first.

The SDK repeats a call whose answer did not come in time, under the same invocation id. AWS answers in time; here, on a busy
machine, the second CreateSecurityGroup would find the group of the first. For everybody else a repeated call is a second
call, as on AWS.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

import asyncio
import logging

log = logging.getLogger("local_aws")

# Answers that are kept; a call is repeated within a minute.
_MOST_ANSWERS = 4096


def answer_once(app):
    """Wraps an ASGI application."""
    answers: dict[bytes, asyncio.Future] = {}

    async def once(scope, receive, send):
        headers = dict(scope.get("headers") or ())
        call = headers.get(b"amz-sdk-invocation-id")
        if scope["type"] != "http" or not call or b"terraform" not in headers.get(b"user-agent", b"").lower():
            return await app(scope, receive, send)
        if call in answers:
            messages = await asyncio.shield(answers[call])
            if messages and messages[0].get("status", 500) < 400:
                log.warning("answered again: %s %s", scope.get("path"), call.decode())
                for message in messages:
                    await send(message)
                return None
        first = answers[call] = asyncio.get_running_loop().create_future()
        while len(answers) > _MOST_ANSWERS:
            answers.pop(next(iter(answers)))
        messages = []

        async def keep(message):
            messages.append(message)
            await send(message)

        try:
            return await app(scope, receive, keep)
        finally:
            if not first.done():
                first.set_result(messages)

    return once
