"""The app as its users start it, on a free port of this machine."""

import socket
import subprocess
import sys
import time
import urllib.request

from project import ROOT


class Server:
    def __init__(self, log=subprocess.DEVNULL, base=""):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/{base}".rstrip("/")
        options = [
            "--server.headless=true",
            f"--server.port={self.port}",
            "--server.address=127.0.0.1",
            f"--server.baseUrlPath={base}",
        ]
        command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options]
        self.visited = False
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1)
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the server did not start within a minute")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
