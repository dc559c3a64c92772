"""Asking the records: few questions at a time, each answered once for all who ask it in the same moment."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from analysis.engine import Engine
from storage.state import State, StateError

P = ParamSpec("P")
T = TypeVar("T")
_ENGINES = 2
_PATIENCE_SECONDS = 30.0
_MOST_ANSWERS = 300
_MOST_WAITING = 40
"""Questions that no engine is at yet."""
_INSIST_SECONDS = 0.5
FRESH_SECONDS = 4.0


class Same(Generic[T]):
    """A value of an argument that is known by being the same object, since it can't be hashed."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


class TooLongError(Exception):
    """The answer would take longer than anybody waits."""


class _Reader:
    """An engine and its thread."""

    def __init__(self, folder: Path, archive: Path | None, memory_limit: str) -> None:
        self._make: Callable[[], Engine] = lambda: Engine(folder, archive, memory_limit=memory_limit)
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")

    async def ask(self, question: Callable[[Engine], T]) -> T:
        """When it is cancelled, the engine is at rest once it has ended."""
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)
        try:
            return await asyncio.wait_for(asyncio.shield(asked), _PATIENCE_SECONDS)
        except TimeoutError:
            await self._end(asked)
            raise TooLongError(
                f"it takes longer than {_PATIENCE_SECONDS:.0f} s. Choose a shorter time, or narrow the search down"
            ) from None
        except asyncio.CancelledError:
            await self._end(asked)
            raise

    async def _end(self, asked: asyncio.Future[Any]) -> None:
        while not asked.done():
            if self._engine is not None:
                self._engine.interrupt()  # between two queries it does nothing
            await asyncio.wait([asked], timeout=_INSIST_SECONDS)
        asked.exception()

    def _answer(self, question: Callable[[Engine], T]) -> T:
        if self._engine is None:
            self._engine = self._make()
        return question(self._engine)


class _Answer(Generic[T]):
    """`since` is when it was begun, then when it was made; `waiting` counts those who want it and don't have it."""

    __slots__ = ("made", "since", "waiting")

    def __init__(self, made: asyncio.Future[T]) -> None:
        self.made = made
        self.since = monotonic()
        self.waiting = 0

    def serves(self, fresh_seconds: float) -> bool:
        return not self.made.done() or monotonic() - self.since < fresh_seconds


class Records:
    """The segments and the state database of a folder."""

    def __init__(self, folder: Path, archive: Path | None, own_folder: Path, memory_limit: int) -> None:
        each = f"{memory_limit // _ENGINES}B"
        self._readers = [_Reader(folder, archive, each) for _ in range(_ENGINES)]
        self._idle: asyncio.Queue[_Reader] | None = None
        self._answers: OrderedDict[Any, _Answer[Any]] = OrderedDict()
        self._state_path = own_folder / "state.db"
        self._waiting = 0

    async def ask(self, question: Callable[Concatenate[Engine, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the question finds, at most a few seconds old; raise its errors, or TooLongError.

        Arguments are hashable: they tell one question from another.
        """
        key = (question, args, tuple(sorted(kwargs.items())))
        return await self.shared(
            key, lambda: self._ask(lambda engine: question(engine, *args, **kwargs)), FRESH_SECONDS
        )

    async def shared(self, key: Any, make: Callable[[], Awaitable[T]], fresh_seconds: float) -> T:
        """What `make` gives, made once for all who want `key` while it is fresh; an error is told and not kept.

        When the last of those who wait for it is cancelled, so is the making.
        """
        answer = self._answers.get(key)
        if answer is None or not answer.serves(fresh_seconds):
            answer = self._begin(key, make, fresh_seconds)
        answer.waiting += 1
        try:
            return await asyncio.shield(answer.made)
        finally:
            answer.waiting -= 1
            if not answer.waiting and not answer.made.done():
                self._forget(key, answer)
                answer.made.cancel()

    def _begin(self, key: Any, make: Callable[[], Awaitable[T]], fresh_seconds: float) -> _Answer[T]:
        answer: _Answer[T] = _Answer(asyncio.ensure_future(make()))
        self._answers[key] = answer
        self._answers.move_to_end(key)
        answer.made.add_done_callback(lambda _: self._settle(key, answer, fresh_seconds))
        while len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)
        return answer

    def _settle(self, key: Any, answer: _Answer[Any], fresh_seconds: float) -> None:
        """Its freshness counts from now; what failed is asked again."""
        if answer.made.cancelled() or answer.made.exception() is not None:
            self._forget(key, answer)
        else:
            answer.since = monotonic()
            asyncio.get_running_loop().call_later(fresh_seconds, self._forget, key, answer)

    def _forget(self, key: Any, answer: _Answer[Any]) -> None:
        """What is not fresh any more takes no memory."""
        if self._answers.get(key) is answer:
            del self._answers[key]

    async def _ask(self, question: Callable[[Engine], T]) -> T:
        if self._idle is None:
            self._idle = asyncio.Queue()
            for one in self._readers:
                self._idle.put_nowait(one)
        if self._waiting >= _MOST_WAITING:
            raise TooLongError(f"{self._waiting} questions wait already. Try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reader = await self._idle.get()
        except TimeoutError:
            raise TooLongError("others are being answered. Try again in a moment, or choose a shorter time") from None
        finally:
            self._waiting -= 1
        try:
            return await reader.ask(question)
        finally:
            self._idle.put_nowait(reader)

    async def state(self, question: Callable[Concatenate[State, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the state database tells; nothing is written. Raise StateError, also where there is none."""
        return await asyncio.to_thread(self._of_state, lambda state: question(state, *args, **kwargs), State.reading)

    async def change(self, question: Callable[[State], T]) -> T:
        """As `state`, of what is written there; what was answered before it is forgotten."""
        done = await asyncio.to_thread(self._of_state, question, State.open)
        for key in [key for key, answer in self._answers.items() if answer.made.done()]:
            del self._answers[key]
        return done

    async def known(
        self, default: T, question: Callable[Concatenate[State, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `state`, and the default where there is no database, as over an archive."""
        if not self._state_path.is_file():
            return default
        return await self.state(question, *args, **kwargs)

    def _of_state(self, question: Callable[[State], T], opened: Callable[[Path], State]) -> T:
        if not self._state_path.is_file():
            raise StateError(
                f"no sidecar has run on {self._state_path.parent.parent}. Start one with: forecourt collector"
            )
        state = opened(self._state_path)
        try:
            return question(state)
        finally:
            state.close()
