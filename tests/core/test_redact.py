"""No form of an address shows its password, in any text; and texts without one stay as they are."""

import io

import pytest

from kit.core.errors import KitError
from kit.core.redact import HIDDEN, RedactedStream, keep_secret, keep_secrets_of, redacted

PASSWORD = "Gz7qLw9x"
HIDING = [
    "postgresql://me:{}@host/db",
    "postgresql+psycopg://me:{}@127.0.0.1:5432/db",
    "mysql+pymysql://me:{}@host/db?charset=utf8",
    "redis://:{}@host:6379/0",
    "https://me:{}@tracking.example/path",
    "storage=postgresql://me:{}@host/db",
    "me:{}@host/db",
    "postgresql://host/db?user=me&password={}",
    "postgresql://host/db?sslpassword={}&x=1",
    "postgresql://host/db?password={}#part",
    "host=h password={} dbname=x",
    "host=h password='{}' dbname=x",
    "PGPASSWORD={} psql",
    "MLFLOW_TRACKING_TOKEN={}",
    "{{'password': '{}'}}",
    '{{"password": "{}"}}',
    "postgresql%3A%2F%2Fme%3A{}%40host%2Fdb",
    "(psycopg.OperationalError) connection to postgresql://me:{}@host failed: FATAL",
    "two: redis://a:{0}@h and mysql://b:{0}@h",
]


@pytest.mark.parametrize("form", HIDING)
def test_a_password_is_hidden_by_the_form_of_its_address(form: str) -> None:
    for password in (PASSWORD, "p%40ss%2Fw", "a", "x" * 300, "пароль"):
        said = redacted(form.format(password))
        if len(password) > 1:
            assert password not in said, said
        assert HIDDEN in said and redacted(said) == said


@pytest.mark.parametrize("password", ["p@ss:w/rd", "two words", "a'quo\"te", "line\nbreak", "50%&more", "it-ends@"])
def test_one_of_odd_letters_is_hidden_once_it_is_known(password: str) -> None:
    from urllib.parse import quote

    keep_secrets_of(["tune", f"storage=postgresql://me:{password}@host/db"], {})
    for spelled in (password, quote(password, safe=""), repr(password)[1:-1]):
        said = redacted(f"the server at host refuses '{spelled}' of me")
        assert spelled not in said and HIDDEN in said


def test_what_the_environment_holds_is_known() -> None:
    keep_secrets_of([], {"PGPASSWORD": "Xy93jfkw", "KIT_DATA": "mysql://me:Qp02lskd@h/x", "HF_TOKEN": "hf_abcdefgh"})
    said = redacted("Xy93jfkw Qp02lskd hf_abcdefgh")
    assert said == f"{HIDDEN} {HIDDEN} {HIDDEN}"
    keep_secrets_of([], {"TOKENIZERS_PARALLELISM": "false", "RAY_AUTH_TOKEN_PATH": "/home/me/token"})
    assert redacted("false /home/me/token") == "false /home/me/token"


def test_a_short_one_is_hidden_in_addresses_alone() -> None:
    keep_secret("postgresql://kit:kit@host/db")
    assert redacted("kit: no competition is called 'x'") == "kit: no competition is called 'x'"
    assert redacted("postgresql://kit:kit@host/db") == f"postgresql://kit:{HIDDEN}@host/db"


@pytest.mark.parametrize(
    "text",
    [
        "batch_tokens=2048 minilm.tokens=3 stage.lr=1e-3",
        "trial 3: rmse 0.123, best 0.120 (trial 2), 3.1 s · a=0.3",
        "boost@17 fold 0: 0.5 (12:30:01)",
        "https://example.org/a?b=c",
        "postgresql://me@host/name",
        "sqlite:////tmp/runs/toxic/tune/boost.db",
        '<p style="color:red">boost@17</p>',
        "File 'x.py', line 3, in f",
        "ask me@example.org",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


def test_a_stream_writes_without_passwords_and_is_the_stream_in_all_else() -> None:
    inner = io.StringIO()
    stream = RedactedStream(inner)
    print("see mysql://me:abcdefg@h/x", file=stream)  # type: ignore[call-overload]
    stream.writelines(["redis://:abcdefg@h", "\n"])
    assert inner.getvalue() == f"see mysql://me:{HIDDEN}@h/x\nredis://:{HIDDEN}@h\n"
    assert stream.isatty() is False and stream.getvalue() == inner.getvalue()


def test_an_error_hides_it_whoever_raises_it() -> None:
    assert str(KitError("storage=redis://:abcdefg@h: no")) == f"storage=redis://:{HIDDEN}@h: no"


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "a:" * 10**6, "://" * 10**5, "x@" * 10**6, "password=" * 10**5, "'" * 10**6]
)
def test_a_text_of_any_length_is_read_once(text: str) -> None:
    assert len(redacted(text)) <= len(text)
