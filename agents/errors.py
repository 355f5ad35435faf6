"""AgentError, the only error of this package, and the codes of its reasons."""

from __future__ import annotations

from typing import Literal

from agents.masking import Mask
from agents.replies import Outcome, Reply
from moca.sentences import Code, Reason
from moca.sentences import mark as _

Kind = Literal[
    "configuration", "token", "connection", "refused", "timeout", "cancelled", "protocol", "agent"
]

# Bytes of UTF-8 that a message quotes of the other side.
QUOTED_BYTES = 2048
# Characters that are kept of it. They are more, so that a secret is masked before the text is cut.
KEPT_CHARACTERS = 16 * 1024


# The two servers that a run talks to, as errors name them.
AGENT = Code("agent", _("the agent"))()
TOKEN_ENDPOINT = Code("token_endpoint", _("the token endpoint"))()

# Reasons in the settings.
AUTH_UNKNOWN = Code("agent_auth_unknown", _("AGENT_AUTH is not one of %(ways)s: correct it"))
SETTING_MISSING = Code("setting_missing", _("%(name)s is not set, which AGENT_AUTH=%(auth)s needs"))
PROTOCOL_UNKNOWN = Code(
    "agent_protocol_unknown", _("AGENT_PROTOCOL is not one of %(names)s: correct it")
)
CREDENTIALS_MISSING = Code(
    "aws_credentials_missing",
    _(
        "there are no AWS credentials to sign the request with: set AWS_PROFILE or "
        "AWS_ACCESS_KEY_ID, or give this machine a role"
    ),
)
URL_INVALID = Code(
    "agent_url_invalid", _("the agent's URL is not a valid URL: check AGENT_API_URL")
)
URL_NOT_HTTP = Code(
    "agent_url_not_http", _("the agent's URL is not an http or https URL: check AGENT_API_URL")
)
URL_CREDENTIALS = Code(
    "agent_url_credentials",
    _("the agent's URL holds a user name or password; use AGENT_AUTH: check AGENT_API_URL"),
)
TOKEN_URL_MISSING = Code(
    "token_url_missing", _("no token can be fetched: set COGNITO_DOMAIN or COGNITO_USER_POOL_ID")
)
TOKEN_URL_INVALID = Code(
    "token_url_invalid", _("the URL of %(who)s is not valid: check COGNITO_DOMAIN")
)
HOST_INVALID = Code("host_invalid", _("the host name of %(who)s is not valid: check its URL"))
HEADER_INVALID = Code(
    "header_invalid",
    _("the value of %(name)s holds characters that a header cannot: correct it"),
)
REQUEST_INVALID = Code("request_invalid", _("the request to %(who)s cannot be sent: %(error)s"))
# AWS's own message says what is wrong.
SECRET_UNREADABLE = Code("secret_unreadable", "%(error)s")
POOL_UNREADABLE = Code("user_pool_unreadable", "%(error)s")

# Reasons in the record of an agent.
RECORD_UNREADABLE = Code(
    "agent_record_unreadable",
    _(
        "the record of the agent %(agent)s cannot be read, so nothing was sent (%(error)s): run "
        "“manage.py doctor”, and replay this run"
    ),
)
RECORD_ADDRESS = Code(
    "agent_record_address",
    _(
        "Address of the agent %(agent)s cannot be called: enter an http or https URL, or the ARN "
        "of an AgentCore runtime"
    ),
)
RECORD_PROTOCOL = Code(
    "agent_record_protocol",
    _("Protocol of the agent %(agent)s is not one of %(names)s: choose one of them"),
)
RECORD_AUTH = Code(
    "agent_record_auth",
    _("Authorization of the agent %(agent)s is not one of %(ways)s: choose one of them"),
)
RECORD_FIELD_MISSING = Code(
    "agent_record_field_missing",
    _("%(field)s of the agent %(agent)s is empty, which its authorization needs: enter it"),
)
RECORD_SECRET_REFUSED = Code(
    "agent_record_secret_refused",
    _(
        "Secret of the agent %(agent)s is neither an environment variable that begins with AGENT_ "
        "nor the ARN of a secret that begins with agents/: enter such a name"
    ),
)
RECORD_VARIABLE_UNSET = Code(
    "agent_record_variable_unset",
    _(
        "Secret of the agent %(agent)s is the environment variable %(name)s, which is not set in "
        "this process: set it and restart, or enter another name"
    ),
)

# The agent no longer tells of a task that it was given.
TASK_UNREADABLE = Code(
    "task_unreadable",
    _(
        "the agent no longer tells what became of its task, so how its work ended is not known "
        "(%(error)s)"
    ),
)

# Reasons in the agents' table.
TABLE_UNREADABLE = Code(
    "agents_table_unreadable",
    _(
        "the agents' table %(table)s cannot be read (%(error)s): check AGENTS_TABLE_NAME, and that "
        "the role has dynamodb:GetItem on it"
    ),
)
AGENT_NOT_FOUND = Code(
    "agent_not_found",
    _(
        "Agent not found: the trigger's owner has no agent %(agent)s in the table %(table)s. "
        "Correct the trigger's agent, or set ALLOW_UNKNOWN_AGENTS to run it all the same"
    ),
)
ROW_MALFORMED = Code(
    "agent_row_malformed",
    _("%(attribute)s of the agent %(agent)s in the table %(table)s cannot be read: %(error)s"),
)
TOOLS_MALFORMED = Code(
    "agent_tools_malformed",
    _("enabledTools of the agent %(agent)s in the table %(table)s is no list of names"),
)
CONFIG_MALFORMED = Code(
    "agent_config_malformed",
    _("mcpConfig of the agent %(agent)s in the table %(table)s is no map"),
)
SYSTEM_PROMPT_MALFORMED = Code(
    "agent_system_prompt_malformed",
    _("systemPrompt of the agent %(agent)s in the table %(table)s is no text"),
)
PARAMETER_NOT_ALLOWED = Code(
    "parameter_not_allowed",
    _("mcpConfig names the parameter %(name)s, which is not below %(place)s"),
)
PARAMETERS_UNREADABLE = Code(
    "parameters_unreadable",
    _(
        "parameters below %(place)s cannot be read (%(error)s): check MCP_SECRETS_PATH and "
        "SSM_PARAMETER_PREFIX, and that the role has ssm:GetParameters on it"
    ),
)
PARAMETER_MISSING = Code(
    "parameter_missing", _("mcpConfig names %(names)s, and there is no such parameter")
)

PARAMETER_PREFIX_MISSING = Code(
    "parameter_prefix_missing",
    _(
        "the environment of the MCP server %(server)s is in Parameter Store, and "
        "SSM_PARAMETER_PREFIX is not set"
    ),
)
ENVIRONMENTS_MALFORMED = Code(
    "mcp_environments_malformed",
    _(
        "the parameter %(name)s is no JSON map of MCP servers, each with a map of texts as its "
        "environment"
    ),
)
ENVIRONMENT_MISSING = Code(
    "mcp_environment_missing",
    _("the parameter %(name)s has no environment for the MCP server %(server)s"),
)

# Reasons at the token endpoint.
TOKEN_TIMED_OUT = Code("token_timed_out", _("no token came within %(seconds)s s"))
TOKEN_MISSING = Code("token_missing", _("%(who)s answered without an access token"))
TOKEN_NO_JSON = Code(
    "token_no_json", _("%(who)s answered 200 with what is no JSON object: check its URL")
)
CLIENT_INVALID = Code(
    "client_invalid",
    _(
        "the token endpoint refused the client's credentials (invalid_client): check "
        "COGNITO_CLIENT_ID and COGNITO_CLIENT_SECRET"
    ),
)
CLIENT_UNAUTHORIZED = Code(
    "client_unauthorized",
    _(
        "the token endpoint refused the client (unauthorized_client): allow the client credentials "
        "grant on the app client"
    ),
)
SCOPE_INVALID = Code(
    "scope_invalid",
    _("the token endpoint refused the client (invalid_scope): check COGNITO_SCOPE"),
)
COGNITO_ANSWERED = Code("cognito_answered", _("Cognito answered %(error)s"))
COGNITO_REFUSED = Code(
    "cognito_refused",
    _(
        "Cognito refused the machine user (%(error)s): check COGNITO_USERNAME, COGNITO_PASSWORD, "
        "COGNITO_CLIENT_ID and COGNITO_CLIENT_SECRET"
    ),
)
# The error says what is wrong.
OWNER_TOKEN_REFUSED = Code("owner_token_refused", "%(error)s")
COGNITO_CHALLENGE = Code(
    "cognito_challenge",
    _(
        "Cognito asks the machine user for %(challenge)s, which needs a person: complete it once, "
        "or choose another user"
    ),
)

# Reasons in the connection.
TIMED_OUT = Code("timed_out", _("timed out after %(seconds)s s"))
AGENT_SILENT = Code("agent_silent", _("the agent sent nothing for %(seconds)s s"))
CONNECT_TIMED_OUT = Code(
    "connect_timed_out", _("%(who)s did not accept a connection within %(seconds)s s")
)
ANSWER_TIMED_OUT = Code("answer_timed_out", _("%(who)s sent no answer within %(seconds)s s"))
CONNECTION_CLOSED = Code("connection_closed", _("%(who)s closed the connection without an answer"))
CONNECTION_BROKE = Code(
    "connection_broke", _("the agent's stream ended early: the connection broke")
)
HOST_UNRESOLVED = Code(
    "host_unresolved", _("the host name of %(who)s cannot be resolved: check its URL")
)
UNREACHABLE = Code(
    "unreachable", _("%(who)s cannot be reached (%(error)s): check its URL and that it runs")
)
CERTIFICATE_INVALID = Code(
    "certificate_invalid", _("the certificate of %(who)s is not valid: %(error)s")
)
NOBODY_ANSWERS = Code(
    "nobody_answers",
    _(
        "nobody answers at %(host)s (%(error)s): check AGENT_API_URL, or Address of the agent's "
        "record"
    ),
)
# Both are raised by `agents.transport.refusal()`, which adds the words of the answer.
HTTP_STATUS = Code("http_status", _("%(who)s answered %(answer)s"))
HTTP_REDIRECT = Code(
    "http_redirect",
    _(
        "%(who)s answered %(answer)s, a redirect, which is not followed: set the URL that it leads "
        "to"
    ),
)

# Reasons in the answer.
AGENT_FAILED = Code("agent_failed", "%(quoted)s")
AGENT_FAILED_SILENTLY = Code("agent_failed_silently", _("the agent failed without saying why"))
STREAM_ENDED_EARLY = Code("stream_ended_early", _("the agent's stream ended early"))
ANSWER_EMPTY = Code("answer_empty", _("the agent's answer is empty"))
ANSWER_TOO_LONG = Code(
    "answer_too_long", _("the agent sent a line or document of more than %(size)s MB")
)
ANSWER_ENCODED = Code(
    "answer_encoded", _("the answer is encoded as %(encoding)s, which was not asked for")
)
ANSWER_DAMAGED = Code("answer_damaged", _("the agent's answer cannot be decompressed"))
LINE_NO_UTF8 = Code("line_no_utf8", _("the agent sent a line that is no UTF-8"))
LINE_NO_JSON = Code("line_no_json", _("the agent sent a line that is no JSON"))
DOCUMENT_NO_JSON = Code("document_no_json", _("the agent sent a document that is no JSON"))
WEB_PAGE = Code(
    "web_page",
    _(
        "a web page came instead of an answer, such as that of a sign-in or a proxy: check the "
        "agent's address"
    ),
)
NOT_UNDERSTOOD = Code(
    "answer_not_understood",
    _(
        "the agent's answer is of another protocol: set AGENT_PROTOCOL or that of its record; "
        "“Try” on its page finds it"
    ),
)
OBJECT_UNREADABLE = Code(
    "answer_object",
    _("the agent returned an object that cannot be read; let it return text or JSON"),
)
ENDED_AT_TOOL = Code(
    "stream_ended_at_tool",
    _(
        "the agent's stream ended at a call of its tool %(tool)s: if it asks a person, let it "
        "yield that event too"
    ),
)
TOOL_WITHOUT_CALLER = Code(
    "tool_without_caller",
    _(
        "the model asks for a call of a tool, and nobody is there to make it: give it no tools, or "
        "call an agent that has its own"
    ),
)
TASK_REJECTED = Code("task_rejected", _("the agent rejected the task without saying why"))
ANSWER_REFUSED = Code(
    "answer_refused", _("the answer was stopped by a guardrail or a content filter")
)
ANSWER_LIMITED = Code(
    "answer_limited", _("the agent reached a limit before its answer was complete")
)
CANCELLED = Code("cancelled", _("the run was cancelled"))
AGENT_CANCELLED = Code("agent_cancelled", _("the agent says that the run was cancelled"))
EVENT_NO_JSON = Code("event_no_json", _("the agent sent an event that is no JSON"))

# Added to another reason.
QUOTED = Code("quoted", "%(reason)s: %(quoted)s")
TRIED = Code("tried", _("%(reason)s; tried %(number)s times"))
ASKS_TO_WAIT = Code(
    "asks_to_wait",
    _("%(reason)s; it asks to wait %(seconds)s s, longer than the time limit leaves"),
)


class AgentError(Exception):
    """A run that did not succeed.

    The message may have secrets in it until `hide()` has masked them. Log `code`, `kind` and
    `status` instead.

    Attributes:
        own: what happened and what to do: one of the codes above with its parameters. None if
            `quoted` says it all.
        quoted: the other side's words. The message has up to `limit` bytes of them.
        kind: groups errors for metrics; "agent" is a failure that the agent itself reported.
        reached: whether the agent may have begun the work. If so, another request could double it.
        transient: whether the same request may succeed later.
        retry_after: how many seconds the other side asks to wait; None if it does not ask.
        status: the HTTP status, if there was one.
        request_id: the agent's id of the request.
        reply: what the agent had said and used when it failed.
        outcome: how the answer ended, if it came to an end that is no success.
    """

    def __init__(
        self,
        own: Reason | None,
        *,
        kind: Kind,
        quoted: str = "",
        limit: int = QUOTED_BYTES,
        reached: bool = False,
        transient: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        reply: Reply | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        self._own = own
        self._quoted = quoted[:KEPT_CHARACTERS]
        self._limit = limit
        self._more: list[tuple[Code, dict[str, str | int]]] = []
        self.kind = kind
        self.reached = reached
        self.transient = transient
        self.retry_after = retry_after
        self.status = status
        self.request_id = request_id
        self.reply = reply
        self.outcome = outcome
        super().__init__(self.message)

    @property
    def reason(self) -> Reason:
        """What happened, with its code."""
        quoted = cut(self._quoted, self._limit)
        if self._own is None:
            reason = AGENT_FAILED(quoted=quoted)
        else:
            reason = self._own.adding(QUOTED, quoted=quoted) if quoted else self._own
        for code, parts in self._more:
            reason = reason.adding(code, **parts)
        return reason

    @property
    def code(self) -> str:
        """The name of the reason's code."""
        return self.reason.code.name

    @property
    def message(self) -> str:
        """The reason as a sentence for an operator."""
        return str(self.reason)

    def add(self, code: Code, **parts: str | int) -> None:
        """Add one of the codes that add to a reason."""
        self._more.append((code, parts))
        self.args = (self.message,)

    def hide(self, mask: Mask) -> None:
        """Mask secrets in everything that the other side said."""
        self._own = self._own and self._own.with_texts(mask.text)
        self._quoted = mask.text(self._quoted)
        self.request_id = self.request_id and mask.text(self.request_id)
        self.args = (self.message,)


def cut(text: str, limit: int) -> str:
    """Return the text, or its first `limit` bytes of UTF-8 and a sign that there was more."""
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[:limit].decode("utf-8", "ignore") + " [...]"


def misconfigured(reason: Reason) -> AgentError:
    """Make the error of a wrong setting or record. Nothing was sent to the agent."""
    return AgentError(reason, kind="configuration")
