"""What the client's tests share: a key to search for, bodies, and a client on a mocked host."""

from deepidv_async import AsyncDeepIDV, RetryPolicy

KEY = "canary-0123456789-key"
BASE = "https://api.deepidv.com"


def make_client(**options):
    """Make a client whose back-off is drawn at its upper end, so that waits can be counted."""
    options.setdefault("retry", RetryPolicy(random=lambda: 1.0))
    return AsyncDeepIDV(options.pop("api_key", KEY), **options)


def workflows_body(*ids):
    return {"workflows": [{"id": each, "name": f"Workflow {each}"} for each in ids]}


def sessions_body(*ids, next_token=None):
    return {"sessions": [session(each) for each in ids], "next_token": next_token}


def session(session_id):
    return {
        "id": session_id,
        "organization_id": "org_1",
        "user_id": "usr_1",
        "sender_user_id": "usr_2",
        "created_at": "2026-05-06T07:08:09.000Z",
        "updated_at": "2026-05-06T07:20:00.000Z",
        "status": "SUBMITTED",
        "type": "session",
        "session_progress": "COMPLETED",
        "workflow_id": "wf_1",
    }
