"""Make the virtual environment `.venv` and install Forecourt into it: python3 bootstrap.py EXTRA.

Needs nothing but Python. It is written so that old versions can read it far enough to say what is missing.
"""

import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ENVIRONMENT = os.path.join(HERE, ".venv")


def main():
    extra = sys.argv[1] if len(sys.argv) > 1 else "demo"
    refuse_what_cannot_work()
    python = (
        os.path.join(ENVIRONMENT, "Scripts", "python.exe")
        if os.name == "nt"
        else os.path.join(ENVIRONMENT, "bin", "python")
    )
    if not os.path.exists(python):
        print("Making the virtual environment .venv", flush=True)
        subprocess.check_call([sys.executable, "-m", "venv", ENVIRONMENT])
    marker = os.path.join(ENVIRONMENT, "installed-" + extra)
    wanted = fingerprint()
    if read(marker) != wanted:
        print("Installing forecourt[%s]; the first time takes a minute or two" % extra, flush=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.check_call([*install, "--constraint", "constraints.txt", "--editable", ".[%s]" % extra], cwd=HERE)
        with open(marker, "w") as file:
            file.write(wanted)


def refuse_what_cannot_work():
    if sys.version_info < (3, 11):
        sys.exit(
            "Forecourt needs Python 3.11 or later; this is %s.\n%s" % (sys.version.split()[0], newer_python()),
        )
    try:
        import ensurepip  # noqa: F401, PLC0415  # only whether it is there
        import venv  # noqa: F401, PLC0415  # as above
    except ImportError:
        package = "python%d.%d-venv" % sys.version_info[:2]
        sys.exit("This Python has no venv module. Install it with:\n  sudo apt-get install " + package)


def newer_python():
    if os.name == "nt":
        return "Install one with:\n  winget install Python.Python.3.12"
    if sys.platform == "darwin":
        return "Install one with:\n  brew install python@3.12\nthen: make PYTHON=python3.12 demo"
    return "Install one with:\n  sudo apt-get install python3.11-venv\nthen: make PYTHON=python3.11 demo"


def fingerprint():
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
