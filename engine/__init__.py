"""A declarative agent engine: the model proposes, the runtime decides, the tools act.

The names below are the door for programs; they are loaded when they are first asked for, so that `import engine` costs
next to nothing.  Everything else under this package is its own and may change.
"""

__version__ = "0.1.0"

# what is known to be false is not read; `typing` alone would be most of what importing this costs
TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.diagnostic import Diagnostic as Diagnostic
    from engine.embedding.answers import Answer as Answer
    from engine.embedding.answers import Approve as Approve
    from engine.embedding.answers import Deny as Deny
    from engine.embedding.answers import Settle as Settle
    from engine.embedding.bundles import InvalidBundle as InvalidBundle
    from engine.embedding.bundles import load_bundle as load_bundle
    from engine.embedding.engine import Engine as Engine
    from engine.embedding.engine import open_engine as open_engine
    from engine.embedding.session import Session as Session
    from engine.embedding.stores import open_store as open_store
    from engine.embedding.views import CallView as CallView
    from engine.embedding.views import SessionView as SessionView
    from engine.errors import EngineError as EngineError
    from engine.ports import Clock as Clock
    from engine.ports import Planner as Planner
    from engine.ports import PlannerError as PlannerError
    from engine.ports import Proposal as Proposal
    from engine.ports import Store as Store
    from engine.ports import ToolAdapter as ToolAdapter
    from engine.ports import ToolError as ToolError
    from engine.ports import ToolRun as ToolRun
    from engine.reach import EnvironmentFault as EnvironmentFault
    from engine.reach import MissingSecret as MissingSecret
    from engine.reach import Secrets as Secrets
    from engine.runtime.errors import BundleUnavailable as BundleUnavailable
    from engine.runtime.errors import LeaseLost as LeaseLost
    from engine.runtime.errors import LiveElsewhere as LiveElsewhere
    from engine.runtime.errors import NotAllowed as NotAllowed
    from engine.session.bundle import Bundle as Bundle
    from engine.session.bundle import Usage as Usage
    from engine.session.event import Event as Event
    from engine.session.event import EventKind as EventKind
    from engine.session.state import Request as Request
    from engine.session.state import Status as Status
    from engine.session.view import PlannerView as PlannerView
    from engine.store.urls import BadStoreUrl as BadStoreUrl
    from engine.store.urls import StoreFault as StoreFault
    from engine.stored import CorruptLog as CorruptLog
    from engine.stored import UnknownSession as UnknownSession

# each name with the module that has it
_WHERE = {
    "Answer": "embedding.answers",
    "Approve": "embedding.answers",
    "BadStoreUrl": "store.urls",
    "Bundle": "session.bundle",
    "BundleUnavailable": "runtime.errors",
    "CallView": "embedding.views",
    "Clock": "ports",
    "CorruptLog": "stored",
    "Deny": "embedding.answers",
    "Diagnostic": "diagnostic",
    "Engine": "embedding.engine",
    "EngineError": "errors",
    "EnvironmentFault": "reach",
    "Event": "session.event",
    "EventKind": "session.event",
    "InvalidBundle": "embedding.bundles",
    "LeaseLost": "runtime.errors",
    "LiveElsewhere": "runtime.errors",
    "MissingSecret": "reach",
    "NotAllowed": "runtime.errors",
    "Planner": "ports",
    "PlannerError": "ports",
    "PlannerView": "session.view",
    "Proposal": "ports",
    "Request": "session.state",
    "Secrets": "reach",
    "Session": "embedding.session",
    "SessionView": "embedding.views",
    "Settle": "embedding.answers",
    "Status": "session.state",
    "Store": "ports",
    "StoreFault": "store.urls",
    "ToolAdapter": "ports",
    "ToolError": "ports",
    "ToolRun": "ports",
    "UnknownSession": "stored",
    "Usage": "session.bundle",
    "load_bundle": "embedding.bundles",
    "open_engine": "embedding.engine",
    "open_store": "embedding.stores",
}

__all__ = ["__version__", *_WHERE]


if not TYPE_CHECKING:

    def __getattr__(name):
        where = _WHERE.get(name)
        if where is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"{__name__}.{where}"), name)
        return found

    def __dir__():
        return sorted({*globals(), *_WHERE})
