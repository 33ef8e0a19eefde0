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
BEGIN = datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc)


def at(minutes: float) -> datetime.datetime:
    time = BEGIN + datetime.timedelta(minutes=minutes)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def text(time: datetime.datetime) -> str:
    return time.isoformat(timespec="milliseconds" if time.microsecond else "seconds").replace("+00:00", "Z")


def as_json(fields: dict) -> str:
    return json.dumps(fields, separators=(",", ":"))


def write(example: str, file: str, records: list[tuple[float, str]], faults: list[tuple]) -> None:
    folder = HERE / example
    for part in ("data", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    records.sort(key=lambda record: record[0])
    (folder / "data" / file).write_text("".join(record + "\n" for _, record in records))
    labels = [
        {"kind": kind, "source": source, "start": text(at(start)), "end": text(at(end))}
        for kind, source, start, end in faults
    ]
    lines = ",\n".join("  " + json.dumps(label) for label in labels)
    (folder / "labels" / "faults.json").write_text(f"[\n{lines}\n]\n")


def iot() -> None:
    """Three rooms, a reading each ten minutes for three days: the cellar gets damp, the attic falls silent."""
    dice = random.Random(1)
    records = []
    for room, warm, damp in (("attic", 17, 48), ("cellar", 12, 58), ("kitchen", 21, 45)):
        for step in range(3 * 144):
            minute = step * 10 + {"attic": 0, "cellar": 1, "kitchen": 2}[room]
            day = math.sin((minute / 1440 - 0.4) * 2 * math.pi)
            temperature = round(warm + 2 * day + dice.gauss(0, 0.2), 1)
            humidity = damp + 4 * day + dice.gauss(0, 0.8)
            if room == "attic" and 2 * 1440 + 360 <= minute < 2 * 1440 + 600:
                continue
            if room == "cellar" and 1440 + 840 <= minute < 1440 + 1020:
                humidity += 26
            fields = {"device": room, "last_seen": text(at(minute)), "temperature": temperature, "humidity": round(humidity, 1), "battery": 100 - step // 100}
            records.append((minute, as_json(fields)))
    write("iot", "readings.jsonl", records, [
        ("level_shift", "cellar", 1440 + 840, 1440 + 1020),
        ("gap", "attic", 2 * 1440 + 360, 2 * 1440 + 600),
    ])


def web() -> None:
    """Requests of a shop for six hours: the checkout gets slow, the search answers with errors."""
    dice = random.Random(2)
    routes = {"/": 25, "/search": 80, "/product": 45, "/checkout": 120}
    records = []
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
        fields = {"time": text(at(minute)), "method": "POST" if route == "/checkout" else "GET", "route": route, "status": status, "took_ms": round(took, 1)}
        records.append((minute, as_json(fields)))
    write("web", "requests.jsonl", records, [
        ("level_shift", "/checkout", 120, 150),
        ("burst", "/search", 240, 260),
    ])


def payments() -> None:
    """Payments at four merchants for twelve hours: stolen cards are tried at one, another gets one far too large."""
    dice = random.Random(3)
    records = []

    def pay(minute: float, merchant: str, amount: float, card: str) -> None:
        fields = {"created": int(at(minute).timestamp()), "merchant": merchant, "amount": amount, "currency": "EUR", "card": card}
        records.append((minute, as_json(fields)))

    for number, usual in enumerate((18, 35, 60, 110), start=1):
        minute = dice.random()
        while minute < 720:
            pay(minute, f"merchant-{number}", round(usual * dice.lognormvariate(0, 0.5), 2), f"c{dice.randrange(4000):04}")
            minute += dice.expovariate(0.7)
    for count in range(60):
        pay(305 + count * 0.13, "merchant-2", 1.0, f"c{9000 + count}")
    pay(560.5, "merchant-4", 9800.0, "c0815")
    write("payments", "payments.jsonl", records, [
        ("burst", "merchant-2", 300, 320),
        ("spike", "merchant-4", 560, 561),
    ])


def logs() -> None:
    """Log lines of three services for six hours: one writes errors, one falls silent."""
    dice = random.Random(4)
    records = []

    def line(minute: float, level: str, service: str, took: int, message: str) -> None:
        records.append((minute, f'time={text(at(minute))} level={level} service={service} took_ms={took} msg="{message}"'))

    for service in ("api", "billing", "worker"):
        minute = dice.random()
        while minute < 360:
            silent = service == "worker" and 220 <= minute < 280
            level = dice.choices(("info", "warn", "error"), (90, 8, 2))[0]
            if not silent:
                line(minute, level, service, dice.randrange(5, 60), f"request {dice.randrange(10**6):06}")
            minute += dice.expovariate(2)
    for count in range(45):
        line(95 + count * 0.08, "error", "billing", 2000, "connection to ledger refused")
    write("logs", "lines.log", records, [
        ("burst", "billing", 95, 100),
        ("gap", "worker", 220, 280),
    ])


for example in (iot, web, payments, logs):
    example()
