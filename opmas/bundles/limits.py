"""How large a bundle may be. Every figure bounds what a hostile one can make the worker do."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# of the archive
MANIFEST_SIZE: Final = 1 * MIB
SIGNATURE_SIZE: Final = 4 * KIB
AGENT_YAML_SIZE: Final = 256 * KIB  # as much as yamlfile reads
WHEELS: Final = 256
WHEEL_SIZE: Final = 1 * GIB
BUNDLE_SIZE: Final = 2 * GIB  # the wheels together

# of one wheel: its table of contents is read into memory
WHEEL_FILES: Final = 20_000
WHEEL_DIRECTORY_SIZE: Final = 4 * MIB
WHEEL_RECORD_SIZE: Final = 4 * MIB  # 200 bytes for each file
WHEEL_METADATA_SIZE: Final = 1 * MIB  # METADATA has a readme in it, of which nothing is kept
WHEEL_HEADERS_SIZE: Final = 128 * KIB  # of METADATA; and all of WHEEL and of entry_points.txt
WHEEL_RATIO: Final = 200  # unpacked to packed; deflate ends at 1,032, code has about 4
WHEEL_FREE_SIZE: Final = 16 * MIB  # below this no ratio counts

# of all that is unpacked
FILES: Final = 50_000
UNPACKED_SIZE: Final = 4 * GIB
PATH_LENGTH: Final = 400
