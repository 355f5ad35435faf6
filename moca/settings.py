"""Django's settings, read from environment variables once; docs/settings.md lists the variables."""

import os
import re
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from moca.aws.secrets_manager import SecretError, secret
from moca.local_keys import make_private, secret_key
from moca.telemetry import TRACES, exporter

BASE_DIR = Path(__file__).resolve().parent.parent

FLAGS = dict.fromkeys(["true", "yes", "on", "1", "y", "ok"], True) | dict.fromkeys(
    ["false", "no", "off", "0", "n"], False
)

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")


def whole_number(name: str, *, default: int, least: int, most: int) -> int:
    """Read a whole number; ImproperlyConfigured if it is none, or not from `least` to `most`."""
    text = env.str(name, default=str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ImproperlyConfigured(
            f"{name} is {text!r}: set it to a whole number from {least} to {most}."
        )
    return int(text)


def flag(name: str, *, default: bool = False) -> bool:
    """Read true or false in any of the usual words; ImproperlyConfigured if it is neither."""
    text = env.str(name, default="").strip().lower()
    if not text:
        return default
    if text not in FLAGS:
        raise ImproperlyConfigured(f"{name} is {text!r}: set it to true or false.")
    return FLAGS[text]


def texts(name: str, *, default: list[str] | None = None) -> list[str]:
    """Read a list with commas; spaces around its parts are ignored."""
    if name not in os.environ:
        return list(default or [])
    return [text.strip() for text in os.environ[name].split(",") if text.strip()]


def choice(name: str, *, default: str, choices: list[str]) -> str:
    """Read one of `choices`; ImproperlyConfigured if it is none of them."""
    text = env.str(name, default=default)
    if text not in choices:
        raise ImproperlyConfigured(f"{name} is {text!r}: set it to one of {', '.join(choices)}.")
    return text


def dynamodb_table(url: str) -> str:
    """The name of the DynamoDB table, by TRIGGERS_TABLE_NAME or DATABASE_URL.

    Args:
        url: DATABASE_URL.

    Returns:
        The name; empty if the database is not DynamoDB.

    Raises:
        ImproperlyConfigured: the two contradict each other, or the name is invalid.
    """
    table = env.str("TRIGGERS_TABLE_NAME", default="")
    scheme, _, name = url.partition("://")
    is_dynamodb = scheme in ("dynamodb", "dynamodb-local")
    if table and url and (not is_dynamodb or table != name):
        raise ImproperlyConfigured(
            f"TRIGGERS_TABLE_NAME is {table!r}, and DATABASE_URL names another database: unset "
            "one of them."
        )
    if is_dynamodb:
        table = name
    if (table or is_dynamodb) and not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", table):
        raise ImproperlyConfigured(
            f"{table!r} is no DynamoDB table's name: set TRIGGERS_TABLE_NAME, or "
            "DATABASE_URL=dynamodb://TABLE, to 3 to 255 letters, digits, _, - and dots."
        )
    return table


def own_secret_key() -> str:
    """The SECRET_KEY from Secrets Manager or from the data directory, generated on first use.

    Raises:
        ImproperlyConfigured: the secret cannot be read, or the directory cannot keep a key.
    """
    if arn := env.str("SECRET_KEY_ARN", default=""):
        try:
            return secret(arn, "SECRET_KEY_ARN")
        except SecretError as error:
            raise ImproperlyConfigured(str(error)) from error
    try:
        return secret_key(DATA_DIR)
    except OSError as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set, and {DATA_DIR} cannot keep one ({error.strerror}): set it to "
            "a long random text."
        ) from error


# The database and the keys of a one-machine installation.
DATA_DIR = Path(env.str("MOCA_DATA_DIR", default=str(BASE_DIR / "var")))
make_private(DATA_DIR)

# Django

SECRET_KEY = env.str("SECRET_KEY", default="") or own_secret_key()
SECRET_KEY_FALLBACKS = texts("SECRET_KEY_FALLBACKS")
DEBUG = flag("DEBUG")
ALLOWED_HOSTS = texts("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = texts("CSRF_TRUSTED_ORIGINS")
TRUST_PROXY_HEADERS = flag("TRUST_PROXY_HEADERS")
if TRUST_PROXY_HEADERS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ROOT_URLCONF = "moca.urls"
WSGI_APPLICATION = "moca.wsgi.application"
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "moca.refusals.csrf_failure"
# The path prefix of a proxy or of a stage of API Gateway, such as /web.
FORCE_SCRIPT_NAME = env.str("FORCE_SCRIPT_NAME", default="").rstrip("/") or None

INSTALLED_APPS = [
    "moca",
    "moca.authentication",
    "alerts",
    "events",
    "triggers",
    "executions",
    "mcp_server",
    "console",
    "moca.admin_config.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
]

# API Gateway compresses the answers of Lambda functions.
COMPRESSION = (
    [] if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else ["django.middleware.gzip.GZipMiddleware"]
)
# Traces of requests, if telemetry is on: see docs/telemetry.md.
TRACING = ["moca.request_trace.RequestTraceMiddleware"] if exporter(TRACES) else []
MIDDLEWARE = [
    # It takes secrets out of the path before others see it.
    "moca.api.middleware.FireTokenMiddleware",
    *TRACING,
    "moca.request_id.RequestIdMiddleware",
    "moca.prefixes.CookiePathMiddleware",
    *COMPRESSION,
    "moca.content_security.ContentSecurityMiddleware",
    "moca.api.middleware.CorsMiddleware",
    "moca.refusals.HostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "moca.api.middleware.JSONErrorsMiddleware",
    "moca.api.middleware.TrailingSlashMiddleware",
    "moca.api.middleware.BodyLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "console.languages.PageLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "moca.refusals.DatabaseAwayMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ]
        },
    }
]

# The project's templates include widgets.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "moca.prefixes.StaticStorage"},
}
WHITENOISE_STATIC_PREFIX = "/static/"
# Serve files from the apps' own folders: nobody has to run collectstatic.
WHITENOISE_USE_FINDERS = True

# AWS: boto3 reads credentials and, for emulators, endpoints from variables of its own.

COGNITO_USER_POOL_ID = env.str("COGNITO_USER_POOL_ID", default="")
AWS_REGION = env.str(
    "AWS_REGION",
    default=COGNITO_USER_POOL_ID.partition("_")[0]
    or env.str("AWS_DEFAULT_REGION", default="us-east-1"),
)

# Database: one table in DynamoDB, or SQLite. Sessions and messages are in signed cookies; the
# tables of auth, contenttypes and admin are never made.

DATABASE_URL = env.str("DATABASE_URL", default="")
TABLE = dynamodb_table(DATABASE_URL)
# DynamoDB Local on this machine; `make run` starts it.
USES_DYNAMODB_LOCAL = DATABASE_URL.startswith("dynamodb-local://")
DYNAMODB_LOCAL_PORT = whole_number("DYNAMODB_LOCAL_PORT", default=8090, least=1, most=65535)
if TABLE:
    # OPTIONS are arguments of boto3's client; it reads the rest from variables of its own.
    options = {"region_name": AWS_REGION}
    if USES_DYNAMODB_LOCAL:
        options["endpoint_url"] = f"http://127.0.0.1:{DYNAMODB_LOCAL_PORT}"
        options |= dict.fromkeys(["aws_access_key_id", "aws_secret_access_key"], "local")
    DATABASES: dict[str, dict[str, Any]] = {
        "default": {"ENGINE": "moca.dynamodb", "NAME": TABLE, "OPTIONS": options}
    }
else:
    DATABASES = {
        "default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'moca.sqlite3'}")
    }
if "ENGINE" not in DATABASES["default"]:
    raise ImproperlyConfigured("DATABASE_URL is no database's URL: give one such as sqlite:///x.db")
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Writers wait for the lock at their begin, instead of failing in the middle.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None
    # Use a file in tests too, since threads and processes share the database.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "tests.sqlite3")}
DATABASE_ROUTERS = ["moca.routers.WithoutTables"]
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "admin": None}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# Each process has its own cache, for API_RATE_LIMIT and the state of tokens and operators.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

# Sign-in and permissions

AUTH_USER_MODEL = "authentication.Operator"
AUTHENTICATION_BACKENDS = ["moca.authentication.backends.OperatorBackend"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "home"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = flag("COOKIES_SECURE")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Pages load nothing from other hosts, and have no inline scripts or styles.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "base-uri": ["'none'"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "img-src": ["'self'", "data:"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
    }
}
SECURE_SSL_REDIRECT = flag("SECURE_SSL_REDIRECT")
# Load balancers request it over HTTP by IP address, and follow no redirects.
SECURE_REDIRECT_EXEMPT = [r"^health/?$"]
SECURE_HSTS_SECONDS = whole_number("SECURE_HSTS_SECONDS", default=0, least=0, most=63_072_000)
# HSTS for subdomains and preload need a domain of one's own; API Gateway's is shared.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

COGNITO_APP_CLIENT_IDS = texts("COGNITO_APP_CLIENT_IDS")
COGNITO_JWKS_URL = env.str("COGNITO_JWKS_URL", default="")
# Operators' sign-in by Cognito's hosted pages, which has an app client of its own.
COGNITO_SIGN_IN_CLIENT_ID = env.str("COGNITO_SIGN_IN_CLIENT_ID", default="")
COGNITO_SIGN_IN_CLIENT_SECRET = env.str("COGNITO_SIGN_IN_CLIENT_SECRET", default="")
COGNITO_SIGN_IN_CLIENT_SECRET_ARN = env.str("COGNITO_SIGN_IN_CLIENT_SECRET_ARN", default="")
COGNITO_ROLES = env.dict(
    "COGNITO_ROLES", default={"admin": "admin", "editor": "editor", "viewer": "viewer"}
)

# The API

CORS_ALLOWED_ORIGINS = texts("CORS_ALLOWED_ORIGINS")
if CORS_ALLOW_ALL_ORIGINS := "*" in CORS_ALLOWED_ORIGINS:
    CORS_ALLOWED_ORIGINS = [origin for origin in CORS_ALLOWED_ORIGINS if origin != "*"]
# Pages of other origins authenticate by tokens, never by session cookies.
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = [
    "Authorization",
    "X-API-Key",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    # The frontend of 2026 sends an ID token in it with every request.
    "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Id-Token",
    # What MCP clients in browsers send to /mcp.
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    # Frontends that are traced continue their trace here.
    "traceparent",
    "tracestate",
]
CORS_EXPOSE_HEADERS = ["X-Request-Id", "X-Next-Token", "Retry-After", "WWW-Authenticate"]
CORS_PREFLIGHT_MAX_AGE = 3600
# The identifier of the resource server in the user pool whose scopes say what a token may do at
# /mcp; empty if tokens may do what their users may do.
MCP_RESOURCE_SERVER = env.str("MCP_RESOURCE_SERVER", default="").rstrip("/")
# Requests per user, such as "600/min"; empty for no limit.
API_RATE_LIMIT = env.str("API_RATE_LIMIT", default="")
# Runs that one fire token may begin, such as "60/min", counted in each process; and the most bytes
# of the JSON that is sent with it.
FIRE_RATE_LIMIT = env.str("FIRE_RATE_LIMIT", default="60/min")
MAX_FIRE_BYTES = 64 * 1024
MAX_TRIGGERS_PER_USER = whole_number("MAX_TRIGGERS_PER_USER", default=1000, least=1, most=100_000)
# The import path of the greatest size of the API's bodies in bytes; MAX_EVENT_BYTES for events.
API_BODY_LIMIT = "triggers.api.body_limit.LARGEST_BODY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "moca.authentication.api.KeyAuthentication",
        "moca.authentication.api.JWTAuthentication",
        "moca.authentication.api.OperatorSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["moca.authentication.api.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["moca.api.renderers.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["moca.api.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["moca.api.throttling.UserThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "moca.api.renderers.AlwaysJSON",
    "DEFAULT_VERSIONING_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "moca.api.exception_handler.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Moca Triggers",
    "VERSION": "0.1.0",
    # Path parameters in camelCase too: triggerId.
    "CAMELIZE_NAMES": True,
    # Keep routes and parameters in the order of the code.
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
}

# Triggers and their schedules

# Minutes that have to lie between two runs of a new schedule; 0 for no such limit.
MIN_INTERVAL_MINUTES = whole_number("MIN_INTERVAL_MINUTES", default=0, least=0, most=10_080)
# Limits of API keys that agents use, unless the key has its own: the least minutes between two runs
# of what the agent creates, and how many triggers of it may exist.
AGENT_KEY_MIN_INTERVAL = whole_number("AGENT_KEY_MIN_INTERVAL", default=15, least=0, most=10_080)
AGENT_KEY_MAX_TRIGGERS = whole_number("AGENT_KEY_MAX_TRIGGERS", default=20, least=1, most=10_000)
# The Lambda function that EventBridge Scheduler invokes. If it is not set, the local scheduler
# process fires triggers.
TRIGGER_LAMBDA_ARN = env.str("TRIGGER_LAMBDA_ARN", default="")
SCHEDULER_ROLE_ARN = env.str("SCHEDULER_ROLE_ARN", default="")
SCHEDULE_GROUP_NAME = env.str("SCHEDULE_GROUP_NAME", default="default")
SCHEDULE_DLQ_ARN = env.str("SCHEDULE_DLQ_ARN", default="")
if TRIGGER_LAMBDA_ARN:
    SCHEDULER = "triggers.schedulers.eventbridge.EventBridgeScheduler"
else:
    SCHEDULER = "triggers.schedulers.local.LocalScheduler"
# Event sources: a list as JSON or YAML, in the variable or in a file.
EVENT_SOURCES_CONFIG = env.str("EVENT_SOURCES_CONFIG", default="")
EVENT_SOURCES_FILE = env.str("EVENT_SOURCES_FILE", default="")
# The event bus of sources and triggers that do not name one.
EVENT_BUS_NAME = env.str("EVENT_BUS_NAME", default="default")
# Further buses that sources and triggers may listen to; "*" for all.
EVENT_BUSES = texts("EVENT_BUSES")
# Users whose triggers may listen to a bus by a pattern without a source; "*" for all.
EVENT_PATTERN_USERS = texts("EVENT_PATTERN_USERS", default=["*"])
# How many runs may start each other in a row.
CHAIN_DEPTH_LIMIT = whole_number("CHAIN_DEPTH_LIMIT", default=10, least=1, most=1000)
# MAX_EVENT_BYTES limits a message's body, and all its events together.
if TRIGGER_LAMBDA_ARN:
    EVENT_BUS = "events.buses.eventbridge.EventBridgeBus"
    # PutEvents and asynchronous invocations are limited to 1 MB. The bus and the rule add some
    # fields to the event.
    MAX_EVENT_BYTES = 1_000_000
else:
    EVENT_BUS = "events.buses.local.LocalBus"
    MAX_EVENT_BYTES = 256 * 1024
SCHEDULER_CONCURRENCY = whole_number("SCHEDULER_CONCURRENCY", default=10_000, least=1, most=100_000)
SCHEDULER_CATCH_UP_SECONDS = whole_number(
    "SCHEDULER_CATCH_UP_SECONDS", default=600, least=0, most=604800
)
# A URL that is called every three minutes while schedules are fired, for services that alert people
# if the calls stay away.
HEARTBEAT_URL = env.str("HEARTBEAT_URL", default="")
# The import path of what runs beside the web server in its process, and of what says whether a
# process that fires schedules is alive.
BESIDE_THE_WEB_SERVER = "executions.watch.beside_the_web_server"
LIFE_CHECK = "executions.silence.check_life"
SCHEDULER_GRACE_SECONDS = whole_number("SCHEDULER_GRACE_SECONDS", default=30, least=0, most=3600)

# Executions and their agent. If AGENT_API_URL is not set, it is this machine's demo agent.

EXECUTION_TTL_DAYS = whole_number("EXECUTION_TTL_DAYS", default=30, least=1, most=3650)
if TRIGGER_LAMBDA_ARN:
    DISPATCHER = "executions.dispatchers.aws_lambda.LambdaDispatcher"
else:
    DISPATCHER = "executions.dispatchers.local.LocalDispatcher"

DEMO_AGENT_PORT = whole_number("DEMO_AGENT_PORT", default=8081, least=1, most=65535)
AGENT_API_URL = env.str("AGENT_API_URL", default="")
AGENT_AUTH = env.str("AGENT_AUTH", default="cognito")
# The agent's protocol: see docs/protocols.md.
AGENT_PROTOCOL = env.str("AGENT_PROTOCOL", default="invocations")
AGENT_KEY_HEADER = env.str("AGENT_KEY_HEADER", default="X-Api-Key")
# Seconds without data after which an agent's started answer fails; 0 for no such limit.
AGENT_MAX_CONCURRENCY = whole_number("AGENT_MAX_CONCURRENCY", default=0, least=0, most=100_000)
AGENT_IDLE_TIMEOUT_SECONDS = whole_number(
    "AGENT_IDLE_TIMEOUT_SECONDS", default=0, least=0, most=86_400
)
AGENT_TOKEN = env.str("AGENT_TOKEN", default="")
AGENT_TOKEN_ARN = env.str("AGENT_TOKEN_ARN", default="")
COGNITO_CLIENT_ID = env.str("COGNITO_CLIENT_ID", default="")
COGNITO_CLIENT_SECRET = env.str("COGNITO_CLIENT_SECRET", default="")
COGNITO_CLIENT_SECRET_ARN = env.str("COGNITO_CLIENT_SECRET_ARN", default="")
COGNITO_DOMAIN = env.str("COGNITO_DOMAIN", default="")
if COGNITO_SIGN_IN_CLIENT_ID:
    # The sign-out form redirects to Cognito.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] += [
        "https://*.amazoncognito.com",
        *filter(None, [COGNITO_DOMAIN]),
    ]
COGNITO_SCOPE = env.str("COGNITO_SCOPE", default="")
COGNITO_USERNAME = env.str("COGNITO_USERNAME", default="")
COGNITO_AUTH_FLOW = env.str("COGNITO_AUTH_FLOW", default="USER_PASSWORD_AUTH")
COGNITO_PASSWORD = env.str("COGNITO_PASSWORD", default="")
COGNITO_PASSWORD_ARN = env.str("COGNITO_PASSWORD_ARN", default="")
# Agents besides that of AGENT_API_URL, as a list in JSON or YAML, or a file with it.
AGENTS_CONFIG = env.str("AGENTS_CONFIG", default="")
AGENTS_FILE = env.str("AGENTS_FILE", default="")
# The table of agents' profiles, and the path of their MCP servers' secrets by user.
AGENTS_TABLE_NAME = env.str("AGENTS_TABLE_NAME", default="")
MCP_SECRETS_PATH = env.str("MCP_SECRETS_PATH", default="").rstrip("/")
# The path of the parameters that have the environments of all MCP servers of an agent.
SSM_PARAMETER_PREFIX = env.str("SSM_PARAMETER_PREFIX", default="").rstrip("/")
# Whether an agent that is not in that table is called, without a profile.
ALLOW_UNKNOWN_AGENTS = flag("ALLOW_UNKNOWN_AGENTS")
# Agents get a token of the trigger's owner if both are set: see docs/agents.md.
IDENTITY_POOL_ID = env.str("IDENTITY_POOL_ID", default="")
DEVELOPER_PROVIDER_NAME = env.str("DEVELOPER_PROVIDER_NAME", default="")
AGENT_PROMPT_TEMPLATE = env.str(
    "AGENT_PROMPT_TEMPLATE", default=str(BASE_DIR / "executions" / "prompt_context.md")
)
# The URL of the page of an agent's session; {sessionId} in it is replaced by the id.
SESSION_URL = env.str("SESSION_URL", default="")
USES_DEMO_AGENT = not AGENT_API_URL
if USES_DEMO_AGENT:
    AGENT_API_URL = COGNITO_DOMAIN = f"http://127.0.0.1:{DEMO_AGENT_PORT}"
    AGENT_AUTH = "cognito"
    COGNITO_CLIENT_ID = COGNITO_CLIENT_SECRET = "demo"  # noqa: S105  (no secret)
    COGNITO_CLIENT_SECRET_ARN = ""

# Budgets

# The currency of prices and of budgets in money.
BUDGET_CURRENCY = env.str("BUDGET_CURRENCY", default="USD")

# Alerts

# The mail server, such as smtp+tls://USER:PASSWORD@HOST:587, or the ARN of a secret that has it.
EMAIL_URL = env.str("EMAIL_URL", default="")
EMAIL_URL_ARN = env.str("EMAIL_URL_ARN", default="")
EMAIL_FROM = env.str("EMAIL_FROM", default="Moca Triggers <moca-triggers@localhost>")
# On AWS, the secret that has the key by which channels' secrets are sealed.
ALERT_KEY_ARN = env.str("ALERT_KEY_ARN", default="")
# The address of this service, for the links in alerts and for the callbacks of agents.
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")

# Metrics

# The token by which Prometheus reads /metrics; empty to serve none.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# Logs: JSON lines, or plain lines for a terminal.

LOG_LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "moca.logs.ContextFilter"}},
    "formatters": {
        "json": {"()": "moca.logs.JsonFormatter"},
        "text": {"()": "moca.logs.TextFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["context"],
            "formatter": choice("LOG_FORMAT", default="text", choices=["text", "json"]),
        },
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {
        "handlers": ["stderr"],
        "level": choice("LOG_LEVEL", default="INFO", choices=LOG_LEVELS),
    },
    "loggers": {
        # They log URLs with their queries at INFO; a query may contain a sign-in's code.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # Apprise logs URLs that it does not understand, with their tokens. What it warns of goes to
        # the record of the delivery, without them.
        "apprise": {"level": "WARNING", "handlers": ["nowhere"], "propagate": False},
        "boto3": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        # Do not log 4xx answers; log 5xx with tracebacks.
        "django.request": {"level": "ERROR"},
        # Do not log disconnected clients and the length of the queue.
        "waitress": {"level": "WARNING"},
        "waitress.queue": {"level": "ERROR"},
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
