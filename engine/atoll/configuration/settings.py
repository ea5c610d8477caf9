"""The shape of ``atoll.toml``: which keys there are and what type each has. Meaning is checked in ``checks``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from atoll.configuration.problems import ENVIRONMENT_DELIMITER, ENVIRONMENT_PREFIX


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSettings(_Table):
    """``[regions.R.nodes.N]``: an address that is left out becomes a free loopback port at ``atoll up``."""

    grpc: str | None = None
    http: str | None = None


class ShardSettings(_Table):
    """``[regions.R.shards.S]``: a shard without a DSN gets a server of its own from the launcher."""

    dsn: str | None = None


class RegionSettings(_Table):
    """``[regions.R]``. ``nodes`` and ``shards`` may be lists of names."""

    nodes: dict[str, NodeSettings] = Field(default_factory=lambda: {"n1": NodeSettings()})
    shards: dict[str, ShardSettings]
    catalog: str | None = None
    """DSN of the control-plane database; left out, it lives beside the first shard."""


class ZoneSettings(_Table):
    """``[zones.Z]``. Only ``global`` may leave out its home (the first region) and its regions (all)."""

    home: str | None = None
    regions: tuple[str, ...] | None = None
    countries: tuple[str, ...] = ()


class CollectionSettings(_Table):
    """``[collections.C]``. ``zone`` pins all records of the collection to one zone."""

    placement: str = "hash"
    zone: str | None = None
    strict: bool = False
    fields: dict[str, str] = Field(default_factory=dict)


class Settings(BaseSettings):
    """The whole file. Relative paths are relative to it. Names with ``-`` cannot be set by the environment."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter=ENVIRONMENT_DELIMITER,
    )

    ring: str
    regions: dict[str, RegionSettings]
    zones: dict[str, ZoneSettings] = Field(default_factory=dict)
    collections: dict[str, CollectionSettings] = Field(default_factory=dict)
    state_directory: Path = Path(".atoll")
    token_key: str | None = None
    """64 hexadecimal digits; left out, the key is in ``token_key_file``."""
    token_key_file: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library passes all five by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over the file, which arrives as the arguments; no other source."""
        return env_settings, init_settings


_TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Settings,
    ("regions", "*"): RegionSettings,
    ("regions", "*", "nodes", "*"): NodeSettings,
    ("regions", "*", "shards", "*"): ShardSettings,
    ("zones", "*"): ZoneSettings,
    ("collections", "*"): CollectionSettings,
}


def known_keys(path: tuple[str, ...]) -> list[str]:
    """The keys that the table at ``path`` may hold."""
    pattern = tuple(part if depth % 2 == 0 else "*" for depth, part in enumerate(path))
    return list(_TABLES[pattern].model_fields)
