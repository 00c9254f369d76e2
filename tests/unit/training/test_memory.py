"""Memory that is given back was not needed."""

import subprocess
import sys

import pytest
from project import ROOT
