"""Write the digests of the model files that ship: `python tools/model_digests.py`.

They go into SHA256SUMS beside the files, as `sha256sum --check SHA256SUMS` reads them there.
"""

from __future__ import annotations

from hashlib import sha256

from emelia.use.opening.intact import MODELS, SUMS

if __name__ == "__main__":
    files = sorted(MODELS.glob("*.onnx"))
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (MODELS / SUMS).write_text("".join(lines), encoding="ascii")
    print("".join(lines), end="")
