"""Steadyhand, a declarative agent engine: the model proposes, the runtime decides, the tools act.

The names below are the door for programs; they are loaded when they are first asked for, so that `import engine` costs
next to nothing.  Everything else under this package is its own and may change.
"""

from engine.version import __version__ as __version__

# what is known to be false is not read; `typing` alone would be most of what importing this costs
TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.api.answers import Answer as Answer
    from engine.api.answers import Approve as Approve
    from engine.api.answers import Deny as Deny
    from engine.api.answers import Settle as Settle
    from engine.api.bundles import InvalidBundle as InvalidBundle
    from engine.api.bundles import load_bundle as load_bundle
    from engine.api.engine import Engine as Engine
    from engine.api.engine import open_engine as open_engine
    from engine.api.session import Session as Session
    from engine.api.stores import open_store as open_store
    from engine.api.views import CallView as CallView
    from engine.api.views import SessionView as SessionView
    from engine.bundle.link.linker import AdapterLinker as AdapterLinker
    from engine.bundle.link.linker import PlannerLinker as PlannerLinker
    from engine.diagnostic import Diagnostic as Diagnostic
    from engine.errors import EngineError as EngineError
    from engine.planner.resources import PlannerContext as PlannerContext
    from engine.ports.clock import Clock as Clock
    from engine.ports.planner import Planner as Planner
    from engine.ports.planner import PlannerError as PlannerError
    from engine.ports.planner import Proposal as Proposal
    from engine.ports.records import CorruptLog as CorruptLog
    from engine.ports.records import RequestRow as RequestRow
    from engine.ports.records import SessionRow as SessionRow
    from engine.ports.records import UnknownSession as UnknownSession
    from engine.ports.resources import EnvironmentFault as EnvironmentFault
    from engine.ports.resources import MissingSecret as MissingSecret
    from engine.ports.resources import Secrets as Secrets
    from engine.ports.store import Store as Store
    from engine.ports.tool import AdapterResources as AdapterResources
    from engine.ports.tool import ToolAdapter as ToolAdapter
    from engine.ports.tool import ToolError as ToolError
    from engine.ports.tool import ToolInvocation as ToolInvocation
    from engine.runtime.errors import BundleUnavailable as BundleUnavailable
    from engine.runtime.errors import EngineClosed as EngineClosed
    from engine.runtime.errors import LeaseLost as LeaseLost
    from engine.runtime.errors import LiveElsewhere as LiveElsewhere
    from engine.runtime.errors import NotAllowed as NotAllowed
    from engine.session.planner_view import PlannerView as PlannerView
    from engine.session.state.event import Event as Event
    from engine.session.state.event import EventKind as EventKind
    from engine.session.state.state import Request as Request
    from engine.session.state.state import Status as Status
    from engine.spec.bundle import Bundle as Bundle
    from engine.spec.planner_spec import PlannerSpec as PlannerSpec
    from engine.spec.planner_spec import Usage as Usage
    from engine.store.faults import BadStoreUrl as BadStoreUrl
    from engine.store.faults import StoreFault as StoreFault
    from engine.store.log_key import BadLogKey as BadLogKey
    from engine.store.log_key import LogKey as LogKey
    from engine.store.migrations import NewerStore as NewerStore
    from engine.tool.databases import MissingRoot as MissingRoot

# each name with the module that has it
_WHERE = {
    "AdapterLinker": "bundle.link.linker",
    "AdapterResources": "ports.tool",
    "Answer": "api.answers",
    "Approve": "api.answers",
    "BadLogKey": "store.log_key",
    "BadStoreUrl": "store.faults",
    "Bundle": "spec.bundle",
    "BundleUnavailable": "runtime.errors",
    "CallView": "api.views",
    "Clock": "ports.clock",
    "CorruptLog": "ports.records",
    "Deny": "api.answers",
    "Diagnostic": "diagnostic",
    "Engine": "api.engine",
    "EngineClosed": "runtime.errors",
    "EngineError": "errors",
    "EnvironmentFault": "ports.resources",
    "Event": "session.state.event",
    "EventKind": "session.state.event",
    "InvalidBundle": "api.bundles",
    "LeaseLost": "runtime.errors",
    "LiveElsewhere": "runtime.errors",
    "LogKey": "store.log_key",
    "MissingRoot": "tool.databases",
    "MissingSecret": "ports.resources",
    "NewerStore": "store.migrations",
    "NotAllowed": "runtime.errors",
    "Planner": "ports.planner",
    "PlannerContext": "planner.resources",
    "PlannerError": "ports.planner",
    "PlannerLinker": "bundle.link.linker",
    "PlannerSpec": "spec.planner_spec",
    "PlannerView": "session.planner_view",
    "Proposal": "ports.planner",
    "Request": "session.state.state",
    "RequestRow": "ports.records",
    "Secrets": "ports.resources",
    "Session": "api.session",
    "SessionRow": "ports.records",
    "SessionView": "api.views",
    "Settle": "api.answers",
    "Status": "session.state.state",
    "Store": "ports.store",
    "StoreFault": "store.faults",
    "ToolAdapter": "ports.tool",
    "ToolError": "ports.tool",
    "ToolInvocation": "ports.tool",
    "UnknownSession": "ports.records",
    "Usage": "spec.planner_spec",
    "load_bundle": "api.bundles",
    "open_engine": "api.engine",
    "open_store": "api.stores",
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
