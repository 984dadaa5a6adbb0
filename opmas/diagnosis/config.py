"""The settings in force, and where each value comes from."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from opmas.core.documents.settings import PREFIX, Settings, parse_settings
from opmas.diagnosis.files import our_processes
from opmas.errors import OpmasError
from opmas.packages.yamlfile import read_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene

SERVICES: Final = {"opmas-manager": "opmas.yaml", "opmas-api": "api.yaml"}


def gather(scene: Scene, out: Outcome) -> None:
    """Gather the settings of the manager and the API with their origins."""
    documents: dict[str, Any] = {}
    for service, name in SERVICES.items():
        try:
            documents[name] = read_config(scene.path(scene.config_dir), name)
        except OpmasError as error:
            out.problem("; ".join((error.message, *error.problems)))
            documents[name] = None
        environ = _environment(scene, service, out)
        if name == "opmas.yaml":
            out.add("settings/opmas.yaml.json", effective(documents[name], environ))
            _check(documents[name], environ, out)
        else:
            out.add("settings/api.yaml.json", given(documents[name], environ))


def effective(document: object, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return every setting of the manager with its value and its origin."""
    found: dict[str, Any] = {}
    sections = document if isinstance(document, dict) else {}
    for section, kind in get_type_hints(Settings).items():
        there = sections.get(section)
        there = there if isinstance(there, dict) else {}
        for each in dataclasses.fields(kind):
            variable = f"{PREFIX}{section}_{each.name}".upper()
            key = f"{section}.{each.name}"
            if variable in environ:
                found[key] = {"value": environ[variable], "from": f"environment: {variable}"}
            elif each.name in there:
                found[key] = {"value": there[each.name], "from": "opmas.yaml"}
            else:
                found[key] = {"value": _plain(each.default), "from": "default"}
    known = {key.partition(".")[0] for key in found}
    for section in sorted(set(map(str, sections)) - known):
        found[section] = {"value": sections.get(section), "from": "opmas.yaml: unknown"}
    return found


def given(document: object, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the API's file and environment set; all else has its default."""
    found: dict[str, Any] = {}
    for section, keys in (document if isinstance(document, dict) else {}).items():
        for key, value in keys.items() if isinstance(keys, dict) else ():
            found[f"{section}.{key}"] = {"value": value, "from": "api.yaml"}
    for variable, value in environ.items():
        section, _, key = variable.removeprefix(PREFIX).lower().partition("_")
        found[f"{section}.{key}"] = {"value": value, "from": f"environment: {variable}"}
    return found


def _check(document: object, environ: Mapping[str, str], out: Outcome) -> None:
    try:
        parse_settings(document, environ)
    except OpmasError as error:
        out.problem("; ".join((error.message, *error.problems)))


def _environment(scene: Scene, service: str, out: Outcome) -> dict[str, str]:
    """Return the `OPMAS_*` of the running service; of this command when it does not run."""
    for path, group in our_processes(scene, out.board):
        if f"/{service}.service" not in group:
            continue
        try:
            text = (path / "environ").read_bytes().decode(errors="backslashreplace")
        except OSError:
            continue
        if text:
            pairs = (part.partition("=") for part in text.split("\0"))
            return {name: value for name, _, value in pairs if name.startswith(PREFIX)}
    if service == "opmas-manager":  # the API is started when somebody asks it
        out.problem("the manager's environment cannot be read: that of this command is shown")
    return {name: value for name, value in scene.environ.items() if name.startswith(PREFIX)}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, Enum) else value
