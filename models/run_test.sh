#!/bin/bash
# The models hold, and each of their mutants fails.
exec "$(dirname "${BASH_SOURCE[0]}")/run"
