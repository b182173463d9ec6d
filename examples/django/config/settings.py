import os
from pathlib import Path

from . import secret

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get('REEVE_DATA') or BASE_DIR)

SECRET_KEY = os.environ.get('SECRET_KEY') or secret.read_or_create(DATA_DIR / 'secret_key')

DEBUG = os.environ.get('DEBUG', '').lower() in ('1', 'true', 'yes', 'on')

# Any host is safe by default: nginx only passes the app's own host names.
ALLOWED_HOSTS = [host.strip() for host in os.environ.get('ALLOWED_HOSTS', '*').split(',')]

INSTALLED_APPS = ['guestbook']

MIDDLEWARE = [
    'django.middleware.security.SecurityMiddleware',
    'django.middleware.common.CommonMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.middleware.clickjacking.XFrameOptionsMiddleware',
]

ROOT_URLCONF = 'config.urls'
WSGI_APPLICATION = 'config.wsgi.application'

TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates',
        'DIRS': [BASE_DIR / 'templates'],
        'APP_DIRS': True,
    },
]

DATABASES = {
    'default': {
        'ENGINE': 'django.db.backends.sqlite3',
        'NAME': DATA_DIR / 'db.sqlite3',
    },
}

DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'

LANGUAGE_CODE = 'en'
TIME_ZONE = 'UTC'

# With DEBUG off, Django by default only mails errors; this puts them in the app's log.
LOGGING = {
    'version': 1,
    'disable_existing_loggers': False,
    'handlers': {'console': {'class': 'logging.StreamHandler'}},
    'root': {'handlers': ['console']},
    'loggers': {'django': {'level': 'INFO'}},
}
