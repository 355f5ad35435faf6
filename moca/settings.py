"""Settings, each read once from the environment; docs/settings.md lists them."""

import os
import re
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from moca.aws.secrets import SecretError, secret
from moca.local_keys import make_private, secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

FLAGS = dict.fromkeys(["true", "yes", "on", "1", "y", "ok"], True) | dict.fromkeys(
    ["false", "no", "off", "0", "n"], False
)

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")


def whole_number(name: str, *, default: int, least: int, most: int) -> int:
    """Read a whole number; ImproperlyConfigured names the variable where it is none or too far."""
    text = env.str(name, default=str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ImproperlyConfigured(
            f"{name} is {text!r}: set it to a whole number from {least} to {most}."
        )
    return int(text)


def flag(name: str, *, default: bool = False) -> bool:
    """Read a yes or no; ImproperlyConfigured names the variable if it is neither."""
    text = env.str(name, default="").strip().lower()
    if not text:
        return default
    if text not in FLAGS:
        raise ImproperlyConfigured(f"{name} is {text!r}: set it to true or false.")
    return FLAGS[text]


def texts(name: str, *, default: list[str] | None = None) -> list[str]:
    """Read texts with commas between them, and spaces around them as one likes."""
    if name not in os.environ:
        return list(default or [])
    return [text.strip() for text in os.environ[name].split(",") if text.strip()]


def choice(name: str, *, default: str, choices: list[str]) -> str:
    """Read one of some words; ImproperlyConfigured names the variable where it is none of them."""
    text = env.str(name, default=default)
    if text not in choices:
        raise ImproperlyConfigured(f"{name} is {text!r}: set it to one of {', '.join(choices)}.")
    return text


def dynamodb_table(url: str) -> str:
    """Read the name of the DynamoDB table; empty where the database is another.

    Args:
        url: DATABASE_URL.
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
    """Read this installation's key, or make it; ImproperlyConfigured where neither can be done."""
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


# Where a one-machine installation keeps its database and keys.
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
# The path below which a proxy or a stage of API Gateway serves the application, such as /web.
FORCE_SCRIPT_NAME = env.str("FORCE_SCRIPT_NAME", default="").rstrip("/") or None

INSTALLED_APPS = [
    "moca",
    "moca.authentication",
    "events",
    "triggers",
    "executions",
    "console",
    "moca.admin_config.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
]

# API Gateway compresses what a Lambda function answers.
COMPRESSION = (
    [] if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else ["django.middleware.gzip.GZipMiddleware"]
)
MIDDLEWARE = [
    "moca.requests.RequestIdMiddleware",
    "moca.prefixes.CookiePathMiddleware",
    *COMPRESSION,
    "moca.requests.PolicyMiddleware",
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
    "moca.requests.DatabaseAwayMiddleware",
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

# Widgets of our own stand among the project's templates.
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
# Files are served from where the apps keep them, so that nothing has to be collected to run.
WHITENOISE_USE_FINDERS = True

# AWS: boto3 finds credentials and, for emulators, endpoints by its own variables.

COGNITO_USER_POOL_ID = env.str("COGNITO_USER_POOL_ID", default="")
AWS_REGION = env.str(
    "AWS_REGION",
    default=COGNITO_USER_POOL_ID.partition("_")[0]
    or env.str("AWS_DEFAULT_REGION", default="us-east-1"),
)

# Database: nothing here needs more than one table store. Sessions and messages travel in signed
# cookies, and the tables of auth, contenttypes and admin are never made.

DATABASE_URL = env.str("DATABASE_URL", default="")
TABLE = dynamodb_table(DATABASE_URL)
# DynamoDB Local on this machine, which `make run` starts.
USES_DYNAMODB_LOCAL = DATABASE_URL.startswith("dynamodb-local://")
DYNAMODB_LOCAL_PORT = whole_number("DYNAMODB_LOCAL_PORT", default=8090, least=1, most=65535)
if TABLE:
    # OPTIONS are arguments of boto3's client, which finds what is not there by its own variables.
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
        # One writer at a time, which waits for its turn instead of failing halfway.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None
    # A file, since threads and processes share it in tests too.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "tests.sqlite3")}
DATABASE_ROUTERS = ["moca.routers.WithoutTables"]
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "admin": None}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# Each process counts API_RATE_LIMIT, and remembers what tokens may do, for so many users.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

# Who may do what

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

# Pages load nothing from elsewhere, and no script or style that stands in them.
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
# Load balancers ask for it by HTTP and by address, and follow no redirect.
SECURE_REDIRECT_EXEMPT = [r"^health/?$"]
SECURE_HSTS_SECONDS = whole_number("SECURE_HSTS_SECONDS", default=0, least=0, most=63_072_000)
# The domain above may be others', as that of API Gateway is.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

COGNITO_APP_CLIENT_IDS = texts("COGNITO_APP_CLIENT_IDS")
COGNITO_JWKS_URL = env.str("COGNITO_JWKS_URL", default="")
# Operators' sign-in by Cognito's own pages, with an app client of its own.
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
# Pages of other origins sign in by a token, and never see what a session cookie would show.
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    # It has an ID token, for agents of Bedrock AgentCore. Frontends that call them send it with
    # each request; nothing here reads it.
    "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Id-Token",
]
CORS_EXPOSE_HEADERS = ["X-Request-Id", "Retry-After"]
CORS_PREFLIGHT_MAX_AGE = 3600
# Requests a user may make, as "600/min"; empty for no limit.
API_RATE_LIMIT = env.str("API_RATE_LIMIT", default="")
MAX_TRIGGERS_PER_USER = whole_number("MAX_TRIGGERS_PER_USER", default=1000, least=1, most=100_000)
# The path of the number of bytes that a body of the API may have. Events have MAX_EVENT_BYTES.
API_BODY_LIMIT = "triggers.api.limits.LARGEST_BODY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
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
    "EXCEPTION_HANDLER": "moca.api.exceptions.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Moca Triggers",
    "VERSION": "0.1.0",
    # Path parameters as all other names: triggerId.
    "CAMELIZE_NAMES": True,
    # Routes and parameters stay in the order in which they are written down.
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
}

# Triggers and their schedules

# The Lambda function that EventBridge Scheduler invokes. Without it, schedules are rows that the
# local scheduler process fires.
TRIGGER_LAMBDA_ARN = env.str("TRIGGER_LAMBDA_ARN", default="")
SCHEDULER_ROLE_ARN = env.str("SCHEDULER_ROLE_ARN", default="")
SCHEDULE_GROUP_NAME = env.str("SCHEDULE_GROUP_NAME", default="default")
SCHEDULE_DLQ_ARN = env.str("SCHEDULE_DLQ_ARN", default="")
if TRIGGER_LAMBDA_ARN:
    SCHEDULER = "triggers.schedulers.eventbridge.EventBridgeScheduler"
else:
    SCHEDULER = "triggers.schedulers.local.LocalScheduler"
# Event sources: a list as JSON or YAML, itself or in a file.
EVENT_SOURCES_CONFIG = env.str("EVENT_SOURCES_CONFIG", default="")
EVENT_SOURCES_FILE = env.str("EVENT_SOURCES_FILE", default="")
# The event bus of sources and triggers that name none.
EVENT_BUS_NAME = env.str("EVENT_BUS_NAME", default="default")
# Further buses that sources and triggers may listen to; "*" for any.
EVENT_BUSES = texts("EVENT_BUSES")
# The users whose triggers may listen to a bus by a pattern of their own, without a source; "*" for
# all.
EVENT_PATTERN_USERS = texts("EVENT_PATTERN_USERS", default=["*"])
# MAX_EVENT_BYTES is what the events of one message may have together, and its body.
if TRIGGER_LAMBDA_ARN:
    EVENT_BUS = "events.buses.eventbridge.EventBridgeBus"
    # PutEvents takes less than 1 MB, and so does an asynchronous invocation, in which the bus and
    # the rule add some fields to the event.
    MAX_EVENT_BYTES = 1_000_000
else:
    EVENT_BUS = "events.buses.local.LocalBus"
    MAX_EVENT_BYTES = 256 * 1024
SCHEDULER_CONCURRENCY = whole_number("SCHEDULER_CONCURRENCY", default=64, least=1, most=1000)
SCHEDULER_CATCH_UP_SECONDS = whole_number(
    "SCHEDULER_CATCH_UP_SECONDS", default=600, least=0, most=604800
)
SCHEDULER_GRACE_SECONDS = whole_number("SCHEDULER_GRACE_SECONDS", default=30, least=0, most=3600)

# Executions and the agent they call. Without AGENT_API_URL it is the demo agent of this machine.

EXECUTION_TTL_DAYS = whole_number("EXECUTION_TTL_DAYS", default=30, least=1, most=3650)
if TRIGGER_LAMBDA_ARN:
    DISPATCHER = "executions.dispatchers.aws_lambda.LambdaDispatcher"
else:
    DISPATCHER = "executions.dispatchers.local.LocalDispatcher"

DEMO_AGENT_PORT = whole_number("DEMO_AGENT_PORT", default=8081, least=1, most=65535)
AGENT_API_URL = env.str("AGENT_API_URL", default="")
AGENT_AUTH = env.str("AGENT_AUTH", default="cognito")
# How the agent is asked and answers: see docs/protocols.md.
AGENT_PROTOCOL = env.str("AGENT_PROTOCOL", default="invocations")
AGENT_KEY_HEADER = env.str("AGENT_KEY_HEADER", default="X-Api-Key")
# How long an agent that has begun to answer may send nothing; 0 for as long as the run may take.
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
    # Signing out leads there from a form.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] += [
        "https://*.amazoncognito.com",
        *filter(None, [COGNITO_DOMAIN]),
    ]
COGNITO_SCOPE = env.str("COGNITO_SCOPE", default="")
COGNITO_USERNAME = env.str("COGNITO_USERNAME", default="")
COGNITO_AUTH_FLOW = env.str("COGNITO_AUTH_FLOW", default="USER_PASSWORD_AUTH")
COGNITO_PASSWORD = env.str("COGNITO_PASSWORD", default="")
COGNITO_PASSWORD_ARN = env.str("COGNITO_PASSWORD_ARN", default="")
# A table of agents, and where their MCP servers' secrets are, below a folder for each user.
AGENTS_TABLE_NAME = env.str("AGENTS_TABLE_NAME", default="")
MCP_SECRETS_PATH = env.str("MCP_SECRETS_PATH", default="").rstrip("/")
AGENT_PROMPT_TEMPLATE = env.str(
    "AGENT_PROMPT_TEMPLATE", default=str(BASE_DIR / "executions" / "prompt_context.md")
)
# Where people read an agent's sessions: an address in which {sessionId} stands for the id.
SESSION_URL = env.str("SESSION_URL", default="")
USES_DEMO_AGENT = not AGENT_API_URL
if USES_DEMO_AGENT:
    AGENT_API_URL = COGNITO_DOMAIN = f"http://127.0.0.1:{DEMO_AGENT_PORT}"
    AGENT_AUTH, AGENT_PROTOCOL = "cognito", "invocations"
    COGNITO_CLIENT_ID = COGNITO_CLIENT_SECRET = "demo"  # noqa: S105  (no secret)
    COGNITO_CLIENT_SECRET_ARN = ""

# Logs: one JSON object a line, or plain lines for a terminal.

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
        }
    },
    "root": {
        "handlers": ["stderr"],
        "level": choice("LOG_LEVEL", default="INFO", choices=LOG_LEVELS),
    },
    "loggers": {
        # They log each URL at INFO, query strings included; a sign-in's code is in one.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "boto3": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        # A refusal is an answer, not an event; errors keep their tracebacks.
        "django.request": {"level": "ERROR"},
        # Clients that leave, and how many requests wait at a moment, are no events.
        "waitress": {"level": "WARNING"},
        "waitress.queue": {"level": "ERROR"},
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
