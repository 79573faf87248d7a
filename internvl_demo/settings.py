"""One frozen settings object, from flags and the environment.

Flags win over `INTERNVL_*` environment variables, which win over the defaults. Importing this module
reads nothing; `Settings()` does.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

NANO_CHECKPOINT = Path(__file__).resolve().parents[1] / "assets" / "nano"
"""The miniature that comes with the repository."""


class Settings(BaseSettings):
    """Every choice that a host of the demo can make."""

    model_config = SettingsConfigDict(env_prefix="INTERNVL_", frozen=True, extra="forbid")

    endpoint: str | None = Field(None, description="an OpenAI-compatible server, such as LMDeploy's")
    api_key: str | None = Field(None, description="the server's API key", repr=False)
    model: str | None = Field(None, description="the model's name on the server (default: its first)")
    checkpoint: str = Field(str(NANO_CHECKPOINT), description="directory or hub id, run in process")
    device: str = Field("auto", description="where `checkpoint` runs: cpu, cuda or auto")
    host: str | None = Field(None, description="address on which the page listens (default: 127.0.0.1)")
    port: int | None = Field(
        None, ge=1, le=65535, description="port of the page (default: 7860 or the next free one)"
    )
    max_new_tokens: int = Field(1024, ge=1, description="the longest answer, in tokens")
    temperature: float = Field(0.0, ge=0, le=2, description="0 is greedy")
