"""A bundle that TensorFlow 2.21 wrote, and what is in it.

Made with `tf.raw_ops.SaveV2` from: `a/w`, int16 of shape (3, 70) counting from 0, in two slices
(`3 70 0,3:0,64` and `3 70 -:64,6`); `b`, bfloat16 [1.5, -2]; `list`, a variant (a tensor list with
one element [1, 2]); `s`, strings of shape (2, 2).
"""

from __future__ import annotations

import base64
from pathlib import Path

STRINGS = [b"ab", b"", b"x" * 130, b"\xc3\xbf"]

INDEX = base64.b64decode(
    "AAAGCAEaAggBAA0WAGEvdwABAQKAf8BAhggFEggSAggDEgIIBiCAAygkNd5VmLwJBBSDgMBACAUSCBICCAMSAghAKI"
    "ADNbFfFtIAAyBhL3cIBRIIEgIIAxICCEY6CAoCEAMKAhBAOggKAAoECEAQBgABEmIIDhIEEgIIAiCkAygENS5KVvIA"
    "BA5saXN0CBUSACCoAyhDNZq2hs4AARdzCAcSCBICCAISAggCIOsDKI8BNTU3UWoAAAAAAQAAAADv5ny6AAAAAAEAAA"
    "AAwPKhsAABA3QAvgEAAAAAAQAAAACWS/0CwwEI0AEPAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFf7"
    "gIskdUfb"
)
DATA = base64.b64decode(
    "AAABAAIAAwAEAAUABgAHAAgACQAKAAsADAANAA4ADwAQABEAEgATABQAFQAWABcAGAAZABoAGwAcAB0AHgAfACAAIQ"
    "AiACMAJAAlACYAJwAoACkAKgArACwALQAuAC8AMAAxADIAMwA0ADUANgA3ADgAOQA6ADsAPAA9AD4APwBGAEcASABJ"
    "AEoASwBMAE0ATgBPAFAAUQBSAFMAVABVAFYAVwBYAFkAWgBbAFwAXQBeAF8AYABhAGIAYwBkAGUAZgBnAGgAaQBqAG"
    "sAbABtAG4AbwBwAHEAcgBzAHQAdQB2AHcAeAB5AHoAewB8AH0AfgB/AIAAgQCCAIMAhACFAIwAjQCOAI8AkACRAJIA"
    "kwCUAJUAlgCXAJgAmQCaAJsAnACdAJ4AnwCgAKEAogCjAKQApQCmAKcAqACpAKoAqwCsAK0ArgCvALAAsQCyALMAtA"
    "C1ALYAtwC4ALkAugC7ALwAvQC+AL8AwADBAMIAwwDEAMUAxgDHAMgAyQDKAMsAQABBAEIAQwBEAEUAhgCHAIgAiQCK"
    "AIsAzADNAM4AzwDQANEAwD8AwD4KFnRlbnNvcmZsb3c6OlRlbnNvckxpc3QSEAAB////////////ARICCAIaEggBEg"
    "QSAggCKggAAIA/AAAAQA2CPjICAIIBAg1gHBNhYnh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
    "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH"
    "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHjDvw=="
)


def write(folder: Path) -> Path:
    """Write the two files; returns the prefix of their names."""
    (folder / "ck.index").write_bytes(INDEX)
    (folder / "ck.data-00000-of-00001").write_bytes(DATA)
    return folder / "ck"
