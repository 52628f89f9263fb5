"""A real nginx with the configuration that is shipped, before processes of the app."""

from __future__ import annotations

import ipaddress
import re
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from builders.servers import find_ports
from qa_core.base.environment import PROJECT

CONFIGURATION = PROJECT / "deploy" / "nginx.conf"
SHIPPED_PORTS = ("8501", "8502")
MAIN = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log;
events {{}}
http {{
    {temporary}
    include {folder}/ecoute.conf;
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Proxy:
    """A running nginx: `host` is its name and port over TLS."""

    host: str
    folder: Path

    @property
    def tls(self) -> ssl.SSLContext:
        """TLS 1.2: after the handshake of 1.3 comes a ticket. One thread of a visitor reads it
        while another writes, which OpenSSL bears only with the locks of newer Pythons.
        """
        context = ssl.create_default_context(cafile=self.folder / "fullchain.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


def find() -> str | None:
    """Find nginx's program."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def write_configuration(folder: Path, ports: Sequence[str]) -> str:
    """Write what is shipped with our ports, folders and certificate in place of its own.
    Returns the port over TLS.
    """
    plain, secure = map(str, find_ports(2))
    text = CONFIGURATION.read_text(encoding="utf-8")
    for shipped, ours in zip(SHIPPED_PORTS, ports, strict=True):
        text = re.sub(rf"(?<!\d){shipped}(?!\d)", ours, text)
    text = text.replace("listen 80", f"listen 127.0.0.1:{plain}")
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;")
    text = text.replace("/etc/ssl/ecoute/", f"{folder}/").replace("/var/log/nginx/", f"{folder}/")
    (folder / "ecoute.conf").write_text(text, encoding="utf-8")
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    main = MAIN.format(folder=folder, temporary=temporary)
    (folder / "nginx.conf").write_text(main, encoding="utf-8")
    return secure


def write_certificate(folder: Path) -> None:
    """Write a certificate of 127.0.0.1 that vouches for itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dashboard.example")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def serve(folder: Path, ports: Sequence[str]) -> Iterator[Proxy]:
    """Run nginx in that folder before the processes on those ports, until the block ends.

    Skips the test where nginx is not installed.
    """
    program = find()
    if program is None:
        pytest.skip("nginx is not installed (Debian: apt install nginx-light)")
    folder.chmod(0o755)
    write_certificate(folder)
    proxy = Proxy(f"127.0.0.1:{write_configuration(folder, ports)}", folder)
    command = [program, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "nginx-start.log"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if (folder / "nginx.pid").exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        if process.poll() is not None:
            pytest.fail(f"nginx did not start: {(folder / 'nginx-start.log').read_text()}")
        _wait_for(proxy)
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=180)


def _wait_for(proxy: Proxy) -> None:
    """Wait until a process answers through nginx."""
    for _ in range(300):
        try:
            address = f"https://{proxy.host}/_stcore/health"
            urllib.request.urlopen(address, timeout=60, context=proxy.tls).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("nothing answers through nginx")
