"""django-oauth-toolkit as a provider. Its access tokens are opaque, so that its JWTs are id tokens, by an authorization code."""

import os
import sys

import django
from django.conf import settings

from signing_keys import NUMBERS, pem

ISSUER = os.environ["ISSUER"]
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="signs cookies",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{os.environ['STATE']}/django.db"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    ROOT_URLCONF="django_server",
    USE_TZ=True,
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": ISSUER,
        "OIDC_RSA_PRIVATE_KEY": pem(NUMBERS[0]),
        "OIDC_RSA_PRIVATE_KEYS_INACTIVE": [pem(number) for number in NUMBERS[1:]],
        "PKCE_REQUIRED": False,
        "SCOPES": {"openid": "OpenID Connect", "introspection": "Ask about tokens"},
    },
)
django.setup()

from django.contrib.auth import get_user_model, login  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import get_application_model  # noqa: E402


def log_in(request):
    login(request, get_user_model().objects.get(username=request.GET["user"]))
    return HttpResponse("welcome")


urlpatterns = [path("login", log_in), path("", include("oauth2_provider.urls"))]


def prepare():
    call_command("migrate", verbosity=0)
    if get_user_model().objects.exists():
        return
    person = get_user_model().objects.create_user("alice")
    for name in ("my-api", "other"):
        get_application_model().objects.create(
            name=name,
            user=person,
            client_id=name,
            client_secret="of the web",
            hash_client_secret=False,
            client_type="confidential",
            authorization_grant_type="authorization-code",
            redirect_uris="http://127.0.0.1:9/callback",
            algorithm="RS256",
            skip_authorization=True,
        )


if __name__ == "__main__":
    sys.modules["django_server"] = sys.modules["__main__"]
    prepare()
    call_command("runserver", f"127.0.0.1:{os.environ['PORT']}", use_reloader=False)
