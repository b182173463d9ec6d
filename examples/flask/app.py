import os
import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask, redirect, render_template, request, url_for

DATA = Path(os.environ.get('REEVE_DATA') or Path(__file__).resolve().parent)

app = Flask(__name__)


@app.get('/')
def index():
    return render_template('index.html')


@app.get('/old')
def old():
    # A whole address, so that a wrong scheme, host or port would be seen.
    return redirect(url_for('index', _external=True))


@app.get('/where')
def where():
    return {
        'scheme': request.scheme,
        'host': request.host,
        'remote_addr': request.remote_addr,
        'script_name': request.environ.get('SCRIPT_NAME', ''),
    }


@app.get('/counter')
def counter():
    with closing(sqlite3.connect(DATA / 'counter.sqlite3')) as db, db:
        db.execute('CREATE TABLE IF NOT EXISTS counter '
                   '(id INTEGER PRIMARY KEY, hits INTEGER NOT NULL)')
        # One statement, so that two workers never count the same visit number.
        [(hits,)] = db.execute(
            'INSERT INTO counter VALUES (1, 1) '
            'ON CONFLICT (id) DO UPDATE SET hits = hits + 1 RETURNING hits'
        ).fetchall()
    return f'{hits}\n', {'Content-Type': 'text/plain', 'Cache-Control': 'no-store'}
