"""The senders we know by name: `scheme: github` in `sources.yaml` means one of these; read when first asked."""

from collections.abc import Iterator, Mapping
from typing import Final

from typing_extensions import override

from orchestrator.sources.preset import Preset
from orchestrator.sources.table import presets

MIB: Final = 1024 * 1024
DEFAULT_MAX_BODY: Final = MIB


class _Presets(Mapping[str, Preset]):
    """The table by name; importing it reads nothing yet."""

    @override
    def __getitem__(self, name: str) -> Preset:
        return presets()[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(presets())

    @override
    def __len__(self) -> int:
        return len(presets())


PRESETS: Final[Mapping[str, Preset]] = _Presets()
