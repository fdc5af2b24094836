#!/usr/bin/env python3
"""Fuzzes one target for a while, from the inputs that are kept in corpus/TARGET.hex, and keeps what it found.

    cargo install cargo-fuzz
    python3 fuzz/run.py reply 600

Works on the stable compiler (RUSTC_BOOTSTRAP), without a sanitizer: there is no `unsafe` code to be sanitized. The kept inputs,
one in hexadecimal a line, are read by the tests of the two crates, too.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

LONGEST = 512
HERE = pathlib.Path(__file__).parent.resolve()


def main() -> int:
    if len(sys.argv) != 3:
        sys.exit("usage: run.py TARGET SECONDS")
    target, seconds = sys.argv[1], int(sys.argv[2])
    kept = HERE / "corpus" / f"{target}.hex"
    with tempfile.TemporaryDirectory() as folder:
        found, least = pathlib.Path(folder, "found"), pathlib.Path(folder, "least")
        found.mkdir()
        least.mkdir()
        if kept.exists():
            for number, line in enumerate(kept.read_text().split()):
                (found / str(number)).write_bytes(bytes.fromhex(line))
        fuzz = ["cargo", "fuzz", "run", "--sanitizer", "none", target]
        environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
        fuzzed = subprocess.run([*fuzz, found, "--", f"-max_total_time={seconds}", "-max_len=4096"], cwd=HERE, env=environment)
        # What covers the same code by fewer inputs. The few that are long are left out: they would be most of the file.
        subprocess.run([*fuzz, least, found, "--", "-set_cover_merge=1"], cwd=HERE, env=environment, check=True)
        inputs = (file.read_bytes() for file in least.iterdir())
        inputs = sorted((input for input in inputs if 0 < len(input) <= LONGEST), key=lambda input: (len(input), input))
        kept.parent.mkdir(exist_ok=True)
        kept.write_text("".join(f"{input.hex()}\n" for input in inputs))
        print(f"{len(inputs)} inputs are kept in {kept}")
        return fuzzed.returncode


if __name__ == "__main__":
    sys.exit(main())
