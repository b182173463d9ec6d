import fcntl
import os

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections


def migrate():
    # Workers, or two copies of the app, may start at once: one at a time.
    with open(settings.DATA_DIR / 'migrate.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        call_command('migrate', interactive=False, verbosity=0)
    # uWSGI forks after this, and SQLite connections must not cross a fork.
    connections.close_all()


os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings')

application = get_wsgi_application()

# This moves to a `release:` line in a Procfile when reeve has it.
migrate()
