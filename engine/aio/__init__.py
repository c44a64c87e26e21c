"""The door for asyncio programs: the names of `engine`, with `open_engine` and `open_store` for an asyncio loop.

    import asyncio
    from engine.aio import load_bundle, open_engine

Trio runs in a thread of its own, and what is awaited here is done there.  `import engine` loads nothing of this.
"""

from engine import AdapterLinker as AdapterLinker
from engine import AdapterResources as AdapterResources
from engine import Answer as Answer
from engine import Approve as Approve
from engine import BadLogKey as BadLogKey
from engine import BadStoreUrl as BadStoreUrl
from engine import Bundle as Bundle
from engine import BundleUnavailable as BundleUnavailable
from engine import CallView as CallView
from engine import Clock as Clock
from engine import CorruptLog as CorruptLog
from engine import Deny as Deny
from engine import Diagnostic as Diagnostic
from engine import EngineClosed as EngineClosed
from engine import EngineError as EngineError
from engine import EnvironmentFault as EnvironmentFault
from engine import Event as Event
from engine import EventKind as EventKind
from engine import InvalidBundle as InvalidBundle
from engine import LeaseLost as LeaseLost
from engine import LiveElsewhere as LiveElsewhere
from engine import LogKey as LogKey
from engine import MissingRoot as MissingRoot
from engine import MissingSecret as MissingSecret
from engine import NewerStore as NewerStore
from engine import NotAllowed as NotAllowed
from engine import Planner as Planner
from engine import PlannerContext as PlannerContext
from engine import PlannerError as PlannerError
from engine import PlannerLinker as PlannerLinker
from engine import PlannerSpec as PlannerSpec
from engine import PlannerView as PlannerView
from engine import Proposal as Proposal
from engine import Request as Request
from engine import RequestRow as RequestRow
from engine import Secrets as Secrets
from engine import SessionRow as SessionRow
from engine import SessionView as SessionView
from engine import Settle as Settle
from engine import Status as Status
from engine import Store as Store
from engine import StoreFault as StoreFault
from engine import ToolAdapter as ToolAdapter
from engine import ToolError as ToolError
from engine import ToolInvocation as ToolInvocation
from engine import UnknownSession as UnknownSession
from engine import Usage as Usage
from engine import __version__ as __version__
from engine import load_bundle as load_bundle
from engine.aio.engine import AsyncioEngine
from engine.aio.engine import open_engine as open_engine
from engine.aio.session import AsyncioSession
from engine.aio.store import open_store as open_store

Engine = AsyncioEngine
Session = AsyncioSession

__all__ = [
    "AdapterLinker",
    "AdapterResources",
    "Answer",
    "Approve",
    "BadLogKey",
    "BadStoreUrl",
    "Bundle",
    "BundleUnavailable",
    "CallView",
    "Clock",
    "CorruptLog",
    "Deny",
    "Diagnostic",
    "Engine",
    "EngineClosed",
    "EngineError",
    "EnvironmentFault",
    "Event",
    "EventKind",
    "InvalidBundle",
    "LeaseLost",
    "LiveElsewhere",
    "LogKey",
    "MissingRoot",
    "MissingSecret",
    "NewerStore",
    "NotAllowed",
    "Planner",
    "PlannerContext",
    "PlannerError",
    "PlannerLinker",
    "PlannerSpec",
    "PlannerView",
    "Proposal",
    "Request",
    "RequestRow",
    "Secrets",
    "Session",
    "SessionRow",
    "SessionView",
    "Settle",
    "Status",
    "Store",
    "StoreFault",
    "ToolAdapter",
    "ToolError",
    "ToolInvocation",
    "UnknownSession",
    "Usage",
    "__version__",
    "load_bundle",
    "open_engine",
    "open_store",
]
