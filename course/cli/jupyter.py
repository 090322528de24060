"""JupyterLab, started with defaults that suit the course, or the one that already runs over the same folder."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

# Defaults of JupyterLab for one start; the user's own settings win, and none of them is changed.
CONFIG = Path(__file__).with_name("jupyter_config")


def open_lab(page: Path, options: Sequence[str]) -> None:
    """Open a file in JupyterLab, in the server that already runs over its folder or else in a new one."""
    address = f"lab/tree/{quote(page.name)}"
    if server := running_server(page.parent):
        token = f"?token={server['token']}" if server.get("token") else ""
        url = f"{server['url']}{address}{token}"
        print(f"JupyterLab already runs over this folder: {url}")
        if "--no-browser" not in options:
            webbrowser.open(url)
        return
    # The default URL rather than a file to open: so the URL printed for --no-browser leads there too.
    opened = [f"--ServerApp.root_dir={page.parent}", f"--LabApp.default_url=/{address}"]
    if not any("log_level" in option or "log-level" in option or option == "--debug" for option in options):
        opened.append("--Application.log_level=ERROR")  # or what was printed before would scroll away
    print("JupyterLab starts; to stop it, press Ctrl-C here twice")
    start([sys.executable, "-m", "jupyterlab", *opened, *options], environment(os.environ))


def environment(inherited: dict[str, str] | os._Environ[str]) -> dict[str, str]:
    """The environment for JupyterLab: as inherited, with the course's defaults after those that were there."""
    paths = [path for path in (inherited.get("JUPYTER_CONFIG_PATH"), str(CONFIG)) if path]
    # A kernel `python3` that another Python installed in the home folder must not hide this one's.
    return {"JUPYTER_PREFER_ENV_PATH": "1", **inherited, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def running_server(folder: Path) -> dict[str, Any] | None:
    """What Jupyter knows of a server of this user that answers and shows just this folder, or None."""
    from jupyter_core.paths import jupyter_runtime_dir

    if not any(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        return None
    from jupyter_server.serverapp import list_running_servers  # takes half a second

    for server in list_running_servers():
        root = server.get("root_dir")
        if root and Path(root).resolve() == folder.resolve() and _answers(server):
            return server
    return None


def _answers(server: dict[str, Any]) -> bool:
    """True if JupyterLab is there; False for a process that died and whose number another one has."""
    request = urllib.request.Request(f"{server['url']}lab", headers={"Authorization": f"token {server.get('token')}"})
    try:
        with closing(urllib.request.urlopen(request, timeout=3)) as reply:
            return reply.status == 200
    except (OSError, ValueError, urllib.error.URLError):
        return False


def start(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process with the command, so that the command alone receives Ctrl-C."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    raise SystemExit(subprocess.call(command, env=environment))
