#!/bin/sh
# Run tests on extensions that are built with a sanitizer, in a directory of their own:
# `sh tools/sanitized.sh address|thread PYTHON [PYTEST ARGS]`.
set -eu
kind=$1
python=$(command -v "$2")
shift 2
home=build/$kind
case $kind in
address) libs="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" ;;
thread) libs=$(gcc -print-file-name=libtsan.so) ;;
esac
FASTFLV_SANITIZE=$kind "$python" setup.py -q build_py -d "$home" build_ext -b "$home" -t "$home-temp"
rm -f "$home"/report.*
# Python alone runs with the library: ffmpeg, browsers and openssl would be slower by it, and are not what is tested.
printf '#!/bin/sh\nLD_PRELOAD="%s" exec "%s" "$@"\n' "$libs" "$python" >"$home/python"
chmod +x "$home/python"
cp tools/sanitizedsite.py "$home/sitecustomize.py"
export FASTFLV_SANITIZED="$PWD/$home/python"
# Reports go to files: pytest would keep them, and a server that a test started has an end of its own.
report=log_path=$PWD/$home/report
# Leaks are counted by the suite itself: CPython keeps memory at exit that LeakSanitizer would report.
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:quarantine_size_mb=4:$report"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:$report"
# io_sync=0: what one thread writes to a descriptor and another reads there orders nothing else; memory orders have to.
export TSAN_OPTIONS="io_sync=0:history_size=6:exitcode=0:$report"
# Each process would compile all modules anew, four times as long as it loads them.
export PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX="$PWD/$home/pycache"
status=0
# Python's own allocator would hide what lies between small objects.
PYTHONPATH=$PWD/$home PYTHONMALLOC=malloc "$FASTFLV_SANITIZED" -P -m pytest -p no:cacheprovider --timeout 600 "$@" || status=$?
for found in "$home"/report.*; do
    [ -e "$found" ] || continue
    cat "$found"
    status=1
done
exit $status
