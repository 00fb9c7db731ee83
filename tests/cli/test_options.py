from __future__ import annotations

import json
from pathlib import Path

import pytest

from tfjs.cli.options import parse_metadata, parse_quantize, parse_size
from tfjs.errors import CorruptFileError, FormatError, UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("4194304", 4 << 20),
        ("4MiB", 4 << 20),
        ("4mib", 4 << 20),
        (" 4 MiB ", 4 << 20),
        ("500KB", 500_000),
        ("500 kb", 500_000),
        ("2MB", 2_000_000),
        ("16KiB", 16 << 10),
        ("1GiB", 1 << 30),
        ("1GB", 10**9),
        ("12B", 12),
        ("1.5KiB", 1536),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "4 megs", "MiB", "0.1", "1,5MB", "4M iB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is no size in bytes") as failure:
        parse_size(text)
    assert repr(text) in failure.value.message
    assert failure.value.hint == "such as 4MiB, 500KB or 4194304"


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        ([], {}),
        (["float16"], {"float16": True}),
        (["uint8=*"], {"uint8": True}),
        (["uint8=dense*,conv?/kernel"], {"uint8": ["dense*", "conv?/kernel"]}),
        (["uint8=a, b"], {"uint8": ["a", "b"]}),
        (["uint8=a", "float16", "uint8=b"], {"uint8": ["a", "b"], "float16": True}),
        (["uint8=a", "uint8"], {"uint8": True}),
        (["uint8=kernel=1"], {"uint8": ["kernel=1"]}),
    ],
)
def test_quantisation_rules(values: list[str], rules: dict[str, object]) -> None:
    assert parse_quantize(values) == rules


def test_an_unknown_dtype() -> None:
    with pytest.raises(UsageError, match="weights cannot be stored as 'int8'") as failure:
        parse_quantize(["int8"])
    assert failure.value.hint == "choose from float16, uint8, uint16"


@pytest.mark.parametrize("value", ["uint8=", "uint8= "])
def test_no_pattern_does_not_mean_every_weight(value: str) -> None:
    with pytest.raises(UsageError, match="names no weights"):
        parse_quantize([value])


def test_metadata(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(["cat", "dog"]))
    (tmp_path / "a:b.json").write_text("{}")
    metadata = parse_metadata([f"labels:{tmp_path}/labels.json", f"odd:{tmp_path}/a:b.json"])
    assert metadata == {"labels": ["cat", "dog"], "odd": {}}


@pytest.mark.parametrize("value", ["labels", "labels:", ":file.json", ""])
def test_metadata_that_is_no_pair(value: str) -> None:
    with pytest.raises(UsageError, match="--metadata takes KEY:FILE, not"):
        parse_metadata([value])


def test_metadata_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="No such file"):
        parse_metadata([f"a:{tmp_path}/none.json"])
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(CorruptFileError, match="is not valid JSON"):
        parse_metadata([f"a:{tmp_path}/bad.json"])
