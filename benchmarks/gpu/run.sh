#!/usr/bin/env bash
# Install the wheels that lie in a folder, nothing from elsewhere, and run benchmarks.gpu with them:
#   bash benchmarks/gpu/run.sh WHEELS [options of python -m benchmarks.gpu]
# The torch of the python3 that is there is used, and its other packages where WHEELS has none.
set -euo pipefail
start=$SECONDS
cd "$(dirname "$0")/../.."
wheels=$1
shift
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
python=${PYTHON:-python3}
if compgen -G "$wheels/*.whl" > /dev/null; then
	"$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir \
		--disable-pip-version-check --target "$site" "$wheels"/*.whl
fi
export PYTHONPATH="$PWD:$site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 MPLBACKEND=Agg
command -v nvidia-smi > /dev/null && nvidia-smi || true
"$python" -m benchmarks.gpu "$@"
echo "all of it took $((SECONDS - start)) s"
