"""Passwords: policy, hashing, and random one-time passwords (CNIL, délibération 2022-100)."""

import functools
import re
import secrets
import string
import unicodedata

import bcrypt

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_

ROUNDS = 12
MAXIMUM_BYTES = 72
"""Longest input that bcrypt reads; it would silently cut a longer one."""

BESIDE_NAME = 8
"""Least number of characters beside the username in a password that contains it."""

ALL_CLASSES_LENGTH, THREE_CLASSES_LENGTH, PASSPHRASE_WORDS = 12, 14, 7
RULE = N_(
    "Choose 12 characters with small and capital letters, digits and signs. Or choose 14 with "
    "three of these kinds, or seven different words."
)

# Words that people often choose as passwords, in French and English.
COMMON_WORDS = frozenset(
    """
    password passwords motdepasse azerty azertyuiop qwerty qwertyuiop qwertz bonjour welcome
    bienvenue administrateur administrator admin soleil doudou chouchou loulou marseille
    iloveyou jetaime letmein changeme changemoi secret abcdefgh abcdefghij abcdefghijkl abcd
    abcdef test temporary provisoire ecoute callcenter centredappels football princess dragon
    monkey superman batman trustno sunshine company entreprise
    """.split()  # noqa: SIM905
)
_LOOKALIKES = str.maketrans("@4301!5$7", "aaeoiisst")
_ONE_TIME_ALPHABET = "".join(
    letter for letter in string.ascii_letters + string.digits if letter not in "O0oIl1"
)


def normalise(password: str) -> str:
    """Compose Unicode and strip blanks, so that every keyboard gives the same bytes."""
    return unicodedata.normalize("NFKC", password).strip()


def check_policy(password: str, username: str) -> None:
    """Check a password against the policy. Raises Refusal, saying what is missing."""
    password = normalise(password)
    if len(password.encode()) > MAXIMUM_BYTES:
        raise Refusal(
            "long_password",
            "The password is longer than {bytes} bytes. Choose a shorter one.",
            bytes=MAXIMUM_BYTES,
        )
    tests = (str.islower, str.isupper, str.isdigit, lambda letter: not letter.isalnum())
    classes = sum(any(test(letter) for letter in password) for test in tests)
    words = [word for word in re.split(r"[\s\-_.,]+", password) if len(word) > 1]
    long_enough = (
        (len(password) >= ALL_CLASSES_LENGTH and classes == 4)
        or (len(password) >= THREE_CLASSES_LENGTH and classes >= 3)
        or len({word.casefold() for word in words}) >= PASSPHRASE_WORDS
    )
    if not long_enough:
        raise Refusal("weak_password", RULE)
    if username.casefold() in password.casefold() and len(password) - len(username) < BESIDE_NAME:
        raise Refusal(
            "password_is_name", "The password is too close to your username. Choose another one."
        )
    if _is_common(password):
        raise Refusal(
            "common_password", "Many people choose this password. Choose a less common one."
        )


def _is_common(password: str) -> bool:
    lower_case = password.casefold()
    letters = re.sub(r"[\W\d_]+", "", lower_case)
    core = lower_case.strip(string.digits + string.punctuation + " ").translate(_LOOKALIKES)
    return len(set(lower_case)) < 6 or any(
        re.sub(r"^(.+?)\1+$", r"\1", form) in COMMON_WORDS for form in (letters, core)
    )


def hash_password(password: str) -> str:
    return bcrypt.hashpw(normalise(password).encode(), bcrypt.gensalt(ROUNDS)).decode()


def matches(password: str, password_hash: str | None) -> bool:
    """Compare a password with a hash. Without a hash, return False after the same time."""
    typed_bytes = normalise(password).encode()
    good = bcrypt.checkpw(typed_bytes[:MAXIMUM_BYTES], (password_hash or _nobody()).encode())
    return good and password_hash is not None and len(typed_bytes) <= MAXIMUM_BYTES


@functools.cache
def _nobody() -> str:
    return hash_password(secrets.token_urlsafe(32))


def make_one_time() -> str:
    """Make a random one-time password: 20 characters in groups, without look-alikes."""
    while True:
        letters = "".join(secrets.choice(_ONE_TIME_ALPHABET) for _ in range(20))
        if (
            any(map(str.islower, letters))
            and any(map(str.isupper, letters))
            and any(map(str.isdigit, letters))
        ):
            return "-".join(letters[start : start + 5] for start in range(0, 20, 5))
