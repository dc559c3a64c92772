"""Events of the FossaWork backend without an edit in it: a table of its functions and what they mean.

What is imported later is caught when it comes; what is not there is reported once and costs nothing.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import Any, Literal

import wrapt
from opentelemetry.trace import get_current_span

from instrumentation.events import Operation, event, track

logger = logging.getLogger("forecourt")

_PACKAGE = "app"
_RATE_LIMIT = re.compile(r"Rate limit exceeded for (?P<address>\S+) on (?P<path>/\S*)")
_REMEMBERED_HITS = 256
_ABOUT = ("user_id", "username", "work_order_id", "trigger_type")

Arguments = Mapping[str, Any]
Kind = Literal["operation", "login", "token", "limit", "queue"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a call of this function is."""

    path: str
    """`module:name`, below the package `app`."""
    event: str
    kind: Kind = "operation"
    attributes: tuple[tuple[str, str], ...] = ()
    judge: Callable[[Operation, Arguments, Any], None] | None = None
    """Finds a failure that comes back as a value: the operation, the call's arguments, its result."""

    @property
    def module(self) -> str:
        return f"{_PACKAGE}.{self.path.partition(':')[0]}"


def _progress_of(*keys: str) -> Callable[[Operation, Arguments, Any], None]:
    """Scrapes return None even on failure: the table of progress tells, under a key made of the arguments."""

    def judge(operation: Operation, arguments: Arguments, _result: Any) -> None:
        progress: Any = getattr(sys.modules.get(f"{_PACKAGE}.routes.work_orders"), "scraping_progress", None) or {}
        given = defaultdict(str, {name: str(value) for name, value in arguments.items()})
        entry: Any = next((progress[key] for name in keys if (key := name.format_map(given)) in progress), {})
        status = str(entry.get("status", "")).lower()
        if status in {"failed", "error"}:
            operation.fail(str(entry.get("error") or entry.get("message") or status))
        elif status in {"cancelled", "canceled"}:
            operation.cancel()

    return judge


_sync = _progress_of("{user_id}")
_dispensers = _progress_of("single_dispenser_{user_id}_{work_order_id}", "dispensers_{user_id}")


def _sent(operation: Operation, _arguments: Arguments, result: Any) -> None:
    if result is False:
        operation.fail("the sender returned False")


def _visit(operation: Operation, arguments: Arguments, result: Any) -> None:
    """A visit is "completed" although every dispenser failed: each one's `automation_completed` counts."""
    given = arguments.get("dispensers")
    dispensers: Sequence[Any] = given if isinstance(given, Sequence) else ()
    failed = 0
    for dispenser in dispensers:
        completed = bool(dispenser.get("automation_completed"))
        failed += not completed
        number = {"dispenser.number": str(dispenser.get("dispenser_number", ""))}
        event("form_automation.dispenser", outcome="success" if completed else "failure", **number)
    operation.set(**{"dispensers.total": len(dispensers), "dispensers.failed": failed})
    job = getattr(arguments.get("self"), "active_jobs", {}).get(result)
    if getattr(job, "status", "") == "failed":
        operation.fail(str(getattr(job, "error_message", "") or "the job's status is failed"))
    elif failed:
        operation.fail(f"{failed} of {len(dispensers)} dispensers failed")


_MANUAL, _SCHEDULED = (("trigger", "manual"),), (("trigger", "schedule"),)
MEANINGS = (
    Meaning("routes.auth:AuthenticationService.authenticate_with_workfossa", "auth.login", "login"),
    Meaning("middleware.auth_middleware:verify_token", "auth.token.rejected", "token"),
    Meaning("middleware.rate_limit:rate_limit_exceeded_handler", "rate_limit.exceeded", "limit"),
    Meaning("routes.work_orders:perform_scrape", "work_order.sync", "operation", _MANUAL, _sync),
    Meaning(
        "services.scheduler_service:execute_work_order_scraping", "work_order.sync", "operation", _SCHEDULED, _sync
    ),
    Meaning("routes.work_orders:perform_dispenser_scrape", "scrape.dispensers", "operation", _MANUAL, _dispensers),
    Meaning(
        "routes.work_orders:perform_batch_dispenser_scrape", "scrape.dispensers", "operation", _MANUAL, _dispensers
    ),
    Meaning(
        "services.form_automation:FormAutomationService.process_visit", "form_automation.job", "operation", (), _visit
    ),
    Meaning("services.job_queue:JobQueueManager.add_job_callback", "job_queue.job", "queue"),
    *(
        Meaning(f"services.{path}", "notification.sent", "operation", (("channel", channel),), _sent)
        for path, channel in (
            ("pushover_notification:PushoverNotificationService.send_notification", "pushover"),
            ("email_notification:EmailNotificationService._send_notification", "email"),
            ("desktop_notification:DesktopNotificationService.send_automation_notification", "desktop"),
        )
    ),
)


class FossaWork:
    """Applies the table to what is imported now and to what will be."""

    def __init__(self) -> None:
        self.active: list[str] = []
        self._missing: list[str] = []
        self._reported = False
        self._wrapped: set[str] = set()

    def install(self) -> None:
        for meaning in MEANINGS:
            wrapt.register_post_import_hook(functools.partial(self._apply, meaning), meaning.module)

    def __str__(self) -> str:
        self._reported = True
        absent = [
            meaning.path for meaning in MEANINGS if meaning.path not in self.active and _is_absent(meaning.module)
        ]
        if not self.active:
            return "not this application" if _PACKAGE in sys.modules else f"waits for the package {_PACKAGE}"
        missing = self._missing + absent
        return f"{len(self.active)} functions{', not there: ' if missing else ''}{', '.join(missing)}"

    def _apply(self, meaning: Meaning, module: Any) -> None:
        try:
            holder: Any = module
            *parents, name = meaning.path.partition(":")[2].split(".")
            for parent in parents:
                holder = getattr(holder, parent)
            original = getattr(holder, name)
        except AttributeError:
            self._missing.append(meaning.path)
            if self._reported:
                logger.info("fossawork: %s is not there, so %s is not recorded", meaning.path, meaning.event)
            return
        if meaning.path in self._wrapped or hasattr(original, "__forecourt__"):
            return
        if meaning.kind == "queue":
            listen_to_queues(meaning, module)
        else:
            replacement = wrapped(meaning, original)
            setattr(holder, name, replacement)
            if holder is module:
                _replace_references(original, replacement)
        self._wrapped.add(meaning.path)
        self.active.append(meaning.path)


def _is_absent(module: str) -> bool:
    """As far as can be told without importing anything: packages have side effects."""
    parent_name, _, _ = module.rpartition(".")
    if module in sys.modules:
        return False
    parent = sys.modules.get(parent_name)
    if parent is None:
        return _PACKAGE in sys.modules and parent_name != _PACKAGE and _is_absent(parent_name)
    return PathFinder.find_spec(module, getattr(parent, "__path__", None)) is None


def _replace_references(original: Any, replacement: Any) -> None:
    """Modules that were imported before have the function under a name of their own."""
    for name, module in list(sys.modules.items()):
        if name == _PACKAGE or name.startswith(f"{_PACKAGE}."):
            for key, value in list(vars(module).items()):
                if value is original:
                    setattr(module, key, replacement)


def wrapped(meaning: Meaning, original: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it was, signature and name included, and its meaning recorded beside it."""
    make = _operation if meaning.kind == "operation" else _moment
    replacement = functools.wraps(original)(make(meaning, original))
    replacement.__forecourt__ = True  # type: ignore[attr-defined]
    return replacement


def _operation(meaning: Meaning, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def begin(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[track, Arguments]:
        bound = _bound(signature, arguments, keywords)
        return track(meaning.event, **{**_about(bound), **dict(meaning.attributes)}), bound

    def judge(operation: Operation, bound: Arguments, result: Any) -> None:
        try:
            if meaning.judge:
                meaning.judge(operation, bound, result)
        except Exception:
            logger.exception("the outcome of %s could not be told", meaning.path)

    if inspect.iscoroutinefunction(original):

        async def call_async(*arguments: Any, **keywords: Any) -> Any:
            tracked, bound = begin(arguments, keywords)
            with tracked as operation:
                result = await original(*arguments, **keywords)
                judge(operation, bound, result)
                return result

        return call_async

    def call(*arguments: Any, **keywords: Any) -> Any:
        tracked, bound = begin(arguments, keywords)
        with tracked as operation:
            result = original(*arguments, **keywords)
            judge(operation, bound, result)
            return result

    return call


def _moment(meaning: Meaning, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def tell(arguments: tuple[Any, ...], keywords: dict[str, Any], result: Any, error: BaseException | None) -> None:
        bound = _bound(signature, arguments, keywords)
        failed = error is not None or result is None or result is False
        if meaning.kind == "limit":
            _limited(getattr(getattr(bound.get("request"), "client", None), "host", None), _path(bound.get("request")))
        elif meaning.kind == "login":
            reason = {"event.reason": str(error)} if error else {}
            event(meaning.event, outcome="failure" if failed else "success", **_about(bound), **reason)
        elif failed:
            event(meaning.event, outcome="failure", **({"error.type": type(error).__qualname__} if error else {}))

    if inspect.iscoroutinefunction(original):

        async def call_async(*arguments: Any, **keywords: Any) -> Any:
            try:
                result = await original(*arguments, **keywords)
            except Exception as error:
                tell(arguments, keywords, None, error)
                raise
            tell(arguments, keywords, result, None)
            return result

        return call_async

    def call(*arguments: Any, **keywords: Any) -> Any:
        try:
            result = original(*arguments, **keywords)
        except Exception as error:
            tell(arguments, keywords, None, error)
            raise
        tell(arguments, keywords, result, None)
        return result

    return call


def listen_to_queues(meaning: Meaning, module: Any) -> None:
    """Join those whom the queue tells what becomes of each job: of the queues there are, and of later ones."""
    outcomes = {"job_completed": "success", "job_failed": "failure", "job_cancelled": "cancelled"}

    async def listen(told: Mapping[str, Any]) -> None:
        if outcome := outcomes.get(str(told.get("event_type"))):
            event(meaning.event, outcome=outcome, job_id=told.get("job_id"), user_id=told.get("user_id"))

    manager: Any = module.JobQueueManager
    original = manager.__init__

    @functools.wraps(original)
    def begin(self: Any, *arguments: Any, **keywords: Any) -> None:
        original(self, *arguments, **keywords)
        self.add_job_callback(listen)

    manager.__init__ = begin
    for queue in vars(module).values():
        if isinstance(queue, manager):
            queue.add_job_callback(listen)


def _bound(signature: inspect.Signature, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Arguments:
    try:
        bound = signature.bind_partial(*arguments, **keywords)
    except TypeError:  # the call itself will say so
        return {}
    bound.apply_defaults()
    return bound.arguments


def _about(arguments: Arguments) -> dict[str, Any]:
    return {name: arguments[name] for name in _ABOUT if isinstance(arguments.get(name), str | int)}


def _path(request: Any) -> str:
    return str(getattr(getattr(request, "url", None), "path", ""))


_hits: OrderedDict[int, None] = OrderedDict()


def rate_limit_logged(record: logging.LogRecord, message: str) -> None:
    """The limiter fails open, so neither status nor handler is sure to tell: its log line is."""
    if found := _RATE_LIMIT.match(message):
        _limited(found["address"], found["path"])
    del record


def _limited(address: str | None, path: str) -> None:
    trace_id = get_current_span().get_span_context().trace_id
    if trace_id:
        if trace_id in _hits:
            return  # by the other of the two ways
        _hits[trace_id] = None
        if len(_hits) > _REMEMBERED_HITS:
            _hits.popitem(last=False)
    event("rate_limit.exceeded", outcome="failure", **{"client.address": address, "url.path": path})


RATE_LIMIT_LOGGER = f"{_PACKAGE}.middleware.rate_limit"
