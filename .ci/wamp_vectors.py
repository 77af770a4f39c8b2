#!/usr/bin/env python3
"""Fetches the test vectors of WAMP into a folder: python3 .ci/wamp_vectors.py .wamp-vectors

They are part of the source distribution of autobahn for Python at PyPI, which carries the specification
and its test suite. Nothing of it is installed.
"""
import hashlib
import io
import os
import shutil
import sys
import tarfile
import urllib.request

URL = (
    "https://files.pythonhosted.org/packages/e5/84/"
    "8ea0607facb3c97a3beae3c767213fc716f9ab2f157570dc5aeba1174730/autobahn-26.10.2.tar.gz"
)
SHA256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
WANTED = (
    ".proto/testsuite/singlemessage/",
    ".proto/testsuite/multisession/",
    ".proto/rfc/text/advanced/authentication_cryptosign.md",
)


def fetch():
    for attempt in range(3):
        try:
            with urllib.request.urlopen(URL, timeout=120) as answer:
                return answer.read()
        except OSError as error:
            print(f"{URL}: {error}", file=sys.stderr)
    sys.exit("the test vectors of WAMP could not be fetched")


def main(folder):
    archive = fetch()
    found = hashlib.sha256(archive).hexdigest()
    if found != SHA256:
        sys.exit(f"{URL} has the SHA-256 {found}, expected was {SHA256}")
    draft = f"{folder}.{os.getpid()}"
    count = 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            if not member.isfile() or not name.startswith(WANTED):
                continue
            path = os.path.join(draft, name.removeprefix(".proto/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                shutil.copyfileobj(tar.extractfile(member), file)
            count += 1
    if count == 0:
        sys.exit(f"{URL} has no test vectors")
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(draft, folder)
    print(f"{count} files of test vectors in {folder}")


main(sys.argv[1])
