#!/bin/sh
# The whole story of an agent of the runtime $1: its author has no rights on the host, its operator is root.
set -eux

author() { runuser -l author -c "$*"; }

release() { # VERSION: the author raises it and builds, the operator installs
    author "sed -i 's/^version: .*/version: $1/' tide/agent.yaml && opmas bundle build tide"
    opmas package install "/home/author/tide-$1.opmas"
}

useradd --create-home --shell /bin/sh author

author "opmas agent new tide --runtime $1"
author "cd tide && python3 -m pytest -q"
author "opmas key new"
author "opmas bundle check tide"
author "opmas bundle build tide"
author "opmas bundle inspect tide-0.1.0.opmas"

opmas package install /home/author/tide-0.1.0.opmas && exit 90 # nobody trusts the author yet
opmas key trust /home/author/.config/opmas/keys/default.pub --name author
opmas package install /home/author/tide-0.1.0.opmas
opmas agent create tide
opmas agent list

release 0.2.0
opmas agent update tide --version 0.2.0 --window 10

author "sed -i '/^\"\"\"/a raise SystemExit(\"it is broken\")' tide/tide/__init__.py tide/bin/tide || true"
release 0.3.0
opmas agent update tide --version 0.3.0 --window 10 && exit 91 # a bad version is told by the exit code
opmas agent explain tide
