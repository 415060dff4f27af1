"""Every tuned number of fastflv with its unit and its reason, one file a subject.

Code names them as `limits.NAME` and never repeats a value.
"""

from fastflv.limits.access import *
from fastflv.limits.api import *
from fastflv.limits.cluster import *
from fastflv.limits.config import *
from fastflv.limits.containers import *
from fastflv.limits.directory import *
from fastflv.limits.embed import *
from fastflv.limits.fanout import *
from fastflv.limits.files import *
from fastflv.limits.forward import *
from fastflv.limits.hls import *
from fastflv.limits.hooks import *
from fastflv.limits.http import *
from fastflv.limits.http2 import *
from fastflv.limits.log import *
from fastflv.limits.metrics import *
from fastflv.limits.net import *
from fastflv.limits.probe import *
from fastflv.limits.process import *
from fastflv.limits.quota import *
from fastflv.limits.record import *
from fastflv.limits.rtmp import *
from fastflv.limits.stream import *
from fastflv.limits.time import *
from fastflv.limits.tools import *
from fastflv.limits.vod import *
