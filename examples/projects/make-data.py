#!/usr/bin/env python3
"""Makes the records and labels of the example projects, always the same: examples/projects/make-data.py

Each example has usual days with two faults in them, which its labels name and its rules find.
"""
import datetime
import json
import math
import pathlib
import random

HERE = pathlib.Path(__file__).parent
BEGIN = datetime.datetime(2026, 1, 5)


def at(minutes: float) -> str:
    time = BEGIN + datetime.timedelta(minutes=minutes)
    return time.isoformat(timespec="milliseconds" if time.microsecond else "seconds") + "Z"


def write(example: str, file: str, events: list[tuple[float, dict]], faults: list[tuple]) -> None:
    folder = HERE / example
    for part in ("data", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    events.sort(key=lambda event: event[0])
    lines = (json.dumps({"timestamp": at(minutes), **fields}, separators=(",", ":")) for minutes, fields in events)
    (folder / "data" / file).write_text("\n".join(lines) + "\n")
    labels = [
        {"kind": kind, "source": source, **({"metric": metric} if metric else {}), "start": at(start), "end": at(end)}
        for kind, source, metric, start, end in faults
    ]
    text = ",\n".join("  " + json.dumps(label) for label in labels)
    (folder / "labels" / "faults.json").write_text(f"[\n{text}\n]\n")


def iot() -> None:
    """Three rooms, a reading each ten minutes for three days: the cellar gets damp, the attic falls silent."""
    dice = random.Random(1)
    events = []
    for room, warm, damp in (("attic", 17, 48), ("cellar", 12, 58), ("kitchen", 21, 45)):
        for step in range(3 * 144):
            minute = step * 10 + {"attic": 0, "cellar": 1, "kitchen": 2}[room]
            if room == "attic" and 2 * 1440 + 360 <= minute < 2 * 1440 + 600:
                continue
            day = math.sin((minute / 1440 - 0.4) * 2 * math.pi)
            humidity = damp + 4 * day + dice.gauss(0, 0.8)
            if room == "cellar" and 1440 + 840 <= minute < 1440 + 1020:
                humidity += 26
            common = {"source": room, "battery": 100 - step // 100}
            events.append((minute, {**common, "metric": "temperature", "value": round(warm + 2 * day + dice.gauss(0, 0.2), 1)}))
            events.append((minute, {**common, "metric": "humidity", "value": round(humidity, 1)}))
    write("iot", "readings.jsonl", events, [
        ("level_shift", "cellar", "humidity", 1440 + 840, 1440 + 1020),
        ("gap", "attic", None, 2 * 1440 + 360, 2 * 1440 + 600),
    ])


def web() -> None:
    """Requests of a shop for six hours: the checkout gets slow, the search answers with errors."""
    dice = random.Random(2)
    routes = {"/": 25, "/search": 80, "/product": 45, "/checkout": 120}
    events = []
    minute = 0.0
    while minute < 360:
        minute += dice.expovariate(7)
        route = dice.choice(list(routes))
        took = routes[route] * dice.lognormvariate(0, 0.3)
        status = 500 if dice.random() < 0.01 else 200
        if route == "/checkout" and 120 <= minute < 150:
            took *= 8
        if route == "/search" and 240 <= minute < 260 and dice.random() < 0.6:
            status, took = 503, 4.0
        fields = {"source": route, "metric": "latency", "value": round(took, 1), "status": status}
        events.append((minute, fields))
    write("web", "requests.jsonl", events, [
        ("level_shift", "/checkout", None, 120, 150),
        ("burst", "/search", None, 240, 260),
    ])


def payments() -> None:
    """Payments at four merchants for twelve hours: stolen cards are tried at one, another gets one far too large."""
    dice = random.Random(3)
    events = []
    for number, usual in enumerate((18, 35, 60, 110), start=1):
        minute = dice.random()
        while minute < 720:
            amount = round(usual * dice.lognormvariate(0, 0.5), 2)
            events.append((minute, {"source": f"merchant-{number}", "metric": "amount", "value": amount, "currency": "EUR", "card": f"c{dice.randrange(4000):04}"}))
            minute += dice.expovariate(0.7)
    for count in range(60):
        minute = 305 + count * 0.13
        events.append((minute, {"source": "merchant-2", "metric": "amount", "value": 1.0, "currency": "EUR", "card": f"c{9000 + count}"}))
    events.append((560.5, {"source": "merchant-4", "metric": "amount", "value": 9800.0, "currency": "EUR", "card": "c0815"}))
    write("payments", "payments.jsonl", events, [
        ("burst", "merchant-2", None, 300, 320),
        ("spike", "merchant-4", "amount", 560, 561),
    ])


def logs() -> None:
    """Log lines of three services for six hours: one writes errors, one falls silent."""
    dice = random.Random(4)
    events = []
    for service in ("api", "billing", "worker"):
        minute = dice.random()
        while minute < 360:
            silent = service == "worker" and 220 <= minute < 280
            if not silent:
                level = dice.choices(("info", "warn", "error"), (90, 8, 2))[0]
                events.append((minute, {"source": service, "metric": level, "value": 1, "message": f"{level} of request {dice.randrange(10**6):06}"}))
            minute += dice.expovariate(2)
    for count in range(45):
        events.append((95 + count * 0.08, {"source": "billing", "metric": "error", "value": 1, "message": "connection to ledger refused"}))
    write("logs", "lines.jsonl", events, [
        ("burst", "billing", None, 95, 100),
        ("gap", "worker", None, 220, 280),
    ])


for example in (iot, web, payments, logs):
    example()
