#!/bin/sh
# Run the suite on extensions built with FASTFLV_SANITIZE=1: `sh tools/with_sanitizers.sh "LIBS" PYTHON [PYTEST ARGS]`.
set -eu
libs=$1
python=$2
shift 2
[ $# -gt 0 ] || set -- tests -m 'not slow'
# Leaks are counted by the suite itself: CPython keeps memory at exit that LeakSanitizer would report.
PYTHONPATH=. PYTHONMALLOC=malloc LD_PRELOAD="$libs" \
ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:quarantine_size_mb=4 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
FASTFLV_SANITIZED=1 exec "$python" -m pytest -p no:cacheprovider "$@"
