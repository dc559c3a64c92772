"""Some weeks of a small company's traffic, and attacks of which it is known when they began and what must be told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from processors.evaluation import Transition
from processors.security.alarm import Alarm
from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from processors.security.sighting import Sighting, refusal, sighting
from tests.support.attacks import CHROME, FIREFOX, LATENESS, NANO, TICK

MONDAY = 1_794_787_200
"""2026-11-16T00:00:00Z, in seconds."""
MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800
MIB = 1 << 20
SERVICE = "app"
OFFICE = "192.0.2.10"
"""All of the office behind one address."""
CHECKER = "192.0.2.250"
EDGE = CHROME.replace("Safari/537.36", "Safari/537.36 Edg/130.0")
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
TOOL = "python-requests/2.32"
_BROWSERS = (CHROME, CHROME, FIREFOX, EDGE, SAFARI)
_LEARNING = 16 * DAY
"""Before that not everybody is known well; attacks come later."""


@dataclass(frozen=True, slots=True)
class Attack:
    """`about` are the addresses, users and the service that alerts about it may name; times in seconds since 1970."""

    name: str
    rules: frozenset[str]
    about: frozenset[str]
    began: float
    ended: float

    def explains(self, alarm: Alarm) -> bool:
        """Whether an alarm is about it."""
        during = self.began - 1 <= alarm.last_unix_nano / NANO and alarm.first_unix_nano / NANO <= self.ended + 1
        return during and any(value in self.about for _, value in alarm.key)


@dataclass(slots=True)
class Traffic:
    """Sightings in the order in which they happened."""

    weeks: int
    sightings: list[Sighting] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    home: str
    browser: str
    mobile: bool
    """Is somewhere else every day."""


def traffic(weeks: int, seed: int, *, attacked: bool = True) -> Traffic:
    """The same for the same numbers; attacks, if any, begin in the third week."""
    found = Traffic(weeks)
    _Company(found, random.Random(seed)).live()  # noqa: S311  # traffic, not secrets
    if attacked:
        _Attackers(found, random.Random(seed + 1)).attack()  # noqa: S311  # as above
    found.sightings.sort(key=lambda one: one.time_unix_nano)
    return found


@dataclass(slots=True)
class Judged:
    """`episodes` are all alarms from begin to end, `fired` the transitions with which each began or got worse."""

    episodes: list[Alarm]
    fired: list[Transition]
    judging: SecurityJudging


def judged(sightings: list[Sighting], settings: SecuritySettings | None = None) -> Judged:
    """As they would be live, a tick every ten seconds; those of a long silence are left out."""
    judging = SecurityJudging(settings or SecuritySettings(), LATENESS)
    found = Judged([], [], judging)
    judging.episodes.on_over = found.episodes.append
    tick = sightings[0].time_unix_nano // TICK * TICK
    settled = int((LATENESS + 30) * NANO)
    for one in sightings:
        quiet = tick + settled
        while tick + TICK <= min(one.time_unix_nano, quiet):
            tick += TICK
            found.fired += judging.judge(tick, frozen=False)[1]
        tick = max(tick, one.time_unix_nano // TICK * TICK)
        judging.take(one)
    found.fired += judging.judge(tick + settled, frozen=False)[1]
    found.episodes += judging.alarms
    found.fired = [one for one in found.fired if one.status == "firing"]
    return found


@dataclass(slots=True)
class Score:
    """Of a rule: alarms that were right and wrong, attacks that were found and missed, and how soon."""

    right: int = 0
    wrong: list[float] = field(default_factory=list)
    """When they began, in seconds since 1970."""
    found: int = 0
    missed: int = 0
    delays: list[float] = field(default_factory=list)
    """Seconds from the begin of an attack to its alert."""

    @property
    def precision(self) -> float:
        told = self.right + len(self.wrong)
        return self.right / told if told else 1.0

    @property
    def recall(self) -> float:
        attacks = self.found + self.missed
        return self.found / attacks if attacks else 1.0


def scores(truth: Traffic, told: Judged) -> dict[str, Score]:
    """By rule. An alarm is right if an attack explains it, whether or not that one had to be told by this rule."""
    found = {one.name: Score() for one in told.judging.descriptions}
    for alarm in told.episodes:
        score = found[alarm.rule]
        explained = any(attack.explains(alarm) for attack in truth.attacks)
        score.right += explained
        score.wrong += [] if explained else [alarm.first_unix_nano / NANO]
    for attack in truth.attacks:
        for rule in attack.rules:
            alarms = [one for one in told.episodes if one.rule == rule and attack.explains(one)]
            found[rule].found += bool(alarms)
            found[rule].missed += not alarms
            found[rule].delays += [min(one.fired_unix_nano for one in alarms) / NANO - attack.began] if alarms else []
    return found


def _at(seconds: float) -> int:
    return round(seconds * 1000) * 1_000_000


class _Events:
    """Writes what apps tell."""

    def __init__(self, found: Traffic, chance: random.Random) -> None:
        self.found = found
        self.chance = chance

    def event(self, at: float, name: str, outcome: str, labels: dict[str, Any]) -> None:
        trace = f"{self.chance.getrandbits(128):032x}"
        self.found.sightings.append(sighting(name, outcome, _at(at), trace, {"service.name": SERVICE, **labels}))

    def login(self, at: float, user: str, address: str, browser: str, *, failed: bool = False) -> None:
        labels = {"user.id": user, "client.address": address, "user_agent.original": browser}
        self.event(at, "auth.login", "failure" if failed else "success", labels)

    def export(self, at: float, user: str, size: int) -> None:
        labels = {"user.id": user, "client.address": OFFICE, "http.response.body.size": size}
        self.event(at, "data.export", "success", labels)

    def limited(self, at: float, address: str) -> None:
        self.event(at, "rate_limit.exceeded", "failure", {"client.address": address})

    def refused(self, at: float, address: str, path: str, status: int) -> None:
        labels = {
            "service.name": SERVICE,
            "client.address": address,
            "url.path": path,
            "http.response.status_code": status,
        }
        self.found.sightings.append(refusal(labels, _at(at), f"{self.chance.getrandbits(128):032x}"))


def people() -> list[Person]:
    """Forty: thirty come to the office, ten only work from elsewhere; every second home has IPv6."""
    found = []
    for number in range(40):
        home = f"2001:db8:{number + 1:x}:1::" if number % 2 else f"10.{number + 1}.0.7"
        browser = _BROWSERS[number % len(_BROWSERS)]
        found.append(Person(f"user-{number}", home, browser, mobile=number % 8 == 7))
    return found


class _Company(_Events):
    def live(self) -> None:
        for day in range(self.found.weeks * 7):
            morning = MONDAY + day * DAY
            self._checker(morning)
            self._small_hours(morning)
            if day % 7 < 5:
                self._working_day(day, morning)
        for week in range(1, self.found.weeks):
            self._outage(MONDAY + week * WEEK + DAY * self.chance.randrange(5) + 10 * HOUR)

    def _working_day(self, day: int, morning: float) -> None:
        for number, person in enumerate(people()):
            if self.chance.random() < 0.92:
                self._person(person, day, morning, comes=number % 4 != 3)
        self._polling(morning)
        self._dead_links(morning)
        self._exports(day, morning)
        if day % 10 == 3:
            self._old_password(self.chance.choice(people()), morning)
        if day % 7 == 0:
            self._starter(day, morning)

    def _person(self, person: Person, day: int, morning: float, *, comes: bool) -> None:
        in_office = comes and self.chance.random() < 0.7
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            at = morning + self.chance.gauss(8.5 if self.chance.random() < 0.7 else 13.5, 0.6) * HOUR
            address = OFFICE if in_office else self._place(person, day)
            browser = person.browser
            if self.chance.random() < 0.01:
                browser = self.chance.choice(_BROWSERS)  # another browser, where they always are
            at = self._typos(at, person.name, address, browser)
            self.login(at, person.name, address, browser)

    def _place(self, person: Person, day: int) -> str:
        if person.mobile:
            return f"10.{100 + day % 100}.{self.chance.randrange(200)}.9"
        if ":" in person.home:
            return f"{person.home}{self.chance.randrange(1, 1 << 16):x}"  # another of the same subscriber
        return person.home

    def _typos(self, at: float, user: str, address: str, browser: str) -> float:
        """The time after them: mostly none; once in two hundred the password is forgotten."""
        many = self.chance.choices((0, 1, 2, 3, 7), (85, 10, 3, 1.5, 0.5))[0]
        for _ in range(many):
            self.login(at, user, address, browser, failed=True)
            at += self.chance.uniform(4, 25)
        return at + (self.chance.uniform(200, 600) if many > 3 else 0)

    def _old_password(self, person: Person, morning: float) -> None:
        """Changed at noon; the phone's password manager tries the old one all afternoon."""
        at = morning + 12 * HOUR
        while at < morning + 16 * HOUR:
            self.login(at, person.name, person.home, SAFARI, failed=True)
            at += self.chance.uniform(80, 200)

    def _starter(self, day: int, morning: float) -> None:
        """The first day of somebody whose password does not work at once."""
        at = morning + 9 * HOUR
        for _ in range(self.chance.randrange(1, 4)):
            self.login(at, f"starter-{day}", OFFICE, CHROME, failed=True)
            at += self.chance.uniform(20, 60)
        self.login(at, f"starter-{day}", OFFICE, CHROME)

    def _checker(self, morning: float) -> None:
        """Logs in every five minutes; asks for two pages that it may not see."""
        for at in range(0, DAY, 300):
            self.login(morning + at + 1, "checker", CHECKER, "uptime/1.0")
            for path in ("/", "/api/v1/status"):
                self.refused(morning + at + 2, CHECKER, path, 401)

    def _small_hours(self, morning: float) -> None:
        """Somebody who works at night now and then, and background noise of the internet."""
        if self.chance.random() < 0.1:
            person = self.chance.choice(people())
            self.login(morning + self.chance.uniform(0, 5) * HOUR, person.name, person.home, person.browser)
        for _ in range(self.chance.randrange(6)):
            address = f"203.0.113.{self.chance.randrange(100, 200)}"
            at = morning + self.chance.uniform(0, DAY)
            for number in range(self.chance.randrange(1, 8)):
                self.refused(at + number, address, f"/wp-admin/{number}.php", 401)

    def _polling(self, morning: float) -> None:
        """A dashboard in the office that asks too often."""
        for start in range(8 * HOUR, 17 * HOUR, HOUR):
            for _ in range(self.chance.randrange(12)):
                self.limited(morning + start + self.chance.uniform(0, 240), OFFICE)

    def _dead_links(self, morning: float) -> None:
        """A page with pictures that are gone, and a list of orders whose session has ended."""
        for _ in range(self.chance.randrange(4, 12)):
            at = morning + self.chance.uniform(8, 17) * HOUR
            for number in range(self.chance.randrange(3, 16)):
                self.refused(at + number / 10, OFFICE, f"/pictures/{number}.png", 404)
        at = morning + self.chance.uniform(8, 17) * HOUR
        for number in range(20):
            self.refused(at + number / 20, OFFICE, f"/api/v1/work-orders/{number}", 401)

    def _exports(self, day: int, morning: float) -> None:
        for number in range(8):
            for _ in range(self.chance.randrange(4)):
                at = morning + self.chance.uniform(8, 17) * HOUR
                self.export(at, f"user-{number}", int(self.chance.lognormvariate(1, 0.7) * MIB))
        if day % 7 == 4:
            self.export(morning + 16 * HOUR, "user-9", 400 * MIB)  # every Friday
        if day % 28 == 25:
            for number in range(18):  # the end of the month
                self.export(morning + 15 * HOUR + number * 30, "user-3", 200_000)

    def _outage(self, at: float) -> None:
        """For twenty minutes nobody gets in, whoever they are and wherever from."""
        for number, person in enumerate(people()):
            address = OFFICE if number % 4 != 3 else person.home
            tried = at + self.chance.uniform(0, 15 * MINUTE)
            for _ in range(self.chance.randrange(1, 5)):
                self.login(tried, person.name, address, person.browser, failed=True)
                tried += self.chance.uniform(20, 120)


class _Attackers(_Events):
    """One attack every six hours or so; each kind comes in turn, from addresses that nobody else has."""

    _number = 0
    _entered = 0

    def attack(self) -> None:
        kinds = (
            self._guessing,
            self._spraying,
            self._slow_spraying,
            self._stuffing,
            self._distributed,
            self._getting_in,
            self._scanning,
            self._volume,
            self._count,
            self._hammering,
            self._stolen,
        )
        at = MONDAY + _LEARNING + HOUR
        while at < MONDAY + self.found.weeks * WEEK - DAY:
            kind = kinds[self._number % len(kinds)]
            self._number += 1
            kind(at + self.chance.uniform(0, HOUR))
            at += 6 * HOUR

    def _tell(self, name: str, rules: tuple[str, ...], about: list[str], began: float, ended: float) -> None:
        named = frozenset(f"security.{rule}" for rule in rules)
        keys = frozenset(_keys(about))
        self.found.attacks.append(Attack(name, named, keys, began, ended))

    def _address(self, number: int = 0) -> str:
        return f"172.{16 + number % 16}.{self._number % 256}.{1 + number // 16}"

    def _user(self) -> str:
        return f"user-{self.chance.randrange(40)}"

    def _victim(self) -> str:
        """Another one each time: whoever got in as them once is no stranger any more."""
        self._entered += 1
        return f"user-{self._entered % 40}"

    def _fail(self, at: float, user: str, address: str) -> None:
        self.login(at, user, address, TOOL, failed=True)

    def _guessing(self, at: float) -> None:
        user, address, end = self._user(), self._address(), at
        for _ in range(self.chance.randrange(8, 120)):
            self._fail(end, user, address)
            end += self.chance.uniform(1, 60)
        self._tell("guessing", ("guessing.user", "guessing.address"), [user, address], at, end)

    def _spraying(self, at: float) -> None:
        address, end, users = self._address(), at, self.chance.sample(range(40), 12)
        for _ in range(2):
            for user in users:
                self._fail(end, f"user-{user}", address)
                end += self.chance.uniform(2, 20)
        about = [address, SERVICE]
        self._tell("spraying", ("guessing.address", "spraying"), about, at, end)

    def _slow_spraying(self, at: float) -> None:
        address, end = self._address(), at
        for user in self.chance.sample(range(40), 14):
            self._fail(end, f"user-{user}", address)
            end += self.chance.uniform(40, 100) * MINUTE
        self._tell("slow spraying", ("spraying.slow",), [address], at, end)

    def _stuffing(self, at: float) -> None:
        end, addresses = at, [self._address(number) for number in range(40)]
        for number, address in enumerate(addresses):
            self._fail(end, f"leaked-{number}@example.com", address)
            end += self.chance.uniform(2, 25)
        self._tell("stuffing", ("stuffing",), [*addresses, SERVICE], at, end)

    def _distributed(self, at: float) -> None:
        user, end, addresses = self._user(), at, [self._address(number) for number in range(7)]
        for number in range(16):
            self._fail(end, user, addresses[number % 7])
            end += self.chance.uniform(180, 230)
        self._tell("guessing from everywhere", ("guessing.distributed",), [user, *addresses], at, end)

    def _getting_in(self, at: float) -> None:
        user, address, end = self._victim(), self._address(), at
        for _ in range(self.chance.randrange(6, 40)):
            self._fail(end, user, address)
            end += self.chance.uniform(1, 30)
        self.login(end, user, address, TOOL)
        rules = ("guessing.user", "guessing.address", "breach", "new_place")
        self._tell("guessing that gets in", rules, [user, address], at, end)

    def _scanning(self, at: float) -> None:
        address, end = self._address(), at
        for number in range(self.chance.randrange(60, 400)):
            self.refused(end, address, f"/.git/{number}", self.chance.choice((401, 403, 404)))
            end += self.chance.uniform(0.1, 3)
        self._tell("scanning", ("scanning",), [address], at, end)

    def _volume(self, at: float) -> None:
        user, end = f"user-{self.chance.randrange(8)}", at
        for _ in range(14):
            self.export(end, user, 40 * MIB)
            end += self.chance.uniform(5, 15) * MINUTE
        self._tell("exfiltration by volume", ("export.volume",), [user], at, end)

    def _count(self, at: float) -> None:
        user, end = self._user(), at
        for _ in range(40):
            self.export(end, user, 100_000)
            end += self.chance.uniform(3, 15)
        self._tell("exfiltration by count", ("export.count",), [user], at, end)

    def _hammering(self, at: float) -> None:
        address, end = self._address(), at
        for _ in range(150):
            self.limited(end, address)
            end += self.chance.uniform(0.5, 3)
        self._tell("hammering", ("rate_limit",), [address], at, end)

    def _stolen(self, at: float) -> None:
        user, address = self._victim(), self._address()
        self.login(at, user, address, TOOL)
        self._tell("a stolen password", ("new_place",), [user, address], at, at)


def _keys(about: list[str]) -> Iterator[str]:
    """As alerts name them: of IPv6 the subscriber."""
    for one in about:
        yield sighting("", "", 0, "", {"client.address": one}).address if ":" in one else one
