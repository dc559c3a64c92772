"""Questions are asked once for all who ask, and none of them keeps the others waiting for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.engine import Engine, QueryError
from analysis.period import Period
from dashboard import records as records_module
from dashboard.records import Records, Same, TooLongError
from storage.state import State, StateError
from tests.support.week import Week

ALL = Period(0, 2**62)


def _records(folder: Path) -> Records:
    return Records(folder, None, folder / ".forecourt", 2**29)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.001)


def _run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]  # a coroutine


def test_many_who_ask_the_same_share_one_answer(week: Week) -> None:
    """A hundred pages that want the same number cost one query."""
    asked: list[Period] = []

    def question(engine: Engine, period: Period) -> int:
        asked.append(period)
        ((count,),) = engine.sql("SELECT count(*) FROM performance", (), period)
        return int(count)

    async def test() -> None:
        records = _records(week.logs)
        answers = await asyncio.gather(*(records.ask(question, ALL) for _ in range(100)))
        assert set(answers) == {len(week.requests)}
        assert asked == [ALL]

    _run(test)


def test_an_error_is_told_to_all_and_asked_again_later(week: Week) -> None:
    """What can't be answered is told to each who waits, and is not kept."""
    asked: list[int] = []

    def question(engine: Engine) -> int:
        asked.append(1)
        return len(engine.sql("SELECT nothing FROM performance").rows)

    async def test() -> None:
        records = _records(week.logs)
        told = await asyncio.gather(*(records.ask(question) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in told] == [QueryError] * 3
        with pytest.raises(QueryError):
            await records.ask(question)
        assert len(asked) == 2

    _run(test)


def test_what_takes_too_long_is_interrupted_and_the_next_one_answered(
    week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query without end is stopped with a way out; the engine serves the next one."""
    monkeypatch.setattr(records_module, "_PATIENCE_SECONDS", 0.3)

    def endless(engine: Engine) -> Any:
        return engine.sql("SELECT sum(i % 7) FROM range(100000000000000) numbers(i)")

    def quick(engine: Engine) -> int:
        return len(engine.sql("SELECT 1").rows)

    async def test() -> None:
        records = _records(week.logs)
        with pytest.raises(TooLongError, match="Choose a shorter time"):
            await records.ask(endless)
        monkeypatch.setattr(records_module, "_PATIENCE_SECONDS", 30.0)
        assert await asyncio.gather(*(records.ask(quick) for _ in range(3))) == [1, 1, 1]

    _run(test)


def test_a_viewer_who_goes_away_takes_no_answer_from_the_others(week: Week) -> None:
    """Who closes the page while it is being made leaves the making to those who stay."""
    begun, goes_on = threading.Event(), threading.Event()

    def question(_engine: Engine) -> str:
        begun.set()
        goes_on.wait(10)
        return "made"

    async def test() -> None:
        records = _records(week.logs)
        first = asyncio.ensure_future(records.ask(question))
        await asyncio.to_thread(begun.wait, 10)
        second = asyncio.ensure_future(records.ask(question))
        first.cancel()
        await asyncio.sleep(0)
        goes_on.set()
        assert await second == "made"

    _run(test)


def test_what_nobody_waits_for_any_more_is_ended(week: Week) -> None:
    """The engines are free at once, and whoever asks the same then is answered anew."""
    begun, both = threading.Semaphore(0), threading.Barrier(2, timeout=10)
    endless = [True]

    def question(engine: Engine) -> Any:
        begun.release()
        return engine.sql("SELECT sum(i % 7) FROM range(?) numbers(i)", (10**14 if endless[0] else 3,)).rows

    def beside_another(engine: Engine, number: int) -> int:
        both.wait()
        return number + len(engine.sql("SELECT 1").rows)

    async def test() -> None:
        records = _records(week.logs)
        asked = [asyncio.ensure_future(records.ask(question)) for _ in range(2)]
        assert await asyncio.to_thread(begun.acquire, timeout=10)
        for one in asked:
            one.cancel()
        await asyncio.wait(asked)
        endless[0] = False
        assert await records.ask(question) == [(3,)]
        assert await asyncio.gather(*(records.ask(beside_another, number) for number in range(2))) == [1, 2]

    _run(test)


def test_settings_are_one_question_as_long_as_they_are_the_same() -> None:
    """Two questions differ when the settings are others, though they may look alike."""
    settings = {"a": 1}
    assert Same(settings) == Same(settings)
    assert hash(Same(settings)) == hash(Same(settings))
    assert Same(settings) != Same(dict(settings))


def test_without_a_state_database_the_default_is_known(tmp_path: Path) -> None:
    """Over an archive nobody knows alerts, and nothing is made there."""

    async def test() -> None:
        records = _records(tmp_path)
        assert await records.known("nobody", State.collector) == "nobody"
        with pytest.raises(StateError, match="forecourt collector"):
            await records.state(State.collector)

    _run(test)
    assert list(tmp_path.iterdir()) == []


def test_too_many_who_wait_are_refused_at_once(week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than all of them waiting for ever; those that were there before are answered, or leave their place."""
    monkeypatch.setattr(records_module, "_MOST_WAITING", 2)
    goes_on = threading.Event()
    begun = threading.Semaphore(0)

    def question(_engine: Engine, number: int) -> int:
        begun.release()
        goes_on.wait(10)
        return number

    async def test() -> None:
        records = _records(week.logs)
        asked = [asyncio.ensure_future(records.ask(question, number)) for number in range(2)]
        for _ in asked:
            assert await asyncio.to_thread(begun.acquire, timeout=10)
        asked += [asyncio.ensure_future(records.ask(question, number)) for number in (2, 3)]
        await _until(lambda: records._waiting == 2)
        with pytest.raises(TooLongError, match="2 questions wait already"):
            await records.ask(question, 5)
        asked.pop().cancel()  # whoever leaves makes room
        await _until(lambda: records._waiting == 1)
        asked.append(asyncio.ensure_future(records.ask(question, 5)))
        goes_on.set()
        assert await asyncio.gather(*asked) == [0, 1, 2, 5]

    _run(test)


def test_what_is_old_takes_no_memory(tmp_path: Path) -> None:
    """An answer that nobody may be given any more is dropped by itself."""

    async def test() -> None:
        records = _records(tmp_path)

        async def make() -> bytes:
            return b"large"

        assert await records.shared("key", make, 0.05) == b"large"
        assert "key" in records._answers
        await _until(lambda: "key" not in records._answers)

    _run(test)


def test_what_is_changed_is_seen_at_once(tmp_path: Path) -> None:
    """Whoever silences something does not look at the page of before."""
    (tmp_path / ".forecourt").mkdir()
    State.open(tmp_path / ".forecourt" / "state.db").close()
    made: list[int] = []

    async def test() -> None:
        records = _records(tmp_path)

        async def make() -> int:
            made.append(1)
            return len(made)

        assert [await records.shared("key", make, 60.0) for _ in range(2)] == [1, 1]
        await records.change(lambda state: state.record_stop(1))
        assert await records.shared("key", make, 60.0) == 2

    _run(test)
